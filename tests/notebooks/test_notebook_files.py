"""The notebooks in git: two files each that say the same, without outputs, endless loops or credentials."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stock_market.producer import sample
from stock_market_ops.common import analyses

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
BIN = Path(sys.executable).parent
NAMES = ("producer", "consumer", "analysis")
each_notebook = pytest.mark.parametrize("name", NAMES)


def code(name: str) -> ast.Module:
    """A notebook's code, all cells one after the other."""
    return ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))


def assigned(name: str) -> dict[str, Any]:
    """The constants that a notebook's reader may change, such as RECORDS."""
    return {
        target.id: ast.literal_eval(statement.value)
        for statement in code(name).body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def test_these_are_all_notebooks_and_each_has_both_files() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(NAMES)
    assert {path.stem for path in FOLDER.rglob("*.ipynb")} == set(NAMES)


@each_notebook
def test_both_files_of_a_notebook_say_the_same(name: str, tmp_path: Path) -> None:
    """What `make ipynb` would write is there already."""
    made = tmp_path / f"{name}.ipynb"
    source = FOLDER / f"{name}.py"
    subprocess.run([BIN / "jupytext", "--quiet", "--to", "ipynb", "--output", made, source], check=True)
    subprocess.run([BIN / "nbstripout", made], check=True)
    there = (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    assert json.loads(there) == json.loads(made.read_text(encoding="utf-8")), "Run `make ipynb`."


@each_notebook
def test_a_notebook_holds_no_outputs(name: str) -> None:
    done = subprocess.run(
        [BIN / "nbstripout", "--verify", FOLDER / f"{name}.ipynb"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}: run `make ipynb`."
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    assert [cell["outputs"] for cell in cells if cell["cell_type"] == "code" and cell["outputs"]] == []


def test_an_output_would_be_found(tmp_path: Path) -> None:
    notebook = json.loads((FOLDER / "producer.ipynb").read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": ["a password\n"]}]
    path = tmp_path / "dirty.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert subprocess.run([BIN / "nbstripout", "--verify", path], capture_output=True, check=False).returncode == 1


@each_notebook
def test_every_loop_ends(name: str) -> None:
    """A loop goes over a range, or over what is there: none waits for ever, and none reads a topic without a limit."""
    loops = [node for node in ast.walk(code(name)) if isinstance(node, ast.While | ast.For)]
    assert [ast.unparse(loop.test) for loop in loops if isinstance(loop, ast.While)] == []
    over = {ast.unparse(loop.iter) for loop in loops if isinstance(loop, ast.For)}
    over |= {ast.unparse(part.iter) for part in ast.walk(code(name)) if isinstance(part, ast.comprehension)}
    assert "consumer" not in over
    if name != "analysis":
        assert any(each.startswith("range(") for each in over)
    numbers = assigned(name)
    assert numbers.get("RECORDS", 0) * numbers.get("PAUSE_SECONDS", 0) <= 10
    assert numbers.get("BATCHES", 0) * numbers.get("BATCH", 0) <= 1000


@each_notebook
def test_no_credentials_and_no_addresses_are_written_in_a_notebook(name: str) -> None:
    for suffix in ("py", "ipynb"):
        text = (FOLDER / f"{name}.{suffix}").read_text(encoding="utf-8")
        assert re.findall(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", text) == []
        assert re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text) == []
        assert re.findall(r"\b[A-Za-z0-9]{32,}\b", text) == []
        assert "operator.conf" not in text
    texts = [node.value for node in ast.walk(code(name)) if isinstance(node, ast.Constant) and node.value]
    given = {
        keyword.arg: ast.unparse(keyword.value)
        for node in ast.walk(code(name))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
    }
    assert not {"aws_access_key_id", "aws_secret_access_key", "endpoint_url"} & {*given, *map(str, texts)}


def test_the_notebooks_use_their_own_topic_group_and_prefix() -> None:
    playbook = (ROOT / "playbooks" / "notebook.yml").read_text(encoding="utf-8")
    assert assigned("producer")["TOPIC"] == assigned("consumer")["TOPIC"] == "notebook-quotes"
    assert "- name: notebook-quotes" in playbook
    assert "client_topic: notebook-quotes" in playbook
    assert "client_user: notebook\n" in playbook
    # The user may use the groups whose names begin with its own.
    assert assigned("consumer")["GROUP"].startswith("notebook")
    identity = (ROOT / "roles" / "identity" / "defaults" / "main.yml").read_text(encoding="utf-8")
    assert "identity_notebooks_prefix: notebooks/\n" in identity
    written = [
        node
        for node in ast.walk(code("consumer"))
        if isinstance(node, ast.JoinedStr) and "json" in str(ast.unparse(node))
    ]
    assert [ast.unparse(node)[2:].startswith("notebooks/quotes/") for node in written] == [True]


def test_the_analysis_asks_each_named_analysis_once_and_in_their_order() -> None:
    asked = [
        ast.literal_eval(node.args[0])
        for statement in code("analysis").body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "analysis"
    ]
    assert sorted(asked) == sorted(analyses.load_all())
    assert len(asked) == len(set(asked))


def test_the_notebooks_data_is_the_shipped_sample_without_its_damage() -> None:
    text = (FOLDER / "indexes.csv").read_text(encoding="utf-8")
    assert text.splitlines() == [",".join(sample.COLUMNS), *sample.rows()]

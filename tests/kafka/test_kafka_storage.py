"""Promises of the module kafka_storage: a directory is formatted once, never over data, and no password is shown."""

from __future__ import annotations

import getpass
import importlib
from pathlib import Path
from typing import Any

import pytest

CLUSTER = "AAAAAAAAAAAAAAAAAAAAAQ"
FORMATTED = f"#\n#Sun Nov 29 16:15:10 UTC 2026\nnode.id=1001\ndirectory.id=easf\nversion=1\ncluster.id={CLUSTER}\n"
OF_ZOOKEEPER = f"broker.id=1\nversion=0\ncluster.id={CLUSTER}\n"
PASSWORD = "never-shown-190-bits"


class Tool:
    """Stands in for the module: runs no command, and keeps what it was asked to run."""

    def __init__(self, tmpdir: Path, directory: Path, *, fails: str = "", check_mode: bool = False) -> None:
        self.check_mode = check_mode
        self.tmpdir = str(tmpdir)
        self.directory, self.fails = directory, fails
        self.lines: list[list[str]] = []
        self.credential = ""

    def run_command(self, line: list[str], **_options: Any) -> tuple[int, str, str]:
        self.lines.append(line)
        for word in line:
            if word.startswith("@"):
                self.credential = Path(word[1:]).read_text(encoding="utf-8")
                assert Path(word[1:]).stat().st_mode & 0o077 == 0
        if self.fails:
            return 1, "", self.fails
        (self.directory / "meta.properties").write_text(FORMATTED, encoding="utf-8")
        return 0, "", ""


@pytest.fixture
def storage() -> Any:
    return importlib.import_module("plugins.modules.kafka_storage")


def options(directory: Path, **changes: Any) -> dict[str, Any]:
    return {
        "directory": str(directory),
        "node_id": 1001,
        "cluster_id": CLUSTER,
        "config": "/etc/c.properties",
        "tool": "/opt/kafka-storage.sh",
        "user": getpass.getuser(),
        "log_dir": "/var/log/k",
        "initial_controllers": ["1001@10.0.0.1:9094:easf"],
        "joins": False,
        "zookeeper": False,
        "scram_user": "broker",
        "scram_password": PASSWORD,
    } | changes


def test_an_empty_directory_is_formatted_once(storage: Any, tmp_path: Path) -> None:
    tool = Tool(tmp_path, tmp_path / "data")
    tool.directory.mkdir()
    done = storage.apply(tool, options(tool.directory))
    assert (done["changed"], done["formatted"], done["cluster_id"], done["node_id"]) == (True, True, CLUSTER, "1001")
    again = storage.apply(tool, options(tool.directory))
    assert (again["changed"], again["cluster_id"], len(tool.lines)) == (False, CLUSTER, 1)


def test_the_password_is_in_no_command_line_and_in_no_file_afterwards(storage: Any, tmp_path: Path) -> None:
    tool = Tool(tmp_path, tmp_path / "data")
    tool.directory.mkdir()
    storage.apply(tool, options(tool.directory))
    assert PASSWORD in tool.credential
    (line,) = tool.lines
    assert not any(PASSWORD in word for word in line)
    (named,) = [word[1:] for word in line if word.startswith("@")]
    assert not Path(named).exists()


def test_the_tools_own_words_do_not_show_it_either(storage: Any, tmp_path: Path) -> None:
    tool = Tool(tmp_path, tmp_path / "data", fails=f"can't parse password={PASSWORD}")
    tool.directory.mkdir()
    with pytest.raises(storage.RefusedError, match="did not format") as refused:
        storage.apply(tool, options(tool.directory))
    assert PASSWORD not in str(refused.value)


def test_a_directory_that_joins_a_quorum_begins_none(storage: Any, tmp_path: Path) -> None:
    tool = Tool(tmp_path, tmp_path / "data")
    tool.directory.mkdir()
    storage.apply(tool, options(tool.directory, joins=True, scram_user=None, scram_password=None))
    (line,) = tool.lines
    assert "--no-initial-controllers" in line
    assert "--initial-controllers" not in line


def test_without_a_cluster_it_only_tells(storage: Any, tmp_path: Path) -> None:
    tool = Tool(tmp_path, tmp_path)
    assert storage.apply(tool, options(tmp_path / "none", cluster_id=None)) == {
        "changed": False,
        "formatted": False,
        "cluster_id": "",
        "node_id": "",
        "directory_id": "",
        "zookeeper": False,
        "started": False,
    }
    assert tool.lines == []


def test_check_mode_formats_nothing(storage: Any, tmp_path: Path) -> None:
    tool = Tool(tmp_path, tmp_path / "data", check_mode=True)
    tool.directory.mkdir()
    assert storage.apply(tool, options(tool.directory))["changed"]
    assert tool.lines == []


def test_what_a_broken_off_format_left_is_no_data(storage: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "__cluster_metadata-0").mkdir(parents=True)
    (data / "__cluster_metadata-0" / "00000000000000000000-0000000000.checkpoint").touch()
    (data / "bootstrap.checkpoint").touch()
    (data / "lost+found").mkdir()
    assert storage.apply(Tool(tmp_path, data), options(data))["formatted"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"stock-quotes-0/00000000000000000000.log": ""}, "is not formatted, but has data (stock-quotes-0)"),
        (
            {"__cluster_metadata-0/00000000000000000000.log": ""},
            "is not formatted, but has data (00000000000000000000.log)",
        ),
        ({"__cluster_metadata-0/quorum-state": "{}"}, "is not formatted, but has data (__cluster_metadata-0)"),
        ({"meta.properties": OF_ZOOKEEPER}, "has the data of a broker that keeps its metadata in ZooKeeper"),
        (
            {"meta.properties": FORMATTED.replace(CLUSTER, "B" * 22)},
            f"belongs to the cluster {'B' * 22}, not to {CLUSTER}",
        ),
        ({"meta.properties": FORMATTED.replace("1001", "1002")}, "has the data of node 1002, not of node 1001"),
    ],
)
def test_data_are_never_formatted_over(storage: Any, tmp_path: Path, files: dict[str, str], words: str) -> None:
    for name, text in files.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    tool = Tool(tmp_path, tmp_path / "data")
    with pytest.raises(storage.RefusedError) as refused:
        storage.apply(tool, options(tmp_path / "data"))
    assert words in str(refused.value)
    assert tool.lines == []


def test_data_of_a_broker_that_left_zookeeper_are_krafts(storage: Any, tmp_path: Path) -> None:
    (tmp_path / "meta.properties").write_text(OF_ZOOKEEPER, encoding="utf-8")
    with pytest.raises(storage.RefusedError, match="keeps its metadata in ZooKeeper"):
        storage.apply(Tool(tmp_path, tmp_path), options(tmp_path, node_id=1, cluster_id=None))
    asked = options(tmp_path, node_id=1, cluster_id=None, zookeeper=True)
    before = storage.apply(Tool(tmp_path, tmp_path), asked)
    assert (before["zookeeper"], before["formatted"], before["cluster_id"]) == (True, False, CLUSTER)
    (tmp_path / "__cluster_metadata-0").mkdir()
    after = storage.apply(Tool(tmp_path, tmp_path), options(tmp_path, node_id=1, cluster_id=None))
    assert (after["zookeeper"], after["formatted"], after["node_id"]) == (False, True, "1")

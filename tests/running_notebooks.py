"""The notebooks from start to end, and JupyterLab, against the running deployment that STOCK_MARKET_DEPLOYMENT names.

`make test-notebooks` brings one up for them. They are not among the unit tests: they need hosts.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stock_market_ops.common import analyses, aws
from stock_market_ops.common.deployment import load

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".state" / os.environ["STOCK_MARKET_DEPLOYMENT"]
PYTHON = ROOT / ".venv" / "notebook" / "bin" / "python"
RUN = """
import sys, nbformat
from nbclient import NotebookClient
source, target, folder = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}).execute()
nbformat.write(notebook, target)
"""
# Lets a kernel print, as JupyterLab's page does, and prints what it says.
ASK = """
import json, sys, websocket
channels = websocket.create_connection(sys.argv[1], timeout=50)
header = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": "", "version": "5.4", "date": ""}
content = {"code": "print(6 * 7)", "silent": False, "store_history": False, "user_expressions": {}}
content |= {"allow_stdin": False, "stop_on_error": True}
message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []}
channels.send(json.dumps(message))
while (said := json.loads(channels.recv()))["msg_type"] != "stream":
    pass
print(said["content"]["text"], end="")
"""


@pytest.fixture(scope="module", autouse=True)
def lab() -> Iterator[str]:
    """JupyterLab's address with its token, as `make notebook` prints it, after it has set up topic and user."""
    started = subprocess.Popen(
        ["make", "notebook"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert started.stdout is not None
    said: list[str] = []
    for line in started.stdout:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/lab\?token=\w+", line):
            break
    else:
        raise AssertionError("".join(said)[-3000:])
    # It prints its address just before it listens.
    deadline = time.monotonic() + 30
    while not listening(int(found[1])) and time.monotonic() < deadline:
        time.sleep(0.2)
    yield found[0]
    os.killpg(started.pid, signal.SIGTERM)
    assert started.wait(30) is not None


def executed(name: str, folder: Path) -> list[dict[str, Any]]:
    """The outputs of a notebook's cells, run in the order in which a person would run them."""
    target = folder / f"{name}.ipynb"
    source = ROOT / "notebooks" / f"{name}.ipynb"
    done = subprocess.run(
        [PYTHON, "-c", RUN, source, target, source.parent],
        env=os.environ | {"IPYTHONDIR": str(folder), "MPLCONFIGDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = json.loads(target.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert [one for one in outputs if one["output_type"] == "error" or one.get("name") == "stderr"] == []
    return outputs


def printed(outputs: list[dict[str, Any]]) -> str:
    return "".join("".join(one["text"]) for one in outputs if one["output_type"] == "stream")


def objects() -> dict[str, int]:
    """The notebooks' objects, and how many records each has."""
    deployment = load(os.environ["STOCK_MARKET_DEPLOYMENT"])
    s3 = aws.session(deployment).client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=deployment.data_bucket, Prefix="notebooks/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    bodies = {key: s3.get_object(Bucket=deployment.data_bucket, Key=key)["Body"].read() for key in keys}
    return {key: len([json.loads(line) for line in body.splitlines()]) for key, body in bodies.items()}


def test_what_the_producer_sends_is_in_s3_once_after_the_consumer(tmp_path: Path) -> None:
    executed("consumer", tmp_path)
    before = objects()
    assert "Stored 100 records" in printed(executed("producer", tmp_path))
    executed("consumer", tmp_path)
    after = objects()
    added = {key: count for key, count in after.items() if key not in before}
    assert sum(added.values()) == 100
    assert 4 <= len(added) < 20
    assert "There was nothing new" in printed(executed("consumer", tmp_path))
    assert objects() == after


def test_the_analysis_shows_each_answer_and_eight_plots(tmp_path: Path) -> None:
    outputs = executed("analysis", tmp_path)
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert kinds.count("image/png") == 8
    # One table for each analysis, and one for the reader's own question.
    assert kinds.count("text/html") == len(analyses.load_all()) + 1
    assert "Missing: 0  Doubles: 0" in printed(outputs)


def test_the_notebooks_user_may_not_touch_the_stream() -> None:
    program = """
import sys, kafka
settings = dict(line.split("=", 1) for line in open(sys.argv[1]) if "=" in line and line[0] != "#")
settings = {name: value.strip() for name, value in settings.items()}
producer = kafka.KafkaProducer(
    bootstrap_servers=settings["bootstrap.servers"].split(","), security_protocol="SASL_SSL",
    ssl_cafile=settings["ssl.ca.location"], sasl_mechanism="SCRAM-SHA-512",
    sasl_plain_username=settings["sasl.username"], sasl_plain_password=settings["sasl.password"])
try:
    producer.send("stock-quotes", b"x").get(timeout=20)
except kafka.errors.TopicAuthorizationFailedError:
    print("refused")
"""
    done = subprocess.run(
        [PYTHON, "-c", program, STATE / "clients" / "notebook.conf"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "refused\n", done.stdout + done.stderr


def answer(address: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """An HTTP answer's status and text; with a body the request is a POST."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_jupyterlab_serves_the_notebooks_on_loopback_to_who_has_the_token(lab: str) -> None:
    base, _, token = lab.partition("/lab?token=")
    contents = f"{base}/api/contents"
    assert answer(contents)[0] == 403
    assert answer(contents, Authorization="token wrong")[0] == 403
    status, text = answer(contents, Authorization=f"token {token}")
    assert status == 200
    served = {entry["name"] for entry in json.loads(text)["content"]}
    assert {"producer.ipynb", "consumer.ipynb", "analysis.ipynb"} <= served
    # A page of another site that was made to resolve to loopback is refused by its host's name.
    assert answer(contents, Authorization=f"token {token}", Host="example.org")[0] == 403
    assert listening(int(base.rpartition(":")[2])) == ["127.0.0.1"]


def test_jupyterlab_starts_a_kernel_that_only_loopback_reaches(lab: str) -> None:
    base, _, token = lab.partition("/lab?token=")
    status, text = answer(f"{base}/api/kernels", b'{"name": "python3"}', Authorization=f"token {token}")
    assert status == 201
    kernel = json.loads(text)["id"]
    channels = f"{base.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={token}"
    done = subprocess.run([PYTHON, "-c", ASK, channels], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "42\n", done.stderr
    facts = json.loads((STATE / "jupyter" / "runtime" / f"kernel-{kernel}.json").read_text(encoding="utf-8"))
    ports = [facts[f"{channel}_port"] for channel in ("shell", "iopub", "stdin", "control", "hb")]
    assert [listening(port) for port in ports] == [["127.0.0.1"]] * 5
    # Without the key, another account of this machine could read outputs there.
    assert facts["curve_publickey"]


def listening(port: int) -> list[str]:
    """The addresses on which this machine listens at a port."""
    asked = ["ss", "--no-header", "--listening", "--tcp", "--numeric", f"sport = :{port}"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[3].rpartition(":")[0] for line in lines]

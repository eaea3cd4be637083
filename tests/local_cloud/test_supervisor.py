"""Starting and stopping beside others, and on a machine that lacks something."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from local_cloud import supervisor
from local_cloud.__main__ import main
from local_cloud.errors import LocalCloudError
from local_cloud.hosts import commands, image, network
from local_cloud.hosts import host as hosts
from local_cloud.settings import API_PORT, Settings


@contextmanager
def listener(settings: Settings, answer: bytes) -> Iterator[None]:
    """Another program on the block's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_request(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer((settings.machine_address, API_PORT), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Neither podman nor the network is touched; what would have been is listed."""
    touched: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(supervisor, "require", lambda: None)
    monkeypatch.setattr(image, "ensure", lambda _: "localhost/host:12-0123456789abcdef")
    monkeypatch.setattr(image, "built_on", lambda _: "20260101")

    def down(_: Settings) -> list[str]:
        touched.append("network")
        return []

    def remove_leftovers(_: Settings, *, whole_block: bool = True) -> list[str]:
        touched.append("block's hosts" if whole_block else "own hosts")
        return []

    monkeypatch.setattr(network, "down", down)
    monkeypatch.setattr(hosts, "remove_leftovers", remove_leftovers)
    return touched


def test_a_block_held_by_another_deployment_is_refused_before_anything_is_touched(
    settings: Settings, untouched: list[str]
) -> None:
    other = json.dumps({"deployment": "other", "state_dir": "/elsewhere/other", "pid": 99}).encode()
    with (
        listener(settings, other),
        pytest.raises(LocalCloudError, match=r"Block 77 is held by the running local cloud of 'other' \(process 99"),
    ):
        supervisor.start(settings)
    assert untouched == []


def test_an_address_taken_by_some_other_program_is_refused(settings: Settings, untouched: list[str]) -> None:
    with (
        listener(settings, b"<html>"),
        pytest.raises(LocalCloudError, match=r"Another program listens on 127.77.77.1:4566: set local_cloud_block"),
    ):
        supervisor.start(settings)
    assert untouched == []


def test_a_stop_never_touches_the_hosts_of_another_that_holds_the_block(
    settings: Settings, untouched: list[str]
) -> None:
    with listener(settings, b'{"state_dir": "/elsewhere/other"}'):
        supervisor.stop(settings)
    assert untouched == ["own hosts"]


def test_a_start_that_fails_gives_the_logs_last_lines(
    settings: Settings, untouched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/false")
    monkeypatch.setattr(supervisor, "_log_tail", lambda _: "the last line")
    with pytest.raises(LocalCloudError, match=r"ended at its start(.|\n)*the last line"):
        supervisor.start(settings)
    assert untouched == ["block's hosts", "network", "block's hosts", "network"]


def test_the_logs_tail_is_its_end(settings: Settings) -> None:
    settings.directory.mkdir(parents=True)
    settings.log_file.write_text("".join(f"line {number}\n" for number in range(100)))
    assert supervisor._log_tail(settings).splitlines()[-1] == "line 99"
    assert "line 50" not in supervisor._log_tail(settings)


def test_a_stale_pid_file_is_not_taken_for_a_running_server(settings: Settings) -> None:
    settings.directory.mkdir(parents=True)
    settings.lock_file.touch()
    settings.pid_file.write_text(f"{os.getpid()}\n")
    assert supervisor.live_pid(settings) is None
    with settings.lock_file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert supervisor.live_pid(settings) == os.getpid()


def test_a_server_whose_directory_was_removed_is_found_by_what_it_says(settings: Settings) -> None:
    said = json.dumps({"deployment": "unit-test", "state_dir": str(settings.state_dir), "pid": 4711}).encode()
    with listener(settings, said):
        assert supervisor.live_pid(settings) == 4711


@pytest.mark.usefixtures("untouched")
def test_a_stop_with_nothing_there_changes_nothing(settings: Settings) -> None:
    report = supervisor.stop(settings)
    assert (report.changed, report.running, report.removed) == (False, False, [])


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: None if name in ("nft", "podman") else name)
    with pytest.raises(LocalCloudError, match="apt-get install nftables podman"):
        commands.require()


def test_a_wrong_option_ends_with_its_sentence_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["status", "--deployment", "Wrong_Name", "--block", "7", "--state-dir", str(tmp_path)])
    assert code == 2
    assert capsys.readouterr().err.startswith("'Wrong_Name' is no deployment name")

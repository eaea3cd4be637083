"""The ahead-of-time cache of Trino's Java: made once, used only where it is whole, and never in the way of a start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from local_cloud.errors import LocalCloudError
from local_cloud.trino import aot, distribution

# `java` as it is called here: serves /v1/info and statements, of which it refuses the first, and writes the cache when
# it is told to stop.
JAVA = """\
#!{python}
import http.server, json, os, pathlib, signal, sys, threading
place = pathlib.Path({place!r})
with (place / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if (place / "fails").exists():
    sys.exit(1)
option = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
settings = dict(line.split("=", 1) for line in pathlib.Path(option["-Dconfig"]).read_text().splitlines())
posts = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, content):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())
    def do_GET(self):
        if self.path == "/v1/info":
            self.answer({{"starting": False}})
        elif posts == 1:
            self.answer({{"error": {{"errorName": "NO_NODES_AVAILABLE"}}}})
        else:
            (place / "asked").write_text(self.headers["X-Trino-User"])
            self.answer({{"data": [[1]]}})
    def do_POST(self):
        global posts
        posts += 1
        self.answer({{"nextUri": settings["discovery.uri"] + "/v1/next"}})
    def log_request(self, *_):
        pass
def stop(*_):
    if not (place / "no cache").exists():
        pathlib.Path(option["-XX:AOTCacheOutput"]).write_text("cache")
    os._exit(143)
signal.signal(signal.SIGTERM, stop)
server = http.server.HTTPServer((settings["node.bind-ip"], int(settings["http-server.http.port"])), Handler)
server.serve_forever()
"""


@pytest.fixture
def trino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a Trino whose Java is the script above."""
    java = tmp_path / "java-runtime" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(JAVA.format(python=sys.executable, place=str(tmp_path)))
    java.chmod(0o755)
    modules = tmp_path / "java-runtime" / "lib" / "modules"
    modules.parent.mkdir()
    modules.write_text("classes")
    monkeypatch.setattr(distribution, "java", lambda: java)
    directory = tmp_path / "cache" / "trino-476-0123456789abcdef"
    directory.mkdir(parents=True)
    return directory


def call_count(trino: Path) -> int:
    return len((trino.parents[1] / "calls").read_text().splitlines())


def left_beside(trino: Path) -> list[str]:
    return sorted(path.name for path in trino.parent.iterdir() if path.suffix != ".lock" and path != trino)


def test_the_cache_is_made_by_one_run_that_answers_a_query_and_used_from_then_on(trino: Path) -> None:
    assert aot.jvm_options(trino) == list(aot.OPTIONS)
    aot.train(trino)
    aot.train(trino)
    cache = aot.cache_file(trino)
    assert (trino.parents[1] / "asked").read_text() == "training"
    assert call_count(trino) == 1
    assert left_beside(trino) == [cache.name]
    assert aot.jvm_options(trino) == [*aot.OPTIONS, f"-XX:AOTCache={cache}", "-Xlog:aot=off"]


def test_it_is_trained_with_the_options_and_the_class_path_of_a_start(trino: Path) -> None:
    aot.train(trino)
    called = (trino.parents[1] / "calls").read_text()
    assert called.startswith(" ".join(aot.OPTIONS))
    assert f"-cp {aot.classpath(trino)} io.trino.server.TrinoServer" in called


@pytest.mark.parametrize("fault", ["fails", "no cache"])
def test_a_run_that_fails_is_not_repeated_and_a_start_does_without(trino: Path, fault: str) -> None:
    (trino.parents[1] / fault).touch()
    with pytest.raises(LocalCloudError, match="Trino starts without"):
        aot.train(trino)
    aot.train(trino)
    assert call_count(trino) == 1
    assert aot.jvm_options(trino) == list(aot.OPTIONS)


def test_another_java_has_a_cache_of_its_own_and_the_disk_holds_two_at_most(trino: Path) -> None:
    made = []
    for day in range(3):
        os.utime(trino.parents[1] / "java-runtime" / "lib" / "modules", (day * 86400, day * 86400))
        aot.train(trino)
        made.append(aot.cache_file(trino).name)
        os.utime(aot.cache_file(trino), (day * 86400, day * 86400))
    assert left_beside(trino) == sorted(made[1:])


def test_what_a_killed_run_left_is_removed_by_the_next(trino: Path) -> None:
    left = trino.parent / ".training-trino-left"
    left.mkdir()
    (left / "cache.aot").write_text("half")
    aot.train(trino)
    assert left_beside(trino) == [aot.cache_file(trino).name]

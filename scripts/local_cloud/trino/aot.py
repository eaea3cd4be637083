"""Trino's JVM options, and the ahead-of-time cache (JEP 483, 514) with which it starts at two thirds of the CPU time.

The cache holds the server's classes, loaded and linked, and their profiles. It is made once a machine by a training
run: Trino starts without a catalog, answers one query and stops, and Java writes the cache. Java itself checks at every
start that the cache belongs to this Java and these jars, and goes on without it where it does not.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local_cloud.errors import LocalCloudError
from local_cloud.trino import distribution

OPTIONS: Final = (
    # The heap stays at a third of that but for windows over millions of rows.
    *("-Xmx2800M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData"),
    *("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"),
    # Java's own sizes are reached several times during a start and the first queries, each time with a full collection.
    *("-XX:MetaspaceSize=192M", "-XX:ReservedCodeCacheSize=128M"),
    "-Djdk.attach.allowAttachSelf=true",
)
MAIN_CLASS: Final = "io.trino.server.TrinoServer"
TRAINING_LIMIT_SECONDS: Final = 600.0
NICENESS: Final = 19
_SCRATCH_PREFIX: Final = ".training-trino-"
_PAST_PROXIES: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def jvm_options(directory: Path) -> list[str]:
    """Return the options of `java` for the Trino in `directory`, with the ahead-of-time cache where there is one.

    The class path has to be `classpath(directory)`. Never waits, and never trains.
    """
    cache = cache_file(directory)
    return [*OPTIONS, f"-XX:AOTCache={cache}", "-Xlog:aot=off"] if _is_made(cache) else list(OPTIONS)


def prepare_beside() -> None:
    """Start to fetch Trino and to train it in a process of its own where the cache lacks either; return at once.

    The process outlives this one and says nothing: whoever calls `distribution.ensure` waits for its download, and
    fetches again if it failed.
    """
    directory = distribution.cached_directory()
    if distribution.is_whole(directory) and cache_file(directory).exists():
        return
    subprocess.Popen(
        [sys.executable, "-m", "local_cloud", "engine", "--train"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        start_new_session=True,
    )


def classpath(directory: Path) -> str:
    """Return the class path of the server in `directory`."""
    return f"{directory}/lib/*"


def cache_file(directory: Path) -> Path:
    """Where the ahead-of-time cache lies for the Trino in `directory`, this Java and these options."""
    # Java refuses a cache that was made with other class files of its own, and knows them by size and time.
    modules = (distribution.java().resolve().parents[1] / "lib" / "modules").stat()
    key = json.dumps([modules.st_size, modules.st_mtime_ns, OPTIONS])
    return directory.with_name(f"{directory.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.aot")


def train(directory: Path) -> None:
    """Make the ahead-of-time cache if there is none: about 30 s of CPU time, in processes of the lowest priority.

    Of two at once, the second waits and finds the first one's. A run that fails is not repeated on this machine: an
    empty file takes the cache's place.

    Raises:
        LocalCloudError: Trino did not start, or Java wrote no cache. Trino starts without one.
    """
    cache = cache_file(directory)
    if cache.is_file():
        return
    with (directory.parent / "trino-training.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cache.is_file():
            return
        for path in directory.parent.glob(f"{_SCRATCH_PREFIX}*"):
            shutil.rmtree(path)
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=directory.parent))
        try:
            _run(directory, scratch, scratch / "cache.aot")
            (scratch / "cache.aot").rename(cache)
            _remove_old(cache)
        except LocalCloudError:
            cache.touch()
            raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _remove_old(cache: Path) -> None:
    """Remove the caches of earlier Javas and Trinos, but for the newest: another checkout may use that."""
    others = [path for path in cache.parent.glob(f"trino-{distribution.VERSION}-*.aot") if path != cache]
    for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-1]:
        path.unlink()


def _is_made(cache: Path) -> bool:
    return cache.is_file() and cache.stat().st_size > 0


def _run(directory: Path, scratch: Path, cache: Path) -> None:
    end = time.monotonic() + TRAINING_LIMIT_SECONDS
    address = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    (scratch / "catalog").mkdir()
    settings = server_settings("training", address, directory / "plugin")
    write_properties(scratch / "config.properties", settings)
    command = [
        *("setpriv", "--pdeathsig", "KILL", "nice", "-n", str(NICENESS), str(distribution.java())),
        *(*OPTIONS, f"-XX:AOTCacheOutput={cache}", f"-Dconfig={scratch}/config.properties"),
        *(f"-Dcatalog.config-dir={scratch}/catalog", f"-Dnode.data-dir={scratch}", "-cp", classpath(directory)),
        MAIN_CLASS,
    ]
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=scratch)
    try:
        while not has_started(address):
            if process.poll() is not None or time.monotonic() > end:
                raise LocalCloudError("Trino's training run did not start; Trino starts without its cache.")
            time.sleep(0.2)
        _query(address, end)
        process.terminate()
        process.wait(max(1.0, end - time.monotonic()))
    except (subprocess.TimeoutExpired, OSError) as error:
        raise LocalCloudError(f"Trino's training run failed ({error}); Trino starts without its cache.") from error
    finally:
        process.kill()
        process.wait()
    if not _is_made(cache):
        raise LocalCloudError("Java wrote no cache after Trino's training run; Trino starts without it.")


def server_settings(name: str, url: str, plugins: Path) -> dict[str, str]:
    """The properties of a server that is coordinator and worker in one, at an address of its own.

    Args:
        name: the name of the node and its environment.
        url: where it answers, http://<address>:<port>.
        plugins: the directory of its plugins.
    """
    address, _, port = url.removeprefix("http://").partition(":")
    return {
        "node.environment": name,
        "node.id": name,
        "node.bind-ip": address,
        "node.internal-address": address,
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "discovery.uri": url,
        "http-server.http.port": port,
        "plugin.dir": str(plugins),
        "web-ui.enabled": "false",
    }


def write_properties(file: Path, settings: Mapping[str, str]) -> None:
    """Writes a file of Java's properties."""
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def has_started(address: str) -> bool:
    """Whether the Trino at an address says that it has started."""
    try:
        with _PAST_PROXIES.open(f"{address}/v1/info", timeout=10) as answer:
            return json.load(answer)["starting"] is False
    except (OSError, ValueError, KeyError):
        return False


def _query(address: str, end: float) -> None:
    """Ask a query that parses, plans and aggregates; repeat it until Trino has found its one worker, itself."""
    statement = b"SELECT n, count(*), sum(x) FROM (VALUES ('a', 1e0), ('b', 2e0)) AS t (n, x) GROUP BY n ORDER BY n"
    headers = {"X-Trino-User": "training"}
    request = urllib.request.Request(f"{address}/v1/statement", data=statement, headers=headers)
    following = request
    while time.monotonic() < end:
        with _PAST_PROXIES.open(following, timeout=60) as answer:
            page = json.load(answer)
        if "nextUri" in page:
            following = urllib.request.Request(page["nextUri"], headers=headers)
        elif "error" in page:
            time.sleep(0.5)
            following = request
        else:
            return
    raise TimeoutError("it answers no query")


def free_port(address: str) -> int:
    """A port of this machine's address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port

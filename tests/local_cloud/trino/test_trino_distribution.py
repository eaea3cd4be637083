"""Trino's distribution: unpacked as wanted, fetched once a machine, and never taken for whole when it is not."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_cloud.__main__ import main
from local_cloud.errors import LocalCloudError
from local_cloud.trino import aot, distribution

SCRIPTS = Path(distribution.__file__).resolve().parents[2]
ROOT = "trino-server-476"
# A name and either a content or, after "->", the name of the member that it is a hard link to.
MEMBERS = (
    ("NOTICE", "notice"),
    ("README.txt", "readme"),
    ("bin/launcher", "launcher"),
    ("plugin/bigquery/guava.jar", "guava"),
    ("plugin/delta-lake/s3.jar", "s3"),
    ("plugin/delta-lake/glue.jar", "-> plugin/bigquery/guava.jar"),
    ("lib/guava.jar", "-> plugin/bigquery/guava.jar"),
    ("lib/main.jar", "main"),
    ("plugin/hive/glue.jar", "-> plugin/delta-lake/glue.jar"),
    ("plugin/hive/s3.jar", "-> plugin/delta-lake/s3.jar"),
    ("plugin/hive/hive.jar", "hive"),
    ("plugin/hive/hdfs/hadoop.jar", "hadoop"),
    ("plugin/hive/org.rocksdb_rocksdbjni-7.0.3.jar", "rocksdb"),
    ("plugin/iceberg/s3.jar", "-> plugin/delta-lake/s3.jar"),
    ("plugin/kafka/kafka.jar", "kafka"),
    ("plugin/opa/opa.jar", "opa"),
    ("plugin/geospatial/jts.jar", "jts"),
)
UNPACKED = {
    "NOTICE": "notice",
    "README.txt": "readme",
    "lib/guava.jar": "guava",
    "lib/main.jar": "main",
    "plugin/geospatial/jts.jar": "jts",
    "plugin/hive/glue.jar": "guava",
    "plugin/hive/hive.jar": "hive",
    "plugin/hive/s3.jar": "s3",
    "plugin/iceberg/s3.jar": "s3",
    "plugin/opa/opa.jar": "opa",
}


def make_tarball(path: Path, members: tuple[tuple[str, str], ...] = MEMBERS, root: str = ROOT) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        directory = tarfile.TarInfo(root)
        directory.type = tarfile.DIRTYPE
        archive.addfile(directory)
        for name, content in members:
            entry = tarfile.TarInfo(f"{root}/{name}")
            if content.startswith("-> "):
                entry.type, entry.linkname = tarfile.LNKTYPE, f"{root}/{content[3:]}"
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content.encode()))
    return path


def files(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and path.name != distribution.MANIFEST
    }


# `mvn` as it is called here: it notes the call, gets the tarball's first half into the repository under the name that
# Maven gives to what is under way, waits while `hold` exists, and ends with the whole.
MVN = """\
#!/bin/bash
set -eu
echo "$@" >> "{place}/calls"
for word in "$@"; do case "$word" in -Dmaven.repo.local=*) repository=${{word#*=}};; esac; done
if [ -e "{place}/fails" ]; then cat "{place}/fails"; exit 1; fi
mkdir -p "$repository/io/trino/trino-server/476"
cd "$repository/io/trino/trino-server/476"
head -c 100 "{place}/tarball" > trino-server-476.tar.gz.part
touch "{place}/half"
while [ -e "{place}/hold" ]; do sleep 0.05; done
cp "{place}/tarball" trino-server-476.tar.gz
"""


class Machine:
    """A cache of its own, and a `mvn` that has a small tarball to give."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.cache = place / "cache" / "stock-market"
        self.calls = place / "calls"
        self.pins = place / "pins"

    def call_count(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def start(self) -> subprocess.Popen[str]:
        """`ensure` in a process of its own, which prints the directory."""
        program = (
            "import sys; from pathlib import Path; from local_cloud.trino import distribution as it; "
            "it.PINS = Path(sys.argv[1]); it.FREE_BYTES = 0; it.PROGRESS_SECONDS = 0.2; "
            "print(it.ensure(lambda line: print(line, file=sys.stderr, flush=True)))"
        )
        return subprocess.Popen(
            [sys.executable, "-c", program, str(self.pins)],
            env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def wait_until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 90
    while not true():
        assert time.monotonic() < end, f"{what} did not come about"
        time.sleep(0.02)


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.name != "trino.lock")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(tmp_path)
    tarball = make_tarball(tmp_path / "tarball")
    digest = hashlib.sha512(tarball.read_bytes()).hexdigest()
    made.pins.write_text(f"{digest}  io/trino/trino-server/476/trino-server-476.tar.gz\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mvn").write_text(MVN.format(place=tmp_path))
    (programs / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(distribution, "PINS", made.pins)
    monkeypatch.setattr(distribution, "FREE_BYTES", 0)
    yield made
    (tmp_path / "hold").unlink(missing_ok=True)


def test_only_what_is_wanted_is_unpacked_and_links_to_unwanted_plugins_have_their_content(tmp_path: Path) -> None:
    distribution.unpack(make_tarball(tmp_path / "tarball"), tmp_path / "unpacked")
    assert files(tmp_path / "unpacked") == UNPACKED
    inodes = {(tmp_path / "unpacked" / name).stat().st_ino for name in ("plugin/hive/s3.jar", "plugin/iceberg/s3.jar")}
    assert len(inodes) == 1, "a jar that two plugins share takes its space once"


@pytest.mark.parametrize(
    ("members", "root"),
    [
        ((("lib/../../outside.jar", "x"),), ROOT),
        ((("lib/guava.jar", "x"), ("lib/main.jar", "-> ../outside.jar")), ROOT),
        ((("lib/main.jar", "x"),), "/absolute"),
        ((("lib/main.jar", "x"),), "trino-server-999"),
        ((("/lib/main.jar", "x"),), ROOT),
    ],
)
def test_a_name_that_leads_out_of_the_tarball_is_refused_and_nothing_written(
    tmp_path: Path, members: tuple[tuple[str, str], ...], root: str
) -> None:
    with pytest.raises(LocalCloudError, match="has a member outside trino-server-476/"):
        distribution.unpack(make_tarball(tmp_path / "tarball", members, root), tmp_path / "unpacked")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tarball"]


def test_a_wanted_link_without_a_target_and_a_symbolic_link_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match=r"can't be unpacked: 'trino-server-476/lib/main\.jar'"):
        distribution.unpack(make_tarball(tmp_path / "a", (("lib/main.jar", "-> lib/none.jar"),)), tmp_path / "unpacked")
    with tarfile.open(tmp_path / "b", "w:gz") as archive:
        entry = tarfile.TarInfo(f"{ROOT}/lib/main.jar")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(LocalCloudError, match=r"can't be unpacked: 'trino-server-476/lib/main\.jar'"):
        distribution.unpack(tmp_path / "b", tmp_path / "unpacked")


def test_it_is_fetched_once_and_nothing_but_the_unpacked_directory_stays(machine: Machine) -> None:
    directory = distribution.ensure()
    assert files(directory) == UNPACKED
    assert distribution.ensure() == directory
    assert machine.call_count() == 1
    assert "io.trino:trino-server:476:tar.gz" in machine.calls.read_text()
    assert left_in(machine.cache) == [directory.name]


def test_a_directory_that_lost_a_file_or_a_part_of_one_is_fetched_again(machine: Machine) -> None:
    directory = distribution.ensure()
    (directory / "lib/main.jar").write_text("")
    distribution.ensure()
    (directory / "plugin/opa/opa.jar").unlink()
    distribution.ensure()
    assert files(directory) == UNPACKED
    assert machine.call_count() == 3


def test_another_tarball_than_the_pinned_one_is_refused_and_not_kept(machine: Machine) -> None:
    make_tarball(machine.place / "tarball", (("lib/main.jar", "another"),))
    with pytest.raises(LocalCloudError, match=r"has the SHA-512 [0-9a-f]{128}, expected was [0-9a-f]{128}: find out"):
        distribution.ensure()
    assert left_in(machine.cache) == []


def test_a_machine_without_maven_is_told_what_to_install(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine.place / "nothing"))
    with pytest.raises(LocalCloudError, match=r"`mvn`, which fetches Trino, is not installed; install Debian's packag"):
        distribution.ensure()
    assert left_in(machine.cache) == []


def test_a_machine_without_a_network_is_told_mavens_reason(machine: Machine) -> None:
    reason = "Could not transfer artifact io.trino:trino-server:pom:476: Unknown host"
    (machine.place / "fails").write_text(f"\x1b[0m[\x1b[1;31mERROR\x1b[m] {reason}\n[ERROR] \n[ERROR] Re-run Maven\n")
    with pytest.raises(LocalCloudError) as raised:
        distribution.ensure()
    said = str(raised.value)
    assert said.startswith(f"Maven could not fetch io.trino:trino-server:476:tar.gz: {reason}. Check that this machine")
    assert "\x1b" not in said
    assert "\n" not in said
    assert left_in(machine.cache) == []


def test_a_disk_without_room_is_found_before_the_download(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "FREE_BYTES", 10**18)
    with pytest.raises(
        LocalCloudError, match=r"needs 1000000000000 MB in .*stock-market while it is fetched, and \d+ MB"
    ):
        distribution.ensure()
    assert machine.call_count() == 0
    assert left_in(machine.cache) == []


def test_a_killed_fetch_takes_maven_with_it_and_the_next_one_removes_what_it_left(machine: Machine) -> None:
    (machine.place / "hold").touch()
    killed = machine.start()
    wait_until((machine.place / "half").exists, "the first half")
    maven = subprocess.run(["pgrep", "-P", str(killed.pid)], capture_output=True, text=True, check=True).stdout.strip()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    wait_until(lambda: not Path("/proc", maven).exists(), "Maven's end")
    assert len(left_in(machine.cache)) == 1
    assert not distribution.cached_directory().exists()

    (machine.place / "hold").unlink()
    directory = distribution.ensure()
    assert files(directory) == UNPACKED
    assert left_in(machine.cache) == [directory.name]


def test_of_two_at_once_one_fetches_and_both_tell_of_the_progress(machine: Machine) -> None:
    (machine.place / "hold").touch()
    first = machine.start()
    wait_until((machine.place / "half").exists, "the first half")
    second = machine.start()
    for process in (first, second):
        assert process.stderr is not None
        assert process.stderr.readline() == "Trino 476: 0 of 821 MB\n"
    (machine.place / "hold").unlink()
    said = [process.communicate(timeout=90)[0].strip() for process in (first, second)]
    assert said == [str(distribution.cached_directory())] * 2
    assert machine.call_count() == 1


def test_another_selection_of_files_is_stored_beside_the_old_one(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = distribution.ensure()
    monkeypatch.setattr(distribution, "DROPPED", (*distribution.DROPPED, "plugin/hive/s3.jar"))
    new = distribution.ensure()
    assert old != new
    assert files(old) == UNPACKED
    assert files(new) == {name: text for name, text in UNPACKED.items() if name != "plugin/hive/s3.jar"}
    assert machine.call_count() == 2


def test_the_command_says_with_check_whether_it_is_there(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "--check"]) == 1
    assert machine.call_count() == 0
    assert main(["engine"]) == 0
    assert main(["engine", "--check"]) == 0
    assert capsys.readouterr().out == f"{distribution.cached_directory()}\n" * 2


def test_java_is_the_version_that_trino_476_asks_for() -> None:
    said = subprocess.run([distribution.java(), "-version"], capture_output=True, text=True, check=True).stderr
    assert 'version "25' in said


def test_a_fetch_beside_something_else_is_under_way_when_the_call_returns(machine: Machine) -> None:
    (machine.place / "fails").write_text("[ERROR] no network\n")
    aot.prepare_beside()
    wait_until(machine.calls.exists, "the call of Maven")
    wait_until(lambda: left_in(machine.cache) == [], "its end")
    assert machine.call_count() == 1


def test_nothing_is_started_beside_where_it_is_cached(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    aot.cache_file(distribution.ensure()).touch()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    aot.prepare_beside()
    assert machine.call_count() == 1

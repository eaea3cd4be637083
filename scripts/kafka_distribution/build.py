"""Fetches the pinned artifacts through Maven, checks each against its pin, and lays them out as the official one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kafka_distribution.archive import write_archive
from kafka_distribution.tools import SERVERS, TOOLS, launchers

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).resolve().parent
PINS: Final = HERE / "libs.sha512"
_MAVEN_TIMEOUT_SECONDS: Final = 900


class BuildError(Exception):
    """The distribution can't be built; the message says why and what to do, in one sentence or two."""


def versions() -> tuple[str, str]:
    """Return Scala's and Kafka's version as the POM names them."""
    properties = ET.parse(HERE / "pom.xml").getroot().find("{*}properties")
    found = {child.tag.rpartition("}")[2]: child.text or "" for child in (properties if properties is not None else [])}
    return found["scala.version"], found["kafka.version"]


def distribution_name() -> str:
    """Return the name of the tarball's one directory, such as `kafka_2.13-3.9.2`."""
    return "kafka_{}-{}".format(*versions())


def build(output: Path, sha512: str | None) -> bool:
    """Make the file `output` and return whether it was built: with `sha512`, a file of that checksum is left alone.

    The file appears at once and whole. Of two builders at once, the second waits and finds the first one's file.

    Raises:
        BuildError: Maven is missing or failed, or an artifact or the result is not the pinned one.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with _lock(output.with_name(output.name + ".lock")):
        if sha512 and output.is_file() and checksum(output) == sha512:
            return False
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".building-") as scratch:
            libs = Path(scratch) / "libs"
            fetch(libs)
            check_pins(libs, read_pins(PINS))
            check_main_classes(libs)
            draft = Path(scratch) / output.name
            with draft.open("wb") as stream:
                write_archive(stream, distribution_name(), members(libs))
                stream.flush()
                os.fsync(stream.fileno())
            built = checksum(draft)
            if sha512 and built != sha512:
                raise BuildError(
                    f"The distribution built from {HERE} has the SHA-512 {built}, expected was {sha512}. If you "
                    "changed what it is built from, put the new checksum into the inventory's kafka_archive_checksum."
                )
            draft.replace(output)
    return True


def fetch(libs: Path) -> None:
    """Let Maven copy the POM's runtime dependencies, direct and transitive, into the directory `libs`."""
    if shutil.which("mvn") is None:
        raise BuildError("Maven's `mvn` is not installed; install Debian's packages maven and openjdk-17-jre-headless.")
    command = [
        *("mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", str(HERE / "pom.xml")),
        *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={libs}"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MAVEN_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"Maven did not fetch Kafka's artifacts within {_MAVEN_TIMEOUT_SECONDS} s.") from error
    if done.returncode:
        raise BuildError(f"Maven could not fetch Kafka's artifacts:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def read_pins(path: Path) -> dict[str, str]:
    """Read a file of `sha512sum`'s form into file name -> hexadecimal SHA-512."""
    pins = {}
    for line in path.read_text(encoding="ascii").splitlines():
        digest, _, name = line.partition("  ")
        pins[name] = digest
    return pins


def check_pins(libs: Path, pins: dict[str, str]) -> None:
    """Raise BuildError unless `libs` holds exactly the pinned files with exactly the pinned contents."""
    found = {path.name: checksum(path) for path in libs.iterdir()}
    complaints = [
        *(f"{name} is missing" for name in sorted(pins.keys() - found.keys())),
        *(f"{name} is not pinned" for name in sorted(found.keys() - pins.keys())),
        *(f"{name} has another SHA-512" for name in sorted(pins.keys() & found.keys()) if pins[name] != found[name]),
    ]
    if complaints:
        raise BuildError(f"What Maven fetched is not what {PINS.name} pins: {', '.join(complaints)}.")


def check_main_classes(libs: Path) -> None:
    """Raise BuildError if a launcher names a class that no jar in `libs` has."""
    present = set()
    for jar in libs.glob("*.jar"):
        with zipfile.ZipFile(jar) as content:
            present.update(content.namelist())
    missing = [name for name in (*TOOLS.values(), *SERVERS) if name.replace(".", "/") + ".class" not in present]
    if missing:
        raise BuildError(f"No jar has the launchers' classes {', '.join(missing)}; correct tools.py for this version.")


def members(libs: Path) -> Iterator[tuple[str, bytes, int]]:
    """Yield (path, content, mode) of all the distribution, from the jars in `libs` and this package's files."""
    for jar in libs.glob("*.jar"):
        yield f"libs/{jar.name}", jar.read_bytes(), 0o644
    with zipfile.ZipFile(next(libs.glob("kafka-clients-*.jar"))) as content:
        for name in ("LICENSE", "NOTICE"):
            yield name, content.read(name), 0o644
    for launcher in launchers():
        yield f"bin/{launcher.name}", launcher.text.encode(), 0o755
    for path in (HERE / "files").glob("*/*"):
        yield f"{path.parent.name}/{path.name}", path.read_bytes(), 0o755 if path.parent.name == "bin" else 0o644


def checksum(path: Path) -> str:
    """Return the file's SHA-512 in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha512").hexdigest()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield

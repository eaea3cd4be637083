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
from kafka_distribution.tools import for_version, has_zookeeper, launchers, servers, tools

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).resolve().parent
VERSIONS: Final = HERE / "versions"
JMX_EXPORTER: Final = HERE / "jmx_exporter"
LATEST: Final = "3.9.2"
PINS: Final = "libs.sha512"
_MAVEN_TIMEOUT_SECONDS: Final = 900
MAVEN_SETTINGS: Final = HERE / "settings.xml"
MAVEN_PACKAGES: Final = "maven, junit4, libmaven-dependency-plugin-java and default-jdk-headless"
_DEBIANS_PLUGINS: Final = Path("/usr/share/maven-repo/org/apache/maven/plugins")


class BuildError(Exception):
    """The distribution can't be built; the message says why and what to do, in one sentence or two."""


def dependency_plugin(plugins: Path = _DEBIANS_PLUGINS) -> str:
    """Return the coordinates of Maven's plugin that fetches artifacts, in the version of Debian's package.

    settings.xml says why it is Debian's.

    Raises:
        BuildError: the package is not installed.
    """
    # A directory without a jar is the name that other packages know the plugin by.
    for jar in sorted((plugins / "maven-dependency-plugin").glob("*/*.jar")):
        return f"org.apache.maven.plugins:maven-dependency-plugin:{jar.parent.name}"
    raise BuildError(f"Maven's dependency plugin is not installed; install Debian's packages {MAVEN_PACKAGES}.")


def sources(version: str) -> Path:
    """Return the directory that names and pins the jars of one of Kafka's versions.

    Raises:
        BuildError: there is none.
    """
    known = sorted(path.name for path in VERSIONS.iterdir())
    if version not in known:
        raise BuildError(f"Kafka {version} can't be built here; {VERSIONS} has {', '.join(known)}.")
    return VERSIONS / version


def distribution_name(version: str = LATEST) -> str:
    """Return the name of the tarball's one directory, such as `kafka_2.13-3.9.2`."""
    properties = ET.parse(sources(version) / "pom.xml").getroot().find("{*}properties")
    found = {child.tag.rpartition("}")[2]: child.text or "" for child in (properties if properties is not None else [])}
    return f"kafka_{found['scala.version']}-{found['kafka.version']}"


def build(output: Path, sha512: str | None, version: str = LATEST) -> bool:
    """Make the file `output` and return whether it was built: with `sha512`, a file of that checksum is left alone.

    The file appears at once and whole. Of two builders at once, the second waits and finds the first one's file.

    Raises:
        BuildError: there is no such version, Maven is missing or failed, or an artifact or the result is not the
            pinned one.
    """
    pinned = sources(version)
    output.parent.mkdir(parents=True, exist_ok=True)
    with _lock(output.with_name(output.name + ".lock")):
        if sha512 and output.is_file() and checksum(output) == sha512:
            return False
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".building-") as scratch:
            libs = Path(scratch) / "libs"
            fetch(libs, pinned)
            check_main_classes(libs, version)
            draft = Path(scratch) / output.name
            with draft.open("wb") as stream:
                write_archive(stream, distribution_name(version), members(libs, version))
                stream.flush()
                os.fsync(stream.fileno())
            built = checksum(draft)
            if sha512 and built != sha512:
                raise BuildError(
                    f"The distribution built from {pinned} has the SHA-512 {built}, expected was {sha512}. If you "
                    "changed what it is built from, put the new checksum into the inventory's kafka_archive_checksum."
                )
            draft.replace(output)
    return True


def fetch_jmx_exporter(output: Path) -> bool:
    """Make the file `output`, the JMX exporter's jar, and return whether it was fetched: the pinned one is left alone.

    The file appears at once and whole.

    Raises:
        BuildError: Maven is missing or failed, or what it fetched is not the pinned jar.
    """
    ((path, pin),) = read_pins(JMX_EXPORTER / PINS).items()
    output.parent.mkdir(parents=True, exist_ok=True)
    with _lock(output.with_name(output.name + ".lock")):
        if output.is_file() and checksum(output) == pin:
            return False
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".building-") as scratch:
            libs = Path(scratch) / "libs"
            fetch(libs, JMX_EXPORTER)
            (libs / Path(path).name).replace(output)
    return True


def fetch(libs: Path, pinned: Path) -> None:
    """Put the runtime dependencies, direct and transitive, of the POM in `pinned` into the new directory `libs`.

    Raises:
        BuildError: Maven is missing or failed, or they are not exactly the jars that `libs.sha512` in `pinned` pins.
    """
    if shutil.which("mvn") is None:
        raise BuildError(f"Maven's `mvn` is not installed; install Debian's packages {MAVEN_PACKAGES}.")
    with tempfile.TemporaryDirectory(dir=libs.parent, prefix=".fetching-") as scratch:
        fetched = Path(scratch) / "fetched"
        # A repository of its own: in the user's lies what other projects fetched, plugins too.
        _run_maven(pinned / "pom.xml", fetched, repository=Path(scratch) / "repository")
        check_pins(fetched, read_pins(pinned / PINS))
        libs.mkdir()
        for jar in fetched.rglob("*.jar"):
            jar.rename(libs / jar.name)


def _run_maven(pom: Path, target: Path, repository: Path) -> None:
    command = [
        *("mvn", "--batch-mode", "--quiet", "--global-settings", str(MAVEN_SETTINGS), "--file", str(pom)),
        *(f"{dependency_plugin()}:copy-dependencies", "-DincludeScope=runtime", "-Dmdep.useRepositoryLayout=true"),
        *(f"-DoutputDirectory={target}", f"-Dmaven.repo.local={repository}"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MAVEN_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"Maven did not fetch the artifacts of {pom} within {_MAVEN_TIMEOUT_SECONDS} s.") from error
    if done.returncode:
        raise BuildError(
            f"Maven could not fetch the artifacts of {pom}; are Debian's packages {MAVEN_PACKAGES} installed?\n"
            f"{(done.stdout + done.stderr).strip()[-2000:]}"
        )


def read_pins(path: Path) -> dict[str, str]:
    """Read a file of `sha512sum`'s form into path -> hexadecimal SHA-512.

    A path is that of a jar in a Maven repository: group/with/slashes/artifact/version/file.jar.
    """
    pins = {}
    for line in path.read_text(encoding="ascii").splitlines():
        digest, _, name = line.partition("  ")
        pins[name] = digest
    return pins


def check_pins(libs: Path, pins: dict[str, str]) -> None:
    """Raise BuildError unless `libs` holds exactly the pinned jars with exactly the pinned contents."""
    found = {str(path.relative_to(libs)): checksum(path) for path in libs.rglob("*.jar")}
    complaints = [
        *(f"{name} is missing" for name in sorted(pins.keys() - found.keys())),
        *(f"{name} is not pinned" for name in sorted(found.keys() - pins.keys())),
        *(f"{name} has another SHA-512" for name in sorted(pins.keys() & found.keys()) if pins[name] != found[name]),
    ]
    if complaints:
        raise BuildError(f"What Maven fetched is not what {PINS} pins: {', '.join(complaints)}.")


def check_main_classes(libs: Path, version: str) -> None:
    """Raise BuildError if a launcher of this version names a class that no jar in `libs` has."""
    present = set()
    for jar in libs.glob("*.jar"):
        with zipfile.ZipFile(jar) as content:
            present.update(content.namelist())
    missing = [
        name
        for name in (*tools(version).values(), *servers(version))
        if name.replace(".", "/") + ".class" not in present
    ]
    if missing:
        raise BuildError(f"No jar has the launchers' classes {', '.join(missing)}; correct tools.py for this version.")


def members(libs: Path, version: str) -> Iterator[tuple[str, bytes, int]]:
    """Yield (path, content, mode) of all the distribution, from the jars in `libs` and this package's files."""
    for jar in libs.glob("*.jar"):
        yield f"libs/{jar.name}", jar.read_bytes(), 0o644
    with zipfile.ZipFile(next(libs.glob("kafka-clients-*.jar"))) as content:
        for name in ("LICENSE", "NOTICE"):
            yield name, content.read(name), 0o644
    for launcher in launchers(version):
        yield f"bin/{launcher.name}", launcher.text.encode(), 0o755
    for path in files(version):
        if path.parent.name == "bin":
            yield f"bin/{path.name}", for_version(path.read_text(encoding="utf-8"), version).encode(), 0o755
        else:
            yield f"config/{path.name}", path.read_bytes(), 0o644


def files(version: str) -> list[Path]:
    """Return this package's files that the distribution of this version has: those of all, and its own."""
    own = HERE / "files" / ("zookeeper" if has_zookeeper(version) else "kraft")
    return [path for home in (HERE / "files", own) for folder in ("bin", "config") for path in home.glob(f"{folder}/*")]


def checksum(path: Path) -> str:
    """Return the file's SHA-512 in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha512").hexdigest()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield

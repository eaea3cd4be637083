"""Every pinned version: packages of Python and npm, Maven artifacts, Debian packages of the local cloud's hosts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafka_distribution.build import read_pins

if TYPE_CHECKING:
    from pathlib import Path

# A line of a lock file, whose hashes follow on lines of their own.
_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)


class PinsError(Exception):
    """Pinned versions can't be told; the message says which and what to do, in one sentence."""


@dataclass(frozen=True, order=True)
class Pin:
    """A version that this project uses, under the name that its ecosystem has for it in the OSV schema.

    A Maven artifact is `group:artifact`; a Debian package goes by the name and version of its source.
    """

    ecosystem: str
    name: str
    version: str


def python_pins(requirements: Path) -> set[Pin]:
    """Read the lock files, `*.txt` in the directory `requirements`.

    Raises:
        PinsError: one of them pins nothing.
    """
    pins = set()
    for path in sorted(requirements.glob("*.txt")):
        found = {Pin("PyPI", match["name"].lower(), match["version"]) for match in _matches(path)}
        if not found:
            raise PinsError(f"{path} pins no package; write it again with `make lock`.")
        pins |= found
    return pins


def _matches(path: Path) -> list[re.Match[str]]:
    return list(_REQUIREMENT.finditer(path.read_text(encoding="utf-8")))


def npm_pins(path: Path) -> set[Pin]:
    """Read a `package-lock.json` of lockfileVersion 3, whose names are paths: node_modules/name.

    Raises:
        PinsError: it pins nothing.
    """
    packages: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8")).get("packages", {})
    pins = {Pin("npm", name.rpartition("node_modules/")[2], it["version"]) for name, it in packages.items() if name}
    if not pins:
        raise PinsError(f"{path} pins no package; write it again with npm.")
    return pins


def maven_pins(path: Path) -> set[Pin]:
    """Read a `libs.sha512`, whose paths are those of a Maven repository: group/of/slashes/artifact/version/file.jar."""
    pins = set()
    for jar in read_pins(path):
        *group, artifact, version, _ = jar.split("/")
        pins.add(Pin("Maven", f"{'.'.join(group)}:{artifact}", version))
    return pins


def debian_pins(path: Path, release: str) -> set[Pin]:
    """Read the list of an image's packages, as `local_cloud.hosts.image.packages_file` tells its form.

    Args:
        path: the list.
        release: Debian's, as a number, such as "12".

    Raises:
        PinsError: it is not there, since the image has not been built on this machine.
    """
    if not path.is_file():
        raise PinsError(
            "The Debian packages of the local cloud's hosts are not known, since their image has not been built on "
            "this machine; build it with `PYTHONPATH=scripts .venv/bin/python -m local_cloud image`."
        )
    pins = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        _, _, _, source, version, _ = line.split("\t")
        pins.add(Pin(f"Debian:{release}", source, version))
    return pins

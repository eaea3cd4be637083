"""Java programs of the benchmark: Maven fetches their pinned jars, javac compiles them once, the cache keeps them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from kafka_distribution.build import BuildError, fetch


def compiled(sources: Path, *provided: str) -> Path:
    """A folder in the machine's cache whose only folder, `libs`, has all jars; made when its sources have changed.

    Args:
        sources: has pom.xml, libs.sha512 and *.java.
        provided: jars that the sources are compiled against beside those that the POM names, as for javac's -cp.

    Raises:
        BuildError: Maven failed, a jar is not the pinned one, or javac refuses the sources.
    """
    key = hashlib.sha256()
    for path in sorted(sources.iterdir()):
        key.update(path.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "stock-market"
    made = cache / f"benchmark-{sources.name.replace('_', '-')}-{key.hexdigest()[:16]}"
    if made.is_dir():
        return made
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        libs = Path(scratch) / "made" / "libs"
        libs.parent.mkdir()
        fetch(libs, sources)
        classes = Path(scratch) / "classes"
        _run("javac", "-d", str(classes), "-cp", ":".join((*provided, f"{libs}/*")), *map(str, sources.glob("*.java")))
        _run("jar", "--create", "--file", str(libs / "program.jar"), "-C", str(classes), ".")
        libs.parent.rename(made)
    return made


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

"""The commands of the peers' programs: Python's in environments that `make venv-peers` makes, Java's by Maven."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.figures import ROOT
from benchmarks.java_program import compiled
from benchmarks.measured import BenchmarkError

_HERE = Path(__file__).resolve().parent
_PROGRAMS = _HERE / "programs"
_OPENED = (
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util"),
    *("java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action"),
    "sun.util.calendar",
)
"""Java's packages that Spark and Flink look into, as their own launchers open them."""
_HEAP = "1g"
"""Of a Java virtual machine, the default of Spark's driver; Flink's needs no more."""


def command(environment: str, program: str, **arguments: str | float) -> list[str]:
    """The command of one of the programs.

    Args:
        environment: a folder of .venv, `peers` or `quix`.
        program: the name of a file in programs/, without its end.
        arguments: those of its `main`, which it gets as one JSON object.

    Raises:
        BenchmarkError: the environment has not been made.
    """
    python = ROOT / ".venv" / environment / "bin" / "python"
    if not python.is_file():
        raise BenchmarkError(f".venv/{environment} has not been made: run make venv-peers")
    return [str(python), str(_PROGRAMS / f"{program}.py"), json.dumps(arguments)]


def java_command(sources: str, *arguments: str) -> list[str]:
    """The command of one of the programs in Java, compiled where it is not yet.

    Args:
        sources: a folder here, `flink` or `spark`, whose main class is `FlinkSink` or `SparkSink`.
        arguments: the program's.

    Raises:
        BuildError: its jars can't be had, or it can't be compiled.
    """
    libs = compiled(_HERE / sources)
    opened = (f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED)
    options = ("-server", "-XX:+UseSerialGC", f"-Xmx{_HEAP}", *opened, "-cp", f"{libs}/libs/*")
    return ["java", *options, f"stockmarket.{sources.title()}Sink", *arguments]

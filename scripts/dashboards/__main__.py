"""Writes docs/dashboards/*.json for import into Grafana: `python -m dashboards`, or `make dashboards`.

`--check http://127.0.0.1:9090` asks a running Prometheus whether it has each metric that they name, instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import kafka_boards, stream_boards
from dashboards.expressions import unanswered

BOARDS = {
    "cluster": kafka_boards.cluster,
    "broker": kafka_boards.broker,
    "pipeline": stream_boards.pipeline,
    "hosts": stream_boards.hosts,
}
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "dashboards"


def text(name: str) -> str:
    """A dashboard's file."""
    return json.dumps(BOARDS[name]().build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main(argv: list[str] | None = None) -> int:
    """The program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards")
    parser.add_argument("--check", metavar="ADDRESS", help="only check the expressions with this Prometheus")
    arguments = parser.parse_args(argv)
    if arguments.check:
        wrong = [f"{name}: {each}" for name in BOARDS for each in unanswered(arguments.check, json.loads(text(name)))]
        for line in wrong:
            print(line, file=sys.stderr)
        return 1 if wrong else 0
    FOLDER.mkdir(exist_ok=True)
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(text(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

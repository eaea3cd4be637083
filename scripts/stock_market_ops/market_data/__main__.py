"""Makes the file that the producer replays: options as JSON on standard input, the report as JSON on standard output.

Exit codes: 0 done; 2 the data can't be replayed, or an option is wrong, with one sentence on standard error.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from stock_market.errors import EXIT_SETTINGS, SettingsError
from stock_market_ops.market_data.market import Options, prepare


def main(arguments: list[str]) -> int:
    """Runs the program: `arguments` are the directory for the file, and nothing else."""
    try:
        options = msgspec.json.decode(sys.stdin.buffer.read(), type=Options)
    except msgspec.DecodeError as error:
        problem, _, place = str(error).partition(" - at `$.")
        name = f"stock_producer_csv_{place.strip('`')}: " if place else ""
        sys.stderr.write(f"{name}{problem}\n")
        return EXIT_SETTINGS
    try:
        answer = prepare(options, Path(arguments[0]))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(answer.decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

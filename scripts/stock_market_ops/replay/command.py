"""`make replay-quarantine`: quarantined records become quotes, once, when their cause is mended.

Looks at every quarantined record that has not been replayed, judges it by today's rules, as it is or as the filter
program makes it, and writes those that are valid quotes beside the main object of their range. Running it again
replays nothing twice. Exit codes: 0 done; 1 an object or the filter program is not as it should be; 2 the command line
is wrong; 3 there is no deployment; 4 S3 could not be read or written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from stock_market_ops.common import aws, tables
from stock_market_ops.replay.replayer import ALREADY, BEFORE, REPLAYABLE, REPLAYED, Outcome, Replayer
from stock_market_ops.replay.transform import Filter, MendError, as_they_are
from stock_market_ops.verify.command import place_of, place_options, sentence

EXIT_FAILED, EXIT_UNKNOWN, EXIT_INTERRUPTED = 1, 4, 130
_AT_HOME = (BEFORE, ALREADY, REPLAYED, REPLAYABLE)


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="stock_market_ops.replay",
        description="Replay quarantined records that are valid quotes now, each exactly once.",
        epilog="example of a filter: --filter \"jq -c 'try (.value | fromjson | .open |= tonumber) catch null'\"",
    )
    place_options(result)
    result.add_argument("--dry-run", action="store_true", help="only tell what would be replayed")
    result.add_argument("--reason", default="", metavar="TEXT", help="only records whose reason has this text in it")
    result.add_argument(
        "--filter",
        metavar="COMMAND",
        help="a program that reads the quarantine's lines and writes for each a quote as JSON on one line, or null",
    )
    result.add_argument("--jobs", type=int, default=2, help="processes that read what is in quotes/, default: 2")
    result.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    return result


def write(outcome: Outcome, form: str, *, dry: bool) -> None:
    """Prints what became of which records, and what stays."""
    rows: list[dict[str, tables.Value]] = [
        {"reason": kind.reason, "now": kind.now, "records": count} for kind, count in sorted(outcome.kinds.items())
    ]
    stay = sum(count for kind, count in outcome.kinds.items() if kind.now not in _AT_HOME)
    counts = {word: sum(count for kind, count in outcome.kinds.items() if kind.now == word) for word in _AT_HOME}
    if form == "json":
        document = {
            "dry_run": dry,
            "replayed": counts[REPLAYED],
            "can_be_replayed": counts[REPLAYABLE],
            "replayed_before": counts[BEFORE],
            "already_in_quotes": counts[ALREADY],
            "stay": stay,
            "kinds": rows,
            "objects": outcome.written,
            "objects_in_history": outcome.late,
            "problems": outcome.problems,
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
        return
    sys.stdout.write(tables.render(["reason", "now", "records"], rows) + "\n\n")
    done = f"{counts[REPLAYABLE]:,} can be replayed" if dry else f"{counts[REPLAYED]:,} replayed"
    sys.stdout.write(f"{done}, {counts[BEFORE]:,} before, {counts[ALREADY]:,} already in quotes, {stay:,} stay.\n")
    if outcome.late:
        when = "queries show their records after the next compaction (make compact)"
        sys.stdout.write(f"{outcome.late:,} of the objects written lie in hours that are history: {when}.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    try:
        mend = as_they_are if options.filter is None else Filter(options.filter)
    except MendError as error:
        parser.error(str(error))
    place = place_of(options)
    try:
        outcome = Replayer(place, mend, options.reason, options.jobs).run(dry=options.dry_run)
    except MendError as error:
        sys.stderr.write(f"{error}.\n")
        return EXIT_FAILED
    except aws.AWS_ERRORS as error:
        sys.stderr.write(f"{sentence(error, place)}\n")
        return EXIT_UNKNOWN
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; the next run goes on after what was written.\n")
        return EXIT_INTERRUPTED
    write(outcome, options.format, dry=options.dry_run)
    for problem in outcome.problems:
        sys.stderr.write(f"{problem}.\n")
    return EXIT_FAILED if outcome.problems else 0

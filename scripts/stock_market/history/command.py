"""Makes history of the hours that are over: `python -m stock_market.history --config FILE`."""

from __future__ import annotations

import argparse
import sys

from stock_market import logs
from stock_market.errors import EXIT_FAILED, EXIT_OK, ServiceError, SettingsError
from stock_market.history.compactor.catalog import Catalog
from stock_market.history.compactor.clients import AWS_ERRORS, connect, sentence
from stock_market.history.compactor.engine import Compactor, Options
from stock_market.kafka import security
from stock_market.service import Stop
from stock_market.settings import HistorySettings, load

_log = logs.Log("history")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("has to be at least 1")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stock_market.history",
        description="Makes history of the hours that are over, takes in late objects, and removes what nobody reads.",
        epilog="Exit codes: 0 done; 1 failed, the log's last lines say why; 2 wrong usage or settings; 3 the tables are"
        " not in the catalog.",
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="the settings, as TOML")
    parser.add_argument("--check-config", action="store_true", help="only check the settings")
    parser.add_argument("--declare", action="store_true", help="only create the table and the view where absent")
    parser.add_argument("--hours", type=_count, metavar="N", help="make at most N hours history")
    parser.add_argument(
        "--all", action="store_true", help="look for late objects and wrong sums in every day, not only in recent ones"
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    return parser


def _run(settings: HistorySettings, arguments: argparse.Namespace) -> int:
    clients = connect(settings)
    if arguments.declare:
        for hours in (False, True):
            for name in Catalog(clients.glue, settings, hours=hours).declare():
                _log.info("declared", table=name)
        return EXIT_OK
    stop = Stop()
    stop.install()
    options = Options(arguments.hours, arguments.all, arguments.dry_run)
    outcome = Compactor(settings, clients, stop, options).run()
    _log.info(
        "done" if not arguments.dry_run else "would_be_done",
        hours=len(outcome.hours),
        last=outcome.hours[-1].text if outcome.hours else "",
        adopted=len(outcome.adopted),
        late=len(outcome.late),
        summed=len(outcome.summed),
        merged=len(outcome.merged),
        removed=outcome.removed,
        waiting=outcome.waiting,
        problems=len(outcome.problems),
    )
    for problem in outcome.problems:
        print(f"history: {problem}", file=sys.stderr)
    return EXIT_FAILED if outcome.problems else EXIT_OK


def main(argv: list[str] | None = None) -> int:
    """The program; returns the exit code."""
    arguments = _parser().parse_args(argv)
    logs.setup()
    try:
        settings = load(arguments.config, HistorySettings)
        if settings.kafka is not None:
            security.check(settings.kafka)
        return EXIT_OK if arguments.check_config else _run(settings, arguments)
    except SettingsError as error:
        print(f"history: {error}", file=sys.stderr)
        return error.exit_code
    except ServiceError as error:
        _log.error("ended", reason=error, exit_code=error.exit_code)
        print(f"history: {error}", file=sys.stderr)
        return error.exit_code
    except AWS_ERRORS as error:
        reason = sentence(error)
        _log.error("ended", reason=reason, exit_code=EXIT_FAILED)
        print(f"history: {reason}", file=sys.stderr)
        return EXIT_FAILED

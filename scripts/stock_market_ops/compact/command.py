"""`make compact`: turns hours that are over into history by hand, as stock-history.service does each hour.

It catches up however many hours wait, also while the service runs, and does what is late. Exit codes: 0 done, or
nothing to do; 1 an hour or a part failed, with the reason as a sentence on standard error; 2 the command line is wrong;
3 there is no deployment, or no view in its catalog.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from stock_market.errors import ServiceError
from stock_market.history.compactor.catalog import AbsentError
from stock_market.history.compactor.clients import connect
from stock_market.history.compactor.engine import Compactor, Options, Outcome
from stock_market.service import Stop
from stock_market.settings import HistoryCatalog, HistoryIceberg, HistoryKafka, HistorySettings, HistoryStorage
from stock_market_ops.common import aws
from stock_market_ops.common.deployment import Deployment, add_options, deployment_of
from stock_market_ops.compact.progress import Progress

EXIT_FAILED, EXIT_ABSENT, EXIT_INTERRUPTED = 1, 3, 130


def _at_least_1(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="stock_market_ops.compact", description="Turn hours of quotes that are over into history."
    )
    result.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    result.add_argument(
        "--hours", type=_at_least_1, metavar="N", help="at most N hours, the oldest first; default: all"
    )
    result.add_argument(
        "--all", action="store_true", help="look for late objects and wrong sums in every day, not only in recent ones"
    )
    add_options(result)
    return result


def settings_of(deployment: Deployment) -> HistorySettings:
    """Return the compactor's settings for a deployment, with Kafka's user of the operator."""
    table, prefix = deployment.iceberg_table, deployment.iceberg_prefix
    return HistorySettings(
        s3=HistoryStorage(
            bucket=deployment.data_bucket,
            prefix=f"{deployment.table}/",
            history_prefix=deployment.history_prefix,
            region=deployment.region,
        ),
        catalog=HistoryCatalog(
            database=deployment.database,
            workgroup=deployment.workgroup,
            table=deployment.table,
            history_table=deployment.history_table,
            view=deployment.view,
        ),
        kafka=HistoryKafka(
            bootstrap_servers=deployment.bootstrap_servers.split(","),
            topic=deployment.topic,
            client_id="stock-history-operator",
            security=deployment.kafka_security,
        ),
        iceberg=HistoryIceberg(table=table, prefix=prefix) if table else None,
    )


def summary(outcome: Outcome, *, dry: bool) -> str:
    """Say in a line what came of a run."""
    hours = f"{len(outcome.hours)} hours" if len(outcome.hours) != 1 else "1 hour"
    until = f", the last one {outcome.hours[-1].text}h UTC" if outcome.hours else ""
    would = "would become" if dry else "became"
    late = f"; {len(outcome.late)} {'would be ' if dry else ''}written again with late objects" if outcome.late else ""
    removed = (
        f"; {outcome.removed} files that nobody reads {'would be ' if dry else ''}removed" if outcome.removed else ""
    )
    adopted = f"; {len(outcome.adopted)} {'would be ' if dry else ''}taken over from S3" if outcome.adopted else ""
    added = "would be added" if dry else "added"
    merged = f"; {len(outcome.merged)} {added} to the Iceberg table" if outcome.merged else ""
    return f"{hours} {would} history{until}{adopted}{late}{merged}{removed}."


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    options = _parser().parse_args(arguments)
    logger, progress = logging.getLogger("stock_market.history"), Progress(_say)
    # kafka-python logs every failed attempt to connect; the compactor says it once, in a sentence.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    deployment = deployment_of(options)
    settings, stop = settings_of(deployment), Stop()
    level, propagates = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(progress)
    stop.install()
    try:
        clients = connect(settings, aws.session(deployment, deployment.history_profile).client)
        done = Compactor(settings, clients, stop, Options(options.hours, options.all, options.dry_run)).run()
    except AbsentError:
        sys.stderr.write(f"The view {deployment.database}.{deployment.view} is not in the catalog: run `make up`.\n")
        return EXIT_ABSENT
    except ServiceError as error:
        sys.stderr.write("Stopped.\n" if stop.requested else f"{error}.\n")
        return EXIT_INTERRUPTED if stop.requested else EXIT_FAILED
    except aws.AWS_ERRORS as error:
        sys.stderr.write(f"{aws.sentence(error, deployment)}\n")
        return EXIT_FAILED
    finally:
        logger.removeHandler(progress)
        logger.setLevel(level)
        logger.propagate = propagates
    for problem in done.problems:
        sys.stderr.write(f"{problem}.\n")
    _say(summary(done, dry=options.dry_run))
    return EXIT_FAILED if done.problems else EXIT_INTERRUPTED if stop.requested else 0

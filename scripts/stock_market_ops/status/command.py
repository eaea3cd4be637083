"""`make status`: one screen about a deployment, in ten seconds at most.

Exit codes: 0 all is well; 1 something is not, and the reasons are listed; 2 the command line is wrong; 3 there is no
deployment.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from stock_market_ops.common import athena, aws, partitions
from stock_market_ops.common.deployment import Deployment, add_options, deployment_of
from stock_market_ops.status import (
    hosts,
    probe_alerts,
    probe_cloud,
    probe_disks,
    probe_history,
    probe_kafka,
    probe_migration,
    screen,
    verdict,
)
from stock_market_ops.status.report import Outcome, Report

T = TypeVar("T")

EXIT_NOT_WELL = 1
# Ten seconds for the whole command, minus what Python takes to start and to print.
LIMIT_SECONDS = 8.5


class FailedLookError(Exception):
    """The look that another one stands on has failed; the message is that one's explanation."""


# What a part's look can end with where the deployment, not this program, is at fault.
_EXPECTED = (
    FailedLookError,
    probe_alerts.AlertsProbeError,
    probe_kafka.KafkaProbeError,
    probe_cloud.NothingStoredError,
    probe_history.HistoryProbeError,
    partitions.MissingTableError,
    partitions.PartitionError,
    athena.QueryError,
)


class Look(Generic[T]):
    """One part's look, in a daemon thread: one that hangs neither holds up the report nor the end of the program."""

    def __init__(self, what: str, look: Callable[[], T], explain: Callable[[Exception], str]) -> None:
        self._what = what
        self._look = look
        self._explain = explain
        self._started = time.monotonic()
        self._outcome: Outcome[T] | None = None
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        value: T | None = None
        failure: str | None = None
        try:
            value = self._look()
        except Exception as error:  # the report must say of every part what became of it
            failure = self._explain(error)
        self._outcome = Outcome(value, failure, time.monotonic() - self._started)

    def value(self) -> T:
        """Return what it has seen, however long that takes, to a look that stands on it.

        Raises:
            FailedLookError: it has seen nothing; with its explanation.
        """
        self._thread.join()
        assert self._outcome is not None, "a thread that has ended leaves an outcome"
        if self._outcome.failure is not None or self._outcome.value is None:
            raise FailedLookError(self._outcome.failure)
        return self._outcome.value

    def outcome(self, deadline: float) -> Outcome[T]:
        """Return what came of it by `deadline` (of the monotonic clock)."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        waited = time.monotonic() - self._started
        return self._outcome or Outcome(None, f"No answer about the {self._what} in {waited:.1f} s.", waited)


def look(deployment: Deployment, limit_seconds: float = LIMIT_SECONDS) -> Report:
    """Look at all parts side by side and return what is known after `limit_seconds` at the latest."""
    deadline = time.monotonic() + limit_seconds

    def explain(error: Exception) -> str:
        if isinstance(error, aws.AWS_ERRORS):
            return aws.sentence(error, deployment)
        if isinstance(error, _EXPECTED):
            return str(error)
        return f"{type(error).__name__}: {' '.join(str(error).split())}"

    session = aws.session(deployment)
    asked = [*probe_disks.questions(deployment), *probe_history.questions(deployment)]
    ask = hosts.Together(deployment, [*asked, *probe_alerts.questions(deployment)])
    # The longest first.
    rows = Look("rows", lambda: probe_cloud.look_at_rows(session, deployment), explain)
    kafka = Look("brokers", lambda: probe_kafka.look(deployment), explain)
    storage = Look("objects", lambda: probe_cloud.look_at_storage(session, deployment), explain)
    instances = Look("instances", lambda: probe_cloud.look_at_instances(session, deployment), explain)
    history = Look("history", lambda: probe_history.look(session, deployment, ask), explain)
    disks = Look("disks", lambda: probe_disks.look(deployment, ask), explain)
    alerts = Look("alerts", lambda: probe_alerts.look(deployment, ask), explain)
    migration = Look("migration", lambda: probe_migration.look(instances.value(), deployment), explain)
    return Report(
        instances=instances.outcome(deadline),
        kafka=kafka.outcome(deadline),
        storage=storage.outcome(deadline),
        rows=rows.outcome(deadline),
        disks=disks.outcome(deadline),
        history=history.outcome(deadline),
        alerts=alerts.outcome(deadline),
        migration=migration.outcome(deadline),
    )


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="stock_market_ops.status", description="Look at the whole deployment.")
    result.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    add_options(result)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    options = _parser().parse_args(arguments)
    # kafka-python logs every failed connection attempt; the report says it once, in a sentence.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    deployment = deployment_of(options)
    report = look(deployment)
    problems = verdict.problems(deployment, report)
    if options.format == "json":
        document = {"deployment": deployment.deployment, "well": not problems, "problems": problems, "parts": report}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n")
    else:
        sys.stdout.write(screen.render(deployment, report, problems))
    return EXIT_NOT_WELL if problems else 0

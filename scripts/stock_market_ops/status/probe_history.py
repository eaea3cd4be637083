"""The history: up to which hour it goes, by the view in Glue, and how its timer and its last run are, over SSH."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stock_market.history import folders, view
from stock_market.history.naming import Hour
from stock_market_ops.common.deployment import Deployment, Instance
from stock_market_ops.status import hosts
from stock_market_ops.status.probe_cloud import LIMITS
from stock_market_ops.status.report import HistoryUnitView, HistoryView

if TYPE_CHECKING:
    import boto3

_UNITS = "stock-history.timer stock-history.service"
_PROPERTIES = ("Id", "ActiveState", "Result", "ExecMainStatus", "LastTriggerUSec")
_COMMAND = f"TZ=UTC LC_ALL=C systemctl show --property={','.join(_PROPERTIES)} {_UNITS}"
_TIME = "%a %Y-%m-%d %H:%M:%S UTC"


class HistoryProbeError(Exception):
    """It can't be told how the history is; the message is one sentence."""


def questions(deployment: Deployment) -> list[tuple[Instance, str]]:
    """Return the instances that `look` asks over SSH, each with its command."""
    return [(instance, _COMMAND) for instance in deployment.carrying("stock_history")]


def look(session: boto3.Session, deployment: Deployment, ask: hosts.Ask = hosts.run) -> HistoryView:
    """Return up to where the history goes, and how its timer is on each instance that carries stock_history.

    Raises:
        HistoryProbeError: the view is missing, or is none of the program's.
    """
    glue, s3 = session.client("glue", config=LIMITS), session.client("s3", config=LIMITS)
    names = view.Names(deployment.database, deployment.table, deployment.history_table, deployment.view)
    try:
        found = view.read(glue.get_table(DatabaseName=deployment.database, Name=deployment.view)["Table"], names)
    except glue.exceptions.EntityNotFoundException:
        reason = f"The view {deployment.database}.{deployment.view} is not in the catalog: run `make up`."
        raise HistoryProbeError(reason) from None
    except view.ViewError as error:
        raise HistoryProbeError(f"The history can't be told: {error}.") from None
    raw = folders.hours_since(s3, deployment.data_bucket, f"{deployment.table}/", found.watermark)
    units = [_ask(deployment, instance, command, ask) for instance, command in questions(deployment)]
    return HistoryView(found.watermark, hours_behind(next(raw, None), datetime.now(UTC)), units)


def hours_behind(oldest: Hour | None, now: datetime) -> float:
    """Return for how many hours the oldest hour that is not history has been over; 0 where none is over."""
    return 0.0 if oldest is None else max(0.0, (now - oldest.end).total_seconds() / 3600)


def _ask(deployment: Deployment, instance: Instance, command: str, ask: hosts.Ask) -> HistoryUnitView:
    done = ask(deployment, instance, command)
    if isinstance(done, str):
        return HistoryUnitView(instance.name, failure=done)
    if done.returncode:
        return HistoryUnitView(instance.name, failure=(done.stderr.strip().splitlines() or ["systemctl failed"])[-1])
    return parse(instance.name, done.stdout, datetime.now(UTC))


def parse(host: str, output: str, now: datetime) -> HistoryUnitView:
    """Return what `systemctl show` says of timer and service, one paragraph a unit."""
    units: dict[str, Mapping[str, str]] = {}
    for paragraph in output.strip().split("\n\n"):
        told = dict(line.partition("=")[::2] for line in paragraph.splitlines())
        units[told.get("Id", "")] = told
    timer, service = units.get("stock-history.timer", {}), units.get("stock-history.service", {})
    try:
        triggered = datetime.strptime(timer.get("LastTriggerUSec", ""), _TIME).replace(tzinfo=UTC)
    except ValueError:
        triggered = None  # it says n/a, or nothing, before the first run
    return HistoryUnitView(
        host,
        timer=timer.get("ActiveState", "") or "unknown",
        service=service.get("ActiveState", "") or "unknown",
        result=service.get("Result", ""),
        exit_code=int(service.get("ExecMainStatus") or 0),
        last_run_age_seconds=None if triggered is None else (now - triggered).total_seconds(),
    )

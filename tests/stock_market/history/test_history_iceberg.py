"""Promises about quotes_iceberg: it has each record of the history once, whatever is killed when, in few files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.stock_market.history import NOON_HOUR, Deployment, hour_at

from stock_market.history.naming import Hour
from stock_market.service import Stop
from stock_market.settings import HistoryIceberg

ICEBERG = HistoryIceberg()
DAYS_LATER = datetime.now(UTC) + timedelta(days=2)


class KilledError(BaseException):
    """The process is gone: nothing of it is done any more."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for growing pauses."""
    monkeypatch.setattr(Stop, "wait", lambda self, _seconds: self.requested or self._event.wait(0.02))


@pytest.fixture
def hours(deployment: Deployment) -> Deployment:
    """Two hours that are over, and a third."""
    deployment.main(0, range(10))
    deployment.main(10, range(10, 20), hour=1)
    deployment.main(20, range(20, 21), hour=2)
    return deployment


def held(deployment: Deployment) -> list[int]:
    """The sequence numbers in the table, in order, doubles included."""
    sql = "SELECT array_join(array_agg(sequence ORDER BY sequence), ',') FROM quotes_iceberg"
    return [int(one) for one in (deployment.rows(sql)[0][0] or "").split(",") if one]


def test_hours_that_are_history_are_in_the_table_with_all_their_fields(hours: Deployment) -> None:
    outcome = hours.run(iceberg=ICEBERG)
    assert (outcome.problems, outcome.merged) == ([], [NOON_HOUR, hour_at(1)])
    assert held(hours) == list(range(20))
    listed = "symbol, event_time, open, high, low, close, adj_close, volume, close_usd, producer_id, sequence, dt, hour"
    for one, other in (("iceberg", "history"), ("history", "iceberg")):
        assert hours.rows(f"SELECT {listed} FROM quotes_{one} EXCEPT SELECT {listed} FROM quotes_{other}") == []
    assert hours.run(iceberg=ICEBERG).merged == []

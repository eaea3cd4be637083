"""Promises about the hours summed up: they say what the quotes say, before and after, and follow late objects."""

from __future__ import annotations

import dataclasses
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.stock_market.history import LATER, NOON_HOUR, Deployment, hour_at, line
from tests.support.stock_market.lake import NOON, poison

from stock_market.history import statements, tables, view
from stock_market.history.manifest import Producer
from stock_market.history.summary import HOURS
from stock_market.hours import HOUR_MS

# Sums of doubles depend on the order in which they are added.
_ROUNDED = {"close_sum", "close_usd_sum", "swing_sum", "largest_swing", "last_swing"}
_COLUMNS = [name for name, _ in HOURS.columns]
_EVERYTHING = ", ".join(
    f"round({name}, 6)" if name in _ROUNDED else f"CAST({name} AS json)" if name == "moves" else name
    for name in (*_COLUMNS, *tables.RAW_KEYS)
)


def wild(draw: random.Random, numbers: range, hour: int, producer_id: str = "p") -> bytes:
    """Quotes of three symbols whose prices move, and whose times are on both sides of a midnight."""
    made = []
    for number in numbers:
        close = round(draw.uniform(90, 110), 2)
        made.append(
            line(
                number,
                producer_id,
                symbol=f"S{number % 3}",
                event_time=f"2026-01-0{1 + number % 2}T{hour:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
                high=close + draw.choice([0, 1, 2]),
                low=close - 1,
                close=close if draw.random() > 0.02 else 0,
                volume=draw.choice([0, 7, 2**40]),
            )
        )
    return b"".join(made)


def everything(deployment: Deployment, table: str = "quotes_hours") -> list[list[str | None]]:
    """All rows, in order."""
    return sorted(
        deployment.rows(f"SELECT {_EVERYTHING} FROM {table} WHERE dt >= '2026-01-01'"),
        key=lambda row: [str(value) for value in row],
    )


@pytest.fixture
def three_hours(deployment: Deployment) -> Deployment:
    """Three hours of two producers' quotes, one doubled and one lacking, of which two are over."""
    draw = random.Random(11)
    start = 0
    for hour in range(3):
        numbers = range(100 * hour, 100 * hour + 100)
        body = wild(draw, numbers, hour) + wild(draw, range(hour * 30 + 1, hour * 30 + 30), hour, "q")
        if hour == 1:
            body += body.splitlines(keepends=True)[50]
        deployment.lake.main(start, body, time_ms=NOON + hour * HOUR_MS)
        start += body.count(b"\n")
        deployment.see(hour)
    return deployment


def test_an_hour_says_the_same_before_and_after_it_is_summed_up(three_hours: Deployment) -> None:
    before = everything(three_hours)
    assert len(before) > 30
    assert three_hours.run().summed == [NOON_HOUR, hour_at(1)]
    assert three_hours.sums.state().history == three_hours.history
    assert everything(three_hours, "quotes_hours_history") == [row for row in before if row[-1] != "14"]
    assert everything(three_hours) == before
    # The next run has nothing to do.
    kept = three_hours.stored("history/by-hour/")
    assert three_hours.run().summed == []
    assert three_hours.stored("history/by-hour/") == kept


def test_the_columns_are_what_the_quotes_come_to(deployment: Deployment) -> None:
    prices = [(100.0, 10), (110.0, 0), (99.0, 5), (99.0, 1)]
    body = b"".join(
        line(
            60 + number,
            symbol="HSI",
            event_time=f"2026-01-01T12:00:0{number}.000Z",
            high=120 if number in {1, 2} else close,
            low=close - 1,
            close=close,
            close_usd=close / 2,
            volume=volume,
        )
        for number, (close, volume) in enumerate(prices)
    )
    deployment.lake.main(0, body, time_ms=NOON)
    deployment.main(4, range(64, 65), hour=1)
    deployment.run()
    found = deployment.rows(
        f"SELECT {_EVERYTHING} FROM quotes_hours_history WHERE dt = '2026-01-01' ORDER BY day, returns, block"
    )
    sums, steps, block = (dict(zip((*_COLUMNS, "dt", "hour"), row, strict=True)) for row in found)
    expected: dict[str, Any] = {
        "producer_id": "p",
        "symbol": "HSI",
        "first_time": "2026-01-01T12:00:00.000Z",
        "last_time": "2026-01-01T12:00:03.000Z",
        "first_close": "100.0",
        "last_close": "99.0",
    }
    assert {name: steps[name] for name in expected} == expected
    assert (steps["returns"], steps["swings"], steps["records"]) == ("3", "2", None)
    assert str(steps["moves"]).count("event_time") == 3
    expected |= {
        "records": "4",
        "day": "2026-01-01",
        "first_sequence": "60",
        "last_sequence": "63",
        "low": "98.0",
        "high": "120.0",
        "high_at": "2026-01-01T12:00:01.000Z",
        "close_sum": "408.0",
        "close_usd_sum": "204.0",
        "volume": "16",
        "largest_volume": "10",
        "zero_volumes": "1",
        "returns": None,
        "block": None,
    }
    assert {name: sums[name] for name in expected} == expected
    assert (block["block"], block["bits"], block["records"], block["symbol"]) == ("0", str(-(1 << 60)), "4", None)


def test_a_late_object_s_hour_is_summed_up_again(three_hours: Deployment) -> None:
    three_hours.run()
    three_hours.main(0, range(500, 510), partition=1)
    outcome = three_hours.run()
    assert (outcome.late, outcome.summed) == ([NOON_HOUR], [NOON_HOUR])
    assert three_hours.summed() == three_hours.count()
    assert three_hours.sums.state().history.revision(NOON_HOUR) not in {None, "1"}
    assert (
        three_hours.sums.described_partitions()[
            NOON_HOUR, three_hours.sums.state().history.revision(NOON_HOUR) or ""
        ].source
        == three_hours.folder().attempt
    )


def test_hours_that_were_history_before_there_were_sums_are_summed_up(three_hours: Deployment) -> None:
    three_hours.run()
    expected = everything(three_hours)
    for name in ("quotes_hours", "quotes_hours_history"):
        three_hours.clients.glue.delete_table(DatabaseName=three_hours.database, Name=name)
    outcome = three_hours.run()
    assert outcome.summed == []
    assert "quotes_hours is not in the catalog" in outcome.problems[0]
    three_hours.sums.declare()
    assert everything(three_hours) == expected
    assert three_hours.run(dry=True).summed == [NOON_HOUR, hour_at(1)]
    assert three_hours.sums.state().history.watermark == ""
    assert three_hours.run().summed == [NOON_HOUR, hour_at(1)]
    assert everything(three_hours) == expected


def test_a_view_of_a_former_version_is_replaced_and_every_hour_summed_up_again(three_hours: Deployment) -> None:
    three_hours.run()
    expected, before = everything(three_hours), three_hours.sums.state().history
    former = dataclasses.replace(HOURS, version="2", select=HOURS.select.replace("zero_volumes", "zero_volumes "))
    declared: Any = view.table_input(three_hours.sums.names._replace(layer=former), before)
    three_hours.clients.glue.update_table(DatabaseName=three_hours.database, TableInput=declared)
    assert three_hours.run(dry=True).summed == [NOON_HOUR, hour_at(1)]
    assert three_hours.run(now=LATER + timedelta(days=3), dry=True).problems == []
    outcome = three_hours.run()
    assert (outcome.problems, outcome.summed) == ([], [NOON_HOUR, hour_at(1)])
    after = three_hours.sums.state().history
    assert (after.watermark, len(after.revisions)) == (before.watermark, 2)
    assert everything(three_hours) == expected
    # What the former view read goes once nobody reads it any more.
    three_hours.run(now=datetime.now(UTC) + timedelta(days=3))
    assert {revision for _, revision in three_hours.sums.partitions()} == set(after.revisions.values())
    assert everything(three_hours) == expected


def test_an_hour_of_quarantined_records_alone_is_passed(deployment: Deployment) -> None:
    deployment.main(0, range(0), poisons=[poison(0), poison(1)])
    deployment.main(2, range(5), hour=1)
    deployment.main(7, range(5, 6), hour=2)
    assert deployment.run().summed == [NOON_HOUR, hour_at(1)]
    assert deployment.summed() == 6


def test_sums_that_somebody_has_removed_are_made_again_where_every_hour_is_looked_at(three_hours: Deployment) -> None:
    three_hours.run()
    expected = everything(three_hours)
    (key, *more) = three_hours.stored("history/by-hour/dt=2026-01-01/hour=13/")
    assert more == []
    three_hours.bucket.client.delete_object(Bucket=three_hours.bucket.name, Key=key)
    assert everything(three_hours) != expected
    assert three_hours.run().summed == []
    outcome = three_hours.run(every_day=True)
    assert (outcome.problems, outcome.summed) == ([], [hour_at(1)])
    assert everything(three_hours) == expected
    assert three_hours.run(every_day=True).summed == []


def test_sums_that_are_not_those_of_the_records_are_not_published(
    three_hours: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = everything(three_hours)
    real = statements.unload_sums
    monkeypatch.setattr(
        statements,
        "unload_sums",
        lambda *given: re.sub(
            r"\((SELECT .*)(?= ORDER BY)",
            r"(SELECT * FROM (\1) WHERE block IS NULL OR block > 0",
            real(*given),
            flags=re.S,
        ),
    )
    outcome = three_hours.run(attempts=1)
    assert ["are not those of its" in problem for problem in outcome.problems] == [True]
    assert three_hours.sums.state().history.watermark == ""
    assert everything(three_hours) == expected


@pytest.mark.parametrize(
    ("answer", "agree"),
    [
        (["p", "3", "0", "2", "3", "3", "3"], True),
        (["p", "2", "0", "2", "3", "3", "3"], False),
        (["p", "3", "0", "1", "3", "3", "3"], False),
        (["p", "3", "0", "2", "2", "3", "3"], False),
        (["p", "3", "0", "2", "3", "3", "4"], False),
        (["q", "3", "0", "2", "3", "3", "3"], False),
        # One doubled: the bits have each number once.
        (["p", "3", "0", "2", "3", "2", "2"], True),
    ],
)
def test_sums_agree_where_records_and_numbers_are_the_manifest_s(answer: list[str | None], *, agree: bool) -> None:
    producer = Producer(producer_id="p", records=3, min=0, max=2, sum="3")
    assert statements.agree([answer], [producer]) is agree
    assert not statements.agree([], [producer])


def test_the_sum_of_the_numbers_is_found_from_their_bits(deployment: Deployment) -> None:
    numbers = random.Random(3).sample(range(1000), 300)
    deployment.lake.main(0, b"".join(line(number) for number in numbers), time_ms=NOON)
    deployment.main(300, range(2000, 2001), hour=1)
    deployment.run()
    (row,) = deployment.rows(statements.summed(deployment.sums.names, NOON_HOUR, "1"))
    assert row == ["p", "300", str(min(numbers)), str(max(numbers)), "300", "300", str(sum(numbers))]

"""Promises about hours that become history: what is read, when, and that nothing is lost or doubled."""

from __future__ import annotations

import io
import json
import threading
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from tests.support.stock_market.history import NOON_HOUR, Deployment, hour_at, line, lines
from tests.support.stock_market.lake import poison
from tests.support.stock_market.services import eventually

from stock_market.history import checksum
from stock_market.history.compactor.catalog import AbsentError
from stock_market.history.view import ViewError
from stock_market.quotes import validation

HOSTILE = [
    line(0, symbol="日経\U0001f4c8", open=-0.0, high=0.0, low=5e-324, close=1.7976931348623157e308),
    line(1, symbol='a"b\\c/\té\u2028', open=1e22, high=123456789.123456789, low=-1.5e-7, close_usd=0.1),
    line(2, symbol="HSI", volume=2**63 - 1, producer_id="ü" * 64),
    line(3, symbol="HSI", volume=0, close=100),
    line(2**63 - 1, symbol="HSI", producer_id="last"),
    (
        b'{"symbol":"\\u65e5\\ud83d\\ude00","event_time":"2026-01-01T12:00:00.000Z","open":-0,"high":1E+2,"low":1e-5,'
        b'"close":0.30000000000000004,"adj_close":2.5E3,"volume":7,"close_usd":-0.0,"producer_id":"x y","sequence":4}\n'
    ),
    (
        b' { "sequence" : 5,"symbol" : "HSI" , "event_time" : "2026-01-01T12:00:00.000Z" , "open" : 179.10000000000002,'
        b' "high" : 9007199254740993 , "low" : 1 , "close" : 4.35 , "adj_close":2.2250738585072014e-308 ,"volume" : 1 ,'
        b' "close_usd" : 18446744073709551616 , "producer_id" : "p" }\n'
    ),
]


def test_hours_that_are_over_are_read_from_parquet_and_the_rest_raw(deployment: Deployment) -> None:
    deployment.main(0, range(100))
    deployment.main(100, range(100, 150))
    deployment.main(150, range(150, 160), hour=2)
    deployment.main(160, range(160, 170), hour=3)
    outcome = deployment.run()
    assert (outcome.problems, outcome.hours) == ([], [NOON_HOUR, hour_at(2)])
    assert "no object in a later hour" in outcome.waiting
    history = deployment.history
    assert (history.watermark, history.revision(NOON_HOUR), history.revision(hour_at(1))) == (
        "2026-01-01 15",
        "1",
        None,
    )
    assert deployment.numbers() == list(range(170))
    assert deployment.count("quotes_history") == 160
    assert deployment.rows("SELECT DISTINCT dt, hour FROM quotes_all ORDER BY 2") == [
        ["2026-01-01", hour] for hour in ("12", "14", "15")
    ]
    # The next run has nothing to do.
    keys = deployment.stored()
    assert deployment.run().hours == []
    assert deployment.stored() == keys


def test_the_manifest_says_what_was_written(deployment: Deployment) -> None:
    deployment.main(0, range(10), poisons=[poison(10), poison(11)])
    deployment.main(12, range(10, 20))
    deployment.main(22, range(20, 21), hour=1)
    deployment.run()
    written = deployment.manifest()
    assert [(one.start, one.end, one.objects, one.records, one.quarantined) for one in written.ranges] == [
        (0, 22, 2, 20, 2)
    ]
    assert [(one.start, one.count) for one in written.quarantined_objects] == [(0, 2)]
    assert [(one.records, one.min, one.max, one.sum) for one in written.producers] == [(20, 0, 19, "190")]
    assert [one.key for one in written.files] == [key for key in deployment.stored() if "_manifest" not in key][:1]
    assert written.rows == 20


def test_athena_and_python_find_the_same_checksum_of_hostile_values(deployment: Deployment) -> None:
    for content in HOSTILE:
        key = json.loads(content)["symbol"].encode()
        assert validation.flaw(key, content.rstrip(b"\n")) is None, content
    deployment.lake.main(0, b"".join(HOSTILE), time_ms=1_767_268_800_000)
    deployment.main(7, range(100, 101), hour=1)
    assert deployment.run().problems == []
    written = deployment.manifest()
    quotes = [validation._DECODER.decode(content) for content in HOSTILE]
    assert written.checksum == checksum.text_of(checksum.checksum_of_records(quotes))
    assert written.rows == len(HOSTILE)


def test_an_analysis_reads_only_what_it_asks_for(deployment: Deployment) -> None:
    for hour in range(4):
        deployment.main(2000 * hour, range(2000 * hour, 2000 * hour + 2000), hour=hour)
    deployment.main(8000, range(8000, 8001), hour=4)
    deployment.run()

    def scanned(sql: str) -> int:
        return int(deployment.execution(sql)["Statistics"]["DataScannedInBytes"])

    everything = scanned("SELECT sum(sequence) FROM quotes_all WHERE dt >= '2026-01-01'")
    last = scanned(
        "SELECT sum(sequence) FROM quotes_all WHERE dt >= '2026-01-01' AND concat(dt, ' ', hour) >= '2026-01-01 15'"
    )
    raw = scanned("SELECT sum(sequence) FROM quotes_all WHERE concat(dt, ' ', hour) >= '2026-01-01 16'")
    assert raw < last < everything / 2
    assert scanned("SELECT sum(sequence) FROM quotes_all WHERE dt >= '2026-01-02'") == 0
    # Neither partitions that the view does not name, nor raw objects of hours that are history, are read at all.
    # Files as small as these are read whole.
    assert everything < scanned("SELECT sum(sequence) FROM quotes WHERE dt >= '2026-01-01'")


def test_each_file_is_sorted_by_symbol_and_time(deployment: Deployment) -> None:
    deployment.main(0, range(1000, 2000))
    deployment.main(1000, range(1000))
    deployment.main(2000, range(2000, 2001), hour=1)
    assert deployment.run().hours == [NOON_HOUR]
    files = deployment.manifest().files
    for file in files:
        body = deployment.bucket.client.get_object(Bucket=deployment.bucket.name, Key=file.key)["Body"].read()
        table = pq.read_table(io.BytesIO(body), columns=["symbol", "event_time", "producer_id", "sequence"])
        rows = [tuple(row.values()) for row in table.to_pylist()]
        assert rows == sorted(rows)
    assert files


def test_an_hour_that_holds_only_quarantined_records_is_passed(deployment: Deployment) -> None:
    deployment.main(0, range(0), poisons=[poison(0), poison(1)])
    deployment.main(2, range(5), hour=1)
    deployment.main(7, range(5, 6), hour=2)
    outcome = deployment.run()
    assert (outcome.problems, outcome.hours) == ([], [NOON_HOUR, hour_at(1)])
    assert (deployment.manifest().rows, deployment.manifest().files) == (0, [])
    assert deployment.numbers() == list(range(6))
    assert deployment.run().late == []


def test_an_hour_is_left_alone_for_a_while_after_its_end(deployment: Deployment) -> None:
    deployment.main(0, range(5))
    deployment.main(5, range(5, 6), hour=1)
    early = datetime(2026, 1, 1, 13, 1, 59, tzinfo=UTC)
    outcome = deployment.run(now=early)
    assert outcome.hours == []
    assert "left alone for 120 s" in outcome.waiting
    assert deployment.run(now=early, margin_seconds=119).hours == [NOON_HOUR]


def test_a_dry_run_changes_nothing(deployment: Deployment) -> None:
    deployment.main(0, range(5))
    deployment.main(5, range(5, 6), hour=1)
    outcome = deployment.run(dry=True)
    assert outcome.hours == [NOON_HOUR]
    assert deployment.history.watermark == ""
    assert deployment.stored() == []


def test_a_run_makes_no_more_hours_than_it_is_asked_to(deployment: Deployment) -> None:
    for hour in range(5):
        deployment.main(hour, range(hour, hour + 1), hour=hour)
    assert deployment.run(hours=1).hours == [NOON_HOUR]
    assert deployment.run(hours=2).hours == [hour_at(1), hour_at(2)]
    assert deployment.numbers() == list(range(5))


def test_a_hole_in_the_chain_keeps_the_hour_raw(deployment: Deployment) -> None:
    deployment.main(0, range(10))
    hole = deployment.main(10, range(10, 20))
    deployment.main(20, range(20, 30))
    deployment.main(30, range(30, 31), hour=1)
    deployment.lake.delete(hole)
    outcome = deployment.run()
    assert outcome.hours == []
    assert "lacks the objects of partition 0 of stock-quotes from offset 10 to 19" in outcome.problems[0]
    deployment.main(10, range(10, 20))
    assert deployment.run().hours == [NOON_HOUR]


def test_an_hour_whose_records_lie_around_another_hour_s_is_whole(deployment: Deployment) -> None:
    # A leader's clock that is behind: 12, 13, 12, 13.
    deployment.main(0, range(10))
    deployment.main(10, range(10, 20), hour=1)
    deployment.main(20, range(20, 30))
    deployment.main(30, range(30, 40), hour=1)
    deployment.main(40, range(40, 41), hour=2)
    assert deployment.run().hours == [NOON_HOUR, hour_at(1)]
    assert [(one.start, one.end) for one in deployment.manifest().ranges] == [(0, 10), (20, 30)]
    assert deployment.numbers() == list(range(41))


def test_raw_objects_that_hold_something_else_than_they_say_keep_the_hour_raw(deployment: Deployment) -> None:
    deployment.main(0, range(10), records=11, end=11)
    deployment.main(11, range(11, 12), hour=1)
    outcome = deployment.run(attempts=1)
    assert "Athena finds 10 records" in outcome.problems[0]
    assert (deployment.history.watermark, deployment.count()) == ("", 11)
    # Of the try, nothing is left.
    assert deployment.stored() == []


def test_a_record_with_a_field_that_has_no_value_keeps_the_hour_raw(deployment: Deployment) -> None:
    deployment.lake.main(0, lines(range(3)) + b'{"symbol":"x","producer_id":"p","sequence":3}\n')
    deployment.main(4, range(4, 5), hour=1)
    assert "a field has no value" in deployment.run().problems[0]
    assert deployment.history.watermark == ""


def test_a_view_that_somebody_has_replaced_is_left_alone(deployment: Deployment) -> None:
    deployment.main(0, range(5))
    deployment.execution("CREATE OR REPLACE VIEW quotes_all AS SELECT * FROM quotes")
    with pytest.raises(ViewError, match="quotes_all"):
        deployment.run()


def test_without_the_view_nothing_is_done(deployment: Deployment) -> None:
    deployment.execution("DROP VIEW quotes_all")
    with pytest.raises(AbsentError, match=r"quotes_all is not in the catalog yet") as refused:
        deployment.run()
    assert refused.value.exit_code == 3
    assert deployment.catalog.declare() == ["quotes_all"]
    assert deployment.catalog.declare() == []


def test_a_reader_sees_each_record_once_while_hours_turn_into_history(deployment: Deployment) -> None:
    for hour in range(4):
        deployment.main(50 * hour, range(50 * hour, 50 * hour + 50), hour=hour)
    deployment.main(200, range(200, 201), hour=4)
    seen: list[tuple[int, int]] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            ((rows, distinct),) = deployment.rows("SELECT count(*), count(DISTINCT sequence) FROM quotes_all")
            seen.append((int(rows or 0), int(distinct or 0)))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(4):
            assert deployment.run(hours=1).problems == []
            reads = len(seen)
            eventually(lambda reads=reads: len(seen) > reads, "a read beside or after it")  # type: ignore[misc]  # mypy infers no lambda with a default
    finally:
        ended.set()
        reader.join()
    assert set(seen) == {(201, 201)}
    assert deployment.history.watermark == "2026-01-01 16"

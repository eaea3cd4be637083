"""`make verify` judges the hours summed up by their records: true sums are found true, and each untrue one is named."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.support.stock_market.history import NOON_HOUR, Deployment, hour_at, line, lines
from tests.support.stock_market.lake import NOON

from stock_market.history import statements
from stock_market.hours import HOUR_MS
from stock_market_ops.verify.history import sums, totals

_LARGEST = 2**63 - 1


@pytest.fixture
def summed(deployment: Deployment) -> Deployment:
    """Two producers' quotes over three hours and a midnight, of which two are history and summed up."""
    start = 0
    for hour in range(3):
        body = lines(range(150 * hour, 150 * hour + 150))
        body += b"".join(
            line(
                number,
                "q",
                volume=number % 3 * 2**40,
                close=100 / 3,
                close_usd=-1e9 + number,
                event_time=f"2026-01-0{1 + number % 2}T12:00:00.000Z",
            )
            for number in range(40 * hour, 40 * hour + 40)
        )
        deployment.lake.main(start, body, time_ms=NOON + hour * HOUR_MS)
        start += body.count(b"\n")
        deployment.see(hour)
    outcome = deployment.run()
    assert (outcome.problems, outcome.summed) == ([], [NOON_HOUR, hour_at(1)])
    return deployment


def test_sums_are_found_true(summed: Deployment) -> None:
    report = summed.verify()
    assert (report.findings, report.true) == ([], True)
    assert (report.records, report.history.summed_up, report.history.behind) == (570, 2, 0)


def test_hours_that_are_not_summed_up_yet_are_counted(summed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "unload_sums", lambda *_given: "SELECT no_such_column")
    summed.main(0, range(450, 460), partition=1)
    outcome = summed.run(attempts=1)
    assert (outcome.late, outcome.summed) == ([NOON_HOUR], [])
    report = summed.verify()
    # The sums that are read are of the try before; the hour's records are judged all the same.
    assert ([finding.kind for finding in report.findings], report.records) == ([], 580)
    assert (report.history.summed_up, report.history.behind) == (1, 1)


def test_the_largest_numbers_are_summed_up_and_found_true(deployment: Deployment) -> None:
    extremes: list[dict[str, Any]] = [
        {"volume": _LARGEST, "close": 1.7e308, "high": 1.7e308, "low": -1.7e308, "close_usd": -1.7e308},
        {"volume": _LARGEST, "close": 1.7e308, "close_usd": -1.7e308},
        {"volume": _LARGEST, "close": -1.7e308, "close_usd": 1e-308, "low": -0.0},
        {"volume": 0, "close": 0, "event_time": "0001-01-01T00:00:00.000Z"},
        {"volume": 1, "event_time": "9999-12-31T23:59:59.999Z", "symbol": "€" * 21},
    ]
    body = b"".join(line(number, **({"symbol": "W"} | one)) for number, one in enumerate(extremes))
    deployment.lake.main(0, body + line(_LARGEST, "ü" * 64), time_ms=NOON)
    deployment.see(0)
    deployment.main(6, range(5, 6), hour=1)
    outcome = deployment.run()
    assert (outcome.problems, outcome.summed) == ([], [NOON_HOUR])
    assert deployment.rows(
        "SELECT sum(CAST(volume AS decimal(38, 0))), max(largest_volume) FROM quotes_hours_history WHERE symbol = 'W'"
    ) == [[str(_LARGEST), str(_LARGEST)]]
    report = deployment.verify()
    assert [finding.kind for finding in report.findings] == ["missing"], (
        report.findings
    )  # of the producer with the largest number
    assert report.history.summed_up == 1


Change = Callable[[pa.Table], pa.Table]


def _put(column: str, kind: str, value: Any) -> Change:
    """Puts a value into the first row of a kind, the one by whose column rows of this kind are known."""

    def change(table: pa.Table) -> pa.Table:
        first = pc.index(pc.is_valid(table[kind]), value=True).as_py()
        values = table[column].to_pylist()
        values[first] = value(values[first]) if callable(value) else value
        at = table.schema.get_field_index(column)
        return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))

    return change


def _without(column: str, value: Any) -> Change:
    return lambda table: table.filter(pc.or_kleene(pc.is_null(table[column]), pc.not_equal(table[column], value)))


def _as_doubles(table: pa.Table) -> pa.Table:
    at = table.schema.get_field_index("block")
    return table.set_column(at, "block", table["block"].cast(pa.float64()))


def _no_bit(bits: int) -> int:
    return bits & (bits - 1)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (_put("volume", "day", lambda old: old + 1), "sums-values", "volume is "),
        (_put("low", "day", 1.24), "sums-values", "low is 1.24 instead of 1.25"),
        (_put("high", "day", 2.01), "sums-values", "high is 2.01 instead of 2.0"),
        (_put("close_sum", "day", lambda old: old * 1.0001), "sums-values", "close_sum is "),
        (_put("close_usd_sum", "day", lambda old: old * 1.0001), "sums-values", "close_usd_sum is "),
        (_put("zero_volumes", "day", 1), "sums-values", "zero_volumes is 1 instead of 0"),
        (_put("last_sequence", "day", 10**6), "sums-values", "last_sequence is 1000000 instead of "),
        (_put("day", "day", "2025-12-31"), "sums-values", "on 2025-12-31: no record is of it, and 1 more"),
        (_without("symbol", "S3"), "sums-values", "S3 of producer p on 2026-01-01: it is missing"),
        (_put("bits", "block", _no_bit), "sums-numbers", "the first difference at sequence 0"),
        (_put("records", "block", 65), "sums-numbers", "say 151 records of producer p, and it has 150"),
        (_without("block", 1), "sums-numbers", "the first difference at sequence 64"),
        (_put("volume", "day", None), "sums-files", "has a record without volume"),
        (lambda table: table.drop_columns(["bits"]), "sums-files", "has no column bits"),
        (_as_doubles, "sums-files", "has double instead of int64 as the column block"),
    ],
)  # fmt: skip
def test_untrue_sums_are_found_out(summed: Deployment, change: Change, kind: str, words: str) -> None:
    (key,) = summed.stored("history/by-hour/dt=2026-01-01/hour=12/")
    client, bucket = summed.bucket.client, summed.bucket.name
    table = pq.read_table(io.BytesIO(client.get_object(Bucket=bucket, Key=key)["Body"].read()))
    out = io.BytesIO()
    pq.write_table(change(table), out)
    client.put_object(Bucket=bucket, Key=key, Body=out.getvalue())
    report = summed.verify()
    assert [finding.kind for finding in report.findings] == [kind], report.findings
    assert words in report.findings[0].sentence
    assert (report.findings[0].hour, report.true) == ("2026-01-01 12", False)
    # What is counted of the chain does not depend on the sums.
    assert (report.records, report.missing, report.doubles) == (570, 0, 0)


def test_sums_that_are_gone_are_found_out(summed: Deployment) -> None:
    (key,) = summed.stored("history/by-hour/dt=2026-01-01/hour=12/")
    summed.bucket.client.delete_object(Bucket=summed.bucket.name, Key=key)
    assert {finding.kind for finding in summed.verify().findings} == {"sums-numbers", "sums-values"}
    summed.clients.glue.delete_partition(
        DatabaseName=summed.database, TableName="quotes_hours_history", PartitionValues=["2026-01-01", "12", "1"]
    )
    (finding,) = summed.verify().findings
    assert (finding.kind, finding.hour) == ("sums-missing", "2026-01-01 12")
    for name in ("quotes_hours", "quotes_hours_history"):
        summed.clients.glue.delete_table(DatabaseName=summed.database, Name=name)
    report = summed.verify()
    assert (report.findings, report.history.summed_up, report.history.behind) == ([], 0, 0)


def test_sums_are_not_judged_by_history_that_is_damaged(summed: Deployment) -> None:
    (key,) = (one for one in summed.stored("history/dt=2026-01-01/hour=12/") if not one.endswith(".json"))
    summed.bucket.client.put_object(Bucket=summed.bucket.name, Key=key, Body=b"rubbish")
    report = summed.verify()
    assert "history-files" in {finding.kind for finding in report.findings}
    assert not any(finding.kind.startswith("sums") for finding in report.findings)
    assert report.history.summed_up == 1


def test_a_view_of_sums_that_somebody_replaced_is_told(summed: Deployment) -> None:
    glue: Any = summed.clients.glue
    table = glue.get_table(DatabaseName=summed.database, Name="quotes_hours")["Table"]
    kept = {name: table[name] for name in ("Name", "TableType", "StorageDescriptor", "ViewOriginalText")}
    parameters = table["Parameters"] | {"history-watermark": "2026-01-01 23"}
    glue.update_table(DatabaseName=summed.database, TableInput=kept | {"Parameters": parameters})
    report = summed.verify()
    assert [finding.kind for finding in report.findings] == ["sums-view"]
    assert report.history.behind == 2


def test_totals_of_batches_are_those_of_all() -> None:
    rows: list[dict[str, Any]] = [
        {"symbol": f"S{number % 2}", "producer_id": "p", "event_time": "2026-01-01T00:00:00.000Z", "sequence": number,
         "low": 1.0 - number, "high": 1.0 + number, "close": number / 3, "close_usd": -1.0, "volume": _LARGEST - number}
        for number in range(100)
    ]  # fmt: skip
    schema = pa.schema([(name, pa.array([value]).type) for name, value in rows[0].items()])
    whole = sums.of_records(pa.RecordBatch.from_pylist(rows, schema))
    found: totals.Totals = {}
    for first in range(0, 100, 7):
        totals.add(found, sums.of_records(pa.RecordBatch.from_pylist(rows[first : first + 7], schema)))
    even = rows[::2]
    group = totals.Group("S0", "p", "2026-01-01")
    assert whole[group].volume == found[group].volume == sum(row["volume"] for row in even)
    assert list(totals.differences(whole, {key: one._replace(volume=_LARGEST) for key, one in found.items()})) == []
    assert np.isclose(whole[group].size, sum(row["close"] + 1 for row in even))

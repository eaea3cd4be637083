"""`make query`: standard output, standard error, and the exit code."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.support.small_cloud import SmallCloud

from stock_market_ops.common import analyses, athena, partitions, scanned
from stock_market_ops.query import command as query

Run = Callable[..., int]


def quote(sequence: int, event_time: str, symbol: str = "AAA", close: float = 1.5) -> dict[str, Any]:
    """A valid quote."""
    prices = dict.fromkeys(("open", "high", "low", "close", "adj_close", "close_usd"), close)
    rest = {"symbol": symbol, "event_time": event_time, "volume": 3, "producer_id": "p", "sequence": sequence}
    return {**prices, **rest}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCloud]:
    """A deployment whose catalog knows no hour yet."""
    running = SmallCloud(tmp_path_factory.mktemp("cloud"))
    running.make_table()
    running.store([quote(0, "2026-03-02T09:59:59.000Z"), quote(1, "2026-03-02T10:00:00.000Z", "BBB", 2.25)])
    yield running
    running.close()


@pytest.fixture
def run(cloud: SmallCloud) -> Run:
    """The program, on that deployment."""

    def main(*arguments: str) -> int:
        own = ("--deployment", cloud.deployment.deployment, "--state-root", str(cloud.state_root))
        return query.main([*own, *arguments])

    return main


def test_json_is_a_list_of_objects_with_typed_values_and_nothing_else(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "SELECT symbol, volume, close, close > 2 AS dear, CAST(NULL AS integer) AS nothing FROM quotes ORDER BY 1"
    assert run("--format", "json", "--sql", sql) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == [
        {"symbol": "AAA", "volume": 3, "close": 1.5, "dear": False, "nothing": None},
        {"symbol": "BBB", "volume": 3, "close": 2.25, "dear": True, "nothing": None},
    ]
    assert err == ""


def test_json_of_no_rows_is_an_empty_list(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--format", "json", "--sql", "SELECT * FROM quotes WHERE volume > 99") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_csv_is_a_header_and_rows_with_quoting_where_needed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT symbol, 'a,\"b\"' AS odd, CAST(NULL AS varchar) AS nothing FROM quotes ORDER BY symbol;"
    assert run("--format", "csv", "--sql", sql) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [["symbol", "odd", "nothing"], ["AAA", 'a,"b"', ""], ["BBB", 'a,"b"', ""]]


def test_a_table_separates_thousands_and_aligns_decimals(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--sql", "SELECT 1234567 AS count, 0.5e0 AS small UNION ALL SELECT 8, 1250.25e0 ORDER BY 1 DESC") == 0
    header, rule, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["count", "small"]
    assert set(rule) == {"-", " "}
    assert first.split() == ["1,234,567", "0.50"]
    assert second.split() == ["8", "1,250.25"]


def test_an_analysis_is_run_by_its_name_under_its_title(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("volume") == 0
    out = capsys.readouterr().out
    assert out.startswith("Volume: what was traded most, and its share of all [volume]\n")
    assert "AAA" in out


def test_several_analyses_as_json_carry_their_names(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--format", "json", "freshness", "volume") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["analysis"] for row in rows] == ["freshness", "volume", "volume"]
    assert next(iter(rows[0])) == "analysis"


def test_without_a_question_all_analyses_are_run(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    out = capsys.readouterr().out
    assert [line.rpartition("[")[2].rstrip("]") for line in out.splitlines() if line.endswith("]")] == list(
        analyses.load_all()
    )
    assert out.splitlines()[-1] == "preview and trend look only at the newest 2 hours of arrival."


def test_the_analyses_look_at_the_newest_days_that_hold_data(
    cloud: SmallCloud, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.store([quote(7, "2026-03-04T12:00:00.000Z")], partition=2)

    def records(*days: str) -> int:
        assert run("--format", "json", *days, "freshness") == 0
        return int(json.loads(capsys.readouterr().out)[0]["records"])

    assert (records(), records("--days", "1"), records("--days", "2"), records("--days", "all")) == (1, 1, 3, 3)
    assert run("--days", "1", "freshness") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("Quotes that arrived since 2026-03-04 (UTC).")
    assert run("--days", "all", "freshness") == 0
    assert "arrived since" not in capsys.readouterr().out


def test_days_whose_raw_objects_have_expired_are_looked_at_in_the_history(cloud: SmallCloud) -> None:
    known = cloud.deployment
    raw = partitions.all_days(cloud.s3, known)
    for key in ("dt=2025-12-30/hour=10/20260101T000000Z-00000000/part", "dt=2026-03-02/hour=10/x/part"):
        cloud.s3.put_object(Bucket=known.data_bucket, Key=known.history_prefix + key, Body=b"")
    try:
        assert partitions.all_days(cloud.s3, known) == ["2025-12-30", *raw]
    finally:
        for entry in cloud.s3.list_objects_v2(Bucket=known.data_bucket, Prefix=known.history_prefix)["Contents"]:
            cloud.s3.delete_object(Bucket=known.data_bucket, Key=entry["Key"])


def test_a_table_is_followed_by_what_was_scanned_and_its_cost_on_standard_error(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--sql", "SELECT symbol FROM quotes") == 0
    out, err = capsys.readouterr()
    assert "Scanned" not in out
    charged = r"10\.0 MB charged \(10 MB at least for each\): free here, on AWS about \$0\.00005\."
    assert re.fullmatch(rf"\nScanned [\d.]+ k?B in 1 query, {charged}\n", err), err
    for form in ("json", "csv"):
        assert run("--format", form, "--sql", "SELECT symbol FROM quotes") == 0
        assert capsys.readouterr().err == ""
    assert run("--sql", "SHOW TABLES") == 0
    assert capsys.readouterr().err == "\nScanned 0 B in 1 query: free here, on AWS about $0.00000.\n"


def test_the_cost_of_several_queries_is_that_of_each(cloud: SmallCloud) -> None:
    small, large = athena.Answer([], [], 7, is_query=True), athena.Answer([], [], 2 * 10**12, is_query=True)
    told = scanned.told(cloud.deployment, [small, large])
    assert told.startswith("Scanned 2.0 TB in 2 queries, 2.0 TB charged")
    assert told.endswith("about $10.00005.")
    elsewhere = msgspec.structs.replace(cloud.deployment, region="xx-east-1")
    assert scanned.told(elsewhere, [small]) == "Scanned 7 B in 1 query; the price list has no price for xx-east-1."


def test_only_the_days_that_are_looked_at_are_compared_with_the_catalog(cloud: SmallCloud) -> None:
    known = cloud.deployment
    cloud.store([quote(0, f"2026-02-{day:02d}T01:00:00.000Z") for day in range(1, 4)], partition=3)
    assert partitions.synchronize(cloud.s3, cloud.glue, known, ["2026-02-03"]) == [("2026-02-03", "01")]
    assert partitions.synchronize(cloud.s3, cloud.glue, known, ["2026-02-03"]) == []
    assert ("2026-02-02", "01") in partitions.synchronize(cloud.s3, cloud.glue, known)


def test_a_new_hour_is_counted_without_a_crawl(cloud: SmallCloud, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT count(*) AS found FROM quotes WHERE dt = '2026-03-05'"
    assert run("--format", "json", "--sql", sql) == 0
    assert json.loads(capsys.readouterr().out) == [{"found": 0}]
    cloud.store([quote(0, "2026-03-05T23:00:00.000Z")], partition=1)
    assert run("--format", "json", "--sql", sql) == 0
    assert json.loads(capsys.readouterr().out) == [{"found": 1}]


def test_hours_that_the_catalog_has_are_not_added_again(cloud: SmallCloud) -> None:
    partitions.synchronize(cloud.s3, cloud.glue, cloud.deployment)
    assert partitions.synchronize(cloud.s3, cloud.glue, cloud.deployment) == []
    table = partitions.described(cloud.glue, cloud.deployment.database, cloud.deployment.table)
    known = partitions.catalogued(cloud.glue, cloud.deployment.database, cloud.deployment.table)
    # Two operators may find the same new hour at the same moment.
    partitions.add(cloud.glue, cloud.deployment, table, sorted(known))
    assert partitions.catalogued(cloud.glue, cloud.deployment.database, cloud.deployment.table) == known


def test_an_answer_without_declared_columns_is_shown(
    cloud: SmallCloud, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = "symbol string) PARTITIONED BY (dt string, hour string"
    location = f"s3://{cloud.deployment.data_bucket}/quotes/"
    assert run("--sql", f"CREATE EXTERNAL TABLE again ({columns}) LOCATION '{location}'") == 0
    capsys.readouterr()
    assert run("--format", "json", "--sql", "MSCK REPAIR TABLE again") == 0
    found = [row["_col0"] for row in json.loads(capsys.readouterr().out)]
    assert len(found) > 1
    assert found[0].startswith("Partitions not in metastore:")


def test_a_failed_query_is_one_sentence_with_athenas_reason(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--sql", "SELECT nope FROM quotes") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "COLUMN_NOT_FOUND" in err
    assert "'nope'" in err


def test_the_analyses_that_answer_are_shown_when_others_fail(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = analyses.load_all()
    asks = "SELECT no_{} FROM quotes_all WHERE dt >= ? AND concat(dt, ' ', hour) >= ?"
    wrong = {name: replace(known[name], sql=asks.format(name)) for name in ("freshness", "trend")}
    monkeypatch.setattr(analyses, "load_all", lambda: known | wrong)
    assert run() == 1
    out, err = capsys.readouterr()
    assert [name for name in known if f"[{name}]" not in out] == ["freshness", "trend"]
    assert [line.partition(":")[0] for line in err.splitlines()[-2:]] == ["freshness", "trend"]
    assert "'no_trend'" in err
    for form in (["--format", "json"], ["--format", "csv", "trend"]):
        assert run(*form) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert "'no_trend'" in err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--format", "xml"], "xml"),
        (["volumes"], "'volumes'"),
        (["--sql", " ; "], "empty"),
        (["--sql", "SELECT 1", "volume"], "not both"),
        (["--format", "csv"], "one result"),
        (["--timeout", "0", "volume"], "above 0"),
        (["--days", "0"], "neither a number of days above 0 nor the word all"),
        (["--days", "some"], "'some'"),
    ],
)
def test_bad_use_ends_with_2_and_says_what_is_wrong(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert word in capsys.readouterr().err


def test_no_deployment_ends_with_3_and_says_what_to_do(cloud: SmallCloud, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="3"):
        query.main(["--deployment", "elsewhere", "--state-root", str(cloud.state_root)])
    assert "run `make up` first" in capsys.readouterr().err


def test_a_missing_table_is_explained(cloud: SmallCloud, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.glue.delete_table(DatabaseName=cloud.deployment.database, Name=cloud.deployment.table)
    try:
        assert run() == 1
        assert "playbooks/analysis.yml" in capsys.readouterr().err
        assert run("--format", "json", "--sql", "SELECT 1 AS one") == 0
        assert json.loads(capsys.readouterr().out) == [{"one": 1}]
    finally:
        cloud.make_table()


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (None, "varchar", None),
        ("", "varchar", ""),
        ("9007199254740993", "bigint", 9007199254740993),
        ("7", "tinyint", 7),
        ("0.1", "double", 0.1),
        ("1.0E10", "double", 1e10),
        ("NaN", "double", None),
        ("-Infinity", "real", None),
        ("12.50", "decimal(4,2)", 12.5),
        ("12", "decimal(4,0)", 12),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("2026-03-02", "date", "2026-03-02"),
        ("[1, 2]", "array", "[1, 2]"),
    ],
)
def test_values_come_in_the_type_of_their_column(text: str | None, kind: str, value: athena.Value) -> None:
    found = athena.typed(text, kind)
    assert found == value
    assert type(found) is type(value)
    assert not (isinstance(found, float) and math.isnan(found))

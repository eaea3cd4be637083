"""Trino's semantics survive the translation to DuckDB, and what Athena would refuse is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from tests.local_cloud.glue_lake import Lake, json_lines, quote

from local_cloud import athena_engine, glue_crawler


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """One lake for all: nothing here changes it."""
    glue_crawler.install()
    engine = athena_engine.install(tmp_path_factory.mktemp("athena"))
    with mock_aws():
        built = Lake()
        built.build()
        built.put("quotes/dt=2026-11-23/hour=09/a.json", json_lines([quote(n, volume=n * 10) for n in range(4)]))
        built.crawl()
        yield built
    engine.close()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("5 / 2", "2"),
        ("-5 / 2", "-2"),
        ("7 % 3", "1"),
        ("9 / 2 / 2", "2"),
        ("(7 / 2) * 2.0 / 4", "1.5"),
        ("format_datetime(date_trunc('day', date_parse('2026-11-23 09', '%Y-%m-%d %H')), 'dd.MM.yyyy')", "23.11.2026"),
        ("9007199254740993 / 1", "9007199254740993"),
        ("5e0 / 2", "2.5"),
        ("1e0 / 0", "Infinity"),
        ("0e0 / 0", "NaN"),
        ("100.0 * 1 / 3", "33.3"),
        ("cast(10 AS double) / 4", "2.5"),
        ("try(1 / 0)", None),
        ("from_iso8601_timestamp('2026-11-23T09:30:00.123Z')", "2026-11-23 09:30:00.123 UTC"),
        ("from_iso8601_timestamp('2026-11-23T09:30:00+02:00')", "2026-11-23 07:30:00.000 UTC"),
        ("from_iso8601_date('2026-11-23')", "2026-11-23"),
        ("date_parse('2026-11-23 09:05:06', '%Y-%m-%d %H:%i:%s')", "2026-11-23 09:05:06.000"),
        ("date_format(timestamp '2026-11-23 09:05:06', '%Y/%m/%d %H:%i:%s')", "2026/11/23 09:05:06"),
        ("date_diff('hour', timestamp '2026-01-01 00:59:00', timestamp '2026-01-01 01:00:00')", "0"),
        ("date_diff('day', date '2026-01-01', date '2026-03-01')", "59"),
        ("date_diff('second', timestamp '2026-01-01 00:00:02', timestamp '2026-01-01 00:00:00')", "-2"),
        ("date_trunc('hour', timestamp '2026-11-23 09:30:00.5')", "2026-11-23 09:00:00.000"),
        ("date_trunc('week', date '2026-11-25')", "2026-11-23"),
        ("date_add('minute', 90, timestamp '2026-11-23 09:30:00')", "2026-11-23 11:00:00.000"),
        ("timestamp '2026-11-23 09:30:00.123' + interval '1' day", "2026-11-24 09:30:00.123"),
        ("timestamp '2026-11-23 10:00:00' - timestamp '2026-11-22 09:00:00'", "1 01:00:00.000"),
        (
            "at_timezone(timestamp '2026-07-01 12:00:00 UTC', 'America/New_York')",
            "2026-07-01 08:00:00.000 America/New_York",
        ),
        ("hour(timestamp '2026-07-01 12:00:00 UTC' AT TIME ZONE 'America/New_York')", "8"),
        (
            "format_datetime(timestamp '2026-11-23 09:05:06.007', 'yyyy-MM-dd''T''HH:mm:ss.SSS')",
            "2026-11-23T09:05:06.007",
        ),
        ("to_iso8601(from_iso8601_timestamp('2026-11-23T09:30:00.123Z'))", "2026-11-23T09:30:00.123Z"),
        ("to_unixtime(from_iso8601_timestamp('1970-01-01T00:16:40.5Z'))", "1000.5"),
        ("from_unixtime(1000.5)", "1970-01-01 00:16:40.500 UTC"),
        ("day_of_week(date '2026-11-22')", "7"),
        ("element_at(ARRAY[1, 2], 3)", None),
        ("element_at(map(ARRAY['a'], ARRAY[1]), 'a')", "1"),
        ("ARRAY[1, NULL, 3]", "[1, null, 3]"),
        ("map(ARRAY['a'], ARRAY[1.5e0])", "{a=1.5}"),
        ("cast(row(1, 'x') AS row(a integer, b varchar))", "{a=1, b=x}"),
        ("regexp_extract('abc', 'x')", None),
        ("regexp_extract('a1b22', '[a-z]([0-9]+)$', 1)", "22"),
        ("split_part('a,b,c', ',', 2)", "b"),
        ("format('%.2f', 1.005e0)", "1.00"),
        ("concat('a', 'b', 'c')", "abc"),
        ("if(1 > 2, 'x', 'y')", "y"),
        ("width_bucket(3.5e0, 0, 10, 5)", "2"),
        ("true", "true"),
        ("1e7", "1.0E7"),
        ("123456.789e0", "123456.789"),
        ("1e-4", "1.0E-4"),
        ("-12345678.9e0", "-1.23456789E7"),
        ("1.50", "1.50"),
        ("''", ""),
        ("NULL", None),
        ("'a\"b,c\nd'", 'a"b,c\nd'),
    ],
)
def test_an_expression_has_trinos_value(lake: Lake, expression: str, value: str | None) -> None:
    assert lake.value(expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("count_if(volume = 0)", "1"),
        ("max_by(event_time, volume)", "2026-11-23T09:00:03.003Z"),
        ("min_by(sequence, close)", "0"),
        ("approx_percentile(volume, 0.5)", "15"),
        ("approx_distinct(symbol)", "1"),
        ("sum(volume) / count(*)", "15"),
        ("avg(volume)", "15.0"),
        ("arbitrary(symbol)", "NYA"),
        ("every(volume >= 0)", "true"),
        ("round(stddev_samp(volume), 3)", "12.91"),
        ("array_agg(sequence ORDER BY sequence DESC)", "[3, 2, 1, 0]"),
        ("count(*) FILTER (WHERE volume > 10)", "2"),
        ("date_diff('second', from_iso8601_timestamp(min(event_time)), from_iso8601_timestamp(max(event_time)))", "3"),
    ],
)
def test_an_aggregate_over_a_table_has_trinos_value(lake: Lake, expression: str, value: str) -> None:
    found = lake.rows(f"SELECT {expression} FROM quotes")[0][0]
    assert found == value


def test_window_functions_slide_along_their_order(lake: Lake) -> None:
    sql = """
        SELECT sequence,
            lag(volume) OVER (PARTITION BY symbol ORDER BY sequence) AS before,
            sum(volume) OVER (ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS pair,
            row_number() OVER (ORDER BY volume DESC) AS place
        FROM quotes ORDER BY sequence"""
    expected = [["0", None, "0", "4"], ["1", "0", "10", "3"], ["2", "10", "30", "2"], ["3", "20", "50", "1"]]
    assert lake.rows(sql) == expected


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("VALUES (1, 'a'), (2, 'b')", [["1", "a"], ["2", "b"]]),
        ("SELECT n FROM UNNEST(sequence(1, 3)) AS t(n)", [["1"], ["2"], ["3"]]),
        ("SELECT s, u FROM (VALUES ('a')) AS v(s) CROSS JOIN UNNEST(ARRAY[1, 2]) AS t(u)", [["a", "1"], ["a", "2"]]),
        ("WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT x, y FROM a, b", [["1", "2"]]),
        ("SELECT 1 UNION ALL SELECT 2", [["1"], ["2"]]),
        ("SELECT x FROM (VALUES 3, 1, NULL, 2) AS t(x) ORDER BY x", [["1"], ["2"], ["3"], [None]]),
        ("SELECT x FROM (VALUES 3, 1, NULL, 2) AS t(x) ORDER BY x DESC", [["3"], ["2"], ["1"], [None]]),
        ("SELECT count(*) FROM awsdatacatalog.market.quotes WHERE EXISTS (SELECT 1 FROM quotes)", [["4"]]),
        ("SELECT symbol, count(*) FROM Quotes GROUP BY 1 HAVING count(*) > 1", [["NYA", "4"]]),
        ("SELECT sequence FROM quotes OFFSET 1 LIMIT 1", [["1"]]),
        ("-- which one?\nSELECT 1 /* this one */;", [["1"]]),
    ],
)
def test_a_query_gives_trinos_rows(lake: Lake, sql: str, rows: list[list[str | None]]) -> None:
    assert lake.rows(sql) == rows


def test_columns_are_named_and_typed_as_athena_does(lake: Lake) -> None:
    sql = """
        SELECT 1, 2147483648, count(*), 1.5, 1e0, 'a' AS Label, symbol, current_date, current_timestamp,
            localtimestamp, ARRAY[1], row(1), map(), true, sum(volume)
        FROM quotes GROUP BY symbol"""
    execution = lake.run(sql)
    columns = lake.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"][
        "ResultSetMetadata"
    ]["ColumnInfo"]
    assert [(column["Name"], column["Type"]) for column in columns] == [
        ("_col0", "integer"),
        ("_col1", "bigint"),
        ("_col2", "bigint"),
        ("_col3", "decimal"),
        ("_col4", "double"),
        ("Label", "varchar"),
        ("symbol", "varchar"),
        ("_col7", "date"),
        ("_col8", "timestamp with time zone"),
        ("_col9", "timestamp"),
        ("_col10", "array"),
        ("_col11", "row"),
        ("_col12", "map"),
        ("_col13", "boolean"),
        ("_col14", "bigint"),
    ]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT x FROM quotes", "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"),
        ("SELECT symbol,\n  q.x FROM quotes q", "COLUMN_NOT_FOUND: line 2:3: Column 'q.x' cannot be resolved"),
        ("SELECT z.symbol FROM quotes", "COLUMN_NOT_FOUND: line 1:8: Column 'z.symbol' cannot be resolved"),
        ("SELECT close AS c FROM quotes WHERE c > 1", "COLUMN_NOT_FOUND: line 1:37: Column 'c' cannot be resolved"),
        ("SELECT substr(symbol, 1) AS s FROM quotes GROUP BY s", "COLUMN_NOT_FOUND: line 1:52: Column 's'"),
        ("SELECT 1 FROM nosuch", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.market.nosuch' does not exist"),
        ("SELECT 1 FROM nosuch.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nosuch' does not exist"),
        ("SELECT 1 FROM other.market.quotes", "CATALOG_NOT_FOUND: line 1:15: Catalog 'other' does not exist"),
        (
            "SELECT strftime(symbol, 'x') FROM quotes",
            "FUNCTION_NOT_FOUND: line 1:8: Function 'strftime' not registered",
        ),
        (
            "SELECT count(*) FROM quotes WHERE hour = 9",
            "TYPE_MISMATCH: line 1:35: Cannot apply operator: varchar = integer",
        ),
        ("SELECT 'a' + 1", "TYPE_MISMATCH"),
        ("SELECT event_time > current_timestamp FROM quotes", "TYPE_MISMATCH"),
        ("SELECT symbol, count(*) FROM quotes", "EXPRESSION_NOT_AGGREGATE"),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: / by zero"),
        ("SELECT sum(volume) / count_if(volume < 0) FROM quotes", "DIVISION_BY_ZERO"),
        ("SELECT 1.0 / 0", "DIVISION_BY_ZERO"),
        ("SELECT cast('abc' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast 'abc' to INT"),
        ("SELECT from_iso8601_timestamp('yesterday')", "INVALID_FUNCTION_ARGUMENT"),
        ("SELECT (SELECT sequence FROM quotes)", "SUBQUERY_MULTIPLE_ROWS"),
        ("SELECT symbol FROM quotes a JOIN quotes b ON a.sequence = b.sequence", "AMBIGUOUS_NAME"),
        ("INSERT INTO quotes SELECT * FROM quotes", "NOT_SUPPORTED: INSERT is not supported by the local cloud"),
        ("CREATE TABLE x AS SELECT 1 AS a", "NOT_SUPPORTED: CREATE TABLE is not supported by the local cloud"),
        ("SHOW CREATE TABLE quotes", "NOT_SUPPORTED"),
        ("EXPLAIN SELECT 1", "NOT_SUPPORTED"),
        ("SELECT * FROM information_schema.tables", "NOT_SUPPORTED"),
        ("SELECT typeof(1)", "NOT_SUPPORTED"),
        (
            "SELECT at_timezone(current_timestamp, 'Asia/Tokyo') > current_timestamp",
            "NOT_SUPPORTED: line 1:8: Comparing or computing with a time in a zone other than UTC",
        ),
    ],
)
def test_what_athena_refuses_fails_with_athenas_reason(lake: Lake, sql: str, reason: str) -> None:
    assert lake.reason(sql).startswith(reason)


@pytest.mark.parametrize(
    "sql",
    [
        "SELCT 1",
        "SELECT (1",
        "",
        "SELECT 1; SELECT 2",
        "SELECT 'open",
        "SELECT 1::varchar",
        "SELECT symbol FROM quotes QUALIFY 1 = 1",
    ],
)
def test_what_is_no_sql_is_refused_at_the_start(lake: Lake, sql: str) -> None:
    with pytest.raises(ClientError) as refused:
        lake.start(sql or " ")
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"

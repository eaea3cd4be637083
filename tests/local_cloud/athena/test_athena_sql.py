"""The local Athena answers as Trino does: statements that people write, with the answers of a Trino 476 of its own."""

from __future__ import annotations

import datetime
import gzip
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from tests.support.engine import engine
from tests.support.local_cloud.glue_lake import DATA, Lake

from local_cloud.athena import api as athena
from local_cloud.athena import statements
from local_cloud.athena.errors import MalformedQueryError
from local_cloud.glue import api as glue_api
from local_cloud.glue import crawler as glue_crawler

SYMBOLS = ("NYA", "HSI", "GSPTSE")
ANSWERS = Path(__file__).with_name("trino_answers.jsonl")
RECORDED_ROWS = 50
# Two records of a symbol have the same time: which one is the first is not told.
TIES = ("map_agg(dt, close)", "min_by(open, event_time)", "window w as (partition by symbol order by event_time")
# What Athena answers and a Trino of one's own refuses or answers in other words:
# writing (https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html, .../insert-into.html, .../unload.html),
# and the plan, whose text has times and another catalog's name in it.
OWN = frozenset({"CREATE_TABLE_AS_SELECT", "INSERT", "UNLOAD", "EXPLAIN", "PREPARE", "CREATE_VIEW", "DROP_VIEW"})


def quote(number: int, minute: int) -> dict[str, Any]:
    """A record whose prices grow with its number."""
    price = 100 + number
    return {
        "symbol": SYMBOLS[number % 3],
        "event_time": f"2026-11-23T09:{minute:02d}:00.000Z",
        "open": price - 0.5,
        "high": price + 1.25,
        "low": price - 1.0,
        "close": price + 0.25,
        "adj_close": price + 0.25,
        "volume": number * 10,
        "close_usd": round((price + 0.25) * 0.13, 4),
        "producer_id": "p" * 16,
        "sequence": number,
    }


def kind_of(value: Any) -> str:
    return {str: "string", int: "bigint", float: "double"}[type(value)]


@pytest.fixture(scope="module")
def lake() -> Iterator[Lake]:
    """One lake for all: 60 records in two partitions of a declared table. Nothing here changes it."""
    glue_crawler.install()
    glue_api.install()
    executor = athena.install(engine())
    with mock_aws():
        built = Lake()
        built.build()
        built.glue.create_database(DatabaseInput={"Name": "battery"})
        storage: dict[str, Any] = {
            "Columns": [{"Name": name, "Type": kind_of(value)} for name, value in quote(0, 0).items()],
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
        }
        table: Any = {
            "Name": "quotes",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "json", "EXTERNAL": "TRUE"},
            "PartitionKeys": [{"Name": name, "Type": "string"} for name in ("dt", "hour")],
            "StorageDescriptor": storage | {"Location": f"s3://{DATA}/answers/"},
        }
        built.glue.create_table(DatabaseName="battery", TableInput=table)
        numbers = {"09": range(40), "10": range(100, 120)}
        for hour, wanted in numbers.items():
            lines = "".join(json.dumps(quote(number, number % 100)) + "\n" for number in wanted)
            folder = f"answers/dt=2026-11-23/hour={hour}"
            built.s3.put_object(Bucket=DATA, Key=f"{folder}/a.json.gz", Body=gzip.compress(lines.encode()))
            place: Any = storage | {"Location": f"s3://{DATA}/{folder}/"}
            partition: Any = {"Values": ["2026-11-23", hour], "StorageDescriptor": place}
            built.glue.create_partition(DatabaseName="battery", TableName="quotes", PartitionInput=partition)
        yield built
    executor.close()


def is_trinos(sql: str) -> bool:
    """Whether Athena hands the statement to its engine, and the engine's answer is the whole answer."""
    try:
        statement = statements.parse(sql)
    except MalformedQueryError:
        return True
    return statement.ddl is None and statement.name not in OWN and not sql.startswith("execute")


def written(value: Any) -> str | None:
    """A value of Trino's JSON as Athena writes it."""
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case float():
            return repr(value) if 1e-3 <= abs(value) < 1e7 or value == 0 else "in Java's way"
        case list():
            return f"[{', '.join(written(item) or 'null' for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{key}={written(item)}' for key, item in value.items())}}}"
        case _:
            return str(value)


def moment(text: str) -> datetime.datetime:
    """A timestamp as Athena or the recording wrote it."""
    return datetime.datetime.fromisoformat(text.replace(" UTC", "+00:00").replace("T", " "))


def matches(found: str | None, expected: Any, kind: str) -> bool:
    if found is None or expected is None:
        return found is expected
    if kind in {"double", "real"}:
        return float(found) == float(expected)
    if kind.startswith("timestamp"):
        return moment(found) == moment(str(expected))
    if kind.lower() == "interval day to second":
        hours, minutes, seconds = found.partition(" ")[2].removesuffix(".000").split(":")
        return bool(f"{found.partition(' ')[0]} {int(hours)}:{minutes}:{seconds}".removeprefix("0 ") == expected)
    if kind == "varbinary":
        return bool(found)  # the recorded text is Python's
    return bool(found == written(expected))


def answer(lake: Lake, sql: str) -> tuple[list[tuple[str, str]], list[list[str | None]]] | str:
    """Columns and rows, or why there are none."""
    context: Any = {"Database": "battery", "Catalog": "AwsDataCatalog"}
    try:
        started = lake.athena.start_query_execution(QueryString=sql, WorkGroup="market", QueryExecutionContext=context)
    except ClientError as error:
        return str(error.response["Error"]["Message"])
    status = lake.wait(started["QueryExecutionId"])["Status"]
    if status["State"] != "SUCCEEDED":
        return str(status["StateChangeReason"])
    result = lake.athena.get_query_results(QueryExecutionId=started["QueryExecutionId"])["ResultSet"]
    columns = [(column["Name"], column["Type"]) for column in result["ResultSetMetadata"]["ColumnInfo"]]
    rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in result["Rows"]]
    return columns, rows[1:]


def is_unordered(sql: str) -> bool:
    """Whether nobody promises which rows come: there is a limit and no order of the whole, or a tie is cut."""
    outside = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", sql))
    return ("limit" in outside and "order by" not in outside) or any(part in sql for part in TIES)


def athenas(kind: str) -> str:
    """Trino's type as Athena names it in a result."""
    plain = kind.lower().replace("(3)", "")
    return {"real": "float"}.get(plain, plain.partition("(")[0])


def difference(lake: Lake, case: dict[str, Any]) -> str:
    """How the answer to a statement differs from Trino's; empty if it does not."""
    found = answer(lake, case["sql"])
    if "error" in case:
        return "" if isinstance(found, str) else f"answered, and Trino says {case['error']}"
    if isinstance(found, str):
        return found
    columns, rows = found
    expected = list(zip(case["columns"], map(athenas, case["types"]), strict=True))
    if columns != expected:
        return f"{columns}, not {expected}"
    if "rows" not in case:
        return ""
    wanted: list[list[Any]] = case["rows"]
    # The recording ends with the fiftieth row.
    if len(rows) != len(wanted) and not len(rows) > len(wanted) == RECORDED_ROWS:
        return f"{len(rows)} rows, not {len(wanted)}"
    if is_unordered(case["sql"].lower()):
        return ""
    left = list(rows)
    for recorded in wanted:
        row = ["awsdatacatalog" if value == "hive" else value for value in recorded]
        same = (
            other
            for other in left
            if all(matches(a, b, kind) for a, b, kind in zip(other, row, case["types"], strict=True))
        )
        match = next(same, None)
        if match is None:
            return f"no row {row} in {rows[:3]}"
        left.remove(match)
    return ""


def test_statements_are_answered_or_refused_as_by_trino(lake: Lake) -> None:
    cases = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]
    asked = [case for case in cases if is_trinos(case["sql"])]
    assert len(asked) > 170
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda case: difference(lake, case), asked)
        wrong = {case["sql"]: text for case, text in zip(asked, found, strict=True) if text}
    assert not wrong, "\n".join(f"{sql}: {text}" for sql, text in wrong.items())


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT x FROM quotes", "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved or requester is not"),
        ("SELECT symbol,\n  q.x FROM quotes q", "COLUMN_NOT_FOUND: line 2:3: Column 'q.x' cannot be resolved"),
        ("SELECT 1 FROM nosuch", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.battery.nosuch' does not exist"),
        ("SELECT 1 FROM nosuch.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nosuch' does not exist"),
        ("SELECT 1 FROM other.market.quotes", "CATALOG_NOT_FOUND: line 1:15: Catalog 'other' not found"),
        ("SELECT nosuch(symbol) FROM quotes", "FUNCTION_NOT_FOUND: line 1:8: Function 'nosuch' not registered"),
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT 1 FROM system.runtime.queries", "PERMISSION_DENIED: Access Denied: Cannot access catalog system"),
        ("SELECT * FROM unload.files.x", "TABLE_NOT_FOUND: line 1:15: Table 'unload.files.x' does not exist"),
    ],
)
def test_a_failed_query_says_why_in_athenas_words(lake: Lake, sql: str, reason: str) -> None:
    found = answer(lake, sql)
    assert isinstance(found, str)
    assert found.startswith(reason)


@pytest.mark.parametrize(
    "sql",
    [
        *("SELCT 1", "SELECT (1", " ", "SELECT 1; SELECT 2", "SELECT 'open", "SELECT 1::varchar"),
        *("SET SESSION query_max_run_time = '1h'", "USE battery", "GRANT SELECT ON quotes TO bob", "ANALYZE quotes"),
        *(
            "CALL system.runtime.kill_query('x')",
            "TRUNCATE TABLE quotes",
            "START TRANSACTION",
            "CREATE CATALOG x USING y",
        ),
    ],
)
def test_what_athena_does_not_have_is_refused_at_the_start(lake: Lake, sql: str) -> None:
    with pytest.raises(ClientError) as refused:
        lake.start(sql)
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"


def test_a_syntax_error_says_where(lake: Lake) -> None:
    with pytest.raises(ClientError) as refused:
        lake.start("SELECT 1,\n  FROM quotes")
    assert refused.value.response["Error"]["Message"].startswith("line 2:3: mismatched input 'FROM'")


def test_columns_are_named_and_typed_as_athena_does(lake: Lake) -> None:
    found = answer(
        lake,
        """
        SELECT 1, 2147483648, count(*), 1.5, 1e0, cast(1 AS real), 'a' AS Label, symbol, current_date,
            current_timestamp, localtimestamp, ARRAY[1], row(1), map(), true, sum(volume), X'6162'
        FROM quotes GROUP BY symbol""",
    )
    assert not isinstance(found, str)
    assert found[0] == [
        ("_col0", "integer"),
        ("_col1", "bigint"),
        ("_col2", "bigint"),
        ("_col3", "decimal"),
        ("_col4", "double"),
        ("_col5", "float"),
        ("Label", "varchar"),
        ("symbol", "varchar"),
        ("_col8", "date"),
        ("_col9", "timestamp with time zone"),
        ("_col10", "timestamp"),
        ("_col11", "array"),
        ("_col12", "row"),
        ("_col13", "map"),
        ("_col14", "boolean"),
        ("_col15", "bigint"),
        ("_col16", "varbinary"),
    ]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("ARRAY[1, NULL]", "[1, null]"),
        ("map(ARRAY['a'], ARRAY[ARRAY[1.5e0]])", "{a=[1.5]}"),
        ("row(1, 'x')", "{field0=1, field1=x}"),
        ("cast(row(1, NULL) AS row(a integer, b varchar))", "{a=1, b=null}"),
        ("X'6162'", "61 62"),
        ("1e7", "1.0E7"),
        ("1.5e-4", "1.5E-4"),
        ("-1e0 / 0", "-Infinity"),
        ("nan()", "NaN"),
        ("cast(0.1 AS real)", "0.1"),
        ("timestamp '2026-11-23 09:30:00'", "2026-11-23 09:30:00.000"),
        ("from_iso8601_timestamp('2026-11-23T09:30:00+02:00')", "2026-11-23 09:30:00.000 +02:00"),
        ("interval '90' minute", "0 01:30:00.000"),
        ("true", "true"),
        ("cast('x' AS char(3))", "x  "),
        ("json_parse('{\"a\":1}')", '{"a":1}'),
        ("'say \"hi\",\nnow'", 'say "hi",\nnow'),
    ],
)
def test_a_value_is_written_as_athena_writes_it(lake: Lake, expression: str, text: str) -> None:
    found = answer(lake, f"SELECT {expression}")
    assert not isinstance(found, str)
    assert found[1] == [[text]]

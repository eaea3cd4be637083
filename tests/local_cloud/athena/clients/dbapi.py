"""Uses Athena through PyAthena and its dialect of SQLAlchemy, and prints what it gets as JSON: `dbapi.py BUCKET`."""

from __future__ import annotations

import datetime
import functools
import json
import os
import sys
import time
from typing import Any
from urllib.parse import quote_plus

import pyarrow.fs
import pyathena
from pyathena.arrow.cursor import ArrowCursor
from pyathena.async_cursor import AsyncCursor
from pyathena.cursor import DictCursor
from pyathena.pandas.cursor import PandasCursor
from sqlalchemy import Column, MetaData, Table, create_engine, func, inspect, select, text, types

DATABASE, GROUP, STAGING = "dbapi", "market", "s3://stock-market-results/dbapi/"
QUERY = "SELECT symbol, close, volume, day, traded, price, tags, dt FROM quotes ORDER BY close"
PLAIN = "SELECT symbol, close, volume, dt FROM quotes ORDER BY close"
CREATE = """
CREATE EXTERNAL TABLE quotes (
    symbol string COMMENT 'an index', close double, volume bigint, day date, traded timestamp, price decimal(10,2),
    tags array<string>)
PARTITIONED BY (dt string) STORED AS PARQUET LOCATION 's3://{bucket}/dbapi/quotes/'"""
INSERT = """
INSERT INTO quotes VALUES
    ('NYA', 1.5, 10, DATE '2026-11-23', TIMESTAMP '2026-11-23 09:30:00.125', 1.25, ARRAY['a', 'b'], '2026-11-23'),
    ('HSI', 2.5, 20, DATE '2026-11-23', TIMESTAMP '2026-11-23 09:31:00', 2.25, ARRAY[], '2026-11-23'),
    (NULL, 3.5, 30, DATE '2026-11-24', TIMESTAMP '2026-11-24 09:30:00', NULL, NULL, '2026-11-24')"""
SLOW = """
SELECT count(*) FROM UNNEST(sequence(1, 9000)) AS a (x) CROSS JOIN UNNEST(sequence(1, 9000)) AS b (y)
WHERE x * y % 7 = 3"""


def written(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case datetime.date():
            return value.isoformat()
        case list() | tuple():
            return [written(item) for item in value]
        case dict():
            return {key: written(item) for key, item in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def making(cursor: Any, bucket: str) -> dict[str, Any]:
    """The statements that a database has before there is data."""
    cursor.execute(f"CREATE DATABASE {DATABASE}")
    cursor.execute(CREATE.format(bucket=bucket))
    inserted = cursor.execute(INSERT)
    return {"inserted": inserted.rowcount, "statement": [inserted.statement_type, inserted.substatement_type]}


def cursors(connection: Any) -> dict[str, Any]:
    """Each kind of cursor over the same rows."""
    default = connection.cursor().execute(QUERY)
    described = [[column[0], column[1], column[4], column[5]] for column in default.description]
    with connection.cursor(AsyncCursor) as cursor:
        query_id, future = cursor.execute(PLAIN)
        by_thread = future.result()
        asynchronous = {
            "rows": written(by_thread.fetchall()),
            "state": by_thread.state,
            "same": by_thread.query_id == query_id,
        }
    frame = connection.cursor(PandasCursor).execute(QUERY).as_pandas()
    unloaded = connection.cursor(PandasCursor, unload=True).execute(QUERY).as_pandas().sort_values("close")
    arrow = connection.cursor(ArrowCursor)
    return {
        "default": written(default.fetchall()),
        "description": described,
        "dictionary": written(connection.cursor(DictCursor).execute(PLAIN).fetchmany(2)),
        "asynchronous": asynchronous,
        "pandas": json.loads(frame.to_json(orient="values", date_format="iso")),
        "pandas_types": {name: str(kind) for name, kind in frame.dtypes.items()},
        "pandas_unload": json.loads(unloaded[["symbol", "close", "dt"]].to_json(orient="values")),
        "arrow": written(arrow.execute(PLAIN).as_arrow().to_pylist()),
        "arrow_types": [str(kind) for kind in arrow.execute(QUERY).as_arrow().schema.types],
        "arrow_unload": written(
            connection.cursor(ArrowCursor, unload=True).execute(PLAIN).as_arrow().sort_by("close").to_pylist()
        ),
    }


def asking(connection: Any) -> dict[str, Any]:
    """Parameters of both kinds, reuse of a result, a failure, and a query that is cancelled."""
    cursor = connection.cursor()
    named = "SELECT symbol FROM quotes WHERE close > %(close)s AND day = %(day)s"
    day = datetime.date(2026, 11, 23)
    marks = "SELECT close FROM quotes WHERE symbol = ? AND volume < ?"
    reused = [
        cursor.execute(PLAIN, result_reuse_enable=True, result_reuse_minutes=10).reused_previous_result for _ in "12"
    ]
    try:
        cursor.execute("SELECT nosuch FROM quotes")
        failure = ""
    except pyathena.OperationalError as error:
        failure = str(error)
    with connection.cursor(AsyncCursor) as running:
        query_id, future = running.execute(SLOW)
        time.sleep(0.5)
        running.cancel(query_id).result()
        state = future.result().state
    return {
        "named": written(cursor.execute(named, {"close": 1, "day": day}).fetchall()),
        "marks": written(cursor.execute(marks, ["'NYA'", "15"], paramstyle="qmark").fetchall()),
        "many": written(cursor.execute("SELECT n FROM UNNEST(sequence(1, 2500)) AS t (n) ORDER BY n").fetchall()[-1]),
        "reused": reused,
        "failure": failure,
        "cancelled": state,
        "shown": [row[0] for row in cursor.execute("SHOW TABLES").fetchall()],
        "partitions": [row[0] for row in cursor.execute("SHOW PARTITIONS quotes").fetchall()],
        "scanned": cursor.execute(PLAIN).data_scanned_in_bytes > 0,
        "tables": [table.name for table in connection.cursor().list_table_metadata(schema_name=DATABASE)],
        "databases": [database.name for database in connection.cursor().list_databases("AwsDataCatalog")],
    }


def mapping(bucket: str) -> dict[str, Any]:
    """What SQLAlchemy finds out by itself, and what it writes."""
    staging = quote_plus(STAGING)
    engine = create_engine(
        f"awsathena+rest://:@athena.us-east-1.amazonaws.com:443/{DATABASE}?s3_staging_dir={staging}&poll_interval=0.1"
    )
    metadata = MetaData()
    made = Table(
        "made",
        metadata,
        Column("id", types.Integer),
        Column("name", types.String),
        awsathena_location=f"s3://{bucket}/dbapi/made/",
        awsathena_file_format="PARQUET",
    )
    with engine.connect() as connection:
        connection.execute(text("CREATE VIEW cheap AS SELECT symbol, close FROM quotes WHERE close < 3"))
        metadata.create_all(connection)
        connection.execute(made.insert().values([{"id": 1, "name": "one"}, {"id": 2, "name": "it's"}]))
        seen = inspect(connection)
        quotes = Table("quotes", MetaData(), autoload_with=connection)
        dear = (
            select(quotes.c.symbol, quotes.c.close, quotes.c.traded)
            .where(quotes.c.close > 1.5)
            .order_by(quotes.c.close)
        )
        count = select(func.count()).select_from(quotes)
        facts = {
            "schemas": seen.get_schema_names(),
            "tables_of_schema": sorted(seen.get_table_names()),
            "views": seen.get_view_names(),
            "view_text": seen.get_view_definition("cheap"),
            "columns": [
                [column["name"], str(column["type"]), column["comment"]] for column in seen.get_columns("quotes")
            ],
            "has": [seen.has_table("quotes"), seen.has_table("cheap"), seen.has_table("nosuch")],
            "columns_of_view": [column["name"] for column in seen.get_columns("cheap")],
            "reflected": [column.name for column in quotes.columns],
            "dear": written([list(row) for row in connection.execute(dear)]),
            "count": connection.execute(count).scalar(),
            "made": written([list(row) for row in connection.execute(select(made).order_by(made.c.id))]),
            "of_view": connection.execute(text("SELECT count(*) FROM cheap")).scalar(),
        }
    engine.dispose()
    return facts


def main(bucket: str) -> None:
    """Does it all.

    PyAthena's Arrow cursors read S3 through pyarrow, whose endpoint neither the environment nor PyAthena can set.
    """
    pyarrow.fs.S3FileSystem = functools.partial(
        pyarrow.fs.S3FileSystem, endpoint_override=os.environ["AWS_ENDPOINT_URL"]
    )
    connection = pyathena.connect(work_group=GROUP, schema_name=DATABASE, s3_staging_dir=STAGING, poll_interval=0.1)
    facts = making(connection.cursor(), bucket) | cursors(connection) | asking(connection)
    print(json.dumps(facts | {"alchemy": mapping(bucket)}))


if __name__ == "__main__":
    main(sys.argv[1])

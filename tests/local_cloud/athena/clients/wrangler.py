"""Uses Athena through awswrangler, with its defaults, and prints what it gets as JSON: `wrangler.py BUCKET`."""

from __future__ import annotations

import datetime
import json
import sys
from typing import Any

import awswrangler as wr
import boto3
import pandas as pd

DATABASE, GROUP = "wrangler", "market"
CSV = {"ctas_approach": False}
# The client reads nothing that lies in another bucket than the workgroup's results.
UNLOAD = {"unload_approach": True, "s3_output": "s3://stock-market-results/unload/"}
QUERY = "SELECT symbol, close, volume, day, traded, dt FROM quotes ORDER BY close"


def rows(frame: pd.DataFrame) -> list[list[Any]]:
    """The rows of a data frame as JSON has them."""
    found: list[list[Any]] = json.loads(frame.to_json(orient="values", date_format="iso"))
    return found


def quotes() -> pd.DataFrame:
    """Three quotes on two days."""
    return pd.DataFrame(
        {
            "symbol": ["NYA", "HSI", None],
            "close": [1.5, 2.5, 3.5],
            "volume": [10, 20, 30],
            "day": [datetime.date(2026, 11, 23), datetime.date(2026, 11, 23), datetime.date(2026, 11, 24)],
            "traded": pd.to_datetime(["2026-11-23T09:30:00.125", "2026-11-23T09:31:00.000", "2026-11-24T09:30:00.000"]),
            "dt": ["2026-11-23", "2026-11-23", "2026-11-24"],
        }
    )


def read(sql: str, **options: Any) -> pd.DataFrame:
    """The answer to a query."""
    return wr.athena.read_sql_query(sql, database=DATABASE, workgroup=GROUP, **options)


def reading() -> dict[str, Any]:
    """The three ways to fetch a result, in one piece and in several."""
    in_order = read(QUERY, **CSV)
    by_ctas = read(QUERY)
    query_id = wr.athena.start_query_execution("SELECT 1 AS one", database=DATABASE, workgroup=GROUP, wait=False)
    ended = wr.athena.wait_query(query_id)
    return {
        "csv": rows(in_order),
        "ctas": rows(by_ctas.sort_values("close")),
        "ctas_types": {name: str(kind) for name, kind in by_ctas.dtypes.items()},
        "unload": rows(read(QUERY, **CSV | UNLOAD).sort_values("close")),
        "ctas_chunks": [len(chunk) for chunk in read(QUERY, chunksize=2)],
        "csv_chunks": [len(chunk) for chunk in read(QUERY, **CSV, chunksize=2)],
        "no_rows": list(read(f"SELECT * FROM ({QUERY}) WHERE close > 9").columns),
        "named": rows(read("SELECT close FROM quotes WHERE symbol = :symbol", params={"symbol": "HSI"}, **CSV)),
        "qmark": rows(
            read(
                "SELECT close FROM quotes WHERE symbol = ? AND volume > ?",
                params=["'NYA'", "5"],
                paramstyle="qmark",
                **CSV,
            )
        ),
        "cached": rows(read(QUERY, **CSV, athena_cache_settings={"max_cache_seconds": 600})),
        "state": ended["Status"]["State"],
        "columns": wr.athena.get_query_columns_types(query_id),
        "by_id": rows(wr.athena.get_query_results(query_id)),
    }


def describing(bucket: str) -> dict[str, Any]:
    """What the catalog says of the table, by Athena and by Glue; and a partition that only S3 knows."""
    moved = quotes().head(1).drop(columns="dt")
    wr.s3.to_parquet(moved, path=f"s3://{bucket}/wrangler/quotes/dt=2026-11-25/new.parquet")
    described = wr.athena.describe_table("quotes", database=DATABASE, workgroup=GROUP)
    state = wr.athena.repair_table("quotes", database=DATABASE, workgroup=GROUP)
    return {
        "described": rows(described),
        "repaired": state,
        "after_repair": rows(read("SELECT count(*) AS n FROM quotes WHERE dt = '2026-11-25'", **CSV)),
        "create_text": wr.athena.show_create_table("quotes", database=DATABASE, workgroup=GROUP),
        "databases": sorted(wr.catalog.databases()["Database"]),
        "tables": sorted(wr.catalog.tables(database=DATABASE)["Table"]),
        "table": rows(wr.catalog.table(database=DATABASE, table="quotes")),
        "work_group": wr.athena.get_work_group(GROUP)["WorkGroup"]["State"],
        "refused": refusal("SELECT nosuch FROM quotes"),
    }


def refusal(sql: str) -> str:
    """With which error the client ends for a query that fails."""
    try:
        read(sql, **CSV)
    except wr.exceptions.QueryFailed as error:
        return str(error)
    return ""


def writing(bucket: str) -> dict[str, Any]:
    """CTAS by its own function, and an Iceberg table made, appended to, merged into and read."""
    made = wr.athena.create_ctas_table(
        "SELECT symbol, close, dt FROM quotes WHERE symbol IS NOT NULL",
        database=DATABASE,
        ctas_table="picked",
        partitioning_info=["dt"],
        workgroup=GROUP,
        wait=True,
    )
    first = pd.DataFrame({"id": [1, 2], "name": ["one", "two"], "price": [1.5, 2.5]})
    options = {
        "database": DATABASE,
        "table": "items",
        "workgroup": GROUP,
        "temp_path": f"s3://{bucket}/wrangler/tmp/",
        "keep_files": False,
    }
    wr.athena.to_iceberg(first, table_location=f"s3://{bucket}/wrangler/items/", **options)
    wr.athena.to_iceberg(pd.DataFrame({"id": [3], "name": ["three"], "price": [3.5]}), **options)
    changed = pd.DataFrame({"id": [2, 4], "name": ["zwei", "four"], "price": [22.5, 4.5]})
    wr.athena.to_iceberg(changed, merge_cols=["id"], **options)
    merged = rows(read("SELECT id, name, price FROM items ORDER BY id", **CSV))
    wider = pd.DataFrame({"id": [5], "name": ["five"], "price": [5.5], "note": ["new"]})
    wr.athena.to_iceberg(wider, schema_evolution=True, **options)
    wr.athena.delete_from_iceberg_table(pd.DataFrame({"id": [1]}), merge_cols=["id"], **options)
    wr.athena.to_iceberg(
        wider,
        mode="overwrite_partitions",
        partition_cols=["id"],
        **options | {"table": "parts"},
        table_location=f"s3://{bucket}/wrangler/parts/",
    )
    return {
        "ctas_table": made["ctas_table"],
        "picked": rows(read("SELECT symbol, dt FROM picked ORDER BY symbol, dt", **CSV)),
        "merged": merged,
        "evolved": rows(read("SELECT * FROM items ORDER BY id", **CSV)),
        "parts": rows(read("SELECT * FROM parts", **CSV)),
    }


def main(bucket: str) -> None:
    """Does it all, in one session: a new one reads AWS's models again."""
    boto3.setup_default_session()
    wr.catalog.create_database(DATABASE)
    options = {"dataset": True, "database": DATABASE, "table": "quotes", "partition_cols": ["dt"]}
    written = wr.s3.to_parquet(quotes(), path=f"s3://{bucket}/wrangler/quotes/", **options)
    facts = {"partitions": sorted(written["partitions_values"].values())} | reading() | describing(bucket)
    print(json.dumps(facts | writing(bucket)))


if __name__ == "__main__":
    main(sys.argv[1])

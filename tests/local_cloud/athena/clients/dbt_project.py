"""Builds a project of dbt's in Athena, twice, and prints what comes out as JSON: `dbt_project.py DIRECTORY BUCKET`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from dbt.cli.main import dbtRunner

DATABASE, GROUP = "dbt_market", "market"
UNDER_WAY = {"QUEUED", "RUNNING"}
ATHENA = boto3.client("athena")
FILES = {
    "dbt_project.yml": {
        "name": "market",
        "version": "1.0.0",
        "profile": "market",
        "model-paths": ["models"],
        "seed-paths": ["seeds"],
        "flags": {"send_anonymous_usage_stats": False},
    },
    "profiles.yml": {
        "market": {
            "target": "local",
            "outputs": {
                "local": {
                    "type": "athena",
                    "s3_staging_dir": "s3://stock-market-results/dbt/",
                    "region_name": "us-east-1",
                    "database": "awsdatacatalog",
                    "schema": DATABASE,
                    "work_group": GROUP,
                    "threads": 2,
                    "poll_interval": 0.1,
                }
            },
        }
    },
    "models/schema.yml": {
        "version": 2,
        "models": [
            {
                "name": "dear",
                "description": "quotes that cost more than one",
                "columns": [
                    {
                        "name": "symbol",
                        "data_tests": ["not_null", {"accepted_values": {"arguments": {"values": ["NYA", "HSI"]}}}],
                    }
                ],
            },
            {"name": "by_day", "columns": [{"name": "dt", "data_tests": ["not_null"]}]},
            {"name": "lasting", "columns": [{"name": "id", "data_tests": ["unique", "not_null"]}]},
        ],
    },
}
SEED = "symbol,close,dt\nNYA,1.5,2026-11-23\nHSI,2.5,2026-11-24\nNYA,0.5,2026-11-24\n"
MODELS = {
    "dear": "{{ config(materialized='view') }} SELECT symbol, close, dt FROM {{ ref('quotes') }} WHERE close > 1",
    "by_day": """
{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partitioned_by=['dt']) }}
SELECT count(*) AS quotes, max(close) AS highest, dt FROM {{ ref('dear') }}
{% if is_incremental() %} WHERE dt >= (SELECT max(dt) FROM {{ this }}) {% endif %}
GROUP BY dt""",
    "lasting": """
{{ config(materialized='incremental', table_type='iceberg', incremental_strategy='merge', unique_key='id') }}
SELECT symbol || cast(dt AS varchar) AS id, close {% if is_incremental() %} * 2 {% endif %} AS close
FROM {{ ref('dear') }}""",
}


def write(project: Path) -> None:
    """The project's files: YAML takes JSON."""
    for name in ("models", "seeds"):
        (project / name).mkdir()
    for name, content in FILES.items():
        (project / name).write_text(json.dumps(content))
    for name, sql in MODELS.items():
        (project / "models" / f"{name}.sql").write_text(sql)
    (project / "seeds" / "quotes.csv").write_text(SEED)


def dbt(project: Path, *arguments: str) -> dict[str, str]:
    """Runs a command of dbt's in this process, as a new one takes seconds to start; the outcome of each of its nodes.

    Raises:
        SystemExit: it has failed.
    """
    places = ["--project-dir", str(project), "--profiles-dir", str(project)]
    done = dbtRunner().invoke(["--quiet", *arguments, *places])
    if not done.success:
        raise SystemExit(f"dbt {' '.join(arguments)} has failed: {done.exception}")
    outcome = getattr(done.result, "results", [])
    return {result.node.name: str(result.status) for result in outcome}


def rows(sql: str) -> list[list[str | None]]:
    """What a query answers, asked without dbt."""
    started = ATHENA.start_query_execution(
        QueryString=sql, WorkGroup=GROUP, QueryExecutionContext={"Database": DATABASE}
    )
    query = started["QueryExecutionId"]
    while ATHENA.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"] in UNDER_WAY:
        time.sleep(0.05)
    found = ATHENA.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"][1:]
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found]


def main(project: Path) -> None:
    """Builds and tests, adds a quote, builds and tests again, and describes it all."""
    write(project)
    os.chdir(project)
    facts: dict[str, Any] = {"built": dbt(project, "build"), "first": rows("SELECT * FROM by_day ORDER BY dt")}
    rows("INSERT INTO quotes VALUES ('NYA', 7.5, DATE '2026-11-24')")
    facts["again"] = dbt(project, "build", "--exclude-resource-type", "seed")
    facts["second"] = rows("SELECT * FROM by_day ORDER BY dt")
    facts["lasting"] = rows("SELECT * FROM lasting ORDER BY id, close")
    dbt(project, "docs", "generate", "--no-compile")
    catalog = json.loads((project / "target" / "catalog.json").read_text())["nodes"]
    facts["catalog"] = {
        node["metadata"]["name"]: [node["metadata"]["type"], *node["columns"]] for node in catalog.values()
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Uses Athena through `aws athena`, each call a process of its own, and prints what it answers as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

DATABASE, GROUP = "market", "market"


def aws(*arguments: str) -> Any:
    """What a call prints, None if nothing; a text that begins with `error: ` if it fails."""
    command = [str(Path(sys.executable).with_name("aws")), "athena", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"error: {done.stderr.strip()}"
    return json.loads(done.stdout) if done.stdout.strip() else None


def run(sql: str, *options: str) -> dict[str, Any]:
    """Starts a query and waits for its end."""
    place = ["--work-group", GROUP, "--query-execution-context", f"Database={DATABASE},Catalog=AwsDataCatalog"]
    query = aws("start-query-execution", "--query-string", sql, *place, *options)["QueryExecutionId"]
    while True:
        execution: dict[str, Any] = aws("get-query-execution", "--query-execution-id", query)["QueryExecution"]
        if execution["Status"]["State"] not in {"QUEUED", "RUNNING"}:
            return execution
        time.sleep(0.1)


def rows(execution: dict[str, Any]) -> list[list[str | None]]:
    """The rows of a query that has ended, with its header."""
    found = aws("get-query-results", "--query-execution-id", execution["QueryExecutionId"])["ResultSet"]["Rows"]
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found]


def queries() -> dict[str, Any]:
    """A query with parameters, one that fails, and what is known of them."""
    answered = run("SELECT ? AS name, ? + 1 AS number", "--execution-parameters", "'it''s'", "41")
    failed = run("SELECT nosuch FROM information_schema.tables")
    return {
        "rows": rows(answered),
        "types": [answered["StatementType"], answered["SubstatementType"]],
        "engine": answered["EngineVersion"]["EffectiveEngineVersion"],
        "failed": failed["Status"]["AthenaError"]["ErrorMessage"],
        "malformed": aws("start-query-execution", "--query-string", "SELCT 1", "--work-group", GROUP),
    }


def catalog() -> dict[str, Any]:
    """Catalogs, databases, tables and workgroups."""
    place = ["--catalog-name", "AwsDataCatalog"]
    calls = {
        "catalogs": ["list-data-catalogs"],
        "catalog": ["get-data-catalog", "--name", "AwsDataCatalog"],
        "database": ["get-database", *place, "--database-name", DATABASE],
        "tables": ["list-table-metadata", *place, "--database-name", DATABASE],
        "groups": ["list-work-groups"],
        "group": ["get-work-group", "--work-group", GROUP],
        "engines": ["list-engine-versions"],
    }
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda arguments: aws(*arguments), calls.values())
        return dict(zip(calls, answers, strict=True))


def saved() -> dict[str, Any]:
    """A named query, and a prepared statement that a query executes."""
    sql = ["--query-string", "SELECT 1", "--database", DATABASE]
    query = aws("create-named-query", "--name", "one", "--work-group", GROUP, *sql)["NamedQueryId"]
    listed = aws("list-named-queries", "--work-group", GROUP)
    described = aws("get-named-query", "--named-query-id", query)["NamedQuery"]
    deleted = aws("delete-named-query", "--named-query-id", query)
    statement = ["--statement-name", "plus", "--work-group", GROUP]
    aws("create-prepared-statement", *statement, "--query-statement", "SELECT ? + ?")
    executed = rows(run("EXECUTE plus USING 1, 2"))
    known = aws("get-prepared-statement", *statement)["PreparedStatement"]["QueryStatement"]
    aws("delete-prepared-statement", *statement)
    return {
        "named": [listed["NamedQueryIds"] == [query], described["Name"], described["QueryString"], deleted],
        "prepared": [known, executed],
        "gone": aws("get-prepared-statement", *statement),
    }


if __name__ == "__main__":
    print(json.dumps(queries() | catalog() | saved()))

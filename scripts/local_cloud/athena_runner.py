"""Runs one statement: a query over the catalog's objects in DuckDB, or a statement about the catalog itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from sqlglot import Token, exp

from local_cloud.athena_catalog import Catalog, Partition
from local_cloud.athena_ddl import is_ddl, run_ddl
from local_cloud.athena_decoder import RowStore
from local_cloud.athena_errors import QueryCancelledError, UnsupportedError, from_duckdb
from local_cloud.athena_function_names import check_function_names
from local_cloud.athena_functions import MACROS
from local_cloud.athena_results import Result
from local_cloud.athena_sql import Compiled, Scan, compile_query, substitute
from local_cloud.athena_types import literal, quoted, text_of
from local_cloud.glue_objects import StoredObject

MEMORY_LIMIT = "256MB"
THREADS = 2
FETCH_ROWS = 1000
_MOMENT = "TIMESTAMP WITH TIME ZONE"


@dataclass(slots=True)
class Task:
    """A statement under way: what it has cost so far and whether somebody wants it to stop."""

    database: str
    parameters: list[str] | None = None
    scan_limit_bytes: int | None = None
    token: str = ""
    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    scanned_bytes: int = 0
    output_rows: int = 0
    planning_ms: int = 0
    engine_ms: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    stop_reason: str = "Query cancelled by user"
    interrupt: Callable[[], None] | None = None

    def checkpoint(self) -> None:
        """Raises `QueryCancelledError` once the statement is to stop."""
        if self.stop.is_set():
            raise QueryCancelledError(self.stop_reason)


class Runner:
    """DuckDB in a file of its own under `work_dir`; queries run beside each other on connections of their own."""

    def __init__(self, work_dir: Path) -> None:
        work_dir.mkdir(parents=True, exist_ok=True)
        self._connection = duckdb.connect(
            str(work_dir / "athena.duckdb"),
            config={
                "memory_limit": MEMORY_LIMIT,
                "threads": THREADS,
                "temp_directory": str(work_dir / "spill"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
            },
        )
        self._connection.execute(f"SET allowed_directories = [{literal(str(work_dir))}]")
        self._connection.execute("SET enable_external_access = false")
        for macro in MACROS:
            self._connection.execute(macro)
        self._rows = RowStore(self._connection.cursor(), work_dir)

    def close(self) -> None:
        """Ends DuckDB; its files may be removed then."""
        self._connection.close()

    def run(self, statement: exp.Expr, catalog: Catalog, task: Task) -> Result:
        """Runs a statement to its end.

        Raises:
            QueryError: if it fails.
            QueryCancelledError: if it was stopped.
        """
        begin = time.monotonic()
        if task.parameters is not None:
            statement = substitute(statement, task.parameters)
        if is_ddl(statement):
            return run_ddl(statement, task.text, catalog, task.database)
        if not isinstance(statement, (exp.Query, exp.Values)):
            raise UnsupportedError(f"{statement.key.upper()}")
        check_function_names(task.tokens, statement)
        compiled = compile_query(statement, catalog, task.database)
        task.planning_ms = _milliseconds_since(begin)
        begin = time.monotonic()
        try:
            return self._run_query(compiled, catalog, task)
        except duckdb.InterruptException as error:
            raise QueryCancelledError(task.stop_reason) from error
        except duckdb.Error as error:
            raise from_duckdb(error) from error
        finally:
            task.engine_ms = _milliseconds_since(begin)

    def _run_query(self, compiled: Compiled, catalog: Catalog, task: Task) -> Result:
        with self._connection.cursor() as cursor:
            task.interrupt = cursor.interrupt
            try:
                cursor.execute("SET TimeZone = 'UTC'")
                for scan in compiled.scans:
                    self._prepare_scan(cursor, catalog, scan, task)
                task.checkpoint()
                result = _query(cursor, compiled)
            finally:
                task.interrupt = None
        task.output_rows = result.row_count
        return result

    def _prepare_scan(self, cursor: duckdb.DuckDBPyConnection, catalog: Catalog, scan: Scan, task: Task) -> None:
        """Makes the view that stands for one table in the query: only the partitions that the query needs."""
        table = scan.table
        keys = [key.name for key in table.partition_keys]
        partitions = table.partitions()
        if scan.pruning and keys:
            partitions = [partitions[index] for index in _pruned(cursor, keys, partitions, scan.pruning)]
        objects: list[StoredObject] = []
        values: list[tuple[str, ...]] = []
        for partition in partitions:
            for stored in catalog.objects(partition.location):
                objects.append(stored)
                values.append(partition.values)
        task.scanned_bytes += sum(stored.size for stored in objects)
        if task.scan_limit_bytes is not None and task.scanned_bytes > task.scan_limit_bytes:
            raise QueryCancelledError("Query cancelled! : Bytes scanned limit was exceeded")
        rows_table, ids = self._rows.decode(catalog, table, objects, task.checkpoint)
        visible = f"{scan.name}_objects"
        key_columns = "".join(f", {quoted(key)} VARCHAR" for key in keys)
        cursor.execute(
            f'CREATE TEMP TABLE {visible} (object_id BIGINT, "$path" VARCHAR, "$file_size" BIGINT{key_columns})'
        )
        listed = [
            (object_id, stored.url, stored.size, *value)
            for object_id, stored, value in zip(ids, objects, values, strict=True)
        ]
        _insert(cursor, visible, listed)
        columns = "".join(f"r.{quoted(column.name)}, " for column in table.columns)
        partition_columns = "".join(f", o.{quoted(key)}" for key in keys)
        cursor.execute(
            f'CREATE TEMP VIEW {scan.name} AS SELECT {columns}o."$path", o."$file_size"{partition_columns} '
            f"FROM main.{rows_table} r JOIN {visible} o ON r.object_id = o.object_id"
        )


def _insert(cursor: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[object, ...]]) -> None:
    for start in range(0, len(rows), FETCH_ROWS):
        part = rows[start : start + FETCH_ROWS]
        values = ", ".join(
            f"({', '.join(str(item) if isinstance(item, int) else literal(str(item)) for item in row)})" for row in part
        )
        cursor.execute(f"INSERT INTO {table} VALUES {values}")


def _pruned(
    cursor: duckdb.DuckDBPyConnection, keys: list[str], partitions: list[Partition], conditions: list[str]
) -> list[int]:
    """The indexes of the partitions whose values meet the conditions."""
    columns = ", ".join(f"{quoted(key)} VARCHAR" for key in keys)
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE partitions (position BIGINT, {columns})")
    _insert(cursor, "partitions", [(index, *p.values) for index, p in enumerate(partitions)])
    where = " AND ".join(f"({condition})" for condition in conditions)
    found = cursor.execute(f"SELECT position FROM partitions WHERE {where} ORDER BY position").fetchall()
    return [int(position) for (position,) in found]


def _query(cursor: duckdb.DuckDBPyConnection, compiled: Compiled) -> Result:
    columns = [f"c{index}" for index in range(len(compiled.names))]
    cursor.execute(f"CREATE TEMP TABLE result ({', '.join(columns)}) AS {compiled.sql}")
    kinds = [str(row[1]) for row in cursor.execute("DESCRIBE result").fetchall()]
    # Moments come out as the wall clock in UTC, the session's zone, or in the zone that the query asks for.
    zones = {index: "UTC" for index, kind in enumerate(kinds) if kind == _MOMENT} | compiled.zones
    readable = (
        f"CAST({column} AS {kind.replace(_MOMENT, 'TIMESTAMP')})" if _MOMENT in kind else column
        for column, kind in zip(columns, kinds, strict=True)
    )
    cursor.execute(f"SELECT {', '.join(readable)} FROM result")
    result = Result(compiled.names, [_MOMENT if index in zones else kind for index, kind in enumerate(kinds)])
    while rows := cursor.fetchmany(FETCH_ROWS):
        for row in rows:
            texts = [text_of(value) for value in row]
            for index, zone in zones.items():
                if texts[index] is not None:
                    texts[index] = f"{texts[index]} {zone}"
            result.add(texts)
    return result


def _milliseconds_since(begin: float) -> int:
    return int((time.monotonic() - begin) * 1000)

"""Statements that Athena accepts, and that Hive's own parser refuses once they run."""

from __future__ import annotations

import dataclasses

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import DdlError
from local_cloud.athena.ddl.statement import Ddl, GlueTable, Outcome, TableName
from local_cloud.athena.hive.tokens import ReservedName


def with_reserved_name(statement: Ddl, name: ReservedName) -> Ddl:
    """A statement in which a reserved word stands for a name, without backticks.

    Hive's parser refuses it. Statements about Iceberg's tables never come to it.
    https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html
    """
    return dataclasses.replace(statement, action=_run, said={"statement": statement, "name": name})


def _run(catalog: Catalog, database: str, statement: Ddl, name: ReservedName) -> Outcome:
    table = statement.said.get("named")
    if isinstance(table, TableName) and GlueTable(catalog, database, table).is_iceberg:
        return statement.run(catalog, database)
    raise DdlError(
        f"FAILED: ParseException line {name.line}:{name.column} Failed to recognize predicate "
        f"'{name.word}'. Failed rule: 'identifier' in column specification"
    )

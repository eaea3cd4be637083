"""What all statements about the catalog have in common: names, columns, and how they find their table."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec

from moto.glue.models import FakeTable

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import database_not_found, table_not_found
from local_cloud.athena.hive.types import HiveType
from local_cloud.athena.lexer import quoted
from local_cloud.athena.results import Result, Row
from local_cloud.trino.files import ICEBERG


@dataclass(frozen=True, slots=True)
class EngineSql:
    """Trino's statements that do what the statement asks for, one after the other, with these session properties."""

    statements: tuple[str, ...]
    properties: Mapping[str, str] = field(default_factory=dict)


Outcome = Result | EngineSql
Said = ParamSpec("Said")


@dataclass(frozen=True, slots=True)
class Ddl:
    """A statement about the catalog, as it was read.

    Attributes:
        statement_type: StatementType as GetQueryExecution tells it.
        substatement_type: SubstatementType.
        action: what it does to Glue's catalog, or which statements of Trino do it.
        said: the action's arguments after catalog and database, by name.
    """

    statement_type: str
    substatement_type: str
    action: Callable[..., Outcome]
    said: Mapping[str, Any]

    def run(self, catalog: Catalog, database: str) -> Outcome:
        """Runs it against Glue in the name of the catalog's caller, or says which statements of Trino do it.

        Args:
            catalog: the catalog of one query.
            database: the database that names without one belong to.

        Raises:
            QueryError: if it fails.
            AccessDeniedError: if the caller may not do it.
        """
        return self.action(catalog, database, **self.said)


def statement(
    substatement_type: str, statement_type: str = "DDL"
) -> Callable[[Callable[Concatenate[Catalog, str, Said], Outcome]], Callable[Said, Ddl]]:
    """Declares a function as the action of a kind of statement: it then takes what a statement says, and returns that.

    The types are those that GetQueryExecution tells.
    """

    def declare(action: Callable[Concatenate[Catalog, str, Said], Outcome]) -> Callable[Said, Ddl]:
        signature = inspect.signature(action)

        @functools.wraps(action)
        def read(*args: Said.args, **options: Said.kwargs) -> Ddl:
            bound = signature.bind(None, None, *args, **options)
            bound.apply_defaults()
            _, _, *said = bound.arguments.items()
            return Ddl(statement_type, substatement_type, action, dict(said))

        return read

    return declare


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name, and its database's where the statement says it."""

    name: str
    database: str | None = None

    def in_database(self, database: str) -> str:
        """The table's database."""
        return self.database or context_database(database)


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column as a statement declares it."""

    name: str
    type: HiveType
    comment: str | None = None

    def glue(self) -> dict[str, str]:
        """The column as Glue's catalog keeps it."""
        column = {"Name": self.name, "Type": str(self.type)}
        return column if self.comment is None else column | {"Comment": self.comment}


Columns = tuple[ColumnDefinition, ...]
Values = dict[str, str]
"""A partition's values by its keys."""


class GlueTable:
    """A table that a statement is about: a copy of its description, and the way to write it back.

    Attributes:
        location: the folder of its objects; empty for a view.
        is_view: whether it is a view.
        is_iceberg: whether it is a table of Iceberg's.
    """

    def __init__(self, catalog: Catalog, database: str, name: TableName) -> None:
        """Finds the table.

        Raises:
            QueryError: if the table or its database does not exist.
            AccessDeniedError: if the caller may not see it.
        """
        self.catalog = catalog
        self.database = name.in_database(database)
        self.name = name.name
        catalog.authorize_table("glue:GetTable", self.database, self.name)
        find_database(catalog, self.database)
        found = catalog.backend.databases[self.database].tables.get(self.name)
        if found is None:
            raise table_not_found(self.database, self.name)
        self.stored: FakeTable = found
        self.input: dict[str, Any] = copy.deepcopy(found.get_version(str(found._current_version)))
        self.storage: dict[str, Any] = self.input.setdefault("StorageDescriptor", {})
        self.parameters: dict[str, str] = self.input.setdefault("Parameters", {})
        self.location = str(self.storage.get("Location") or "")
        self.is_view = self.input.get("TableType") == "VIRTUAL_VIEW"
        self.is_iceberg = str(self.parameters.get("table_type", "")).upper() == "ICEBERG"

    @property
    def columns(self) -> list[dict[str, str]]:
        """The columns without the partition keys."""
        columns: list[dict[str, str]] = self.storage.setdefault("Columns", [])
        return columns

    @property
    def keys(self) -> list[dict[str, str]]:
        """The partition keys."""
        keys: list[dict[str, str]] = self.input.setdefault("PartitionKeys", [])
        return keys

    @property
    def key_names(self) -> list[str]:
        """The names of the partition keys."""
        return [key["Name"].lower() for key in self.keys]

    def authorize(self, action: str) -> None:
        """Judges a call of Glue's about the table.

        Raises:
            AccessDeniedError: if the caller may not do it.
        """
        self.catalog.authorize_table(action, self.database, self.name)

    def update(self) -> None:
        """Writes the changed description back, in the caller's name."""
        self.authorize("glue:UpdateTable")
        self.stored.update(self.input)

    def iceberg_name(self) -> str:
        """The table's full name for Trino's Iceberg connector."""
        return iceberg_name(self.database, self.name)


def context_database(database: str) -> str:
    """The database that names without one belong to: `default` where the query's context has none."""
    return (database or "default").lower()


def iceberg_name(database: str, table: str) -> str:
    """A table's full name for Trino's Iceberg connector."""
    return f"{ICEBERG}.{quoted(database)}.{quoted(table)}"


def find_database(catalog: Catalog, database: str) -> dict[str, Any]:
    """A database's description.

    Raises:
        QueryError: if there is none of that name.
        AccessDeniedError: if the caller may not see it.
    """
    catalog.authorize_database("glue:GetDatabase", database)
    if database not in catalog.backend.databases:
        raise database_not_found(database)
    description: dict[str, Any] = catalog.backend.databases[database].input
    return description


def result_of(names: list[str], rows: list[Row]) -> Result:
    """A result with these rows."""
    result = Result(names, is_query=False)
    for row in rows:
        result.add(row)
    return result


def nothing() -> Result:
    """The result of a statement that only acts."""
    return Result([], is_query=False)

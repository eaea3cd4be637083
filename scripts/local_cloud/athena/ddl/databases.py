"""Databases: CREATE, DROP, ALTER and SHOW DATABASES."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import database_not_found, execution_error
from local_cloud.athena.ddl.statement import Ddl, find_database, nothing, result_of
from local_cloud.athena.results import Result


@dataclass(frozen=True, slots=True)
class CreateDatabase(Ddl):
    """CREATE DATABASE | SCHEMA [IF NOT EXISTS] name [COMMENT] [LOCATION] [WITH DBPROPERTIES]."""

    name: str
    if_not_exists: bool = False
    comment: str | None = None
    location: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    substatement_type = "CREATE_DATABASE"

    def run(self, catalog: Catalog, _database: str) -> Result:
        catalog.authorize_database("glue:GetDatabase", self.name)
        if self.name in catalog.backend.databases:
            if not self.if_not_exists:
                raise execution_error(f"Database {self.name} already exists")
            return nothing()
        catalog.authorize_database("glue:CreateDatabase", self.name)
        description: dict[str, Any] = {"Name": self.name}
        if self.comment is not None:
            description["Description"] = self.comment
        if self.location is not None:
            description["LocationUri"] = self.location
        if self.properties:
            description["Parameters"] = dict(self.properties)
        catalog.backend.create_database(self.name, description)
        return nothing()


@dataclass(frozen=True, slots=True)
class DropDatabase(Ddl):
    """DROP DATABASE | SCHEMA [IF EXISTS] name [RESTRICT | CASCADE]: CASCADE deletes its tables; all objects stay."""

    name: str
    if_exists: bool = False
    cascade: bool = False
    substatement_type = "DROP_DATABASE"

    def run(self, catalog: Catalog, _database: str) -> Result:
        catalog.authorize_database("glue:GetDatabase", self.name)
        if self.name not in catalog.backend.databases:
            if not self.if_exists:
                raise database_not_found(self.name)
            return nothing()
        catalog.authorize_table("glue:GetTables", self.name, "*")
        tables = catalog.backend.databases[self.name].tables
        if tables and not self.cascade:
            raise execution_error(
                f"InvalidOperationException(message:Database {self.name} is not empty. One or more tables exist.)"
            )
        for table in list(tables):
            catalog.authorize_table("glue:DeleteTable", self.name, table)
        catalog.authorize_database_deletion(self.name)
        catalog.backend.delete_database(self.name)
        return nothing()


@dataclass(frozen=True, slots=True)
class AlterDatabase(Ddl):
    """ALTER DATABASE | SCHEMA name SET DBPROPERTIES (...): adds to its own; those of the same names change."""

    name: str
    properties: dict[str, str]
    substatement_type = "ALTER_DATABASE_PROPERTIES"

    def run(self, catalog: Catalog, _database: str) -> Result:
        description = find_database(catalog, self.name)
        catalog.authorize_database("glue:UpdateDatabase", self.name)
        parameters = {**(description.get("Parameters") or {}), **self.properties}
        catalog.backend.update_database(self.name, {**description, "Parameters": parameters})
        return nothing()


@dataclass(frozen=True, slots=True)
class ShowDatabases(Ddl):
    """SHOW DATABASES | SCHEMAS [LIKE 'pattern']."""

    pattern: str | None = None
    statement_type = "UTILITY"
    substatement_type = "SHOW_DATABASES"

    def run(self, catalog: Catalog, _database: str) -> Result:
        return result_of(["database_name"], [[name] for name in matching(catalog.databases(), self.pattern)])


def matching(names: list[str], pattern: str | None) -> list[str]:
    """The names that fit a pattern of Hive's: a regular expression in which `*` and `.*` both mean any letters."""
    if pattern is None:
        return names
    expression = pattern.replace(".*", "*").replace("*", ".*")
    try:
        compiled = re.compile(expression, re.IGNORECASE)
    except re.error as error:
        raise execution_error(f"The pattern '{pattern}' is not a regular expression: {error}") from error
    return [name for name in names if compiled.fullmatch(name)]

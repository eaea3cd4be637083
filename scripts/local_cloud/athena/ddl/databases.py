"""Databases: CREATE, DROP, ALTER and SHOW DATABASES."""

from __future__ import annotations

import re
from typing import Any

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import database_not_found, execution_error
from local_cloud.athena.ddl.statement import find_database, nothing, result_of, statement
from local_cloud.athena.results import Result


@statement("CREATE_DATABASE")
def create_database(
    catalog: Catalog,
    _database: str,
    name: str,
    if_not_exists: bool = False,
    *,
    comment: str | None = None,
    location: str | None = None,
    properties: dict[str, str] | None = None,
) -> Result:
    """CREATE DATABASE | SCHEMA [IF NOT EXISTS] name [COMMENT] [LOCATION] [WITH DBPROPERTIES]."""
    catalog.authorize_database("glue:GetDatabase", name)
    if name in catalog.backend.databases:
        if not if_not_exists:
            raise execution_error(f"Database {name} already exists")
        return nothing()
    catalog.authorize_database("glue:CreateDatabase", name)
    description: dict[str, Any] = {"Name": name}
    if comment is not None:
        description["Description"] = comment
    if location is not None:
        description["LocationUri"] = location
    if properties:
        description["Parameters"] = dict(properties)
    catalog.backend.create_database(name, description)
    return nothing()


@statement("DROP_DATABASE")
def drop_database(
    catalog: Catalog, _database: str, name: str, if_exists: bool = False, cascade: bool = False
) -> Result:
    """DROP DATABASE | SCHEMA [IF EXISTS] name [RESTRICT | CASCADE]: CASCADE deletes its tables; all objects stay."""
    catalog.authorize_database("glue:GetDatabase", name)
    if name not in catalog.backend.databases:
        if not if_exists:
            raise database_not_found(name)
        return nothing()
    catalog.authorize_table("glue:GetTables", name, "*")
    tables = catalog.backend.databases[name].tables
    if tables and not cascade:
        raise execution_error(
            f"InvalidOperationException(message:Database {name} is not empty. One or more tables exist.)"
        )
    for table in list(tables):
        catalog.authorize_table("glue:DeleteTable", name, table)
    catalog.authorize_database_deletion(name)
    catalog.backend.delete_database(name)
    return nothing()


@statement("ALTER_DATABASE_PROPERTIES")
def alter_database(catalog: Catalog, _database: str, name: str, properties: dict[str, str]) -> Result:
    """ALTER DATABASE | SCHEMA name SET DBPROPERTIES (...): adds to its own; those of the same names change."""
    description = find_database(catalog, name)
    catalog.authorize_database("glue:UpdateDatabase", name)
    parameters = {**(description.get("Parameters") or {}), **properties}
    catalog.backend.update_database(name, {**description, "Parameters": parameters})
    return nothing()


@statement("SHOW_DATABASES", "UTILITY")
def show_databases(catalog: Catalog, _database: str, pattern: str | None = None) -> Result:
    """SHOW DATABASES | SCHEMAS [LIKE 'pattern']."""
    catalog.authorize_database("glue:GetDatabases", "*")
    return result_of(["database_name"], [[name] for name in matching(sorted(catalog.backend.databases), pattern)])


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

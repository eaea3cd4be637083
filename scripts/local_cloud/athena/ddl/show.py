"""Lists from the catalog: SHOW TABLES, VIEWS, COLUMNS and TBLPROPERTIES."""

from __future__ import annotations

from typing import Any

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.databases import matching
from local_cloud.athena.ddl.statement import GlueTable, TableName, context_database, find_database, result_of, statement
from local_cloud.athena.results import Result


@statement("SHOW_TABLES", "UTILITY")
def show_tables(catalog: Catalog, database: str, named: str | None = None, pattern: str | None = None) -> Result:
    """SHOW TABLES [IN database] ['pattern'], views among them."""
    names = list(_tables(catalog, named or context_database(database)))
    return result_of(["tab_name"], [[name] for name in matching(sorted(names), pattern)])


@statement("SHOW_VIEWS", "UTILITY")
def show_views(catalog: Catalog, database: str, named: str | None = None, pattern: str | None = None) -> Result:
    """SHOW VIEWS [IN database] [LIKE 'pattern']."""
    described = _tables(catalog, named or context_database(database))
    names = [name for name, found in described.items() if found.get("TableType") == "VIRTUAL_VIEW"]
    return result_of(["views"], [[name] for name in matching(sorted(names), pattern)])


@statement("SHOW_COLUMNS", "UTILITY")
def show_columns(catalog: Catalog, database: str, named: TableName) -> Result:
    """SHOW COLUMNS {FROM | IN} t [{FROM | IN} database]: partition keys last, names of Hive's tables padded."""
    table = GlueTable(catalog, database, named)
    names = [column["Name"].lower() for column in (*table.columns, *table.keys)]
    padded = not (table.is_iceberg or table.is_view)
    return result_of(["field"], [[f"{name:<20}" if padded else name] for name in names])


@statement("SHOW_TABLE_PROPERTIES", "UTILITY")
def show_table_properties(catalog: Catalog, database: str, named: TableName, name: str | None = None) -> Result:
    """SHOW TBLPROPERTIES t [('name')]: all properties, or the value of one."""
    table = GlueTable(catalog, database, named)
    header = ["prpt_name", "prpt_value"]
    if name is None:
        return result_of(header, [[each, value] for each, value in sorted(table.parameters.items())])
    value = table.parameters.get(name)
    if value is None:
        value = f"Table {table.database}.{table.name} does not have property: {name}"
    return result_of(header, [[name, value]])


def _tables(catalog: Catalog, database: str) -> dict[str, dict[str, Any]]:
    catalog.authorize_table("glue:GetTables", database, "*")
    find_database(catalog, database)
    tables = catalog.backend.databases[database].tables
    return {name: table.get_version(str(table._current_version)) for name, table in list(tables.items())}

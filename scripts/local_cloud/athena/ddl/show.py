"""Lists from the catalog: SHOW TABLES, VIEWS, COLUMNS and TBLPROPERTIES."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.databases import matching
from local_cloud.athena.ddl.statement import Ddl, GlueTable, TableName, context_database, find_database, result_of
from local_cloud.athena.results import Result


@dataclass(frozen=True, slots=True)
class ShowTables(Ddl):
    """SHOW TABLES [IN database] ['pattern'], views among them."""

    database: str | None = None
    pattern: str | None = None
    statement_type = "UTILITY"
    substatement_type = "SHOW_TABLES"

    def run(self, catalog: Catalog, database: str) -> Result:
        names = list(_tables(catalog, self.database or context_database(database)))
        return result_of(["tab_name"], [[name] for name in matching(sorted(names), self.pattern)])


@dataclass(frozen=True, slots=True)
class ShowViews(Ddl):
    """SHOW VIEWS [IN database] [LIKE 'pattern']."""

    database: str | None = None
    pattern: str | None = None
    statement_type = "UTILITY"
    substatement_type = "SHOW_VIEWS"

    def run(self, catalog: Catalog, database: str) -> Result:
        described = _tables(catalog, self.database or context_database(database))
        names = [name for name, found in described.items() if found.get("TableType") == "VIRTUAL_VIEW"]
        return result_of(["views"], [[name] for name in matching(sorted(names), self.pattern)])


@dataclass(frozen=True, slots=True)
class ShowColumns(Ddl):
    """SHOW COLUMNS {FROM | IN} t [{FROM | IN} database]: partition keys last, names of Hive's tables padded."""

    table: TableName
    statement_type = "UTILITY"
    substatement_type = "SHOW_COLUMNS"

    def run(self, catalog: Catalog, database: str) -> Result:
        table = GlueTable(catalog, database, self.table)
        names = [column["Name"].lower() for column in (*table.columns, *table.keys)]
        padded = not (table.is_iceberg or table.is_view)
        return result_of(["field"], [[f"{name:<20}" if padded else name] for name in names])


@dataclass(frozen=True, slots=True)
class ShowTableProperties(Ddl):
    """SHOW TBLPROPERTIES t [('name')]: all properties, or the value of one."""

    table: TableName
    property: str | None = None
    statement_type = "UTILITY"
    substatement_type = "SHOW_TABLE_PROPERTIES"

    def run(self, catalog: Catalog, database: str) -> Result:
        table = GlueTable(catalog, database, self.table)
        names = ["prpt_name", "prpt_value"]
        if self.property is None:
            return result_of(names, [[name, value] for name, value in sorted(table.parameters.items())])
        value = table.parameters.get(self.property)
        if value is None:
            value = f"Table {table.database}.{table.name} does not have property: {self.property}"
        return result_of(names, [[self.property, value]])


def _tables(catalog: Catalog, database: str) -> dict[str, dict[str, Any]]:
    catalog.authorize_table("glue:GetTables", database, "*")
    find_database(catalog, database)
    tables = catalog.backend.databases[database].tables
    return {name: table.get_version(str(table._current_version)) for name, table in list(tables.items())}

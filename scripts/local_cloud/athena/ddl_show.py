"""What a table is: SHOW TABLES, VIEWS, COLUMNS, TBLPROPERTIES, and DESCRIBE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl_databases import matching
from local_cloud.athena.ddl_errors import execution_error, semantic_error
from local_cloud.athena.ddl_partitions import in_order, partition_input
from local_cloud.athena.ddl_statement import GlueTable, TableName, find_database, result_of
from local_cloud.athena.hive_formats import LAZY_SIMPLE_SERDE
from local_cloud.athena.results import Result, Row

_DESCRIBED = ["col_name", "data_type", "comment"]
_EMPTY: Row = ["", " ", " "]
_IO, _SERDE2 = "org.apache.hadoop.hive.ql.io", "org.apache.hadoop.hive.serde2"
# Hive asks every other SerDe for the columns itself: its setting hive.serdes.using.metastore.for.schema
_SERDES_OF_THE_CATALOG = frozenset(
    {
        LAZY_SIMPLE_SERDE,
        f"{_IO}.orc.OrcSerde",
        f"{_IO}.parquet.serde.ParquetHiveSerDe",
        f"{_SERDE2}.columnar.ColumnarSerDe",
        f"{_SERDE2}.columnar.LazyBinaryColumnarSerDe",
        f"{_SERDE2}.dynamic_type.DynamicSerDe",
        f"{_SERDE2}.lazybinary.LazyBinarySerDe",
        f"{_SERDE2}.MetadataTypedColumnsetSerDe",
    }
)


@dataclass(frozen=True, slots=True)
class ShowTables:
    """SHOW TABLES [IN database] ['pattern'], views among them."""

    database: str | None = None
    pattern: str | None = None
    statement_type: ClassVar[str] = "UTILITY"
    substatement_type: ClassVar[str] = "SHOW_TABLES"

    def run(self, catalog: Catalog, database: str) -> Result:
        """Lists the tables."""
        names = list(_tables(catalog, self.database or database.lower()))
        return result_of(["tab_name"], [[name] for name in matching(sorted(names), self.pattern)])


@dataclass(frozen=True, slots=True)
class ShowViews:
    """SHOW VIEWS [IN database] [LIKE 'pattern']."""

    database: str | None = None
    pattern: str | None = None
    statement_type: ClassVar[str] = "UTILITY"
    substatement_type: ClassVar[str] = "SHOW_VIEWS"

    def run(self, catalog: Catalog, database: str) -> Result:
        """Lists the views."""
        described = _tables(catalog, self.database or database.lower())
        names = [name for name, found in described.items() if found.get("TableType") == "VIRTUAL_VIEW"]
        return result_of(["views"], [[name] for name in matching(sorted(names), self.pattern)])


@dataclass(frozen=True, slots=True)
class ShowColumns:
    """SHOW COLUMNS {FROM | IN} t [{FROM | IN} database]."""

    table: TableName
    statement_type: ClassVar[str] = "UTILITY"
    substatement_type: ClassVar[str] = "SHOW_COLUMNS"

    def run(self, catalog: Catalog, database: str) -> Result:
        """Lists the names of the columns, the partition keys last: those of Hive's tables padded."""
        table = GlueTable(catalog, database, self.table)
        names = [column["Name"].lower() for column in (*table.columns, *table.keys)]
        padded = not (table.is_iceberg or table.is_view)
        return result_of(["field"], [[f"{name:<20}" if padded else name] for name in names])


@dataclass(frozen=True, slots=True)
class ShowTableProperties:
    """SHOW TBLPROPERTIES t [('name')]."""

    table: TableName
    property: str | None = None
    statement_type: ClassVar[str] = "UTILITY"
    substatement_type: ClassVar[str] = "SHOW_TABLE_PROPERTIES"

    def run(self, catalog: Catalog, database: str) -> Result:
        """Lists all properties, or tells the value of one."""
        table = GlueTable(catalog, database, self.table)
        names = ["prpt_name", "prpt_value"]
        if self.property is None:
            return result_of(names, [[name, value] for name, value in sorted(table.parameters.items())])
        value = table.parameters.get(self.property)
        if value is None:
            value = f"Table {table.database}.{table.name} does not have property: {self.property}"
        return result_of(names, [[self.property, value]])


@dataclass(frozen=True, slots=True)
class Describe:
    """DESCRIBE [EXTENDED | FORMATTED] t [PARTITION (...)] [column]. `path` is the column and what is inside it."""

    table: TableName
    style: str = ""
    partition: dict[str, str] | None = None
    path: tuple[str, ...] = ()
    statement_type: ClassVar[str] = "UTILITY"
    substatement_type: ClassVar[str] = "DESCRIBE_TABLE"

    def run(self, catalog: Catalog, database: str) -> Result:
        """Tells the columns and, with a style, the rest of the description."""
        table = GlueTable(catalog, database, self.table)
        if self.partition is not None:
            partition_input(table, in_order(table, self.partition))
        if self.path:
            return result_of(_DESCRIBED, [_column_row(_column(table, self.path))])
        rows = [_column_row(column) for column in described_columns(table)]
        keys = [_column_row(key) for key in table.keys]
        rows += [] if self.style == "FORMATTED" else keys
        if keys:
            header = f"{'# col_name':<22}", f"{'data_type':<20}", f"{'comment':<20}"
            rows += [_EMPTY, ["# Partition Information", " ", " "], [*header], _EMPTY, *keys]
        return result_of(_DESCRIBED, rows)


def described_columns(table: GlueTable) -> list[dict[str, str]]:
    """The columns without the partition keys, with the comments that DESCRIBE tells."""
    serde = (table.storage.get("SerdeInfo") or {}).get("SerializationLibrary") or ""
    default = "" if serde in _SERDES_OF_THE_CATALOG or table.is_view else "from deserializer"
    return [{**column, "Comment": column.get("Comment") or default} for column in table.columns]


def _column_row(column: dict[str, str]) -> Row:
    name, kind = column["Name"].lower(), column.get("Type") or "string"
    return [f"{name:<20}", f"{kind:<20}", f"{column.get('Comment') or '':<20}"]


def _column(table: GlueTable, path: tuple[str, ...]) -> dict[str, str]:
    columns = [*described_columns(table), *table.keys]
    for column in columns:
        if column["Name"].lower() == path[0]:
            if len(path) > 1:
                raise semantic_error(f"'{'.'.join(path)}': only whole columns can be described by the local cloud")
            return column
    known = ", ".join(f"{number}:{column['Name']}" for number, column in enumerate(columns))
    raise execution_error(f"cannot find field {path[0]} from [{known}]")


def _tables(catalog: Catalog, database: str) -> dict[str, dict[str, Any]]:
    catalog.authorize_table("glue:GetTables", database, "*")
    find_database(catalog, database)
    tables = catalog.backend.databases[database].tables
    return {name: table.get_version(str(table._current_version)) for name, table in list(tables.items())}

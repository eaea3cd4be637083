"""Iceberg's tables: what Athena writes in Hive's words, said in Trino's.

https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-creating-tables.html
"""

from __future__ import annotations

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import DdlError
from local_cloud.athena.ddl.iceberg_metadata import IcebergMetadata
from local_cloud.athena.ddl.statement import (
    ColumnDefinition,
    EngineSql,
    GlueTable,
    TableName,
    find_database,
    iceberg_name,
    statement,
)
from local_cloud.athena.ddl.tables import TableDefinition, normal_location
from local_cloud.athena.errors import QueryError
from local_cloud.athena.lexer import literal, quoted
from local_cloud.trino.files import ICEBERG

_FORMATS = frozenset({"parquet", "orc", "avro"})
_CODECS = frozenset({"none", "gzip", "snappy", "zstd", "lz4", "zlib", "deflate"})
_TRINO_CODECS = {"zlib": "GZIP", "deflate": "GZIP"}
# Athena's properties of a table, and Iceberg's own ones that they stand for
_PLAIN = {
    "vacuum_min_snapshots_to_keep": "history.expire.min-snapshots-to-keep",
    "vacuum_max_metadata_files_to_keep": "write.metadata.previous-versions-max",
    "write_target_data_file_size_bytes": "write.target-file-size-bytes",
    "optimize_rewrite_min_data_file_size_bytes": "optimize_rewrite_min_data_file_size_bytes",
    "optimize_rewrite_max_data_file_size_bytes": "optimize_rewrite_max_data_file_size_bytes",
    "optimize_rewrite_data_file_threshold": "optimize_rewrite_data_file_threshold",
    "optimize_rewrite_delete_file_threshold": "optimize_rewrite_delete_file_threshold",
}
SNAPSHOT_AGE = "history.expire.max-snapshot-age-ms"
# What Athena's properties are where nobody has set them
_DEFAULTS = {
    "format": "parquet",
    "write_compression": "zstd",
    "compression_level": "3",
    "vacuum_max_snapshot_age_seconds": "432000",
    "vacuum_min_snapshots_to_keep": "1",
    "vacuum_max_metadata_files_to_keep": "100",
    "write_target_data_file_size_bytes": "536870912",
    "optimize_rewrite_min_data_file_size_bytes": "402653184",
    "optimize_rewrite_max_data_file_size_bytes": "966367641",
    "optimize_rewrite_data_file_threshold": "5",
    "optimize_rewrite_delete_file_threshold": "2",
    "write_data_path_enabled": "false",
}
# SHOW CREATE TABLE tells these even so
_ALWAYS_TOLD = ("format", "write_compression", "compression_level")


@statement("CREATE_TABLE")
def create_iceberg_table(catalog: Catalog, database: str, defined: TableDefinition, problem: str = "") -> EngineSql:
    """CREATE TABLE ... TBLPROPERTIES ('table_type' = 'ICEBERG'). `problem` is why Athena fails it once it runs."""
    if problem:
        raise DdlError(problem)
    schema = defined.table.in_database(database)
    file_format, extra = engine_properties(defined.properties)
    definitions = ", ".join(definition(column) for column in defined.columns)
    options = [
        f"location = {literal(normal_location(defined.location or ''))}",
        f"format = {literal(file_format.upper())}",
    ]
    if defined.transforms:
        options.append(f"partitioning = ARRAY[{', '.join(map(literal, defined.transforms))}]")
    codec = extra.pop(f"write.{file_format}.compression-codec", None)
    if extra:
        options.append(f"extra_properties = {map_of(extra)}")
    catalog.authorize_table("glue:GetTable", schema, defined.table.name)
    find_database(catalog, schema)
    catalog.authorize_table("glue:CreateTable", schema, defined.table.name)
    missing = "IF NOT EXISTS " if defined.if_not_exists else ""
    comment = "" if defined.comment is None else f" COMMENT {literal(defined.comment)}"
    name = iceberg_name(schema, defined.table.name)
    create = f"CREATE TABLE {missing}{name} ({definitions}){comment} WITH ({', '.join(options)})"
    # Trino notes the codec of its session in a table that it creates, and takes it from nowhere else.
    properties = {f"{ICEBERG}.compression_codec": _TRINO_CODECS.get(codec, codec.upper())} if codec else {}
    return EngineSql((create,), properties)


@statement("OPTIMIZE", "DML")
def optimize(catalog: Catalog, database: str, named: TableName, condition: str | None = None) -> EngineSql:
    """OPTIMIZE t REWRITE DATA USING BIN_PACK [WHERE condition]: makes larger files of small ones."""
    table = _iceberg_table(catalog, database, named, "OPTIMIZE")
    table.authorize("glue:UpdateTable")
    where = f" WHERE {condition}" if condition else ""
    return EngineSql((f"ALTER TABLE {table.iceberg_name()} EXECUTE optimize{where}",))


@statement("VACUUM")
def vacuum(catalog: Catalog, database: str, named: TableName) -> EngineSql:
    """VACUUM t: removes snapshots older than the table's property says, and files that no snapshot needs.

    https://docs.aws.amazon.com/athena/latest/ug/vacuum-statement.html
    """
    table = _iceberg_table(catalog, database, named, "VACUUM")
    properties = IcebergMetadata.of(table).properties
    seconds = int(properties.get(SNAPSHOT_AGE, int(_DEFAULTS["vacuum_max_snapshot_age_seconds"]) * 1000)) // 1000
    table.authorize("glue:UpdateTable")
    start = f"ALTER TABLE {table.iceberg_name()} EXECUTE"
    return EngineSql(
        (
            f"{start} expire_snapshots(retention_threshold => '{seconds}s')",
            f"{start} remove_orphan_files(retention_threshold => '{seconds}s')",
        )
    )


def engine_properties(given: dict[str, str], file_format: str = "parquet") -> tuple[str, dict[str, str]]:
    """The format, and Iceberg's properties for Athena's ones; `file_format` is the table's where `given` has none.

    Trino takes a file's compression from its session, and does not let a table say it: so `write_compression` and
    `compression_level` are remembered under Athena's names, and the files are Zstandard's.

    Raises:
        QueryError: if Athena does not know a property, or not the value.
    """
    lowered = {name.lower(): value for name, value in given.items()}
    file_format = lowered.pop("format", file_format).lower()
    if file_format not in _FORMATS:
        raise DdlError(f"Unsupported value for table property format: {file_format}")
    extra: dict[str, str] = {}
    for name, value in lowered.items():
        if name == "write_compression":
            if value.lower() not in _CODECS:
                raise DdlError(f"Unsupported value for table property write_compression: {value}")
            extra[name] = value.lower()
        elif name == "compression_level":
            extra[name] = str(_number(name, value))
        elif name == "vacuum_max_snapshot_age_seconds":
            extra[SNAPSHOT_AGE] = str(_number(name, value) * 1000)
        elif name == "write_data_path_enabled":
            extra[name] = value.lower()
        elif name in _PLAIN:
            extra[_PLAIN[name]] = str(_number(name, value))
        else:
            original = next(key for key in given if key.lower() == name)
            raise DdlError(f"Unsupported table property key: {original}")
    return file_format, extra


def default_properties(names: tuple[str, ...]) -> dict[str, str]:
    """What UNSET TBLPROPERTIES makes of these properties: Trino can change a property, and take none away.

    Raises:
        QueryError: if Athena does not know one of them.
    """
    for name in names:
        if name.lower() not in _DEFAULTS:
            raise DdlError(f"Table property {name} is not supported by Athena")
    return {name.lower(): _DEFAULTS[name.lower()] for name in names}


def athena_properties(metadata: IcebergMetadata) -> dict[str, str]:
    """A table's properties in Athena's words, without those that are as they are everywhere."""
    own = metadata.properties
    found = {"format": own.get("write.format.default", "parquet").lower()}
    found |= {name: own[name] for name in ("write_compression", "compression_level") if name in own}
    if age := own.get(SNAPSHOT_AGE):
        found["vacuum_max_snapshot_age_seconds"] = str(int(age) // 1000)
    found |= {name: own[key] for name, key in _PLAIN.items() if key in own}
    if enabled := own.get("write_data_path_enabled"):
        found["write_data_path_enabled"] = enabled
    return {name: value for name, value in found.items() if name in _ALWAYS_TOLD or value != _DEFAULTS[name]}


def map_of(values: dict[str, str]) -> str:
    """A map of Trino's."""
    return f"MAP(ARRAY[{', '.join(map(literal, values))}], ARRAY[{', '.join(map(literal, values.values()))}])"


def definition(column: ColumnDefinition) -> str:
    """A column as Trino's statements declare it."""
    comment = "" if column.comment is None else f" COMMENT {literal(column.comment)}"
    return f"{quoted(column.name)} {column.type.trino()}{comment}"


def _number(name: str, value: str) -> int:
    if not value.isdigit() or not value.isascii():
        raise DdlError(f"Unsupported value for table property {name}: {value}")
    return int(value)


def _iceberg_table(catalog: Catalog, database: str, name: TableName, statement: str) -> GlueTable:
    table = GlueTable(catalog, database, name)
    if not table.is_iceberg:
        raise QueryError("NOT_SUPPORTED", f"{statement} is supported for Iceberg tables only")
    return table

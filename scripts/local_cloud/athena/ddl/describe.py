"""DESCRIBE: a table's columns and, where it is asked for, all else that the catalog knows of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import DdlError, execution_error
from local_cloud.athena.ddl.iceberg import athena_properties
from local_cloud.athena.ddl.iceberg_metadata import IcebergMetadata
from local_cloud.athena.ddl.partitions import in_order, partition_input, partitioned
from local_cloud.athena.ddl.statement import GlueTable, TableName, Values, result_of, statement
from local_cloud.athena.hive.formats import LAZY_SIMPLE_SERDE
from local_cloud.athena.hive.tokens import Cursor
from local_cloud.athena.hive.types import parse_type
from local_cloud.athena.results import Result, Row

_NAMES = ["col_name", "data_type", "comment"]
_FROM_SERDE = "from deserializer"
_BLANK: Row = ["", " ", " "]
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


@statement("DESCRIBE_TABLE", "UTILITY")
def describe(
    catalog: Catalog,
    database: str,
    named: TableName,
    style: str = "",
    partition: Values | None = None,
    *,
    path: tuple[str, ...] = (),
) -> Result:
    """DESCRIBE [EXTENDED | FORMATTED] t [PARTITION (...)] [column]. `path` is the column and what is inside it.

    https://docs.aws.amazon.com/athena/latest/ug/describe-table.html
    """
    table = GlueTable(catalog, database, named)
    if table.is_iceberg:
        return _describe_iceberg(table, style, path, has_partition=partition is not None)
    if table.is_view and not style:
        rows: list[Row] = [[column["Name"].lower(), column.get("Type")] for column in table.columns]
        return result_of(["column", "type"], rows)
    found = None
    if partition is not None:
        partitioned(catalog, database, named)
        found = partition_input(table, in_order(table, partition))
    if path:
        return result_of(_NAMES, _inside(table, path))
    rows = _columns_and_keys(table, keys_among_columns=style != "FORMATTED")
    if style == "FORMATTED":
        rows += [_BLANK, *_formatted(table, found)]
    elif style == "EXTENDED":
        what, text = ("Partition", _thrift_partition(table, found)) if found else ("Table", _thrift(table))
        rows += [_BLANK, [f"Detailed {what} Information", text, ""]]
    return result_of(_NAMES, rows)


def _describe_iceberg(table: GlueTable, style: str, path: tuple[str, ...], *, has_partition: bool) -> Result:
    """Athena lays out Iceberg's tables in its own way, and knows less of them."""
    if has_partition:
        raise DdlError("PARTITION keyword is not supported for Iceberg tables.")
    if style == "EXTENDED":
        raise DdlError("EXTENDED keyword is not supported for Iceberg tables.")
    if style and path:
        raise DdlError("FORMATTED keyword is not supported for Iceberg table columns.")
    if path:
        return result_of(_NAMES, [_plain(_column(table, path[0]))])
    metadata = IcebergMetadata.of(table)
    rows: list[Row] = [["# Table schema:", "", ""], ["# col_name", "data_type", "comment"]]
    rows += [_plain(column) for column in table.columns]
    rows += [["", "", ""], ["# Partition spec:", "", ""], ["# field_name", "field_transform", "column_name"]]
    rows += [[part.name, part.transform, part.column] for part in metadata.partitioning]
    return result_of(_NAMES, rows + (_iceberg_details(table, metadata) if style else []))


def _columns_and_keys(table: GlueTable, *, keys_among_columns: bool) -> list[Row]:
    serde = (table.storage.get("SerdeInfo") or {}).get("SerializationLibrary") or ""
    default = "" if serde in _SERDES_OF_THE_CATALOG or table.is_view else _FROM_SERDE
    rows = [_padded(column, default) for column in table.columns]
    keys = [_padded(key) for key in table.keys]
    rows += keys if keys_among_columns else []
    if keys:
        header: Row = [f"{'# col_name':<22}", f"{'data_type':<20}", f"{'comment':<20}"]
        rows += [_BLANK, _heading("# Partition Information"), header, _BLANK, *keys]
    return rows


def _padded(column: dict[str, str], default: str = "") -> Row:
    name, kind, comment = column["Name"].lower(), column.get("Type") or "string", column.get("Comment") or default
    return [f"{name:<20}", f"{kind:<20}", f"{comment:<20}"]


def _plain(column: dict[str, str]) -> Row:
    return [column["Name"].lower(), column.get("Type"), column.get("Comment")]


def _heading(text: str) -> Row:
    return [text, " ", " "]


def _fact(name: str, value: object) -> Row:
    return [f"{name + ':':<20}", f"{value!s:<20}", " "]


def _column(table: GlueTable, name: str) -> dict[str, str]:
    columns = [*table.columns, *table.keys]
    for column in columns:
        if column["Name"].lower() == name:
            return column
    known = ", ".join(f"{number}:{column['Name']}" for number, column in enumerate(columns))
    raise execution_error(f"cannot find field {name} from [{known}]")


def _inside(table: GlueTable, path: tuple[str, ...]) -> list[Row]:
    """What is at a path: a struct's fields or one row, as Hive's getFieldsFromDeserializer has them."""
    column = _column(table, path[0])
    if column in table.keys and len(path) == 1:
        return [_padded(column)]
    kind = parse_type(Cursor(column.get("Type") or "string"))
    for step in path[1:]:
        inner = kind.inside().get(step)
        if inner is None:
            raise execution_error(f"Error in getting fields from serde. Unknown type or field '{step}' in {kind}")
        kind = inner
    found = kind.inside() if kind.fields else {path[-1]: kind}
    return [_padded({"Name": name, "Type": str(item)}, _FROM_SERDE) for name, item in found.items()]


def _formatted(table: GlueTable, partition: dict[str, Any] | None) -> list[Row]:
    """The blocks of FORMATTED, as Hive's MetaDataFormatUtils lays them out."""
    if partition is None:
        rows = [
            _heading("# Detailed Table Information"),
            _fact("Database", table.database),
            _fact("Owner", table.input.get("Owner") or ""),
            _fact("CreateTime", _time(table.stored.created_time)),
            _fact("LastAccessTime", "UNKNOWN"),
            _fact("Protect Mode", "None"),
            _fact("Retention", table.input.get("Retention") or 0),
            _fact("Location", table.location),
            _fact("Table Type", table.input.get("TableType") or "EXTERNAL_TABLE"),
            *_parameters("Table Parameters:", table.parameters),
        ]
        return [*rows, _BLANK, *_storage(table.storage)]
    storage = partition.get("StorageDescriptor") or {}
    rows = [
        _heading("# Detailed Partition Information"),
        _fact("Partition Value", f"[{', '.join(partition['Values'])}]"),
        _fact("Database", table.database),
        _fact("Table", table.name),
        _fact("CreateTime", _time(table.stored.partitions[str(partition["Values"])].creation_time)),
        _fact("LastAccessTime", "UNKNOWN"),
        _fact("Protect Mode", "None"),
        _fact("Location", storage.get("Location") or ""),
        *_parameters("Partition Parameters:", partition.get("Parameters") or {}),
    ]
    return [*rows, _BLANK, *_storage(storage)]


def _storage(storage: dict[str, Any]) -> list[Row]:
    serde = storage.get("SerdeInfo") or {}
    return [
        _heading("# Storage Information"),
        _fact("SerDe Library", serde.get("SerializationLibrary") or ""),
        _fact("InputFormat", storage.get("InputFormat") or ""),
        _fact("OutputFormat", storage.get("OutputFormat") or ""),
        _fact("Compressed", "Yes" if storage.get("Compressed") else "No"),
        _fact("Num Buckets", storage.get("NumberOfBuckets", -1)),
        _fact("Bucket Columns", f"[{', '.join(storage.get('BucketColumns') or [])}]"),
        _fact("Sort Columns", f"[{', '.join(c['Column'] for c in storage.get('SortColumns') or [])}]"),
        *_parameters("Storage Desc Params:", serde.get("Parameters") or {}),
    ]


def _parameters(heading: str, values: dict[str, str]) -> list[Row]:
    if not values:
        return []
    rows: list[Row] = [["", f"{name:<20}", f"{value:<20}"] for name, value in sorted(values.items())]
    return [_heading(heading), *rows]


def _time(moment: dt.datetime) -> str:
    return f"{moment:%a %b %d %H:%M:%S} UTC {moment:%Y}"


def _thrift(table: GlueTable) -> str:
    """A table as Thrift prints it, which is what EXTENDED tells."""
    return (
        f"Table(tableName:{table.name}, dbName:{table.database}, owner:{table.input.get('Owner') or ''}, "
        f"createTime:{int(table.stored.created_time.timestamp())}, lastAccessTime:0, "
        f"retention:{table.input.get('Retention') or 0}, sd:{_thrift_storage(table.storage)}, "
        f"partitionKeys:{_thrift_columns(table.keys)}, parameters:{_thrift_map(table.parameters)}, "
        f"viewOriginalText:{table.input.get('ViewOriginalText') or 'null'}, "
        f"viewExpandedText:{table.input.get('ViewExpandedText') or 'null'}, "
        f"tableType:{table.input.get('TableType') or 'EXTERNAL_TABLE'})"
    )


def _thrift_partition(table: GlueTable, partition: dict[str, Any]) -> str:
    created = table.stored.partitions[str(partition["Values"])].creation_time
    return (
        f"Partition(values:[{', '.join(partition['Values'])}], dbName:{table.database}, tableName:{table.name}, "
        f"createTime:{int(created.timestamp())}, lastAccessTime:0, "
        f"sd:{_thrift_storage(partition.get('StorageDescriptor') or {})}, "
        f"parameters:{_thrift_map(partition.get('Parameters') or {})})"
    )


def _thrift_storage(storage: dict[str, Any]) -> str:
    serde = storage.get("SerdeInfo") or {}
    return (
        f"StorageDescriptor(cols:{_thrift_columns(storage.get('Columns') or [])}, "
        f"location:{storage.get('Location') or 'null'}, inputFormat:{storage.get('InputFormat') or 'null'}, "
        f"outputFormat:{storage.get('OutputFormat') or 'null'}, "
        f"compressed:{'true' if storage.get('Compressed') else 'false'}, "
        f"numBuckets:{storage.get('NumberOfBuckets', -1)}, serdeInfo:SerDeInfo(name:null, "
        f"serializationLib:{serde.get('SerializationLibrary') or 'null'}, "
        f"parameters:{_thrift_map(serde.get('Parameters') or {})}), "
        f"bucketCols:[{', '.join(storage.get('BucketColumns') or [])}], sortCols:[], "
        f"parameters:{_thrift_map(storage.get('Parameters') or {})}, "
        "skewedInfo:SkewedInfo(skewedColNames:[], skewedColValues:[], skewedColValueLocationMaps:{}), "
        "storedAsSubDirectories:false)"
    )


def _thrift_columns(columns: Iterable[dict[str, str]]) -> str:
    fields = (
        f"FieldSchema(name:{column['Name']}, type:{column.get('Type') or 'string'}, "
        f"comment:{column.get('Comment') or 'null'})"
        for column in columns
    )
    return f"[{', '.join(fields)}]"


def _thrift_map(values: dict[str, str]) -> str:
    return f"{{{', '.join(f'{name}={value}' for name, value in values.items())}}}"


def _iceberg_details(table: GlueTable, metadata: IcebergMetadata) -> list[Row]:
    rows: list[Row] = [
        ["", "", ""],
        ["Name:", f"iceberg.{table.database}.{table.name}", ""],
        ["Location:", metadata.location.rstrip("/"), ""],
        ["", "", ""],
        ["# Table properties:", "", ""],
        ["# key", "value", ""],
    ]
    rows += [[name, value, ""] for name, value in sorted(athena_properties(metadata).items())]
    rows += [["", "", ""], ["# Iceberg storage table properties:", "", ""], ["# key", "value", ""]]
    return rows + [[name, value, ""] for name, value in sorted(metadata.properties.items())]

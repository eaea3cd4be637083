"""Reads CREATE TABLE: Hive's with EXTERNAL, Iceberg's without; CREATE TABLE AS SELECT is the engine's."""

from __future__ import annotations

from local_cloud.athena.ddl import tables
from local_cloud.athena.ddl.iceberg import create_iceberg_table
from local_cloud.athena.ddl.statement import ColumnDefinition, Ddl
from local_cloud.athena.ddl.tables import TableDefinition
from local_cloud.athena.errors import MalformedQueryError
from local_cloud.athena.hive.clauses import column, columns, if_not_exists, properties, table_name
from local_cloud.athena.hive.formats import (
    COLLECTION_DELIMITER,
    ESCAPE,
    FIELD_DELIMITER,
    LAZY_SIMPLE_SERDE,
    LINE_DELIMITER,
    MAP_KEY_DELIMITER,
    NULL_FORMAT,
    FileFormat,
    StorageClauses,
)
from local_cloud.athena.hive.tokens import NOT_SUPPORTED_TYPE, Cursor, Kind
from local_cloud.athena.lexer import quoted

_TRANSFORMS = frozenset({"year", "month", "day", "hour", "bucket", "truncate"})


def create_table(cursor: Cursor, *, external: bool) -> Ddl | None:
    """The statement after CREATE [EXTERNAL] TABLE, None if it is a CREATE TABLE AS SELECT.

    Raises:
        MalformedQueryError: if it is not well-formed, or one that Athena refuses at once.
    """
    if not external and _is_select(cursor):
        return None
    clauses = _parse(cursor, external=external)
    iceberg = _is_iceberg(clauses.properties)
    if external and iceberg:
        raise MalformedQueryError("External keyword not supported for table type ICEBERG")
    if clauses.location is None:
        raise MalformedQueryError("No location was specified for table. An S3 location must be specified")
    if not external and not iceberg:
        raise MalformedQueryError("External keyword required for table type HIVE")
    if not iceberg:
        return tables.create_table(clauses)
    cursor.reserved = None  # Hive's parser does not read it
    return _iceberg(clauses)


def _is_select(cursor: Cursor) -> bool:
    """Whether an AS follows that is not STORED AS, outside all brackets."""
    depth, count, previous = 0, 0, ""
    while (token := cursor.ahead(count)).kind is not Kind.END:
        depth += token.text == "("
        depth -= token.text == ")"
        word = token.text.upper() if token.kind is Kind.WORD else ""
        if not depth and word == "AS" and previous not in {"STORED", "DEFINED"}:
            return True
        previous, count = word, count + 1
    return False


def _is_iceberg(given: dict[str, str]) -> bool:
    return any(name.lower() == "table_type" and value.upper() == "ICEBERG" for name, value in given.items())


def _parse(cursor: Cursor, *, external: bool) -> TableDefinition:
    missing_ok = if_not_exists(cursor)
    clauses = TableDefinition(table_name(cursor, declared=True), if_not_exists=missing_ok)
    if cursor.at("LIKE"):
        raise MalformedQueryError(NOT_SUPPORTED_TYPE)
    if cursor.at("("):
        clauses.columns = columns(cursor)
    if cursor.accept("COMMENT"):
        clauses.comment = cursor.string()
    if cursor.accept("PARTITIONED", "BY"):
        _partitioned_by(cursor, clauses, external=external)
    if cursor.accept("CLUSTERED", "BY"):
        clauses.bucket_columns = tuple(cursor.bracketed(cursor.name))
        cursor.expect("INTO")
        clauses.buckets = cursor.integer()
        cursor.expect("BUCKETS")
    _storage(cursor, clauses)
    if cursor.accept("LOCATION"):
        clauses.location = cursor.string()
    if cursor.accept("TBLPROPERTIES"):
        clauses.properties = properties(cursor)
    cursor.finish()
    return clauses


def _partitioned_by(cursor: Cursor, clauses: TableDefinition, *, external: bool) -> None:
    """Hive's form declares columns, `(dt string)`; Iceberg's names them, `(category, bucket(16, id))`."""

    def key() -> ColumnDefinition | str:
        is_name = not external and cursor.ahead(1).text in {",", ")", "("}
        return _transform(cursor) if is_name else column(cursor)

    found = cursor.bracketed(key)
    clauses.keys = tuple(one for one in found if isinstance(one, ColumnDefinition))
    clauses.transforms = tuple(one for one in found if isinstance(one, str))


def _transform(cursor: Cursor) -> str:
    """A partition transform in Trino's words: `bucket(16, id)` is `bucket("id", 16)`.

    https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-creating-tables.html
    """
    if cursor.ahead(1).text != "(":
        return _key(cursor.name())
    if cursor.token.value.lower() not in _TRANSFORMS:
        raise cursor.no_viable()
    name = cursor.name()
    cursor.expect("(")
    size: int | None = None
    if name in {"bucket", "truncate"}:
        size = cursor.integer()
        cursor.expect(",")
    key = _key(cursor.name())
    cursor.expect(")")
    return f"{name}({key})" if size is None else f"{name}({key}, {size})"


def _key(name: str) -> str:
    """A column in Trino's partitioning: quoted only where it must be."""
    plain = name.isidentifier() and name.isascii() and name.islower()
    return name if plain else quoted(name)


def _storage(cursor: Cursor, clauses: TableDefinition) -> None:
    serde, serde_properties, delimiters = None, {}, None
    if cursor.accept("ROW", "FORMAT"):
        if cursor.accept("DELIMITED"):
            delimiters = _delimiters(cursor)
        else:
            cursor.expect("SERDE")
            serde = cursor.string()
    if cursor.accept("WITH", "SERDEPROPERTIES"):
        serde_properties = properties(cursor)
    file_format, classes = None, None
    if cursor.accept("STORED", "AS"):
        if cursor.accept("INPUTFORMAT"):
            input_format = cursor.string()
            cursor.expect("OUTPUTFORMAT")
            classes = FileFormat(input_format, cursor.string(), LAZY_SIMPLE_SERDE)
        else:
            file_format = cursor.name()
    if cursor.accept("WITH", "SERDEPROPERTIES"):
        serde_properties |= properties(cursor)
    clauses.storage = StorageClauses(file_format, classes, serde, serde_properties, delimiters)


def _delimiters(cursor: Cursor) -> dict[str, str]:
    found: dict[str, str] = {}
    if cursor.accept("FIELDS", "TERMINATED", "BY"):
        found[FIELD_DELIMITER] = cursor.string()
        if cursor.accept("ESCAPED", "BY"):
            found[ESCAPE] = cursor.string()
    if cursor.accept("COLLECTION", "ITEMS", "TERMINATED", "BY"):
        found[COLLECTION_DELIMITER] = cursor.string()
    if cursor.accept("MAP", "KEYS", "TERMINATED", "BY"):
        found[MAP_KEY_DELIMITER] = cursor.string()
    if cursor.accept("LINES", "TERMINATED", "BY"):
        found[LINE_DELIMITER] = cursor.string()
    if cursor.accept("NULL", "DEFINED", "AS"):
        found[NULL_FORMAT] = cursor.string()
    return found


def _iceberg(clauses: TableDefinition) -> Ddl:
    clauses.properties = {name: value for name, value in clauses.properties.items() if name.lower() != "table_type"}
    names = {name.lower() for name in clauses.properties}
    if "compression_level" in names and "write_compression" not in names:
        raise MalformedQueryError("Compression codec must be defined when compression_level property is specified.")
    problem = ""
    if clauses.bucket_columns:
        problem = "Iceberg create table statement does not allow CLUSTERED BY"
    elif clauses.storage.serde is not None or clauses.storage.delimiters is not None:
        problem = "Iceberg create table statement does not allow ROW FORMAT"
    elif clauses.storage.file_format is not None or clauses.storage.classes is not None:
        problem = "Iceberg create table statement does not allow STORED AS/BY"
    elif clauses.keys:
        problem = "Invalid PARTITIONED BY clause in Iceberg create table statement"
    elif not clauses.columns:
        problem = "At least one column is required for Iceberg create table statement"
    return create_iceberg_table(clauses, problem)

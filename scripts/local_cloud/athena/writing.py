"""CREATE TABLE AS and UNLOAD in Athena's words, as Trino's connectors take them.

https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html and .../unload.html name the properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from local_cloud.athena.ddl.iceberg import engine_properties, map_of
from local_cloud.athena.errors import MalformedQueryError, QueryError
from local_cloud.athena.lexer import Token, closing, literal, quoted, split, tokenize, top_level
from local_cloud.trino.files import HIVE, ICEBERG, UNLOAD, UNLOAD_SCHEMA

_FORMATS: Final = {
    **{name: name for name in ("ORC", "PARQUET", "AVRO", "JSON", "TEXTFILE")},
    "TEXT": "TEXTFILE",
}
_CODECS: Final = frozenset({"NONE", "SNAPPY", "LZ4", "ZSTD", "GZIP"})
# What Athena takes where nothing is said; Trino writes no Avro in gzip.
_DEFAULT_CODEC: Final = {"AVRO": "SNAPPY"}
_CODEC_NAMES: Final = {"ZLIB": "GZIP", "UNCOMPRESSED": "NONE", "DEFLATE": "GZIP"}
_LEVELS: Final = frozenset(map(str, range(1, 23)))
_COMPRESSION: Final = ("write_compression", "parquet_compression", "orc_compression", "compression")
# Trino leaves out the order of a table's rows otherwise.
_SORTED: Final = {"skip_redundant_sort": "false"}
_KEPT: Final = ("partitioned_by", "bucketed_by", "bucket_count")
_ICEBERG_EXTRA: Final = (
    *("optimize_rewrite_data_file_threshold", "optimize_rewrite_delete_file_threshold"),
    *("vacuum_max_metadata_files_to_keep", "vacuum_max_snapshot_age_seconds", "vacuum_min_snapshots_to_keep"),
)


@dataclass(frozen=True)
class Written:
    """A statement that writes files: for Trino, and where the files go.

    Attributes:
        sql: the statement for Trino.
        location: the folder of the files, an address in S3.
        properties: session properties of Trino.
        cleanup: a statement that has to follow, whether the first one succeeds or not; empty if there is none.
    """

    sql: str
    location: str
    properties: Mapping[str, str] = field(default_factory=dict)
    cleanup: str = ""


def create_table_as(text: str, database: str, default_location: str) -> Written:
    """CREATE TABLE AS.

    Args:
        text: the statement.
        database: the database of names without one.
        default_location: where the files go if the statement does not say.

    Raises:
        QueryError: for a property or a value that Athena does not have.
    """
    tokens = tokenize(text)
    place = 2
    exists = [token.word for token in tokens[place : place + 3]] == ["IF", "NOT", "EXISTS"]
    place += 3 if exists else 0
    name, place = _name(tokens, place)
    keyword = next(index for index, token in top_level(tokens, place) if token.word in {"WITH", "AS"})
    properties: dict[str, list[Token]] = {}
    if tokens[keyword].word == "WITH":
        end = closing(tokens, keyword + 1)
        properties = _properties(tokens[keyword + 2 : end])
        keyword = end + 1
    start = tokens[keyword + 1].start
    target = name if len(name) > 1 else [database, *name]
    kind = _text(text, properties.pop("table_type", None), "HIVE").upper()
    if kind not in {"HIVE", "ICEBERG"}:
        raise _invalid(f"Unable to set catalog 'awsdatacatalog' table property 'table_type' to ['{kind}']")
    properties.pop("is_external", None)
    options, settings, location = (
        _iceberg_options(text, properties) if kind == "ICEBERG" else _hive_options(text, properties, default_location)
    )
    sql = (
        f"CREATE TABLE {'IF NOT EXISTS ' if exists else ''}{_qualified(kind, target)} WITH ("
        f"{', '.join(f'{key} = {value}' for key, value in options.items())}) AS {text[start:]}"
    )
    return Written(sql, location, settings)


def unload(text: str, query_id: str) -> Written:
    """UNLOAD: a table that nobody sees, with its files where the statement says; the table goes, the files stay.

    Raises:
        MalformedQueryError: if it is no well-formed UNLOAD.
        QueryError: for a property or a value that Athena does not have.
    """
    tokens = tokenize(text)
    if len(tokens) < 2 or tokens[1].word != "(":
        raise MalformedQueryError(f"line 1:{len('UNLOAD') + 1}: mismatched input. Expecting: '('")
    end = closing(tokens, 1)
    rest = tokens[end + 1 :]
    if len(rest) < 2 or rest[0].word != "TO" or rest[1].kind != "string":
        raise MalformedQueryError("line 1:1: UNLOAD needs TO 's3://...' behind its query.")
    properties: dict[str, list[Token]] = {}
    if len(rest) > 2:
        if rest[2].word != "WITH" or len(rest) < 5:
            raise MalformedQueryError(f"line 1:1: mismatched input '{rest[2].text}'. Expecting: 'WITH', <EOF>")
        properties = _properties(rest[4:-1])
    properties["external_location"] = [rest[1]]
    if "format" not in properties:
        raise _invalid("UNLOAD needs the property format: WITH (format = 'PARQUET').")
    options, settings, location = _hive_options(text, properties, "", catalog=UNLOAD)
    table = f"{UNLOAD}.{UNLOAD_SCHEMA}.{quoted(query_id)}"
    query = text[tokens[1].end : tokens[end].start]
    pairs = ", ".join(f"{key} = {value}" for key, value in options.items())
    sql = f"CREATE TABLE {table} WITH ({pairs}) AS {query}"
    return Written(sql, location, settings | _SORTED, f"DROP TABLE IF EXISTS {table}")


def _name(tokens: list[Token], place: int) -> tuple[list[str], int]:
    parts = [tokens[place].value]
    place += 1
    while place + 1 < len(tokens) and tokens[place].word == ".":
        parts.append(tokens[place + 1].value)
        place += 2
    return parts, place


def _qualified(kind: str, parts: list[str]) -> str:
    catalog = ICEBERG if kind == "ICEBERG" else HIVE
    return ".".join(quoted(part) for part in (catalog, *parts[-2:]))


def _properties(tokens: list[Token]) -> dict[str, list[Token]]:
    found = {}
    for part in split(tokens):
        if len(part) < 3 or part[1].word != "=":
            raise MalformedQueryError("line 1:1: A property has to look like name = value.")
        found[part[0].value] = part[2:]
    return found


def _text(text: str, tokens: list[Token] | None, default: str = "") -> str:
    if not tokens:
        return default
    return tokens[0].value if len(tokens) == 1 and tokens[0].kind == "string" else _source(text, tokens)


def _source(text: str, tokens: list[Token]) -> str:
    return text[tokens[0].start : tokens[-1].end]


def _invalid(message: str) -> QueryError:
    return QueryError("INVALID_TABLE_PROPERTY", message)


def _format(text: str, tokens: list[Token] | None) -> str:
    said = _text(text, tokens, "PARQUET").upper()
    if said not in _FORMATS:
        raise _invalid(f"The format {said} is not supported by the local cloud; it has {', '.join(sorted(_FORMATS))}.")
    return _FORMATS[said]


def _codec(text: str, properties: dict[str, list[Token]], kind: str) -> str:
    said = [_text(text, properties.pop(name)).upper() for name in _COMPRESSION if name in properties]
    codec = _CODEC_NAMES.get(said[0], said[0]) if said else _DEFAULT_CODEC.get(kind, "GZIP")
    if codec not in _CODECS:
        raise _invalid(f"The compression {codec} is not supported for {kind}.")
    if "compression_level" in properties:
        # https://docs.aws.amazon.com/athena/latest/ug/compression-support-zstd-levels.html. Trino's writer has none.
        level = _text(text, properties.pop("compression_level"))
        if codec != "ZSTD" or level not in _LEVELS:
            raise _invalid(f"compression_level = {level}: it is an integer from 1 to 22, and for the codec ZSTD only.")
    return codec


_Options = tuple[dict[str, str], dict[str, str], str]


def _hive_options(
    text: str, properties: dict[str, list[Token]], default_location: str, catalog: str = HIVE
) -> _Options:
    kind = _format(text, properties.pop("format", None))
    codec = _codec(text, properties, kind)
    location = _text(text, properties.pop("external_location", None), default_location).rstrip("/") + "/"
    options = {"format": literal(kind), "external_location": literal(location)}
    delimiter = properties.pop("field_delimiter", None)
    if delimiter and kind == "TEXTFILE":
        options["textfile_field_separator"] = _source(text, delimiter)
    options |= {name: _source(text, properties.pop(name)) for name in _KEPT if name in properties}
    _refuse_rest(properties)
    return options, {f"{catalog}.compression_codec": codec}, location


def _iceberg_options(text: str, properties: dict[str, list[Token]]) -> _Options:
    kind = _format(text, properties.pop("format", None))
    default = properties.get("write_compression")
    codec = _codec(text, properties, kind) if default else "ZSTD"
    location = _text(text, properties.pop("location", None)).rstrip("/")
    if not location:
        raise _invalid("An Iceberg table needs the property location: WITH (location = 's3://...').")
    options = {"format": literal(kind), "location": literal(location)}
    if "partitioning" in properties:
        options["partitioning"] = _source(text, properties.pop("partitioning"))
    given: dict[str, str] = {name: _text(text, properties.pop(name)) for name in _ICEBERG_EXTRA if name in properties}
    _, extra = engine_properties(given, kind.lower())
    if extra:
        options["extra_properties"] = map_of(extra)
    _refuse_rest(properties)
    return options, {f"{ICEBERG}.compression_codec": codec}, f"{location}/data/"


def _refuse_rest(properties: Mapping[str, object]) -> None:
    for name in properties:
        raise _invalid(f"Table property '{name}' does not exist")

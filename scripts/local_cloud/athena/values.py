"""Types and values: Hive's in the catalog, DuckDB's inside, Athena's in a result."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

from local_cloud.athena.errors import UnsupportedError

_SIMPLE = {
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
_ATHENA = {
    "BOOLEAN": "boolean",
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "UTINYINT": "integer",
    "USMALLINT": "integer",
    "UINTEGER": "bigint",
    "BIGINT": "bigint",
    "UBIGINT": "bigint",
    "HUGEINT": "bigint",
    "UHUGEINT": "bigint",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "varchar",
    "JSON": "json",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "TIME": "time",
    "INTERVAL": "interval day to second",
    "BLOB": "varbinary",
    '"NULL"': "unknown",
}
_PRECISION = {"integer": 10, "bigint": 19, "double": 17, "float": 17, "varchar": 2147483647, "timestamp": 3}
_PRECISION["timestamp with time zone"] = 3


def split_fields(text: str, separator: str = ",") -> list[str]:
    """Splits at the separators that stand inside no brackets: `a:int,b:map<int,int>` has two fields."""
    fields, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += letter in "<("
        depth -= letter in ">)"
        if letter == separator and not depth:
            fields.append(text[start:index].strip())
            start = index + 1
    return [*fields, text[start:].strip()]


def duckdb_type(hive: str) -> str:
    """DuckDB's type for a column's type as the catalog has it: `array<int>` is `INTEGER[]`.

    Raises:
        UnsupportedError: for a type that the local cloud does not know.
    """
    hive = hive.strip()
    lowered = hive.lower()
    if lowered in _SIMPLE:
        return _SIMPLE[lowered]
    if re.fullmatch(r"(varchar|char)\(\d+\)", lowered):
        return "VARCHAR"
    if match := re.fullmatch(r"decimal(\(\d+\s*,\s*\d+\))?", lowered):
        return f"DECIMAL{match[1] or '(10,0)'}"
    if match := re.fullmatch(r"array<(.+)>", hive, re.IGNORECASE):
        return f"{duckdb_type(match[1])}[]"
    if match := re.fullmatch(r"map<(.+)>", hive, re.IGNORECASE):
        key, value = split_fields(match[1])
        return f"MAP({duckdb_type(key)}, {duckdb_type(value)})"
    if match := re.fullmatch(r"struct<(.+)>", hive, re.IGNORECASE):
        fields = (field.partition(":") for field in split_fields(match[1]))
        return f"STRUCT({', '.join(f'{quoted(name)} {duckdb_type(kind)}' for name, _, kind in fields)})"
    raise UnsupportedError(f"The column type {hive}")


def athena_type(duckdb_name: str) -> str:
    """The type that ResultSetMetadata gives for a column of this type of DuckDB's."""
    if duckdb_name.endswith("]"):
        return "array"
    for prefix, name in (("STRUCT", "row"), ("MAP", "map"), ("DECIMAL", "decimal"), ("ENUM", "varchar")):
        if duckdb_name.startswith(prefix):
            return name
    return _ATHENA.get(duckdb_name, "varchar")


def precision_and_scale(duckdb_name: str) -> tuple[int, int]:
    """Precision and scale as ResultSetMetadata gives them."""
    if match := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", duckdb_name):
        return int(match[1]), int(match[2])
    return _PRECISION.get(athena_type(duckdb_name), 0), 0


def quoted(name: str) -> str:
    """An identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def text_of(value: Any) -> str | None:
    """A value as Athena writes it into a result: `2026-11-23 09:30:00.000`, `[1, 2]`, `{a=1}`; None for NULL."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return _text_of_double(value)
        case dt.datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
        case dt.timedelta():
            sign, span = ("-", -value) if value < dt.timedelta() else ("", value)
            hours, rest = divmod(span.seconds, 3600)
            return f"{sign}{span.days} {hours:02d}:{rest // 60:02d}:{rest % 60:02d}.{span.microseconds // 1000:03d}"
        case list() | tuple():
            return f"[{', '.join(text_of(item) or 'null' for item in value)}]"
        case dict():
            return _text_of_map(value)
        case bytes():
            return value.hex(" ")
        case _:
            return str(value)


def _text_of_map(value: dict[Any, Any]) -> str:
    items = (f"{text_of(key)}={'null' if item is None else text_of(item)}" for key, item in value.items())
    return f"{{{', '.join(items)}}}"


def _text_of_double(value: float) -> str:
    """A double as Java writes it: plain between 10^-3 and 10^7, else with an exponent (java.lang.Double.toString)."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(value)
        if "e" not in text:
            return text
    digits = f"{value!r}"
    mantissa, _, exponent = digits.partition("e")
    if not exponent:
        sign = "-" if mantissa.startswith("-") else ""
        whole, _, fraction = mantissa.lstrip("-").partition(".")
        fraction = fraction if fraction != "0" else ""
        significant = (whole + fraction).lstrip("0")
        power = len(whole) - 1 if whole != "0" else -(len(fraction) - len(fraction.lstrip("0")) + 1)
        significant = significant.rstrip("0") or "0"
        return f"{sign}{significant[0]}.{significant[1:] or '0'}E{power}"
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}E{int(exponent)}"

"""What a Glue crawler infers from the beginning of an object: its format, its columns and their types."""

from __future__ import annotations

import csv
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from local_cloud.glue.objects import GZIP_MAGIC, head_of

SAMPLE_BYTES = 128 * 1024
SAMPLE_RECORDS = 100
DELIMITERS = (",", "\t", "|", ";", "\x01")
INT_BITS, BIGINT_BITS = 31, 63
_WHOLE = re.compile(r"[+-]?\d{1,19}")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class HiveType:
    """A type as Glue's catalog writes it. `name` is `null` as long as nothing but nulls has been seen."""

    name: str
    element: HiveType | None = None
    fields: tuple[tuple[str, HiveType], ...] = ()

    def __str__(self) -> str:
        if self.name == "array":
            return f"array<{self.element}>"
        if self.name == "struct":
            return f"struct<{','.join(f'{name}:{kind}' for name, kind in self.fields)}>"
        return "string" if self.name == "null" else self.name


NULL, BOOLEAN, INT, BIGINT, DOUBLE, STRING = (
    HiveType(name) for name in ("null", "boolean", "int", "bigint", "double", "string")
)
_NUMBERS = (INT, BIGINT, DOUBLE)


def merge(left: HiveType, right: HiveType) -> HiveType:
    """The narrowest type that holds the values of both."""
    if right in {left, NULL}:
        return left
    if left == NULL:
        return right
    if left in _NUMBERS and right in _NUMBERS:
        return max(left, right, key=_NUMBERS.index)
    if left.name == right.name == "array":
        return HiveType("array", element=merge(left.element or NULL, right.element or NULL))
    if left.name == right.name == "struct":
        fields = dict(left.fields)
        for name, kind in right.fields:
            fields[name] = merge(fields.get(name, NULL), kind)
        return HiveType("struct", fields=tuple(fields.items()))
    return STRING


def type_of_json(value: Any) -> HiveType:
    """The type of a value of a JSON document."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOLEAN
        case int():
            return _whole_number(value)
        case float():
            return DOUBLE
        case list():
            element = NULL
            for item in value:
                element = merge(element, type_of_json(item))
            return HiveType("array", element=element)
        case dict():
            return HiveType("struct", fields=tuple((name.lower(), type_of_json(item)) for name, item in value.items()))
        case _:
            return STRING


def type_of_text(text: str) -> HiveType:
    """The type of a CSV field. Glue's CSV classifier knows no int: whole numbers are bigint."""
    if not text:
        return NULL
    if _WHOLE.fullmatch(text) and _whole_number(int(text)) != DOUBLE:
        return BIGINT
    if _DECIMAL.fullmatch(text):
        return DOUBLE
    return BOOLEAN if text.lower() in {"true", "false"} else STRING


def _whole_number(value: int) -> HiveType:
    bits = (value if value >= 0 else ~value).bit_length()
    return INT if bits <= INT_BITS else BIGINT if bits <= BIGINT_BITS else DOUBLE


_ALREADY: dict[type, HiveType] = {str: STRING, float: DOUBLE}


@dataclass(slots=True)
class Schema:
    """What the objects of a folder have in common. `classification` is `json`, `csv` or `UNKNOWN`, as Glue says it."""

    classification: str
    compressed: bool = False
    columns: dict[str, HiveType] = field(default_factory=dict)
    delimiter: str = ""
    has_header: bool = False
    sampled_records: int = 0
    sampled_bytes: int = 0

    def add(self, other: Schema) -> None:
        """Takes in the columns of another object of the same classification."""
        for name, kind in other.columns.items():
            self.columns[name] = merge(self.columns.get(name, NULL), kind)
        self.sampled_records += other.sampled_records
        self.sampled_bytes += other.sampled_bytes

    @property
    def glue_columns(self) -> list[dict[str, str]]:
        """The columns as the catalog keeps them."""
        return [{"Name": name, "Type": str(kind)} for name, kind in self.columns.items()]


def infer(content: bytes) -> Schema:
    """The schema of one object, from at most `SAMPLE_RECORDS` records in its first `SAMPLE_BYTES` bytes."""
    compressed = content.startswith(GZIP_MAGIC)
    try:
        head, whole = head_of(content, SAMPLE_BYTES)
        text = head.decode("utf-8", errors="strict" if whole else "ignore")
    except (zlib.error, UnicodeDecodeError):
        return Schema("UNKNOWN", compressed)
    lines = text.split("\n")
    if not whole and len(lines) > 1:
        lines.pop()  # cut somewhere inside
    records = [line.rstrip("\r") for line in lines if line.strip()][:SAMPLE_RECORDS]
    schema = _infer_json(records) or _infer_csv(records) or Schema("UNKNOWN")
    schema.compressed = compressed
    schema.sampled_bytes = sum(len(record.encode()) + 1 for record in records)
    return schema


def _infer_json(records: list[str]) -> Schema | None:
    schema = Schema("json", sampled_records=len(records))
    decode = msgspec.json.Decoder().decode
    readable = 0
    for record in records:
        try:
            value = decode(record)
        except msgspec.DecodeError:
            if not readable:
                return None
            continue  # a damaged line: queries will stumble over it, the types don't
        if not isinstance(value, dict):
            return Schema("UNKNOWN")
        readable += 1
        for name, item in value.items():
            known = schema.columns.get(name)
            # Most values are of the type that the column has already: thousands of objects are looked at this way.
            if known is None or _ALREADY.get(item.__class__) is not known:
                column = name.lower()
                schema.columns[column] = merge(schema.columns.get(column, NULL), type_of_json(item))
    return schema if readable else None


def _infer_csv(records: list[str]) -> Schema | None:
    for delimiter in DELIMITERS:
        rows = list(csv.reader(records, delimiter=delimiter))
        width = len(rows[0]) if rows else 0
        if width >= 2 and all(len(row) == width for row in rows):
            break
    else:
        return None
    kinds = [NULL] * width
    for row in rows[1:]:
        kinds = [merge(kind, type_of_text(value)) for kind, value in zip(kinds, row, strict=True)]
    first = [type_of_text(value) for value in rows[0]]
    has_header = len(rows) > 1 and all(kind == STRING for kind in first) and (set(kinds) != {STRING})
    if not has_header:
        kinds = [merge(kind, other) for kind, other in zip(kinds, first, strict=True)]
    names = [value.strip().lower() for value in rows[0]] if has_header else [f"col{index}" for index in range(width)]
    return Schema(
        "csv",
        columns=dict(zip(names, kinds, strict=True)),
        delimiter=delimiter,
        has_header=has_header,
        sampled_records=len(rows) - has_header,
    )

"""Types and values of Trino's results in Athena's words."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

Text = Callable[[Any], str | None]
Signature = Mapping[str, Any]

_PRECISION: Final = {
    "integer": 10,
    "bigint": 19,
    "smallint": 5,
    "tinyint": 3,
    "double": 17,
    "float": 17,
    "varchar": 2147483647,
    "timestamp": 3,
    "timestamp with time zone": 3,
}


def athena_type(signature: Signature) -> str:
    """The type that ResultSetMetadata gives for a column with this type signature of Trino's: `row`, `float`."""
    raw = str(signature["rawType"])
    return "float" if raw == "real" else raw


def precision_and_scale(signature: Signature) -> tuple[int, int]:
    """Precision and scale as ResultSetMetadata gives them."""
    if signature["rawType"] == "decimal":
        precision, scale = (int(argument["value"]) for argument in signature["arguments"])
        return precision, scale
    return _PRECISION.get(athena_type(signature), 0), 0


def text_of(signature: Signature) -> Text:
    """How values of a type are written into a result: `2026-11-23 09:30:00.000`, `[1, 2]`, `{a=1}`; None for NULL.

    The values are those of Trino's JSON.
    """
    writer = _WRITERS.get(str(signature["rawType"]))
    written: Callable[[Any], str] = writer(signature.get("arguments") or []) if writer else str
    return lambda value: None if value is None else written(value)


def _array(arguments: list[Any]) -> Callable[[Any], str]:
    item = text_of(arguments[0]["value"])
    return lambda value: f"[{', '.join(_or_null(item(each)) for each in value)}]"


def _map(arguments: list[Any]) -> Callable[[Any], str]:
    item = text_of(arguments[1]["value"])
    # Keys of a JSON object are strings whatever their type; those of numbers are written as Java writes them already.
    return lambda value: f"{{{', '.join(f'{key}={_or_null(item(each))}' for key, each in value.items())}}}"


def _row(arguments: list[Any]) -> Callable[[Any], str]:
    fields = []
    for index, argument in enumerate(arguments):
        named = argument["value"]
        name = (named.get("fieldName") or {}).get("name") or f"field{index}"
        fields.append((name, text_of(named["typeSignature"])))

    def written(value: list[Any]) -> str:
        pairs = (f"{name}={_or_null(text(each))}" for (name, text), each in zip(fields, value, strict=True))
        return f"{{{', '.join(pairs)}}}"

    return written


def _or_null(text: str | None) -> str:
    return "null" if text is None else text


_WRITERS: Final[Mapping[str, Callable[[list[Any]], Callable[[Any], str]]]] = {
    "boolean": lambda _: lambda value: "true" if value else "false",
    "double": lambda _: lambda value: _text_of_double(float(value)),
    "real": lambda _: lambda value: _text_of_double(float(value)),
    "varbinary": lambda _: lambda value: base64.b64decode(value).hex(" "),
    "array": _array,
    "map": _map,
    "row": _row,
}


def _text_of_double(value: float) -> str:
    """A double as Java writes it: plain between 10^-3 and 10^7, else with an exponent (java.lang.Double.toString)."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, *others = map(str, digits)
    power = len(others) + int(exponent)
    return f"{'-' if sign else ''}{first}.{''.join(others) or '0'}E{power}"

"""Checks the parameters of a call against the API's own model, and refuses with AWS's words what the model excludes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from botocore.model import ServiceModel, Shape
from botocore.session import Session
from moto.core.exceptions import JsonRESTError

_ERROR_CODES = {"athena": "InvalidRequestException", "glue": "ValidationException"}
_JSON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "blob": str,
    "boolean": bool,
    "double": (int, float),
    "integer": int,
    "list": list,
    "long": int,
    "map": dict,
    "string": str,
    "structure": dict,
    "timestamp": (int, float, str),
}
# Java writes the characters beyond the basic plane as pairs of surrogates; Python writes them as one.
_JAVA_ASTRAL, _PYTHON_ASTRAL = r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"


@lru_cache(maxsize=4)
def _model(service: str) -> ServiceModel:
    return Session().get_service_model(service)


def check(service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Refuses a request that the model of the API excludes: lengths, ranges, patterns, enumerations, missing members.

    Args:
        service: `athena` or `glue`.
        operation: the call's name.
        request: its parameters, read from its JSON.

    Raises:
        JsonRESTError: InvalidRequestException of Athena, ValidationException of Glue; SerializationException if a
            parameter is not of the JSON type that it has to be.
    """
    shape = _model(service).operation_model(operation).input_shape
    found = [] if shape is None else list(_problems(shape, request, ""))
    if found:
        noun = "error" if len(found) == 1 else "errors"
        message = f"{len(found)} validation {noun} detected: {'; '.join(found)}"
        raise JsonRESTError(_ERROR_CODES[service], message)


def _has_type(value: Any, name: str) -> bool:
    return isinstance(value, _JSON_TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not _has_type(value, shape.type_name):
        raise JsonRESTError("SerializationException", f"'{path}' is not of the type {shape.type_name}.")
    match shape.type_name:
        case "structure":
            yield from _members(shape, value, path)
        case "list":
            yield from _limits(shape, len(value), value, path, "length")
            for number, item in enumerate(value, 1):
                yield from _problems(shape.member, item, f"{path}.{number}.member")
        case "map":
            for key, item in value.items():
                yield from _problems(shape.key, key, f"{path}.{key}.key")
                yield from _problems(shape.value, item, f"{path}.{key}.member")
        case "string":
            yield from _limits(shape, len(value), value, path, "length")
            yield from _text(shape, value, path)
        case "integer" | "long" | "double":
            yield from _limits(shape, value, value, path, "value")


def _members(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        inner = name[:1].lower() + name[1:]
        inner = f"{path}.{inner}" if path else inner
        if value.get(name) is not None:
            yield from _problems(member, value[name], inner)
        elif name in shape.required_members:
            yield f"Value null at '{inner}' failed to satisfy constraint: Member must not be null"


def _limits(shape: Shape, size: float, value: Any, path: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    prefix = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must have {what}"
    if least is not None and size < least:
        yield f"{prefix} greater than or equal to {least}"
    if most is not None and size > most:
        yield f"{prefix} less than or equal to {most}"


def _text(shape: Shape, value: str, path: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    prefix = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy"
    if not _fits(pattern, value):
        yield f"{prefix} regular expression pattern: {pattern}"
    enumerated = shape.metadata.get("enum")
    if enumerated and value not in enumerated:
        yield f"{prefix} enum value set: [{', '.join(enumerated)}]"


def _fits(pattern: str | None, value: str) -> bool:
    """Whether a text fits a pattern; those with Java's names of character classes can't be judged and fit all."""
    if pattern is None or r"\p{" in pattern:
        return True
    return re.fullmatch(pattern.replace(_JAVA_ASTRAL, _PYTHON_ASTRAL), value) is not None

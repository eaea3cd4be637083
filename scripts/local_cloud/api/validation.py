"""Checks a request against the service's own model and AWS's documented limits, and refuses it in the service's words.

botocore checks before it sends which members are there, their types and their least sizes; patterns, enumerations and
most limits only AWS checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import regex
from botocore.model import Shape

from local_cloud.api import rules
from local_cloud.api.errors import Refusal, RefusedError
from local_cloud.api.request import ApiRequest
from local_cloud.api.request_input import OperationInput, UnreadableError, read

# ValidationException where a service has no error of its own for this.
_ERROR_CODES = {
    "athena": "InvalidRequestException",
    "iam": "ValidationError",
    "lakeformation": "InvalidInputException",
    "sts": "ValidationError",
    "tagging": "InvalidParameterException",
}
_JSON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "blob": str,
    "boolean": bool,
    "double": (int, float),
    "float": (int, float),
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
# Values that EC2 names an error of its own for, which moto gives.
_CHECKED_BY_MOTO = frozenset({"InstanceType"})
_MALFORMED_XML = "The XML you provided was not well-formed or did not validate against our published schema"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a request.

    Attributes:
        kind: what the model says against it.
        path: the member, as AWS's errors write it.
        value: the wrong value.
        constraint: what AWS says that the member has to do.
    """

    kind: Literal["missing", "type", "limit"]
    path: str
    value: Any = None
    constraint: str = ""

    def __str__(self) -> str:
        value = "null" if self.value is None else f"'{self.value}'"
        return f"Value {value} at '{self.path}' failed to satisfy constraint: Member must {self.constraint}"


def require_valid(request: ApiRequest) -> None:
    """Refuses what AWS refuses of a request by itself, whatever there is in the account.

    Raises:
        RefusedError: the model or one of the rules excludes it.
    """
    try:
        found = read(request)
    except UnreadableError as error:
        raise RefusedError(_unreadable(error)) from error
    if found is None:
        return
    refusal = _refusal(found, problems(found)) or rules.refusal(found)
    if refusal is not None:
        raise RefusedError(refusal)


def problems(found: OperationInput) -> list[Problem]:
    """What the model excludes in an input: types, missing members, lengths, ranges, patterns, enumerations."""
    return [] if found.shape is None else list(_problems(found.shape, found.values, ""))


def _unreadable(error: UnreadableError) -> Refusal:
    if error.protocol == "rest-xml":
        if not error.operation:
            return Refusal("400 Bad Request", "MalformedXML", _MALFORMED_XML)
        message = "The specified method is not allowed against this resource."
        return Refusal("405 Method Not Allowed", "MethodNotAllowed", message)
    if not error.operation:
        return Refusal("400 Bad Request", "SerializationException", str(error))
    code = "UnknownOperationException" if "json" in error.protocol else "InvalidAction"
    return Refusal("400 Bad Request", code, f"The action {error.operation} is not valid for this web service.")


def _refusal(found: OperationInput, wrong: list[Problem]) -> Refusal | None:
    """The answer to a request with these problems; None where its service answers no error to any of them."""
    if not wrong:
        return None
    if found.protocol == "ec2":
        return _of_ec2(wrong[0])
    if found.protocol == "rest-xml":
        return _of_s3(found, wrong[0])
    for problem in wrong:
        if problem.kind == "type":
            code = "MalformedInput" if found.protocol == "query" else "SerializationException"
            return Refusal("400 Bad Request", code, f"'{problem.path}' is not of the type {problem.constraint}.")
    noun = "error" if len(wrong) == 1 else "errors"
    message = f"{len(wrong)} validation {noun} detected: {'; '.join(map(str, wrong))}"
    return Refusal("400 Bad Request", _ERROR_CODES.get(found.service, "ValidationException"), message)


def _of_ec2(problem: Problem) -> Refusal:
    """EC2's codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"""
    if problem.kind == "missing":
        message = f"The request must contain the parameter {problem.path}"
        return Refusal("400 Bad Request", "MissingParameter", message)
    message = f"Value ({problem.value}) for parameter {problem.path} is invalid. It must {problem.constraint}"
    return Refusal("400 Bad Request", "InvalidParameterValue", message)


def _of_s3(found: OperationInput, problem: Problem) -> Refusal:
    """S3's codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
    top = problem.path.partition(".")[0]
    member = found.shape.members.get(f"{top[:1].upper()}{top[1:]}") if found.shape is not None else None
    if member is None or "location" not in member.serialization:
        return Refusal("400 Bad Request", "MalformedXML", _MALFORMED_XML)
    if member.name == "StorageClass":
        return Refusal("400 Bad Request", "InvalidStorageClass", "The storage class you specified is not valid")
    return Refusal("400 Bad Request", "InvalidArgument", str(problem))


def _problems(shape: Any, value: Any, path: str) -> Iterator[Problem]:
    kind = shape.type_name
    if not _has_type(value, kind):
        yield Problem("type", path, value, kind)
        return
    match kind:
        case "structure":
            yield from _members(shape, value, path)
        case "list":
            yield from _limits(shape, len(value), value, path, "length")
            for number, item in enumerate(value, 1):
                yield from _problems(shape.member, item, f"{path}.{number}.member")
        case "map":
            yield from _limits(shape, len(value), value, path, "length")
            for key, item in value.items():
                yield from _problems(shape.key, key, f"{path}.{key}.key")
                yield from _problems(shape.value, item, f"{path}.{key}.member")
        case "string":
            yield from _limits(shape, len(value), value, path, "length")
            yield from _text(shape, value, path)
        case "integer" | "long" | "double" | "float":
            yield from _limits(shape, value, value, path, "value")


def _has_type(value: Any, kind: str) -> bool:
    return isinstance(value, _JSON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _members(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    required = shape.required_members
    for name, member in shape.members.items():
        if (held := value.get(name)) is not None:
            yield from _problems(member, held, _below(path, name))
        elif name in required:
            yield Problem("missing", _below(path, name), None, "not be null")


def _below(path: str, name: str) -> str:
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _limits(shape: Shape, size: float, value: Any, path: str, what: str) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield Problem("limit", path, value, f"have {what} greater than or equal to {least}")
    if most is not None and size > most:
        yield Problem("limit", path, value, f"have {what} less than or equal to {most}")


def _text(shape: Shape, value: str, path: str) -> Iterator[Problem]:
    pattern, enumerated = shape.metadata.get("pattern"), shape.metadata.get("enum")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield Problem("limit", path, value, f"satisfy regular expression pattern: {pattern}")
    if enumerated and not _is_one_of(shape, value, enumerated) and shape.name not in _CHECKED_BY_MOTO:
        yield Problem("limit", path, value, f"satisfy enum value set: [{', '.join(enumerated)}]")


def _is_one_of(shape: Shape, value: str, enumerated: list[str]) -> bool:
    if value in enumerated:
        return True
    # AWS's own SDK for C++ sends the header x-amz-checksum-mode as "enabled", which S3 takes.
    return shape.serialization.get("location") == "header" and value.upper() in {one.upper() for one in enumerated}


@cache
def _compiled(pattern: str) -> Any:
    """A pattern of a model. They are Java's: its \\w is ASCII, and a hyphen after a class stands for itself."""
    python = pattern.replace(_JAVA_ASTRAL, _PYTHON_ASTRAL)
    python = re.sub(r"(\\[wds])-(?=[^\]])", r"\1\\-", python)
    return regex.compile(python, 0 if r"\p{" in pattern else regex.ASCII)

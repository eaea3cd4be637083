"""Reads a request, in each of AWS's protocols, back into the input of its operation, as the service's model has it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, OperationNotFoundError, Shape
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException

from local_cloud.api.request import ApiRequest

# Where the name in a signature is not the model's.
_MODELS = {"tagging": "resourcegroupstaggingapi", "servicequotas": "service-quotas"}
_NUMBERS: Mapping[str, Callable[[str], float]] = {"integer": int, "long": int, "float": float, "double": float}
# What EC2's, IAM's and STS's requests carry beside the operation's own parameters, in signed addresses too.
_QUERY_FRAME = re.compile(r"Action|Version|X-Amz-.*")


class UnreadableError(Exception):
    """A request that names no operation of its service, or whose body is not of its protocol's form.

    Attributes:
        protocol: the service's.
        operation: what names no operation; empty if it is the body that can't be read.
    """

    def __init__(self, protocol: str, operation: str = "") -> None:
        super().__init__(operation or "the body can't be read")
        self.protocol, self.operation = protocol, operation


@dataclass(slots=True)
class OperationInput:
    """An operation's input, as its caller would have written it for boto3, but for scalars that are not of their type.

    Attributes:
        service: the name in the signature.
        protocol: `ec2`, `query`, `json`, `rest-json` or `rest-xml`.
        operation: its name.
        shape: its input in the model; None if it has none.
        values: the members that are there.
        unknown: what the model does not know, by the names in the request.
    """

    service: str
    protocol: str
    operation: str
    shape: Any
    values: dict[str, Any] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def read(request: ApiRequest) -> OperationInput | None:
    """Returns the input of a request, None for a service without a model.

    Raises:
        UnreadableError: there is no such operation, or the body can't be parsed.
    """
    service = request.service
    try:
        model = get_service_model(_MODELS.get(service, service))
    except UnknownServiceError:
        return None
    protocol = str(model.resolved_protocol)
    if protocol.startswith("rest"):
        try:
            operation, labels = get_service_router(model.service_name).match(Request(request.environ))
        except HTTPException as error:
            raise UnreadableError(protocol, f"{request.method} {request.environ.get('PATH_INFO')}") from error
        found = OperationInput(service, protocol, operation.name, operation.input_shape)
        _read_rest(found, operation, labels, request)
        return found
    try:
        operation = model.operation_model(request.action)
    except OperationNotFoundError as error:
        raise UnreadableError(protocol, request.action) from error
    found = OperationInput(service, protocol, operation.name, operation.input_shape)
    if protocol == "json":
        found.values = _json(request)
    elif found.shape is not None:
        tree = _tree({name: text for name, text in request.form.items() if not _QUERY_FRAME.fullmatch(name)})
        found.values = _Query(protocol == "ec2", found.unknown).value(found.shape, tree, "")
    return found


def _json(request: ApiRequest) -> dict[str, Any]:
    if not request.parameters and request.body.strip() not in {b"", b"{}"}:
        try:
            parsed = json.loads(request.body)
        except ValueError as error:
            raise UnreadableError("json") from error
        if not isinstance(parsed, dict):
            raise UnreadableError("json")
    return request.parameters


def _scalar(shape: Shape, text: str) -> Any:
    """The value of a text; the text itself where it is not of the member's type, which the check then says."""
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return _NUMBERS.get(shape.type_name, str)(text)
    except ValueError:
        return text


def _tree(form: Mapping[str, str]) -> dict[str, Any]:
    """Parameters by the parts of their names: `Tag.1.Key=a` is {"Tag": {"1": {"Key": "a"}}}."""
    tree: dict[str, Any] = {}
    for name, value in form.items():
        *parents, last = name.split(".")
        node = tree
        for parent in parents:
            below = node.setdefault(parent, {})
            if not isinstance(below, dict):  # Tag=a&Tag.1.Key=b
                below = node[parent] = {}
            node = below
        node.setdefault(last, value)
    return tree


@cache
def _query_names(shape: Any, is_ec2: bool) -> dict[str, tuple[str, Any]]:
    found = {}
    for name, member in shape.members.items():
        told = member.serialization.get("name")
        wire = told or name
        if is_ec2:
            wire = member.serialization.get("queryName") or (f"{told[0].upper()}{told[1:]}" if told else name)
        found[wire] = (name, member)
    return found


@dataclass(frozen=True, slots=True)
class _Query:
    """Reads the parameters of EC2's protocol, or of IAM's and STS's."""

    is_ec2: bool
    unknown: list[str]

    def value(self, shape: Any, node: Any, path: str) -> Any:
        """The value of a member; what is no part of it goes to the unknown."""
        match shape.type_name:
            case "structure" | "list" | "map" if isinstance(node, str):
                return [] if shape.type_name == "list" and not node else node
            case "structure":
                return self._structure(shape, node, path)
            case "list":
                wire = shape.member.serialization.get("name", "member")
                flat = self.is_ec2 or shape.serialization.get("flattened")
                items = node if flat else self._only(node, wire, path)
                within = path if flat else f"{path}.{wire}"
                return [self.value(shape.member, item, within) for item in self._numbered(items, within)]
            case "map":
                entries = self._numbered(self._only(node, "entry", path), path)
                return {
                    entry.get("key", ""): self.value(shape.value, entry.get("value", ""), path) for entry in entries
                }
        if isinstance(node, dict):
            self.unknown.extend(f"{path}.{name}" for name in node)
            return None
        return _scalar(shape, node)

    def _structure(self, shape: Any, node: dict[str, Any], path: str) -> dict[str, Any]:
        names = _query_names(shape, self.is_ec2)
        values = {}
        for wire, below in node.items():
            where = f"{path}.{wire}" if path else wire
            if wire in names:
                name, member = names[wire]
                values[name] = self.value(member, below, where)
            else:
                self.unknown.append(where)
        return values

    def _only(self, node: dict[str, Any], name: str, path: str) -> dict[str, Any]:
        self.unknown.extend(f"{path}.{other}" for other in node if other != name)
        below = node.get(name, {})
        return below if isinstance(below, dict) else {}

    def _numbered(self, node: dict[str, Any], path: str) -> list[Any]:
        self.unknown.extend(f"{path}.{name}" for name in node if not name.isdecimal())
        return [node[name] for name in sorted(filter(str.isdecimal, node), key=int)]


@cache
def _bindings(operation: OperationModel) -> list[tuple[str, Any, str, str]]:
    """The members of an input that are not in the body: name, shape, location and the name there."""
    found = []
    for name, member in getattr(operation.input_shape, "members", {}).items():
        location = member.serialization.get("location")
        wire = member.serialization.get("name", name)
        if location in {"header", "headers"}:
            wire = wire.upper().replace("-", "_")
            wire = wire if wire in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{wire}"
        if location:
            found.append((name, member, location, wire))
    return found


def _read_rest(
    found: OperationInput, operation: OperationModel, labels: Mapping[str, str], request: ApiRequest
) -> None:
    environ = request.environ
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    for name, shape, location, wire in _bindings(operation):
        if location == "headers":
            found.values[name] = {key[len(wire) :]: text for key, text in environ.items() if key.startswith(wire)}
            continue
        if location == "querystring":
            texts = query.get(wire)
        else:
            text = labels.get(wire) if location == "uri" else environ.get(wire)
            texts = None if text is None else text.split(",") if shape.type_name == "list" else [text]
        if texts is None:
            continue
        is_list = shape.type_name == "list"
        found.values[name] = [text.strip() for text in texts] if is_list else _scalar(shape, texts[0])
    payload: str | None = getattr(found.shape, "serialization", {}).get("payload")
    kind = found.shape.members[payload].type_name if payload is not None else "structure"
    if payload is not None and kind != "structure":
        if kind == "string":  # a bucket's policy; a blob is an object's content, which no limit here is about
            found.values[payload] = request.body.decode("utf-8", "replace")
        return
    if found.protocol == "rest-json":
        found.values |= {payload: _json(request)} if payload else _json(request)
    elif payload is not None and request.body:
        member = found.shape.members[payload]
        try:
            root = ElementTree.fromstring(request.body)
        except ElementTree.ParseError as error:
            raise UnreadableError(found.protocol) from error
        if _local(root) != member.serialization.get("name", payload):
            found.unknown.append(_local(root))
        found.values[payload] = _xml(member, root, found.unknown)


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


@cache
def _xml_names(shape: Any) -> dict[str, tuple[str, Any]]:
    return {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}


def _xml(shape: Any, element: ElementTree.Element, unknown: list[str]) -> Any:
    if shape.type_name == "list":
        wire = shape.member.serialization.get("name", "member")
        unknown.extend(_local(child) for child in element if _local(child) != wire)
        return [_xml(shape.member, child, unknown) for child in element]
    if shape.type_name != "structure":
        return _scalar(shape, element.text or "")
    names = _xml_names(shape)
    values: dict[str, Any] = {}
    for text in element.attrib:  # xsi:type, the one attribute of S3's
        values |= {
            name: element.attrib[text] for name, member in names.values() if member.serialization.get("xmlAttribute")
        }
    for child in element:
        if _local(child) not in names:
            unknown.append(_local(child))
            continue
        name, member = names[_local(child)]
        if member.type_name == "list" and member.serialization.get("flattened"):
            values.setdefault(name, []).append(_xml(member.member, child, unknown))
        else:
            values[name] = _xml(member, child, unknown)
    return values

"""Reads a request, in each of AWS's protocols, back into the input of its operation, as the service's model has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationNotFoundError
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import HTTPException

from local_cloud.api.request import ApiRequest

# Where the name in a signature is not the model's.
_MODELS = {"tagging": "resourcegroupstaggingapi", "servicequotas": "service-quotas"}
# moto's model keeps an operation for a moment as botocore's class of that name, and hands it to whoever asks meanwhile.
_OPERATIONS = threading.Lock()


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
    """

    service: str
    protocol: str
    operation: str
    shape: Any
    values: dict[str, Any] = field(default_factory=dict)


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
    labels: Mapping[str, str] = {}
    try:
        with _OPERATIONS:
            if protocol.startswith("rest"):
                operation, labels = get_service_router(model.service_name).match(Request(request.environ))
            else:
                operation = model.operation_model(request.action)
    except HTTPException as error:
        raise UnreadableError(protocol, f"{request.method} {request.environ.get('PATH_INFO')}") from error
    except OperationNotFoundError as error:
        raise UnreadableError(protocol, request.action) from error
    found = OperationInput(service, protocol, operation.name, operation.input_shape)
    if protocol == "json":
        found.values = _json(request)
    elif found.shape is not None:
        found.values = _parsed(operation, request, protocol, labels)
    return found


def _json(request: ApiRequest) -> dict[str, Any]:
    try:
        parsed = json.loads(request.body.strip() or b"{}")
    except ValueError as error:
        raise UnreadableError("json") from error
    if not isinstance(parsed, dict):
        raise UnreadableError("json")
    return parsed


def _parsed(operation: Any, request: ApiRequest, protocol: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """What moto's own parser of the protocol reads."""
    shape = operation.input_shape
    is_rest = protocol.startswith("rest")
    payload = shape.serialization.get("payload")
    # A blob is an object's content, which no limit here is about.
    is_content = payload is not None and shape.members[payload].type_name == "blob"
    wanted = {
        "body": request.body if is_rest and not is_content else b"",
        "headers": EnvironHeaders(request.environ),
        "url_params": labels,
        "values": Request(request.environ).args if is_rest else request.form,
    }
    if protocol == "rest-json":
        _json(request)
    parsers: Any = PROTOCOL_PARSERS
    parser = parsers[protocol](operation, timestamp_parser=str, blob_parser=str)
    for kind in ("integer", "long", "float", "double"):
        setattr(parser, f"_parse_{kind}", _number_or_text(parser, getattr(parser, f"_parse_{kind}")))
    try:
        found = parser.parse(wanted)
    except RequestParserError as error:
        raise UnreadableError(protocol) from error
    return {name: value for name, value in found.items() if value is not None and (value != [] or not is_rest)}


def _number_or_text(parser: Any, number: Callable[..., Any]) -> Callable[..., Any]:
    """Leaves a text that is no number as it is: the check says so."""

    def parse(*arguments: Any) -> Any:
        try:
            return number(*arguments)
        except ValueError:
            return getattr(parser, "_parse_string", parser._default_handle)(*arguments)

    return parse

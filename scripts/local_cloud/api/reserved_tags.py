"""Tag keys that begin with `aws:` are AWS's own, and each service refuses them in its own way.

https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html#tag-conventions. The codes are those that a wrong
input of the tagging calls has in botocore's service models; EC2's message is as AWS gives it. moto sees to S3's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from local_cloud.api.errors import Refusal
from local_cloud.api.request import ApiRequest

_FORM_KEY: Final = re.compile(r"(^|\.)(Tag|Tags\.member)\.\d+\.Key")
_STATUS: Final = "400 Bad Request"
_COMMON: Final = "aws: prefixed tag key names are not allowed for external use."
_REFUSALS: Final = {
    "ec2": Refusal(_STATUS, "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"),
    "iam": Refusal(_STATUS, "InvalidInput", _COMMON),
    "glue": Refusal(_STATUS, "InvalidInputException", _COMMON),
    "athena": Refusal(_STATUS, "InvalidRequestException", _COMMON),
    "ssm": Refusal(_STATUS, "ValidationException", _COMMON),
    "tagging": Refusal(_STATUS, "InvalidParameterException", _COMMON),
}


def refusal(request: ApiRequest) -> Refusal | None:
    """The answer to a request that sets a tag of AWS's own; None for any other."""
    refused = _REFUSALS.get(request.service)
    if refused is None:
        return None
    keys: Iterable[str]
    if request.service in {"ec2", "iam"}:
        keys = (value for name, value in request.form.items() if _FORM_KEY.search(name))
    else:
        keys = _json_keys(request.parameters)
    return refused if any(key.lower().startswith("aws:") for key in keys) else None


def _json_keys(parameters: dict[str, Any]) -> Iterator[str]:
    for name in ("Tags", "TagsToAdd"):
        match parameters.get(name):
            case dict() as tags:
                yield from map(str, tags)
            case list() as tags:
                yield from (str(tag.get("Key")) for tag in tags if isinstance(tag, dict))

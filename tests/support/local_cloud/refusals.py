"""How a call was refused."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


def refusal(call: Any, **arguments: Any) -> str:
    """The code with which a call is refused; empty if it is not."""
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""

"""Pages of a list: a token names the last entry of the page before it, so that changes in between skip nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

Item = TypeVar("Item")


class InvalidTokenError(Exception):
    """A page's token was not made by `page`."""


def page(
    items: Iterable[Item], key: Callable[[Item], Any], request: Mapping[str, Any], most: int
) -> tuple[list[Item], str | None]:
    """Return one page of a list in the order of its keys, and the token of the next page, None after the last.

    Args:
        items: the whole list, in any order.
        key: an entry's key: a string, a number or a list of them, unique in the list.
        request: the call's parameters; MaxResults and NextToken are read.
        most: how many entries a page has if MaxResults says nothing.

    Raises:
        InvalidTokenError: NextToken is no token of this list.
    """
    ordered = sorted(items, key=key)
    token = request.get("NextToken")
    if token:
        last = _read(token)
        try:
            ordered = [item for item in ordered if key(item) > last]
        except TypeError as error:
            raise InvalidTokenError(f"Invalid pagination token: {token}") from error
    limit = int(request.get("MaxResults") or most)
    found = ordered[:limit]
    return found, _token(key(found[-1])) if len(ordered) > limit else None


def _token(key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _read(token: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise InvalidTokenError(f"Invalid pagination token: {token}") from error

"""Pages of a list: a token names the last entry of the page before it, so that changes in between skip nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

Item = TypeVar("Item")


def page(
    items: Iterable[Item],
    key: Callable[[Item], Any],
    request: Mapping[str, Any],
    *,
    most: int,
    refuse: Callable[[str], Exception],
) -> tuple[list[Item], str | None]:
    """Return one page of a list in the order of its keys, and the token of the next page, None after the last.

    Args:
        items: the whole list, in any order.
        key: an entry's key: a string, a number or a list of them, unique in the list.
        request: the call's parameters; MaxResults and NextToken are read.
        most: how many entries a page has if MaxResults says nothing.
        refuse: the service's error for a NextToken that is no token of this list.
    """
    ordered = sorted(items, key=key)
    token = request.get("NextToken")
    if token:
        try:
            last = json.loads(base64.urlsafe_b64decode(token))
            ordered = [item for item in ordered if key(item) > last]
        except (ValueError, TypeError) as error:
            raise refuse(f"Invalid pagination token: {token}") from error
    limit = int(request.get("MaxResults") or most)
    found = ordered[:limit]
    return found, _token(key(found[-1])) if len(ordered) > limit else None


def _token(key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()

"""Lists: filtered by name as the catalog's are, and cut into pages.

A page's token names the last entry of the page before it, so that changes in between skip nothing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

Item = TypeVar("Item")


def matching(expression: str | None, refuse: Callable[[str], Exception]) -> Callable[[str], bool]:
    """Return whether a name matches the pattern that a listing call was given: the whole name, in any case.

    Glue takes a regular expression in which a `*` that repeats nothing stands for any characters, as in Hive's
    `SHOW TABLES LIKE 'quotes*'`. The expression is Java's: what stands between `\\Q` and `\\E` is taken literally.

    Raises:
        Exception: what `refuse` makes of the sentence that the pattern is no regular expression.
    """
    if not expression:
        return lambda _: True
    parts = re.split(r"\\Q(.*?)(?:\\E|$)", expression)  # patterns and literal texts in turn
    pattern = "".join(
        re.escape(part) if number % 2 else re.sub(r"(?<![.\])}\\])\*", ".*", part) for number, part in enumerate(parts)
    )
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise refuse(f"Invalid pattern {expression}: {error}") from error
    return lambda name: compiled.fullmatch(name) is not None


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
    if len(ordered) <= limit:
        return found, None
    return found, base64.urlsafe_b64encode(json.dumps(key(found[-1])).encode()).decode()

"""How the catalog's lists are filtered by name."""

from __future__ import annotations

import re
from collections.abc import Callable


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

"""GetPartitions' Expression: a filter over partition keys in SQL's words.

Operators and types of keys are those of
https://docs.aws.amazon.com/glue/latest/webapi/API_GetPartitions.html
moto 5.2's filter takes no NOT, `!=`, quoted key or typed literal, and fails at a NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from moto.core.exceptions import JsonRESTError

from local_cloud.glue.requests import invalid_input

NULL = "__HIVE_DEFAULT_PARTITION__"
"""The value that stands for NULL in a partition's values."""

Predicate = Callable[[Sequence[str]], bool]

_INTEGERS = frozenset({"tinyint", "smallint", "int", "integer", "bigint", "long"})
_TEXTS = frozenset({"string", "char", "varchar"})
# Trino's client for Glue does not double a quote in a value ('it's'): one right before a word is the value's own.
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^']|''|'(?!(?:and|or)\b)(?=\w))*')
      | (?P<number>[-+]?\d+(?:\.\d+)?(?![\w.]))
      | (?P<quoted>`[^`]+`|"[^"]+")
      | (?P<word>[A-Za-z_]\w*(?:\.\w+)*)
      | (?P<operator><>|!=|<=|>=|[=<>(),])
    )""",
    re.VERBOSE | re.IGNORECASE,
)
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": eq,
    "<>": ne,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
"""SQL's operators."""


class _Syntax(Exception):  # noqa: N818  # ends the parsing; the caller gives it Glue's name
    """The text is no expression."""


def compile_expression(expression: str | None, keys: Sequence[Mapping[str, str]]) -> Predicate:
    """Return whether the values of a partition meet an expression.

    NULL meets nothing but IS NULL, as in SQL.

    Args:
        expression: the filter; None or blank lets every partition pass.
        keys: the table's partition keys, each with Name and Type.

    Raises:
        JsonRESTError: InvalidInputException if it is no expression, names what is no key, or compares a key with what
            is not of the key's type. The predicate raises InvalidStateException for a partition whose value is not of
            its key's type.
    """
    if not expression or not expression.strip():
        return lambda _: True
    try:
        meets = _Parser(expression, keys).parse()
    except (_Syntax, RecursionError) as error:
        raise invalid_input(f"Unsupported expression '{expression}'") from error
    return lambda values: meets(values) is True


Condition = Callable[[Sequence[str]], bool | None]
"""True, false, or None where SQL's answer is NULL."""


class _Key:
    """A partition key: where its value stands, and what its type makes of a text."""

    def __init__(self, index: int, declared: str) -> None:
        self._index = index
        self.type = declared.partition("(")[0].strip().lower()
        if self.type not in _INTEGERS | _TEXTS | {"date", "timestamp", "decimal"}:
            raise invalid_input(f"Unknown type : '{declared}'")

    def literal(self, text: str) -> Any:
        """A literal of the expression as a value of the key's type."""
        try:
            return _cast(self.type, text)
        except ValueError as error:
            raise invalid_input(str(error)) from error

    def value(self, values: Sequence[str]) -> Any:
        """The value of a partition, None for NULL."""
        text = values[self._index]
        if text == NULL:
            return None
        try:
            return _cast(self.type, text)
        except ValueError as error:
            raise JsonRESTError("InvalidStateException", str(error)) from error


def _cast(kind: str, text: str) -> Any:
    if kind in _TEXTS:
        return text
    if kind in _INTEGERS:
        if re.fullmatch(r"[-+]?\d+", text) is None:
            raise ValueError(f'"{text}" is not an integer.')
        return int(text)
    if kind == "decimal":
        try:
            return Decimal(text)
        except InvalidOperation as error:
            raise ValueError(f"{text} is not a decimal.") from error
    if kind == "date":
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"{text} is not a date.") from error
    return _timestamp(text)


def _timestamp(text: str) -> tuple[datetime, str]:
    """A time to the second, and the nine digits of its nanoseconds."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", text)
    problem = f"Timestamp format must be yyyy-mm-dd hh:mm:ss[.fffffffff] {text} is not a timestamp."
    if found is None:
        raise ValueError(problem)
    try:
        return datetime.fromisoformat(found[1]), (found[2] or "").ljust(9, "0")
    except ValueError as error:
        raise ValueError(problem) from error


class _Parser:
    """Reads an expression: OR of AND of NOT of a condition on one key, or of another expression in parentheses."""

    def __init__(self, expression: str, keys: Sequence[Mapping[str, str]]) -> None:
        self._keys = {key["Name"].lower(): _Key(number, key.get("Type") or "string") for number, key in enumerate(keys)}
        self._tokens = _tokens(expression)
        self._next = 0

    def parse(self) -> Condition:
        """The whole text as a condition."""
        condition = self._or()
        if self._next < len(self._tokens):
            raise _Syntax
        return condition

    def _take(self, *words: str) -> str | None:
        """The next token if it is one of these words or signs."""
        if self._next < len(self._tokens):
            kind, text = self._tokens[self._next]
            if kind in {"word", "operator"} and text.lower() in words:
                self._next += 1
                return text.lower()
        return None

    def _need(self, *words: str) -> str:
        taken = self._take(*words)
        if taken is None:
            raise _Syntax
        return taken

    def _or(self) -> Condition:
        return self._joined("or", self._and, decisive=True)

    def _and(self) -> Condition:
        return self._joined("and", self._not, decisive=False)

    def _joined(self, word: str, part: Callable[[], Condition], *, decisive: bool) -> Condition:
        """Parts with a word between them: one that is `decisive` decides, else one that is NULL makes NULL."""
        parts = [part()]
        while self._take(word):
            parts.append(part())

        def condition(values: Sequence[str]) -> bool | None:
            answers = [met(values) for met in parts]
            return decisive if decisive in answers else None if None in answers else not decisive

        return condition

    def _not(self) -> Condition:
        if self._take("not"):
            return _negated(self._not())
        start = self._next
        if self._take("("):
            try:
                condition = self._or()
                self._need(")")
            except _Syntax:
                self._next = start  # a key in parentheses: (dt) = '2026-11-23'
            else:
                return condition
        return self._condition()

    def _condition(self) -> Condition:
        key = self._key()
        if self._take("is"):
            negated = self._take("not")
            self._need("null")
            return (lambda values: key.value(values) is not None) if negated else (lambda v: key.value(v) is None)
        negated = self._take("not")
        condition = self._tail(key, "between", "in", "like") if negated else self._tail(key, *_TAILS)
        return _negated(condition) if negated else condition

    def _tail(self, key: _Key, *words: str) -> Condition:
        word = self._need(*words)
        if word == "between":
            low = self._literal(key)
            self._need("and")
            high = self._literal(key)
            return _of(key, lambda value: low <= value <= high)
        if word == "in":
            self._need("(")
            listed = [self._literal(key)]
            while self._take(","):
                listed.append(self._literal(key))
            self._need(")")
            return _of(key, lambda value: value in listed)
        if word == "like":
            if key.type not in _TEXTS:
                kind = "Integral" if key.type in _INTEGERS else key.type.capitalize()
                raise invalid_input(f"{kind} data type doesn't support operation 'LIKE'")
            pattern = _like(self._literal(key))
            return _of(key, lambda value: pattern.fullmatch(value) is not None)
        wanted = self._literal(key)
        return _of(key, lambda value: COMPARISONS[word](value, wanted))

    def _key(self) -> _Key:
        if self._take("("):
            key = self._key()
            self._need(")")
            return key
        kind, text = self._any_token()
        if kind not in {"word", "quoted"}:
            raise _Syntax
        key_or_none = self._keys.get(text.strip('`"').lower())
        if key_or_none is None:
            raise invalid_input("Invalid partition expression!")
        return key_or_none

    def _literal(self, key: _Key) -> Any:
        if self._take("("):
            value = self._literal(key)
            self._need(")")
            return value
        self._take("date", "timestamp")
        kind, text = self._any_token()
        if kind == "string":
            return key.literal(text[1:-1].replace("''", "'"))
        if kind == "number":
            return key.literal(text)
        raise _Syntax

    def _any_token(self) -> tuple[str, str]:
        if self._next >= len(self._tokens):
            raise _Syntax
        self._next += 1
        return self._tokens[self._next - 1]


_TAILS = ("between", "in", "like", *COMPARISONS)


def _tokens(expression: str) -> list[tuple[str, str]]:
    text = expression.rstrip()
    tokens = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise _Syntax
        tokens.append((found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return tokens


def _of(key: _Key, test: Callable[[Any], bool]) -> Condition:
    def condition(values: Sequence[str]) -> bool | None:
        value = key.value(values)
        return None if value is None else test(value)

    return condition


def _negated(condition: Condition) -> Condition:
    def opposite(values: Sequence[str]) -> bool | None:
        met = condition(values)
        return None if met is None else not met

    return opposite


def _like(pattern: str) -> re.Pattern[str]:
    """A LIKE pattern: % is any text, _ any character."""
    return re.compile("".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in pattern), re.DOTALL)

"""Trino's tokens (https://trino.io/docs/476/language/reserved.html), enough to find a statement's clauses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<string>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*"|`[^`]*`)
    | (?P<word>\w+)
    | (?P<symbol>.)""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, its kind (string, name, word or symbol) and its place in the text."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The keyword that it may be, in upper case; empty for a quoted name or a string."""
        return self.text.upper() if self.kind in {"word", "symbol"} else ""

    @property
    def value(self) -> str:
        """A string or a name without its quotes; a name is in lower case, as the catalog has it."""
        if self.kind == "string":
            return self.text[1:-1].replace("''", "'")
        if self.kind == "name":
            return self.text[1:-1].replace('""', '"').lower()
        return self.text.lower()


def tokenize(text: str) -> list[Token]:
    """The tokens, without white space and comments."""
    return [
        Token(str(found.lastgroup), found[0], found.start(), found.end())
        for found in _TOKEN.finditer(text)
        if found.lastgroup != "space"
    ]


def top_level(tokens: list[Token], start: int = 0) -> Iterator[tuple[int, Token]]:
    """The tokens from an index on that stand in no parentheses, with their indexes; the parentheses are among them."""
    depth = 0
    for index in range(start, len(tokens)):
        token = tokens[index]
        depth -= token.word in {")", "]"}
        if depth == 0:
            yield index, token
        depth += token.word in {"(", "["}


def closing(tokens: list[Token], opening: int) -> int:
    """The index of the parenthesis that closes the one at `opening`; the last index if none does."""
    return next((index for index, token in top_level(tokens, opening) if token.word == ")"), len(tokens) - 1)


def split(tokens: list[Token]) -> list[list[Token]]:
    """Splits at the commas that stand in no parentheses."""
    parts: list[list[Token]] = [[]]
    commas = {index for index, token in top_level(tokens) if token.word == ","}
    for index, token in enumerate(tokens):
        if index in commas:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def quoted(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string as a literal."""
    return "'" + text.replace("'", "''") + "'"

"""Hive's lexer: the tokens of a DDL statement, each with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from local_cloud.athena.errors import MalformedQueryError

Item = TypeVar("Item")
NOT_SUPPORTED_TYPE = "Queries of this type are not supported"
# https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html, without TIME: Athena's own examples have columns of
# that name (https://docs.aws.amazon.com/athena/latest/ug/create-alb-access-logs-table.html).
_RESERVED = """
    ALL ALTER AND ARRAY AS AUTHORIZATION BETWEEN BIGINT BINARY BOOLEAN BOTH BY CASE CASHE CAST CHAR COLUMN CONF
    CONSTRAINT COMMIT CREATE CROSS CUBE CURRENT CURRENT_DATE CURRENT_TIMESTAMP CURSOR DATABASE DATE DAYOFWEEK DECIMAL
    DELETE DESCRIBE DISTINCT DOUBLE DROP ELSE END EXCHANGE EXISTS EXTENDED EXTERNAL EXTRACT FALSE FETCH FLOAT FLOOR
    FOLLOWING FOR FOREIGN FROM FULL FUNCTION GRANT GROUP GROUPING HAVING IF IMPORT IN INNER INSERT INT INTEGER
    INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LESS LIKE LOCAL MACRO MAP MORE NONE NOT NULL NUMERIC OF ON ONLY OR
    ORDER OUT OUTER OVER PARTIALSCAN PARTITION PERCENT PRECEDING PRECISION PRESERVE PRIMARY PROCEDURE RANGE READS
    REDUCE REGEXP REFERENCES REVOKE RIGHT RLIKE ROLLBACK ROLLUP ROW ROWS SELECT SET SMALLINT START TABLE TABLESAMPLE
    THEN TIMESTAMP TO TRANSFORM TRIGGER TRUE TRUNCATE UNBOUNDED UNION UNIQUEJOIN UPDATE USER USING UTC_TIMESTAMP
    VALUES VARCHAR VIEWS WHEN WHERE WINDOW WITH
"""
RESERVED = frozenset(_RESERVED.split())
_TOKEN = re.compile(
    r"""(?P<skipped>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<quoted>`(?:[^`]|``)*`)
    | (?P<open>['"`].*)
    | (?P<number>\d+(?:\.\d+)?(?!\w))
    | (?P<word>\w+)
    | (?P<symbol><=|>=|<>|!=|.)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[0-3][0-7]{2}|.)", re.DOTALL)
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    QUOTED = "name in backticks"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"
    OPEN = "a quotation that nothing closes"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `value` is what it means: a name without backticks, a string without quotes and escapes.

    `start` and `end` are its places in the text.
    """

    kind: Kind
    text: str
    value: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """The tokens of a statement; the last one is END. Comments and white space are left out, nothing fails."""
    tokens = [_token(found) for found in _TOKEN.finditer(text) if found.lastgroup != "skipped"]
    return [*tokens, Token(Kind.END, "<EOF>", "", len(text), len(text))]


def _token(found: re.Match[str]) -> Token:
    kind, text = Kind[str(found.lastgroup).upper()], found[0]
    match kind:
        case Kind.STRING:
            value = _ESCAPE.sub(_unescape, text[1:-1])
        case Kind.QUOTED:
            value = text[1:-1].replace("``", "`")
        case Kind.OPEN:
            value = text[1:]
        case _:
            value = text
    return Token(kind, text, value, found.start(), found.end())


def _unescape(found: re.Match[str]) -> str:
    """What an escape in a string means, as Hive's BaseSemanticAnalyzer.unescapeSQLString reads it."""
    code = found[1]
    if len(code) == 5:
        return chr(int(code[1:], 16))
    if len(code) == 3:
        return chr(int(code, 8))
    return _ESCAPES.get(code, code)


@dataclass(frozen=True, slots=True)
class ReservedName:
    """A reserved word where a name is to stand, its line counted from 1 and its column from 0."""

    word: str
    line: int
    column: int


class Cursor:
    """A place in a statement's tokens, and the moves of a recursive-descent parser."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self._tokens = tokenize(self.text)
        self._place = 0
        self.reserved: ReservedName | None = None

    @property
    def token(self) -> Token:
        """The token at hand."""
        return self._tokens[self._place]

    def ahead(self, count: int) -> Token:
        """A later token; END behind the last one."""
        return self._tokens[min(self._place + count, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Goes one token on; returns the one that was at hand."""
        token = self.token
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return token

    def at_kind(self, *kinds: Kind) -> bool:
        """Whether the token at hand is of one of these kinds."""
        return self.token.kind in kinds

    def at(self, *words: str) -> bool:
        """Whether these words or symbols come next."""
        return all(_is(self.ahead(count), word) for count, word in enumerate(words))

    def accept(self, *words: str) -> bool:
        """Goes past these words or symbols if all of them come next."""
        if not self.at(*words):
            return False
        for _ in words:
            self.advance()
        return True

    def expect(self, *words: str) -> None:
        """Goes past these words or symbols.

        Raises:
            MalformedQueryError: if another token comes.
        """
        for word in words:
            if not self.accept(word):
                raise self.mismatched(word)

    def name(self) -> str:
        """A name, in lower case as the catalog has it."""
        if not self.at_kind(Kind.WORD, Kind.QUOTED):
            raise self.no_viable()
        return self.advance().value.lower()

    def declared_name(self) -> str:
        """A name that Hive's own parser reads: the first one that is a reserved word is kept in `reserved`."""
        if self.at_kind(Kind.WORD) and self.token.text.upper() in RESERVED and self.reserved is None:
            line, column = self.place()
            self.reserved = ReservedName(self.token.text, line, column)
        return self.name()

    def string(self) -> str:
        """A string's value."""
        if not self.at_kind(Kind.STRING):
            raise self.mismatched("STRING")
        return self.advance().value

    def integer(self) -> int:
        """A whole number."""
        if not self.at_kind(Kind.NUMBER) or not self.token.text.isdigit():
            raise self.mismatched("INTEGER_VALUE")
        return int(self.advance().value)

    def bracketed(self, item: Callable[[], Item]) -> list[Item]:
        """`(item, ...)`, each read by `item`."""
        self.expect("(")
        items = [item()]
        while self.accept(","):
            items.append(item())
        self.expect(")")
        return items

    def finish(self, *expected: str) -> None:
        """Checks that the statement ends here: one semicolon may follow.

        Raises:
            MalformedQueryError: if anything else does.
        """
        if self.accept(";"):
            expected = ()
        if not self.at_kind(Kind.END):
            raise self.mismatched("<EOF>", *expected)

    def rest(self) -> str:
        """The text from here to the statement's end, without its last semicolon; the cursor moves there."""
        start = end = self.token.start
        while not self.at_kind(Kind.END):
            token = self.advance()
            if token.text != ";" or not self.at_kind(Kind.END):
                end = token.end
        return self.text[start:end]

    def mismatched(self, *expected: str) -> MalformedQueryError:
        """The error for a token where only `expected` may stand."""
        names = [name if name in _CLASSES else f"'{name}'" for name in expected]
        wanted = names[0] if len(names) == 1 else f"{{{', '.join(names)}}}"
        return self._error(f"mismatched input '{self.token.text}' expecting {wanted}")

    def no_viable(self) -> MalformedQueryError:
        """The error for a token where none of several things begins."""
        return self._error(f"no viable alternative at input '{self.text[: self.token.end]}'")

    def missing(self, word: str) -> MalformedQueryError:
        """The error for a word that is left out."""
        return self._error(f"missing '{word}' at '{self.token.text}'")

    def place(self) -> tuple[int, int]:
        """The line of the token at hand, counted from 1, and its column, counted from 0."""
        before = self.text[: self.token.start]
        return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)

    def _error(self, problem: str) -> MalformedQueryError:
        line, column = self.place()
        return MalformedQueryError(f"line {line}:{column + 1}: {problem}")


_CLASSES = frozenset({"STRING", "INTEGER_VALUE", "<EOF>"})


def _is(token: Token, word: str) -> bool:
    return token.kind in {Kind.WORD, Kind.SYMBOL} and token.text.upper() == word

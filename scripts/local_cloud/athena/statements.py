"""What a statement is: Hive's DDL, or one for the engine, and how Athena calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from local_cloud.athena.ddl.statement import Ddl
from local_cloud.athena.errors import MalformedQueryError
from local_cloud.athena.hive.statements import parse_ddl
from local_cloud.athena.lexer import Token, closing, split, tokenize, top_level

_DML: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "UNLOAD"})
_QUERIES: Final = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})
_DEFINITIONS: Final = (
    ("DROP", "VIEW"),
    ("SHOW", "CREATE", "VIEW"),
    ("SHOW", "FUNCTIONS"),
    ("DESCRIBE", "INPUT"),
    ("DESCRIBE", "OUTPUT"),
    ("EXPLAIN",),
    ("PREPARE",),
    ("DEALLOCATE",),
    ("EXECUTE",),
)


@dataclass(frozen=True)
class Statement:
    """A statement.

    Attributes:
        text: without a semicolon at its end.
        kind: Athena's StatementType: DDL, DML or UTILITY; empty if Athena has no such statement.
        name: Athena's SubstatementType, like SELECT or CREATE_TABLE_AS_SELECT.
        ddl: what runs it, if it is Hive's DDL and not the engine's.
    """

    text: str
    kind: str
    name: str
    ddl: Ddl | None = None

    @property
    def is_query(self) -> bool:
        """Whether its result is a CSV file with a header, and not plain text."""
        return self.kind == "DML" or self.name == "CREATE_TABLE_AS_SELECT"


def parse(text: str) -> Statement:
    """Tells what a statement is.

    Raises:
        MalformedQueryError: if it is none that Athena has.
    """
    plain = _without_semicolon(text)
    tokens = tokenize(plain)
    if not tokens:
        raise MalformedQueryError("line 1:1: mismatched input '<EOF>'. Expecting: 'SELECT', 'WITH', 'VALUES', ...")
    words = [token.word for token in tokens[:6]]
    own = _of_the_engine(tokens, words)
    if own is not None:
        return Statement(plain, *own)
    ddl = parse_ddl(plain)
    if ddl is not None:
        return Statement(plain, ddl.statement_type, ddl.substatement_type, ddl)
    # The engine's parser says what is wrong with it; what it knows all the same, like SET SESSION, Athena has not.
    return Statement(plain, "", words[0])


def _of_the_engine(tokens: list[Token], words: list[str]) -> tuple[str, str] | None:
    first = words[0]
    if first in _QUERIES:
        return "DML", "SELECT"
    if first in _DML:
        return "DML", first
    if first == "CREATE":
        return _of_create(tokens, words)
    for start in _DEFINITIONS:
        if tuple(words[: len(start)]) == start:
            return ("DDL" if first == "DROP" else "UTILITY"), "_".join(start)
    return None


def _of_create(tokens: list[Token], words: list[str]) -> tuple[str, str] | None:
    if "VIEW" in (words[1:2] if words[1:2] != ["OR"] else words[3:4]):
        return "DDL", "CREATE_VIEW"
    places = [place for place, token in top_level(tokens, 2) if token.word == "AS"]
    if words[1:2] == ["TABLE"] and not all(_ends_a_clause(tokens, place) for place in places):
        return "DDL", "CREATE_TABLE_AS_SELECT"
    return None


def _ends_a_clause(tokens: list[Token], place: int) -> bool:
    """Whether this AS is of Hive's STORED AS or NULL DEFINED AS; a table may have such a name, too."""
    before, word = (token.word for token in tokens[place - 2 : place])
    return word in {"STORED", "DEFINED"} and before not in {"TABLE", "EXISTS", "."}


def _without_semicolon(text: str) -> str:
    tokens = tokenize(text)
    while tokens and tokens[-1].word == ";":
        text = text[: tokens[-1].start]
        tokens.pop()
    return text.rstrip()


def invoker_view(text: str) -> str:
    """CREATE VIEW so that whoever asks the view needs rights of his own to what is beneath, as in Athena."""
    tokens = tokenize(text)
    words = {index: token.word for index, token in top_level(tokens)}
    place = next((index for index, word in words.items() if word == "AS"), None)
    if place is None or "SECURITY" in [words.get(index) for index in range(place)]:
        return text
    return f"{text[: tokens[place].start]}SECURITY INVOKER {text[tokens[place].start :]}"


def prepared(text: str) -> tuple[str, str]:
    """Name and statement of `PREPARE name FROM statement`.

    Raises:
        MalformedQueryError: if it is not well-formed.
    """
    tokens = tokenize(text)
    if len(tokens) < 4 or tokens[2].word != "FROM":
        raise MalformedQueryError("line 1:1: PREPARE has to look like PREPARE name FROM statement.")
    return tokens[1].value, text[tokens[3].start :]


def executed(text: str) -> tuple[str, list[str]]:
    """Name and parameters, each the text of an expression, of `EXECUTE name [USING value, ...]`.

    Raises:
        MalformedQueryError: if it is not well-formed.
    """
    tokens = tokenize(text)
    if len(tokens) < 2 or (len(tokens) > 2 and tokens[2].word != "USING"):
        raise MalformedQueryError("line 1:1: EXECUTE has to look like EXECUTE name USING value, ...")
    return tokens[1].value, [text[part[0].start : part[-1].end] for part in split(tokens[3:])]


def deallocated(text: str) -> str:
    """The name in `DEALLOCATE PREPARE name`.

    Raises:
        MalformedQueryError: if it is not well-formed.
    """
    tokens = tokenize(text)
    if [token.word for token in tokens[:2]] != ["DEALLOCATE", "PREPARE"] or len(tokens) != 3:
        raise MalformedQueryError("line 1:1: DEALLOCATE has to look like DEALLOCATE PREPARE name.")
    return tokens[2].value


def body_of(statement: Statement) -> str:
    """What the engine's parser can judge: of UNLOAD only its query."""
    if statement.name != "UNLOAD":
        return statement.text
    tokens = tokenize(statement.text)
    return statement.text[tokens[1].end : tokens[closing(tokens, 1)].start] if len(tokens) > 1 else statement.text

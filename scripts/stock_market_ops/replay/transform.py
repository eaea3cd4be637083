"""Judges quarantined records by today's rules, as they are or after a filter program of the operator's."""

from __future__ import annotations

import base64
import shlex
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from stock_market.chain.segment import Poison
from stock_market.quotes import validation as quotes

_SECONDS = 300


class MendError(Exception):
    """The filter program cannot be used; the message is one sentence."""


class Judged(NamedTuple):
    """A quarantined record, checked again.

    Attributes:
        offset: its Kafka offset.
        reason: why it was quarantined.
        line: the quote that it is now; empty when it is none.
        flaw: why it is none now; empty when it is one.
        producer_id: the quote's producer.
        sequence: the quote's number.
    """

    offset: int
    reason: str
    line: bytes
    flaw: str
    producer_id: str = ""
    sequence: int = -1


class _Quote(msgspec.Struct):
    symbol: str
    producer_id: str
    sequence: int


_QUOTE = msgspec.json.Decoder(_Quote)
_ENCODER = msgspec.json.Encoder()


def _raw(text: str | None, encoding: str) -> bytes | None:
    if text is None:
        return None
    return text.encode() if encoding == "utf-8" else base64.b64decode(text)


def _judge(poison: Poison, key: bytes | None, value: bytes | None) -> Judged:
    flaw = quotes.flaw(key, value)
    if flaw is not None or value is None:
        return Judged(poison.offset, poison.reason, b"", flaw or "")
    quote = _QUOTE.decode(value)
    return Judged(poison.offset, poison.reason, value, "", quote.producer_id, quote.sequence)


def as_they_are(poisons: Sequence[Poison]) -> list[Judged]:
    """Judges the records as Kafka held them."""
    return [
        _judge(poison, _raw(poison.key, poison.encoding), _raw(poison.value, poison.encoding)) for poison in poisons
    ]


class Filter:
    """A program that turns each of the quarantine's lines into a quote, or into `null`.

    It reads lines of the quarantine's form (topic, partition, offset, timestamp, reason, encoding, key, value) on
    standard input, and writes one line for each to standard output: the quote, as JSON, or `null` for a record that it
    cannot mend. It must give the same answer for the same line. The quote's symbol stands in for the record's key.

    Args:
        command: the program and its arguments, quoted as for a shell, which is not used.

    Raises:
        MendError: the command cannot be taken apart.
    """

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise MendError(f"the filter {command!r} is not quoted rightly: {error}") from error
        if not self._words:
            raise MendError("the filter is empty: name a program")

    def __call__(self, poisons: Sequence[Poison]) -> list[Judged]:
        """Mends records and judges what came of them.

        Raises:
            MendError: the program failed or did not write one line for each.
        """
        text = b"".join(_ENCODER.encode(poison) + b"\n" for poison in poisons)
        try:
            done = subprocess.run(self._words, input=text, capture_output=True, timeout=_SECONDS, check=False)
        except OSError as error:
            raise MendError(f"the filter {self._words[0]} cannot be run: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise MendError(f"the filter {self._words[0]} did not end within {_SECONDS} s") from error
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise MendError(f"the filter {self._words[0]} ended with exit code {done.returncode}: {words}")
        answers = done.stdout.removesuffix(b"\n").split(b"\n")
        if len(answers) != len(poisons):
            raise MendError(
                f"the filter {self._words[0]} wrote {len(answers)} lines for {len(poisons)} records: it has to write"
                " one for each, `null` for a record that it cannot mend"
            )
        return [self._answer(poison, answer.strip()) for poison, answer in zip(poisons, answers, strict=True)]

    @staticmethod
    def _answer(poison: Poison, answer: bytes) -> Judged:
        if answer in (b"", b"null"):
            return Judged(poison.offset, poison.reason, b"", "the filter cannot mend it")
        try:
            key: bytes | None = _QUOTE.decode(answer).symbol.encode()
        except (msgspec.DecodeError, UnicodeError):
            key = None
        return _judge(poison, key, answer)

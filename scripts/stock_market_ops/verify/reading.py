"""Reads one object from S3 in pieces: counts its lines, sums them, and collects sequence numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
from isal import isal_zlib
from isal.isal_zlib import IsalError

from stock_market.chain.segment import Poison
from stock_market.history.checksum import added, checksum_of_records
from stock_market.quotes.validation import Quote
from stock_market_ops.verify.bucket import opened
from stock_market_ops.verify.history.totals import Totals
from stock_market_ops.verify.numbers import Numbers

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PACKED_BYTES = 256 << 10
_PLAIN_BYTES = 1 << 20
_GZIP = 31
_LINE_BYTES = 16 << 20
"""More than Kafka's largest record makes in the quarantine's form; a longer line would be held in memory."""


class Content(Enum):
    """What an object is."""

    QUOTES = "quotes"
    QUARANTINE = "quarantine"
    HISTORY = "history"
    SUMS = "sums"


class Counted(NamedTuple):
    """What some records of one producer carry: the set of their numbers, serialized, their sum, and their count."""

    numbers: bytes
    newest: int
    records: int
    total: int
    doubles: int
    examples: list[int]

    @classmethod
    def of(cls, numbers: Numbers) -> Counted:
        """These numbers, to be sent from process to process."""
        seen = numbers.seen
        newest = seen.max() if seen else -1
        return cls(seen.serialize(), newest, numbers.records, numbers.total, numbers.doubles, numbers.examples)


class Reading(NamedTuple):
    """What one object really holds.

    Attributes:
        key: where it lies.
        metadata: what S3 keeps beside it.
        lines: how many lines.
        sha256: of its bytes, hexadecimal.
        flaw: what is wrong with its form, in words that follow its name; empty when nothing is.
        producers: the numbers that its records carry.
        offsets: first and last offset of a quarantine object's lines; (-1, -1) where there are none.
        checksum: of its records, as `stock_market.history.checksum` has it; None where it was not asked for, or where a
            line is no record.
        tags: how many tags it has.
        totals: of a file of the history: sums of its records, or those that it says.
    """

    key: str
    metadata: dict[str, str]
    lines: int
    sha256: str
    flaw: str
    producers: dict[str, Counted]
    offsets: tuple[int, int] = (-1, -1)
    checksum: int | None = None
    tags: int = 0
    totals: Totals | None = None


class _Numbered(msgspec.Struct, gc=False):
    """The fields of a quote that tell records apart."""

    producer_id: str
    sequence: int


_Decoder = msgspec.json.Decoder[_Numbered] | msgspec.json.Decoder[Quote]
_NUMBERED = msgspec.json.Decoder(_Numbered)
_QUOTE = msgspec.json.Decoder(Quote)
_POISON = msgspec.json.Decoder(Poison)


class FlawError(Exception):
    """The object's form is wrong; the words follow its name."""


def summed(pieces_of_it: Iterator[bytes], checksum: hashlib._Hash) -> Iterator[bytes]:
    """The same pieces, each added to a checksum as it comes by."""
    for piece in pieces_of_it:
        checksum.update(piece)
        yield piece


def unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    """The content of a gzip file of one or more members, in pieces of at most a mebibyte.

    Raises:
        FlawError: it is no gzip file, is damaged or ends too early.
    """
    member = isal_zlib.decompressobj(_GZIP)
    fed = False
    for piece in packed:
        rest = piece
        while rest:
            fed = True
            try:
                plain = member.decompress(rest, _PLAIN_BYTES)
            except IsalError as error:  # type: ignore[misc]  # its stub declares an instance
                raise FlawError(f"is no sound gzip file ({error})") from error
            if plain:
                yield plain
            rest = member.unconsumed_tail
            if member.eof:
                rest = member.unused_data
                member = isal_zlib.decompressobj(_GZIP)
                fed = False
        while not member.eof and fed:
            plain = member.decompress(b"", _PLAIN_BYTES)
            if not plain:
                break
            yield plain
    if fed:
        raise FlawError("ends in the middle of its gzip file")


class QuoteLines:
    """Collects the numbers of quotes, and their checksum where it is asked for.

    Args:
        with_checksum: reads every field of each line.
    """

    def __init__(self, *, with_checksum: bool = False) -> None:
        self._decoder: _Decoder = _QUOTE if with_checksum else _NUMBERED
        self._with_checksum = with_checksum
        self.checksum = 0
        self.producers: dict[str, Numbers] = {}
        self.lines = 0
        self.flaw = ""

    def take(self, lines: bytes) -> None:
        """Takes lines, each with its end; one that is no quote is a flaw, and the others still count."""
        # The decoder takes several values on a line, and values over several lines. But between `}` and `{` a line's
        # end is only possible between two values, so with as many values as lines each line is one.
        alike = lines.startswith(b"{") and lines.endswith(b"}\n")
        count = lines.count(b"}\n{") + 1
        try:
            quotes = self._decoder.decode_lines(lines) if alike else []
        except (msgspec.DecodeError, UnicodeDecodeError):
            quotes = []
        if len(quotes) != count:
            quotes, count = self._one_by_one(lines)
        self.lines += count
        if self._with_checksum:
            self.checksum = added(self.checksum, checksum_of_records(cast("list[Quote]", quotes)))
        names = {quote.producer_id for quote in quotes}
        for name in names:
            if len(names) == 1:
                numbers = [quote.sequence for quote in quotes]
            else:
                numbers = [quote.sequence for quote in quotes if quote.producer_id == name]
            if min(numbers) < 0:
                self.flaw = self.flaw or f"holds a negative sequence number of producer {name}"
                numbers = [number for number in numbers if number >= 0]
            self.producers.setdefault(name, Numbers()).add(numbers)

    def _one_by_one(self, lines: bytes) -> tuple[list[_Numbered] | list[Quote], int]:
        quotes: list[Any] = []
        split = lines[:-1].split(b"\n")
        for number, line in enumerate(split, self.lines + 1):
            try:
                quotes.append(self._decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self.flaw = self.flaw or f"holds no quote on line {number}: {error}"
        return quotes, len(split)


class PoisonLines:
    """Collects the offsets of quarantined records, and the numbers that can be read in them all the same."""

    def __init__(self) -> None:
        self.producers: dict[str, Numbers] = {}
        self.lines = 0
        self.flaw = ""
        self.first = -1
        self.last = -1

    def take(self, lines: bytes) -> None:
        """Takes lines of the quarantine's form, each with its end."""
        for line in lines[:-1].split(b"\n"):
            self.lines += 1
            try:
                poison = _POISON.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self.flaw = self.flaw or f"holds no quarantined record on line {self.lines}: {error}"
                continue
            if poison.offset <= self.last:
                self.flaw = self.flaw or f"holds offset {poison.offset} after offset {self.last}"
            self.first = poison.offset if self.first < 0 else self.first
            self.last = poison.offset
            numbered = numbered_in(poison)
            if numbered is not None:
                self.producers.setdefault(numbered[0], Numbers()).add([numbered[1]])


def numbered_in(poison: Poison) -> tuple[str, int] | None:
    """Producer and sequence number of a quarantined record, where they can be read."""
    if poison.value is None or poison.encoding != "utf-8":
        return None
    try:
        found = _NUMBERED.decode(poison.value)
    except msgspec.DecodeError:
        return None
    return (found.producer_id, found.sequence) if 0 <= found.sequence < 2**63 else None


def _feed(plain: Iterator[bytes], lines: QuoteLines | PoisonLines) -> None:
    rest = b""
    for piece in plain:
        whole, end, tail = piece.rpartition(b"\n")
        if end:
            lines.take(b"".join((rest, whole, end)))
            rest = tail
        else:
            rest += tail
            if len(rest) > _LINE_BYTES:
                raise FlawError(f"holds a line of more than {_LINE_BYTES >> 20} MiB")
    if rest:
        raise FlawError("ends without the end of its last line")


def read(client: S3Client, bucket: str, key: str, kind: Content, *, with_checksum: bool = False) -> Reading:
    """Reads an object of quotes or of the quarantine from its start to its end, in bounded memory.

    Raises:
        botocore's errors: S3 did not give it.
    """
    checksum = hashlib.sha256()
    quarantine = kind is Content.QUARANTINE
    lines: QuoteLines | PoisonLines = PoisonLines() if quarantine else QuoteLines(with_checksum=with_checksum)
    metadata, tags, packed = opened(client, bucket, key, _PACKED_BYTES)
    flaw = ""
    try:
        _feed(unpacked(summed(packed, checksum)), lines)
    except FlawError as error:
        flaw = str(error)
    flaw = flaw or lines.flaw
    return Reading(
        key,
        metadata,
        lines.lines,
        checksum.hexdigest(),
        flaw,
        {name: Counted.of(numbers) for name, numbers in lines.producers.items()},
        (lines.first, lines.last) if isinstance(lines, PoisonLines) else (-1, -1),
        lines.checksum if isinstance(lines, QuoteLines) and with_checksum and not flaw else None,
        tags,
    )

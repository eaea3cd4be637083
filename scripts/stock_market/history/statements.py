"""The statements in Athena that write an hour of the history and compare it with its source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stock_market.errors import ServiceError
from stock_market.history import checksum
from stock_market.history.manifest import Producer
from stock_market.history.naming import Hour
from stock_market.history.summary import HOURS
from stock_market.history.tables import COLUMNS, literal
from stock_market.history.view import Names

_LISTED = ", ".join(f'"{name}"' for name, _ in COLUMNS)
_SOURCE, _HISTORY = "source", "history"
_MOST_SUMS = 100_000_000
# Of the numbers 0 to 63, those in which a bit is set, as bits of a bigint.
_MASKS = [
    int.from_bytes(sum(1 << number for number in range(64) if number >> at & 1).to_bytes(8, "big"), "big", signed=True)
    for at in range(6)
]


def raw(names: Names, hour: Hour, paths: Iterable[str] = ()) -> str:
    """The records of an hour's raw objects, or of those at these paths alone, such as `s3://bucket/key`."""
    listed = ", ".join(literal(path) for path in paths)
    only = f' AND "$path" IN ({listed})' if listed else ""
    return f'SELECT {_LISTED} FROM "{names.raw}" WHERE dt = {literal(hour.dt)} AND hour = {literal(hour.hour)}{only}'


def revision(names: Names, hour: Hour, name: str) -> str:
    """The records of a revision of an hour."""
    return f'SELECT {_LISTED} FROM "{names.history}" WHERE {_is(hour, name)}'


def _is(hour: Hour, name: str) -> str:
    return f"dt = {literal(hour.dt)} AND hour = {literal(hour.hour)} AND revision = {literal(name)}"


def union(parts: Sequence[str]) -> str:
    """The records of several SELECTs."""
    return " UNION ALL ".join(parts)


def unload(source: str, location: str) -> str:
    """Writes records as Parquet, each file sorted by symbol and time, so that readers leave out row groups.

    https://docs.aws.amazon.com/athena/latest/ug/unload.html: with ORDER BY the contents of each file are in sorted
    order, the files among themselves are not.
    """
    return (
        f"UNLOAD (SELECT {_LISTED} FROM ({source}) ORDER BY symbol, event_time, producer_id, sequence)"
        f" TO {literal(location)} WITH (format = 'PARQUET', compression = 'ZSTD')"
    )


def unload_sums(names: Names, hour: Hour, name: str, location: str) -> str:
    """Writes a revision of an hour summed up, as Parquet.

    The limit brings all rows together in one writer, and so in one file. Without it there are at least two, one for
    each kind of row, and a query has to open each. Rows beyond it would be found lacking by `summed`.

    Args:
        names: of the tables of the quotes.
        hour: the hour.
        name: the revision.
        location: the folder, which has to be empty: `s3://bucket/.../`.
    """
    summed = HOURS.select.format(table=f'"{names.history}"', condition=_is(hour, name))
    listed = ", ".join(f'"{column}"' for column, _ in HOURS.columns)
    return (
        f"UNLOAD (SELECT {listed} FROM ({summed}) ORDER BY symbol, producer_id, block LIMIT {_MOST_SUMS})"
        f" TO {literal(location)} WITH (format = 'PARQUET', compression = 'ZSTD')"
    )


def summed(names: Names, hour: Hour, name: str) -> str:
    """What a revision of an hour summed up says of each producer, twice: by its symbols, and by its sequence numbers.

    Args:
        names: of the tables of the hours summed up.
        hour: the hour.
        name: the revision.
    """
    numbers = " + ".join(f"{1 << at} * bit_count(bitwise_and(bits, {mask}), 64)" for at, mask in enumerate(_MASKS))
    return (
        "SELECT producer_id, sum(records) FILTER (WHERE day IS NOT NULL), min(first_sequence), max(last_sequence),"
        " sum(records) FILTER (WHERE block IS NOT NULL), sum(bit_count(bits, 64)),"
        f" sum(CAST(block * 64 AS decimal(38, 0)) * bit_count(bits, 64) + {numbers})"
        f' FROM "{names.history}" WHERE {_is(hour, name)} GROUP BY producer_id'
    )


def summed_records(names: Names) -> str:
    """The records of each revision of each hour summed up, by its symbols and by its sequence numbers.

    Args:
        names: of the tables of the hours summed up.
    """
    return (
        "SELECT dt, hour, revision, sum(records) FILTER (WHERE day IS NOT NULL),"
        f' sum(records) FILTER (WHERE block IS NOT NULL) FROM "{names.history}" GROUP BY dt, hour, revision'
    )


def agree(rows: Iterable[Sequence[str | None]], producers: Iterable[Producer]) -> bool:
    """Whether the answer of `summed` is what a manifest says of its producers.

    The sum of the sequence numbers is compared where each is there once; the sums count a doubled one once.
    """
    found = {str(row[0]): tuple(int(one or 0) for one in row[1:]) for row in rows}
    expected = {one.producer_id: one for one in producers}
    if found.keys() != expected.keys():
        return False
    for producer_id, (records, least, greatest, counted, distinct, total) in found.items():
        one = expected[producer_id]
        if (records, least, greatest, counted) != (one.records, one.min, one.max, one.records):
            return False
        if distinct == one.records and total != int(one.sum):
            return False
    return True


def comparison(source: str, written: str) -> str:
    """Counts, sequence numbers and checksum of each producer, in the source and in what was written, by one query."""
    parts = [
        f"SELECT '{side}' AS side, {_LISTED} FROM ({sql})" for side, sql in ((_SOURCE, source), (_HISTORY, written))
    ]
    return (
        "SELECT side, producer_id, count(*), min(sequence), max(sequence), sum(cast(sequence AS decimal(38, 0))),"
        f" {checksum.sql_of_sum('digest')}, count(digest)"
        f" FROM (SELECT side, producer_id, sequence, {checksum.sql_of_record()} AS digest FROM ({union(parts)}))"
        " GROUP BY side, producer_id"
    )


class Content(NamedTuple):
    """What a source, or what was written, holds: records by producer_id; their checksum, from 0 to 2^64 - 1."""

    producers: dict[str, Producer]
    checksum: int

    @property
    def rows(self) -> int:
        """Its records."""
        return sum(one.records for one in self.producers.values())


class NullError(ServiceError):
    """A record has a field without a value."""


def contents(rows: Iterable[Sequence[str | None]]) -> tuple[Content, Content]:
    """The answer of `comparison`: the source, and what was written.

    Raises:
        NullError: a record lacks a field; no valid quote does.
    """
    producers: dict[str, dict[str, Producer]] = {_SOURCE: {}, _HISTORY: {}}
    checksums = dict.fromkeys(producers, 0)
    for side, producer_id, records, least, greatest, total, digest, digested in rows:
        if None in (side, producer_id, least, greatest, total, digest) or records != digested:
            raise NullError(
                f"the {side} of the hour holds a record of producer {producer_id} in which a field has no value: it was"
                " not written by the consumer; `make verify` names the object"
            )
        producers[str(side)][str(producer_id)] = Producer(
            producer_id=str(producer_id),
            records=int(records or 0),
            min=int(least or 0),
            max=int(greatest or 0),
            sum=str(total),
        )
        checksums[str(side)] = checksum.added(checksums[str(side)], int(digest or 0))
    return Content(producers[_SOURCE], checksums[_SOURCE]), Content(producers[_HISTORY], checksums[_HISTORY])

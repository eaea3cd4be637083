"""A checksum over records that does not depend on their order, the same in Athena and in Python.

Of each record: xxhash64, seed 0, of these bytes, as a signed 64-bit integer; all added up modulo 2^64.

    utf8(symbol) 00 utf8(event_time) 00 open high low close adj_close volume close_usd utf8(producer_id) 00 sequence

Prices are IEEE 754 doubles, volume and sequence 64-bit integers, both big-endian. -0.0 counts as 0.0, for readers of
JSON do not agree on what `-0` is. JSON has no NaN.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING

from xxhash import xxh64_intdigest

from stock_market.history.tables import COLUMNS

if TYPE_CHECKING:
    from stock_market.quotes.validation import Quote

_NUMBERS = struct.Struct(">dddddqd")
_SEQUENCE = struct.Struct(">q")
_BITS = 64
_MASK = (1 << _BITS) - 1
_STRINGS = frozenset({"symbol", "event_time", "producer_id"})


def checksum_of_records(records: Iterable[Quote]) -> int:
    """The checksum of parsed records, from 0 to 2^64 - 1; checksums of parts are added modulo 2^64 (`added`).

    Raises:
        TypeError, struct.error: a value is None, or a number does not fit.
    """
    numbers, last, digest, total = _NUMBERS.pack, _SEQUENCE.pack, xxh64_intdigest, 0
    for one in records:
        total += digest(
            # Not formatted, which would take None for a text.
            (one.symbol + "\0" + one.event_time + "\0").encode()
            + numbers(
                one.open + 0.0,
                one.high + 0.0,
                one.low + 0.0,
                one.close + 0.0,
                one.adj_close + 0.0,
                one.volume,
                one.close_usd + 0.0,
            )
            + (one.producer_id + "\0").encode()
            + last(one.sequence)
        )
    return total & _MASK


def added(*checksums: int) -> int:
    """The checksum of all records of which these are the checksums; also of signed sums, as Athena gives them."""
    return sum(checksums) & _MASK


def text_of(checksum: int) -> str:
    """A checksum as text: 16 hexadecimal digits."""
    return f"{checksum & _MASK:016x}"


def sql_of_record() -> str:
    """The SQL expression of one record's signed hash, a bigint; NULL where a field is NULL."""
    parts = []
    for name, kind in COLUMNS:
        if name in _STRINGS:
            parts += [f'to_utf8("{name}")', "X'00'"]
        else:
            parts.append(f'to_ieee754_64("{name}" + 0e0)' if kind == "double" else f'to_big_endian_64("{name}")')
    return f"from_big_endian_64(xxhash64(concat({', '.join(parts)})))"


def sql_of_sum(hash_column: str) -> str:
    """The SQL expression that adds up records' hashes, a decimal(38,0); modulo 2^64 it is the checksum (`added`)."""
    return f"sum(cast({hash_column} AS decimal(38, 0)))"

"""What an hour of arrival holds, summed up: what the named analyses read instead of every quote.

The table has rows of two kinds. One for each symbol, producer run and day of event_time: there `block` is NULL. And one
for each 64 sequence numbers of a producer run, from `64 * block` on, of which `bits` has one bit each, the lowest
first: there `symbol` is NULL. By `symbol IS NOT NULL` or `block IS NOT NULL` a query chooses, and Athena leaves out
the other kind before it reads anything. Rows of several hours can be added up: sums by sum, extremes by min and max,
bits by bitwise_or_agg.

Steps and swings go from a symbol's quote to its next one of the hour, in the order of event_time, producer_id and
sequence. So an hour's rows depend on its own records alone.
"""

from __future__ import annotations

from typing import NamedTuple

from stock_market.history.tables import RAW_KEYS, Layer

_MOVE = "row(event_time varchar, close_before double, close double)"

_BIT = "bitwise_left_shift(BIGINT '1', CAST(sequence % 64 AS integer))"
_DAY = "substr(event_time, 1, 10)"


class _Column(NamedTuple):
    """A column: its type in Athena, and what it is in the rows of symbols and in those of sequence numbers."""

    name: str
    kind: str
    of_symbol: str = "NULL"
    of_block: str = "NULL"


_COLUMNS = (
    _Column("producer_id", "string", "producer_id", "producer_id"),
    _Column("records", "bigint", "count(*)", "count(*)"),
    # Which numbers there are.
    _Column("block", "bigint", of_block="sequence / 64"),
    _Column("bits", "bigint", of_block=f"bitwise_or_agg({_BIT})"),
    # What a symbol's quotes come to.
    _Column("symbol", "string", "symbol"),
    _Column("day", "string", _DAY),
    _Column("first_sequence", "bigint", "min(sequence)"),
    _Column("last_sequence", "bigint", "max(sequence)"),
    _Column("first_time", "string", "min(event_time)"),
    _Column("last_time", "string", "max(event_time)"),
    _Column("first_close", "double", "min_by(close, row(event_time, sequence))"),
    _Column("last_close", "double", "max_by(close, row(event_time, sequence))"),
    _Column("low", "double", "min(low)"),
    _Column("high", "double", "max(high)"),
    _Column("high_at", "string", "min_by(event_time, row(-high, event_time))"),
    _Column("close_sum", "double", "sum(close)"),
    _Column("close_usd_sum", "double", "sum(close_usd)"),
    _Column("volume", "bigint", "sum(volume)"),
    _Column("largest_volume", "bigint", "max(volume)"),
    _Column("zero_volumes", "bigint", "count_if(volume = 0)"),
    # The ten largest steps from one close to the next, by their share of the price.
    _Column(
        "moves",
        "array<struct<event_time:string,close_before:double,close:double>>",
        f"min_by(CAST(row(event_time, close_before, close) AS {_MOVE}),"
        " row(-abs((close - close_before) / close_before), event_time), 10) FILTER (WHERE close_before > 0)",
    ),
    # A return is the logarithm of such a step; a swing is the standard deviation of the last 20, in percent.
    _Column("returns", "bigint", "count(log_return)"),
    _Column("swings", "bigint", "count(swing)"),
    _Column("swing_sum", "double", "sum(swing)"),
    _Column("largest_swing", "double", "max(swing)"),
    _Column("last_swing", "double", "max_by(swing, row(event_time, sequence)) FILTER (WHERE swing IS NOT NULL)"),
)
_WINDOW = "PARTITION BY dt, hour, symbol ORDER BY event_time, producer_id, sequence"
_STEPS = f"SELECT *, lag(close) OVER ({_WINDOW}) AS close_before FROM {{table}} WHERE {{condition}}"
_RETURNS = (
    "SELECT *, CASE WHEN close > 0 AND close_before > 0 THEN ln(close / close_before) END AS log_return"
    f" FROM ({_STEPS})"
)
_SWINGS = (
    f"SELECT *, 1e2 * stddev_samp(log_return) OVER ({_WINDOW} ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS swing"
    f" FROM ({_RETURNS})"
)


def _rows(columns: list[str], source: str, group: str) -> str:
    named = [f'{sql} AS "{one.name}"' for sql, one in zip(columns, _COLUMNS, strict=True)]
    return f"SELECT {', '.join((*named, *RAW_KEYS))}\nFROM {source}\nGROUP BY {group}"


HOURS = Layer(
    "Hours of quotes that are over, summed up, as Parquet; quotes_hours says which revision of each is valid",
    tuple((one.name, one.kind) for one in _COLUMNS),
    "\nUNION ALL\n".join(
        (
            _rows([one.of_symbol for one in _COLUMNS], f"({_SWINGS})", f"dt, hour, symbol, producer_id, {_DAY}"),
            _rows(
                [one.of_block for one in _COLUMNS],
                "{table}\nWHERE {condition}",
                "dt, hour, producer_id, sequence / 64",
            ),
        )
    ),
)

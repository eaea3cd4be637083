"""What an hour of arrival holds, summed up: what the named analyses read instead of every quote.

The table has rows of three kinds, and a query chooses one by the column that only these have: Athena then leaves out
the others before it reads anything.

- `day IS NOT NULL`: sums and extremes of a symbol's quotes, for each producer run and day of event_time.
- `returns IS NOT NULL`: steps from a symbol's quote to its next one of the hour, in the order of event_time,
  producer_id and sequence. Apart from the sums, as ordering takes much memory, and less with fewer columns.
- `block IS NOT NULL`: the sequence numbers of a producer run from `64 * block` on, of which `bits` has one bit each,
  the lowest first.

An hour's rows depend on its own records alone. Rows of several hours can be added up: sums by sum, extremes by min and
max, bits by bitwise_or_agg.
"""

from __future__ import annotations

from typing import NamedTuple

from stock_market.history.tables import RAW_KEYS, Layer

MOST_VOLUME = 2**63 - 1
"""More than this the column `volume` does not say."""

_MOVE = "row(event_time varchar, close_before double, close double)"

_BIT = "bitwise_left_shift(BIGINT '1', CAST(sequence % 64 AS integer))"
_DAY = "substr(event_time, 1, 10)"


class _Column(NamedTuple):
    """A column: its type in Athena, and what it is in the rows of each kind."""

    name: str
    kind: str
    of_sums: str = "NULL"
    of_steps: str = "NULL"
    of_blocks: str = "NULL"


# Two records of the largest volume must not make every question about their hour fail.
_MOST_VOLUME = f"DECIMAL '{MOST_VOLUME}'"
_FIRST, _LAST = "min_by(close, row(event_time, sequence))", "max_by(close, row(event_time, sequence))"
_COLUMNS = (
    _Column("producer_id", "string", "producer_id", "producer_id", "producer_id"),
    _Column("symbol", "string", "symbol", "symbol"),
    _Column("records", "bigint", "count(*)", of_blocks="count(*)"),
    _Column("first_time", "string", "min(event_time)", "min(event_time)"),
    _Column("last_time", "string", "max(event_time)", "max(event_time)"),
    _Column("first_close", "double", _FIRST, _FIRST),
    _Column("last_close", "double", _LAST, _LAST),
    # Sums.
    _Column("day", "string", _DAY),
    _Column("first_sequence", "bigint", "min(sequence)"),
    _Column("last_sequence", "bigint", "max(sequence)"),
    _Column("low", "double", "min(low)"),
    _Column("high", "double", "max(high)"),
    _Column("high_at", "string", "min_by(event_time, row(-high, event_time))"),
    _Column("close_sum", "double", "sum(close)"),
    _Column("close_usd_sum", "double", "sum(close_usd)"),
    _Column("volume", "bigint", f"CAST(least(sum(CAST(volume AS decimal(38, 0))), {_MOST_VOLUME}) AS bigint)"),
    _Column("largest_volume", "bigint", "max(volume)"),
    _Column("zero_volumes", "bigint", "count_if(volume = 0)"),
    # Steps. The ten largest from one close to the next, by their share of the price.
    _Column(
        "moves",
        "array<struct<event_time:string,close_before:double,close:double>>",
        of_steps=f"min_by(CAST(row(event_time, close_before, close) AS {_MOVE}),"
        " row(-abs((close - close_before) / close_before), event_time), 10) FILTER (WHERE close_before > 0)",
    ),
    # A return is the logarithm of a step; a swing is the standard deviation of the last 20, in percent.
    _Column("returns", "bigint", of_steps="count(log_return)"),
    _Column("swings", "bigint", of_steps="count(swing)"),
    _Column("swing_sum", "double", of_steps="sum(swing)"),
    _Column("largest_swing", "double", of_steps="max(swing)"),
    _Column(
        "last_swing", "double", of_steps="max_by(swing, row(event_time, sequence)) FILTER (WHERE swing IS NOT NULL)"
    ),
    # Which numbers there are.
    _Column("block", "bigint", of_blocks="sequence / 64"),
    _Column("bits", "bigint", of_blocks=f"bitwise_or_agg({_BIT})"),
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


_SOURCE = "{table}\nWHERE {condition}"


def _rows(columns: list[str], source: str, group: str) -> str:
    named = [f'{sql} AS "{one.name}"' for sql, one in zip(columns, _COLUMNS, strict=True)]
    return f"SELECT {', '.join((*named, *RAW_KEYS))}\nFROM {source}\nGROUP BY {group}"


HOURS = Layer(
    "Hours of quotes that are over, summed up, as Parquet; quotes_hours says which revision of each is valid",
    tuple((one.name, one.kind) for one in _COLUMNS),
    "\nUNION ALL\n".join(
        (
            _rows([one.of_sums for one in _COLUMNS], _SOURCE, f"dt, hour, symbol, producer_id, {_DAY}"),
            _rows([one.of_steps for one in _COLUMNS], f"({_SWINGS})", "dt, hour, symbol, producer_id"),
            _rows([one.of_blocks for one in _COLUMNS], _SOURCE, "dt, hour, producer_id, sequence / 64"),
        )
    ),
    version="3",
    former=("2",),
)

"""Reads the rows of market data with pyarrow, block by block: once to decide formats, once to make quotes of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, tzinfo
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from stock_market.producer.replay_file import QuoteStart
from stock_market_ops.market_data import dates, numbers
from stock_market_ops.market_data.columns import PRICES, Mapping
from stock_market_ops.market_data.lines import DataFile, Rows
from stock_market_ops.market_data.report import MarketDataError, Tally

_BLOCK_BYTES = 1 << 20
_LONGEST_SYMBOL = 64
_TELLING_POINT = r"^[-+]?(0\.|\d{4,}\.|\d{1,3}\.(\d{1,2}|\d{4,})$)"
_BAD = object()
_DATE_ORDERS = {
    dates.DAY_FIRST: "date as DD/MM/YYYY",
    dates.MONTH_FIRST: "date as MM/DD/YYYY",
    dates.YEAR_FIRST: "date as YY-MM-DD",
}
_ENCODER = msgspec.json.Encoder()
_EXACT = 2.0**53
_RATE_TOLERANCE = 0.01


class Formats(NamedTuple):
    """What has been decided for all files of a market.

    Attributes:
        order: `day_first`, `month_first` or `year_first`.
        mark: `point` or `comma`.
        timed: whether rows have times of day.
        zone: of times that name none.
        epoch: what numbers in place of dates count, see `dates.parse`.
    """

    order: str
    mark: str
    timed: bool
    zone: tzinfo
    epoch: int | None = None


@dataclass(slots=True)
class Survey:
    """What the first reading finds."""

    dates: dates.Evidence = field(default_factory=dates.Evidence)
    numbers: numbers.Evidence = field(default_factory=numbers.Evidence)
    rows: int = 0


class Row(NamedTuple):
    """A quote without what only its sending adds.

    Attributes:
        moment_ms: its event time, in milliseconds since 1970.
        line: a JSON object, without the line's end.
    """

    moment_ms: int
    line: bytes


def _blocks(file: DataFile, tally: Tally, *, count: bool) -> Iterator[tuple[Rows, pa.RecordBatch]]:
    """The file's rows as columns of text, the first of them the line's number; and the stream that they come from."""
    rows = Rows(file, tally, count=count)
    width = len(file.header) + 1

    def refuse(row: Any) -> str:
        if count:
            number, _, text = row.text.partition(file.delimiter)
            few = "cut line" if int(number) == rows.unended else "too few columns"
            reason = few if row.actual_columns < row.expected_columns else "too many columns"
            tally.skip(reason, file.name, int(number), text)
        return "skip"

    names = [str(number) for number in range(width)]
    try:
        reader = csv.open_csv(
            rows,
            read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names),
            parse_options=csv.ParseOptions(delimiter=file.delimiter, invalid_row_handler=refuse),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
            ),
        )
        for block in reader:
            if block.num_rows:
                yield rows, block
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise MarketDataError(f"the CSV file {file.path} can't be read: {error}") from error


def _column(block: pa.RecordBatch, place: int) -> pa.Array:
    return pc.utf8_trim_whitespace(block.column(place + 1))


def _firsts(column: pa.Array) -> Iterator[tuple[str, int]]:
    """Each different text of a column, with the first row that has it."""
    encoded = column.dictionary_encode()
    places, rows = np.unique(encoded.indices.to_numpy(), return_index=True)
    for place, row in zip(places.tolist(), rows.tolist(), strict=True):
        yield encoded.dictionary[place].as_py(), row


def _is_null(column: pa.Array) -> pa.Array:
    return pc.is_in(pc.utf8_lower(column), pa.array(sorted(numbers.NULLS)))


def _floats(column: pa.Array, nulls: pa.Array) -> pa.Array | None:
    """The column as numbers with a point, as most are; None where one is written otherwise."""
    try:
        found = pc.cast(pc.if_else(nulls, "0", column), pa.float64())
    except pa.ArrowInvalid:
        return None
    return found if pc.all(pc.is_finite(found)).as_py() else None


def survey(file: DataFile, mapping: Mapping, found: Survey, tally: Tally) -> None:
    """Looks at all of a file for what tells formats; counts nothing."""
    fields = mapping.fields
    for _, block in _blocks(file, tally, count=False):
        found.rows += block.num_rows
        line_of = block.column(0)

        def where(row: int, text: str, line_of: pa.Array = line_of) -> str:
            return f"line {line_of[row].as_py()} of {file.name}: {text}"

        for text, row in _firsts(_column(block, fields["date"])):
            found.dates.look(text, where(row, text))
        if isinstance(fields["time"], int) and not found.dates.timed:
            clocks = (dates.parse_clock(text) for text, _ in _firsts(_column(block, fields["time"])))
            found.dates.timed = any(clock is not None and clock[0] != time() for clock in clocks)
        for name in (*PRICES, "volume", "close_usd"):
            if isinstance(fields[name], int):
                _survey_numbers(_column(block, fields[name]), found.numbers, where)


def _survey_numbers(column: pa.Array, evidence: numbers.Evidence, where: Any) -> None:
    if _floats(column, _is_null(column)) is None:
        for text, row in _firsts(column):
            if text.lower() not in numbers.NULLS:
                evidence.look(text, where(row, text))
    elif not evidence.point:
        telling = pc.match_substring_regex(column, _TELLING_POINT)
        row = pc.index(telling, True).as_py()
        if row >= 0:
            evidence.look(column[row].as_py(), where(row, column[row].as_py()))


class Converter:
    """Makes quotes of rows, and counts what it leaves out or mends."""

    def __init__(self, formats: Formats, tally: Tally) -> None:
        self._formats = formats
        self._tally = tally
        self._moments: dict[tuple[str, str], tuple[str, int, str] | str] = {}
        self._rates: dict[str, float] = {}

    def rows(self, file: DataFile, mapping: Mapping) -> Iterator[Row]:
        """The file's usable rows, in its order."""
        for rows, block in _blocks(file, self._tally, count=True):
            yield from self._block(file, mapping.fields, block, rows)

    def _numbers(self, block: pa.RecordBatch, place: Any) -> list[Any] | None:
        """A column's numbers: float, int or Decimal, None for none, _BAD for what can't be read."""
        if not isinstance(place, int):
            return None
        column = _column(block, place)
        nulls = _is_null(column)
        if self._formats.mark == numbers.POINT:
            floats = _floats(column, nulls)
            if floats is not None and pc.max(pc.abs(floats)).as_py() < _EXACT:
                return pc.if_else(nulls, None, floats).to_pylist()  # type: ignore[no-any-return]  # pyarrow ships no types
        texts = column.to_pylist()
        parsed = (
            None if null else numbers.parse(text, self._formats.mark)
            for text, null in zip(texts, nulls.to_pylist(), strict=True)
        )
        return [
            _BAD if number is None and not null else number
            for number, null in zip(parsed, nulls.to_pylist(), strict=True)
        ]

    def _moment(self, text: str, clock_text: str) -> tuple[str, int, str] | str:
        """Event time as text and in milliseconds, and what was mended of the date; or why it is none."""
        key = (text, clock_text)
        if key not in self._moments:
            if len(self._moments) > 100_000:
                self._moments.clear()
            self._moments[key] = self._read_moment(text, clock_text)
        return self._moments[key]

    def _read_moment(self, text: str, clock_text: str) -> tuple[str, int, str] | str:
        moment = dates.parse(text, self._formats.order, self._formats.epoch)
        if moment is not None and clock_text and clock_text.lower() not in numbers.NULLS:
            clock = dates.parse_clock(clock_text)
            moment = None if clock is None else moment._replace(clock=clock[0], zone=clock[1])
        if moment is None:
            return "unreadable date"
        told = dates.event_time(moment, self._formats.zone, timed=self._formats.timed)
        if told is None:
            return f"time in {moment.zone}, which is not what stock_producer_csv_time_zone is called then"
        return told, round(datetime.fromisoformat(told).timestamp() * 1000), _DATE_ORDERS.get(moment.order, "")

    def _symbols(self, file: DataFile, said: Any, block: pa.RecordBatch) -> list[str]:
        if isinstance(said, int):
            return _column(block, said).to_pylist()  # type: ignore[no-any-return]  # pyarrow ships no types
        return [str(said["value"]) if "value" in said else file.stem] * block.num_rows

    def _constants(self, said: Any, count: int) -> list[Any]:
        value = said.get("value") if isinstance(said, dict) else None
        return [None if value is None else float(value)] * count

    def _block(self, file: DataFile, fields: dict[str, Any], block: pa.RecordBatch, rows: Rows) -> Iterator[Row]:
        count = block.num_rows
        columns = {
            name: self._numbers(block, fields[name]) or self._constants(fields[name], count)
            for name in (*PRICES, "volume", "close_usd")
        }
        clocks = _column(block, fields["time"]).to_pylist() if isinstance(fields["time"], int) else [""] * count
        places = zip(
            block.column(0).to_pylist(),
            self._symbols(file, fields["symbol"], block),
            _column(block, fields["date"]).to_pylist(),
            clocks,
            *columns.values(),
            strict=True,
        )
        for number, symbol, day, clock, *values in places:
            unended = int(number) == rows.unended
            made = self._row(symbol, day, clock, values, fields, unended=unended)
            if isinstance(made, Row):
                self._tally.symbols[symbol] += 1
                yield made
            else:
                self._tally.skip(made, file.name, int(number), f"{symbol}, {day}")

    def _row(
        self, symbol: str, day: str, clock: str, values: list[Any], fields: dict[str, Any], *, unended: bool
    ) -> Row | str:
        """The quote, or why the row is left out."""
        if not symbol:
            return "no symbol"
        if len(symbol) > _LONGEST_SYMBOL or not symbol.isprintable():
            return f"symbol of more than {_LONGEST_SYMBOL} characters, or with one that can't be printed"
        moment = self._moment(day, clock)
        if isinstance(moment, str):
            return moment
        if _BAD in values:
            return "unreadable number"
        if None in values[:4]:
            return "null in a number column"
        whole = _whole(values[5])
        if isinstance(whole, str):
            return whole
        close = float(values[3])
        dollars = self._dollars(symbol, close, values[6], fields["close_usd"], unended=unended)
        if isinstance(dollars, str):
            return dollars
        self._note(values, whole, moment[2])
        opened, high, low = map(float, values[:3])
        adj_close = close if values[4] is None else float(values[4])
        quote = QuoteStart(symbol, moment[0], opened, high, low, close, adj_close, whole, dollars)
        return Row(moment[1], _ENCODER.encode(quote))

    def _note(self, values: list[Any], volume: int, date_order: str) -> None:
        """Counts what was mended of a row that is used."""
        mended = self._tally.mended
        if values[4] is None:
            mended["adj_close taken from close"] += 1
        if values[5] is None:
            mended["no volume, taken as 0"] += 1
        elif volume != values[5]:
            mended["volume rounded to a whole number"] += 1
        if values[1] < values[2]:
            mended["high below low, kept as it is"] += 1
        if date_order:
            mended[date_order] += 1

    def _dollars(self, symbol: str, close: float, found: Any, said: Any, *, unended: bool) -> float | str:
        """close_usd, or why the row is left out."""
        if found is not None:
            cut = isinstance(said, int) and self._is_cut(symbol, close, float(found), unended=unended)
            return "cut line" if cut else float(found)
        if isinstance(said, int):
            return "null in a number column"
        rate = _rate(said, symbol)
        if rate is None:
            return "no rate to dollars for the symbol"
        if not math.isfinite(close * rate):
            return "close_usd beyond what a double holds"
        self._tally.mended[f"close_usd taken as close x {rate:g}"] += 1
        return round(close * rate, 10)

    def _is_cut(self, symbol: str, close: float, close_usd: float, *, unended: bool) -> bool:
        """Whether the last number of a file that ends without a line's end has lost its own end.

        A symbol's rate to dollars hardly changes from row to row; a number that was cut does not keep to it.
        """
        rate = close_usd / close if close else 0.0
        before = self._rates.setdefault(symbol, rate)
        if unended and abs(rate - before) > _RATE_TOLERANCE * abs(before):
            return True
        self._rates[symbol] = rate
        return False


def _whole(volume: Any) -> int | str:
    """A volume as a whole number, or why it can't be one."""
    if volume is None:
        return 0
    if volume < 0:
        return "negative volume"
    if volume > numbers.LARGEST:
        return "volume beyond 64 bits"
    whole: int = round(volume)
    return whole


def _rate(said: Any, symbol: str) -> float | None:
    rate = said.get("rate") if isinstance(said, dict) else None
    if isinstance(rate, dict):
        rate = rate.get(symbol)
    return None if rate is None else float(rate)

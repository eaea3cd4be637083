"""Which column holds what: the layouts of known sources, found by their headers, and what the operator says instead.

Sources of the layouts: the tutorials' data set (Kaggle, stock-exchange-data); Yahoo Finance's download and the Python
package yfinance; NSE India's bhavcopy files; investing.com's "Historical Data"; Stooq's bulk and single downloads;
Nasdaq.com's historical quotes.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from stock_market_ops.market_data.lines import DataFile
from stock_market_ops.market_data.report import MarketDataError

FIELDS = ("symbol", "date", "time", "open", "high", "low", "close", "adj_close", "volume", "close_usd")
PRICES = ("open", "high", "low", "close", "adj_close")
_FILE = {"file": True}
_MAX_SHOWN, _LONGEST_SHOWN = 16, 40
# What stands in a row, not in a header: a number, or a date in numbers.
_VALUE = re.compile(r"[-+]?\d[\d.,:/ -]*")


class Layout(NamedTuple):
    """A known source's columns.

    Attributes:
        name: what the report calls it.
        needs: names of columns that together are found in no other source's header, as `plain` writes them.
        columns: column of each field that the source has; for a field that is missing here, see `DEFAULTS`.
    """

    name: str
    needs: tuple[str, ...]
    columns: dict[str, str]


_OHLC = {"open": "open", "high": "high", "low": "low", "close": "close"}
LAYOUTS = (
    Layout(
        "tutorial",
        ("index", "date", "open", "high", "low", "close", "adjclose", "volume", "closeusd"),
        {"symbol": "index", "date": "date", **_OHLC, "adj_close": "adjclose", "volume": "volume"}
        | {"close_usd": "closeusd"},
    ),
    Layout(
        "nse-full",
        ("symbol", "series", "date1", "openprice", "highprice", "lowprice", "closeprice", "ttltrdqnty"),
        {"symbol": "symbol", "date": "date1", "open": "openprice", "high": "highprice", "low": "lowprice"}
        | {"close": "closeprice", "volume": "ttltrdqnty"},
    ),
    Layout(
        "nse",
        ("symbol", "series", "open", "high", "low", "close", "tottrdqty", "timestamp"),
        {"symbol": "symbol", "date": "timestamp", **_OHLC, "volume": "tottrdqty"},
    ),
    Layout(
        "nse-udiff",
        ("tckrsymb", "traddt", "opnpric", "hghpric", "lwpric", "clspric", "ttltradgvol"),
        {"symbol": "tckrsymb", "date": "traddt", "open": "opnpric", "high": "hghpric", "low": "lwpric"}
        | {"close": "clspric", "volume": "ttltradgvol"},
    ),
    Layout(
        "stooq",
        ("ticker", "per", "date", "time", "open", "high", "low", "close", "vol"),
        {"symbol": "ticker", "date": "date", "time": "time", **_OHLC, "volume": "vol"},
    ),
    Layout(
        "investing.com",
        ("date", "price", "open", "high", "low", "change%"),
        {"date": "date", "open": "open", "high": "high", "low": "low", "close": "price", "volume": "vol"},
    ),
    Layout(
        "nasdaq",
        ("date", "closelast", "volume", "open", "high", "low"),
        {"date": "date", "open": "open", "high": "high", "low": "low", "close": "closelast", "volume": "volume"},
    ),
)
# Any other header: the first of these names that it has.
_COMMON = {
    "symbol": ("symbol", "ticker", "index", "name", "code", "stock", "instrument", "isin"),
    "date": (
        *("date", "datetime", "timestamp", "day", "tradedate", "tradingday", "time", "unix", "opentime"),
        *("windowstart", "t"),
    ),
    "time": ("time", "timeofday"),
    "open": ("open", "openprice", "o"),
    "high": ("high", "highprice", "h"),
    "low": ("low", "lowprice", "l"),
    "close": ("close", "closeprice", "last", "price", "c"),
    "adj_close": ("adjclose", "adjustedclose", "adjclosing"),
    "volume": ("volume", "vol", "volumetraded", "v", "quantity"),
    "close_usd": ("closeusd", "usdclose"),
}
_REQUIRED = ("date", "open", "high", "low", "close")
DEFAULTS: dict[str, Any] = {
    "symbol": _FILE,
    "time": None,
    "adj_close": None,
    "volume": None,
    "close_usd": {"rate": 1.0},
}
"""What stands in for a field whose column a layout lacks."""


class Mapping(NamedTuple):
    """A layout's name, and where each field comes from: a column's number, a mapping that stands in for it, or None."""

    name: str
    fields: dict[str, Any]


def plain(name: str) -> str:
    """A column's name without what differs from file to file: case, blanks, marks."""
    return re.sub(r"[^\w%]|_", "", name.casefold())


def _check(given: dict[str, Any]) -> None:
    unknown = [field for field in given if field not in FIELDS]
    if unknown:
        raise MarketDataError(
            f"stock_producer_csv_columns names {', '.join(map(str, unknown))}, which is no field of a quote: the fields"
            f" are {', '.join(FIELDS)}"
        )
    for field, said in given.items():
        keys = set() if field in ("date", "time") else {"value"}
        keys |= {"file"} if field == "symbol" else {"rate"} if field == "close_usd" else set()
        fits = isinstance(said, str) or _is_number(said, int)
        if isinstance(said, dict) and len(said) == 1 and set(said) <= keys:
            (value,) = said.values()
            rates = value.values() if "rate" in said and isinstance(value, dict) else [value]
            fits = field == "symbol" or all(_is_number(each, int, float) for each in rates)
        nothing = said is None and field not in _REQUIRED and field != "symbol"
        if not (fits or nothing):
            raise MarketDataError(
                f"stock_producer_csv_columns has {said!r} for {field}: it takes a column's name or number"
                f"{', or one of ' if keys else ''}{', '.join(f'{{{key}: ...}}' for key in sorted(keys))}"
            )


def _is_number(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _shown(header: tuple[str, ...]) -> str:
    """The columns' names as they stand in the file, shortened where they are many or long."""
    names = [repr(name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}...") for name in header]
    more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return ", ".join(names[:_MAX_SHOWN]) + more


def _layout(
    file: DataFile, header: dict[str, list[int]], given: dict[str, Any]
) -> tuple[str, dict[str, tuple[int, str]]]:
    """The layout's name, and for each field that it has the column's number and name."""
    for layout in LAYOUTS:
        if set(layout.needs) <= header.keys():
            return layout.name, {
                field: (header[name][0], name) for field, name in layout.columns.items() if name in header
            }
    found: dict[str, tuple[int, str]] = {}
    for field, names in _COMMON.items():
        column = next(((header[name][0], name) for name in names if name in header), None)
        if column is not None and column not in found.values():
            found[field] = column
    missing = [field for field in _REQUIRED if field not in found and field not in given]
    if missing:
        values = sum(bool(_VALUE.fullmatch(name)) for name in file.header) >= len(_REQUIRED) - 1
        what = (
            f"its first line holds values in place of names ({_shown(file.header)}): put a line with the columns' names"
            " above it"
            if values
            else f"its first line has {_shown(file.header)}; say in stock_producer_csv_columns which column holds what"
        )
        raise MarketDataError(f"the CSV file {file.path} has no column for {', '.join(missing)}: {what}")
    yahoo = {"adj_close", "volume"} <= found.keys() and "symbol" not in found
    return ("Yahoo" if yahoo else "common names"), found


def _said(file: DataFile, header: dict[str, list[int]], field: str, said: Any) -> Any:
    """Where a field comes from by the operator's word."""
    if isinstance(said, str):
        if plain(said) not in header:
            raise MarketDataError(
                f"stock_producer_csv_columns says that {field} is in the column {said}, but {file.path}"
                f" has {_shown(file.header)}"
            )
        _require_one(file, header, field, plain(said))
        return header[plain(said)][0]
    if isinstance(said, int):
        if not 1 <= said <= len(file.header):
            raise MarketDataError(
                f"stock_producer_csv_columns says that {field} is in the column number {said}, but {file.path} has"
                f" {len(file.header)} columns, counted from 1"
            )
        return said - 1
    return said


def _require_one(file: DataFile, header: dict[str, list[int]], field: str, name: str) -> None:
    places = header[name]
    if len(places) > 1:
        raise MarketDataError(
            f"the CSV file {file.path} has {len(places)} columns for {field} with the name {file.header[places[0]]!r}:"
            f" say in stock_producer_csv_columns which one by its number, counted from 1, as in"
            f" {{{field}: {places[-1] + 1}}}"
        )


def choose(file: DataFile, given: dict[str, Any], symbol: str, rate: Any) -> Mapping:
    """Finds each field's column.

    Args:
        file: the file.
        given: what the operator says of single fields; the value of stock_producer_csv_columns.
        symbol: the operator's symbol for all rows; none when empty.
        rate: dollars for one unit of the prices' currency, or a mapping from symbols to such; none when None.

    Raises:
        MarketDataError: a field has no column, or the operator names one that is not there.
    """
    _check(given)
    header: dict[str, list[int]] = {}
    for number, name in enumerate(file.header):
        header.setdefault(plain(name), []).append(number)
    layout, found = _layout(file, header, given)
    fields: dict[str, Any] = DEFAULTS | {field: place for field, (place, _) in found.items()}
    if symbol or file.symbol:
        fields["symbol"] = {"value": symbol or file.symbol}
    if rate is not None:
        fields["close_usd"] = {"rate": rate}
    for field, (_, name) in found.items():
        if field not in given and isinstance(fields[field], int):
            _require_one(file, header, field, name)
    fields |= {field: _said(file, header, field, said) for field, said in given.items()}
    return Mapping(f"{layout} and your own" if given else layout, fields)

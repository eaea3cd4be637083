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
    "date": ("date", "datetime", "timestamp", "day", "tradedate", "tradingday", "time", "unix", "opentime"),
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
    """Where each field comes from: a column's number, or a mapping that says what stands in for it, or None.

    Attributes:
        name: the layout's name.
        fields: one entry a field.
    """

    name: str
    fields: dict[str, Any]


def plain(name: str) -> str:
    """A column's name without what differs from file to file: case, blanks, marks."""
    return re.sub(r"[^0-9a-z%]", "", name.lower())


def _check(given: dict[str, Any]) -> None:
    unknown = [field for field in given if field not in FIELDS]
    if unknown:
        raise MarketDataError(
            f"stock_producer_csv_columns names {', '.join(map(str, unknown))}, which is no field of a quote: the fields"
            f" are {', '.join(FIELDS)}"
        )
    for field, said in given.items():
        keys = {"value"} | ({"file"} if field == "symbol" else {"rate"} if field == "close_usd" else set())
        fits = isinstance(said, str) or (isinstance(said, dict) and len(said) == 1 and set(said) <= keys)
        nothing = said is None and field not in _REQUIRED and field != "symbol"
        if not (fits or nothing):
            raise MarketDataError(
                f"stock_producer_csv_columns has {said!r} for {field}: it takes a column's name, or one of"
                f" {', '.join(f'{{{key}: ...}}' for key in sorted(keys))}"
            )


def _layout(file: str, header: dict[str, int], given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    for layout in LAYOUTS:
        if set(layout.needs) <= header.keys():
            return layout.name, {field: header[name] for field, name in layout.columns.items() if name in header}
    found: dict[str, Any] = {}
    for field, names in _COMMON.items():
        column = next((header[name] for name in names if name in header), None)
        if column is not None and column not in found.values():
            found[field] = column
    missing = [field for field in _REQUIRED if field not in found and field not in given]
    if missing:
        raise MarketDataError(
            f"the CSV file {file} has no column for {', '.join(missing)}: its first line has"
            f" {', '.join(map(repr, header)) or 'none'}; say in stock_producer_csv_columns which column holds what"
        )
    yahoo = {"adj_close", "volume"} <= found.keys() and "symbol" not in found
    return ("Yahoo" if yahoo else "common names"), found


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
    header: dict[str, int] = {}
    for number, name in enumerate(file.header):
        header.setdefault(plain(name), number)
    layout, found = _layout(str(file.path), header, given)
    fields = DEFAULTS | found
    if symbol or file.symbol:
        fields["symbol"] = {"value": symbol or file.symbol}
    if rate is not None:
        fields["close_usd"] = {"rate": rate}
    for field, said in given.items():
        if isinstance(said, str):
            if plain(said) not in header:
                raise MarketDataError(
                    f"stock_producer_csv_columns says that {field} is in the column {said}, but {file.path}"
                    f" has {', '.join(file.header)}"
                )
            fields[field] = header[plain(said)]
        else:
            fields[field] = said
    return Mapping(f"{layout} and your own" if given else layout, fields)

"""People's own market data becomes the quotes that it says, or is refused with one sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.stock_market_ops.files import HEADER, Answer, read, refused, row, table

from stock_market_ops.market_data.market import Options, prepare
from stock_market_ops.market_data.report import MarketDataError


def test_a_row_becomes_the_fields_of_a_quote(tmp_path: Path) -> None:
    answer = read(tmp_path, f"{HEADER}\nHSI,1987-01-02,2540.1,2541.5,2539,2540.25,2540.2,120.0,330.213\n")
    assert answer.rows == [
        {
            "symbol": "HSI",
            "event_time": "1987-01-02T23:59:59.999Z",
            "open": 2540.1,
            "high": 2541.5,
            "low": 2539.0,
            "close": 2540.25,
            "adj_close": 2540.2,
            "volume": 120,
            "close_usd": 330.213,
        }
    ]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (["1/2/2020", "1/13/2020"], ["2020-01-02", "2020-01-13"]),
        (["1/2/2020", "13/1/2020"], ["2020-02-01", "2020-01-13"]),
        (["2020-01-05", "02/03/2020", "31/03/2020"], ["2020-01-05", "2020-03-02", "2020-03-31"]),
        (["1/1/2020", "2.2.2020"], ["2020-01-01", "2020-02-02"]),
        (["13.01.2020", "01-02-2020"], ["2020-01-13", "2020-02-01"]),
        (
            ["21-Aug-18", "1-Sep-69", "01 Jan 2020", "02-JAN-2020"],
            ["2018-08-21", "1969-09-01", "2020-01-01", "2020-01-02"],
        ),
        (["Jan 02 2020", "August 3 2020"], ["2020-01-02", "2020-08-03"]),
        (["20200102", "2020/1/3"], ["2020-01-02", "2020-01-03"]),
        (["2020-01-02 00:00:00+08:00", "2020-01-03 00:00:00-05:00"], ["2020-01-02", "2020-01-03"]),
        (["1577923200", "1578009600.0"], ["2020-01-02", "2020-01-03"]),
        (["1577923200000"], ["2020-01-02"]),
    ],
)
def test_dates_are_read_as_all_of_the_column_says(tmp_path: Path, days: list[str], expected: list[str]) -> None:
    assert read(tmp_path, table(*map(row, days))).days == expected


def test_dates_that_read_both_ways_are_refused_with_the_option_that_settles_it(tmp_path: Path) -> None:
    content = table(row("3/3/2020"), row("1/2/2020"))
    sentence = refused(tmp_path, content)
    assert "no date tells whether the day or the month stands first (line 3 of quotes.csv: 1/2/2020)" in sentence
    assert "stock_producer_csv_dates: day_first or month_first" in sentence
    assert read(tmp_path, content, dates="day_first").days == ["2020-03-03", "2020-02-01"]
    assert read(tmp_path, content, dates="month_first").days == ["2020-03-03", "2020-01-02"]
    mixed = table(row("13/1/2020"), row("1/13/2020"))
    assert "(line 2 of quotes.csv: 13/1/2020) and others the month (line 3" in refused(tmp_path, mixed)
    answer = read(tmp_path, mixed, dates="month_first")
    assert (answer.days, answer.skipped) == (["2020-01-13"], {"unreadable date": 1})


def test_rows_with_times_keep_them_in_utc(tmp_path: Path) -> None:
    content = table(row("2020-01-02 09:15:00"), row("2020-01-02T15:30:00.250+05:30"), row("02-JAN-2020 03:45 PM"))
    assert read(tmp_path, content, time_zone="Asia/Kolkata").column("event_time") == [
        "2020-01-02T03:45:00.000Z",
        "2020-01-02T10:00:00.250Z",
        "2020-01-02T10:15:00.000Z",
    ]
    summer = table(row("2020-07-01 09:30"), row("2020-01-02 09:30"))
    assert read(tmp_path, summer, time_zone="America/New_York").column("event_time") == [
        "2020-07-01T13:30:00.000Z",
        "2020-01-02T14:30:00.000Z",
    ]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (['"2,568.3"', "1.234"], [2568.3, 1.234]),
        (['"1,234"', '"1,234,567"'], [1234.0, 1234567.0]),
        (['"2.568,30"', '"1.234"', '"0,5"'], [2568.3, 1234.0, 0.5]),
        (["1.234", "1.5"], [1.234, 1.5]),
        (["$1.50", "€2", "(3.25)", "1e3", "+4", " 5 "], [1.5, 2.0, -3.25, 1000.0, 4.0, 5.0]),
        (["1'234.5", "1 234.5"], [1234.5, 1234.5]),
    ],
)
def test_numbers_are_read_as_all_of_the_file_says(tmp_path: Path, texts: list[str], expected: list[float]) -> None:
    assert read(tmp_path, table(*(row(price=text) for text in texts))).column("close") == expected


def test_numbers_that_read_both_ways_are_refused_with_the_option_that_settles_it(tmp_path: Path) -> None:
    content = f'{HEADER}\nHSI,2020-01-02,"1,234","1,234","1,234","1,234","1,234",5,6\n'
    assert "stock_producer_csv_numbers: point or comma" in refused(tmp_path, content)
    assert read(tmp_path, content, numbers="point").column("close") == [1234.0]
    assert read(tmp_path, content, numbers="comma").column("close") == [1.234]


def test_volumes_are_whole_numbers_of_64_bits(tmp_path: Path) -> None:
    volumes = ("0.75", "1e3", "9223372036854775807", "9223372036854775808", "1e19", "-5", "inf", "null", "2.5M", "-")
    answer = read(tmp_path, table(*(row(volume=volume) for volume in volumes)))
    assert answer.column("volume") == [1, 1000, 9223372036854775807, 0, 2_500_000, 0]
    assert answer.skipped == {"volume beyond 64 bits": 2, "negative volume": 1, "unreadable number": 1}
    assert answer.report["mended"] == {"volume rounded to a whole number": 1, "no volume, taken as 0": 2}
    assert answer.report["skipped"]["volume beyond 64 bits"]["first"] == "line 5 of quotes.csv: HSI, 2020-01-02"


def test_dollars_beyond_a_double_are_left_out(tmp_path: Path) -> None:
    content = "Symbol,Date,Open,High,Low,Close,Volume\nA,2020-01-02,1,2,1,1e299,5\nA,2020-01-03,1,2,1,2,5\n"
    answer = read(tmp_path, content, usd_rate=1e10)
    assert answer.column("close_usd") == [2e10]
    assert answer.skipped == {"close_usd beyond what a double holds": 1}


def test_damaged_rows_are_left_out_and_counted_by_reason_with_the_first(tmp_path: Path) -> None:
    lines = [
        HEADER,
        row(),
        *[""] * 3000,
        "HSI,2020-01-03,null,null,null,null,null,null,null",
        "HSI,2020-01-06",
        HEADER,
        row("2020-01-07", symbol="X" * 140_000),
        "\0" * 3000,
        row("2020-01-08").replace("HSI", '"HSI'),
        row("2020-02-30"),
        row(price="much"),
        row(symbol=""),
        row(symbol="a\tb"),
        row(symbol="S" * 65),
        f"{row()},9,9",
        row("2020-01-09"),
        row("2020-01-10")[:30],
    ]
    answer = read(tmp_path, "\r\n".join(lines))
    assert answer.days == ["2020-01-02", "2020-01-09"]
    assert answer.skipped == {
        "blank line": 3000,
        "null in a number column": 1,
        "too few columns": 1,
        "repeated header": 1,
        "line of 65536 characters or more": 1,
        "NUL bytes": 1,
        "unbalanced quotation mark": 1,
        "unreadable date": 1,
        "unreadable number": 1,
        "no symbol": 1,
        "symbol of more than 64 characters, or with one that can't be printed": 2,
        "too many columns": 1,
        "cut line": 1,
    }
    assert answer.report["skipped"]["too few columns"]["first"] == "line 3004 of quotes.csv: HSI,2020-01-06"
    assert answer.report["text"][0] == "quotes.csv: 2 rows read, 3,013 skipped; columns as of tutorial"
    assert answer.report["text"][2] == "first day 2020-01-02, last day 2020-01-09"


def test_a_last_number_that_was_cut_is_noticed_by_its_rate(tmp_path: Path) -> None:
    assert read(tmp_path, f"{HEADER}\n{row()}\n{row()[:-2]}").skipped == {"cut line": 1}
    assert len(read(tmp_path, f"{HEADER}\n{row()}\n{row()}").rows) == 2


@pytest.mark.parametrize(
    ("encode", "mended"),
    [
        (lambda text: text.encode(), {}),
        (lambda text: b"\xef\xbb\xbf" + text.encode(), {"byte-order mark": 1}),
        (lambda text: ("\xef\xbb\xbf" + text).encode(), {"byte-order mark": 1}),
        (lambda text: text.encode("utf-16"), {"file is not UTF-8, read as UTF-16-LE": 1, "byte-order mark": 1}),
        (lambda text: text.encode("utf-16-le"), {"file is not UTF-8, read as UTF-16-LE": 1}),
        (lambda text: text.encode("utf-16-be"), {"file is not UTF-8, read as UTF-16-BE": 1}),
        (lambda text: text.replace("HSI", "Français").encode("cp1252"), {"file is not UTF-8, read as Windows-1252": 1}),
        (lambda text: text.replace("\n", "\r\n").encode(), {"file with line ends of another system": 1}),
        (lambda text: text.replace("\n", "\r").encode(), {"file with line ends of another system": 1}),
        (lambda text: text.replace(",", ";").encode(), {}),
        (lambda text: text.replace(",", "\t").encode(), {}),
        (lambda text: ("sep=|\n" + text.replace(",", "|")).encode(), {}),
        (lambda text: text.upper().replace("ADJ CLOSE", " adj_close ").encode(), {}),
    ],
)
def test_the_text_is_read_however_it_is_written(tmp_path: Path, encode: Any, mended: dict[str, int]) -> None:
    answer = read(tmp_path, encode(table(row(), row("2020-01-03"))))
    assert answer.days == ["2020-01-02", "2020-01-03"]
    assert (answer.report["mended"], answer.skipped) == (mended, {})


BAR = "1.5,2.5,1.25,2.25"
LAYOUTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "Yahoo": (
        [
            "Date,Open,High,Low,Close,Adj Close,Volume",
            f"2020-01-02,{BAR},2.125,77",
            "2020-01-03,null,null,null,null,null,null",
        ],
        {"adj_close": 2.125},
    ),
    "nse": (
        [
            "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,ISIN,",
            f"INFY,EQ,{BAR},2,2,77,9.5,02-JAN-2020,3,INE1,",
        ],
        {"symbol": "INFY"},
    ),
    "nse-full": (
        [
            "SYMBOL, SERIES, DATE1, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, TTL_TRD_QNTY",
            "INFY, EQ, 02-Jan-2020, 1.50, 2.50, 1.25, 2, 2.25, 77",
        ],
        {"symbol": "INFY"},
    ),
    "investing.com": (
        [
            '\ufeff"Date","Price","Open","High","Low","Vol.","Change %"',
            '"01/02/2020","2.25","1.5","2.5","1.25","1.5K","1.2%"',
            '"01/13/2020","2,222.25","1.5","2.5","1.25","-","1.2%"',
        ],
        {"volume": 1500},
    ),
    "stooq": (
        [
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
            f"AAPL.US,D,20200102,000000,{BAR},77,0",
        ],
        {"symbol": "AAPL.US"},
    ),
    "nasdaq": (
        [
            "Date,Close/Last,Volume,Open,High,Low",
            "01/02/2020,$2.25,77,$1.50,$2.50,$1.25",
            "01/13/2020,$2,7,$1,$2,$1",
        ],
        {},
    ),
    "common names": (["timestamp,open,high,low,close,volume", f"2020-01-02,{BAR},77"], {}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_known_sources_are_found_by_their_header(tmp_path: Path, name: str) -> None:
    lines, expected = LAYOUTS[name]
    answer = read(tmp_path, "\n".join([*lines, ""]), "AAPL.csv", usd_rate=0.5)
    assert answer.report["layout"] == [name]
    whole = {"symbol": "AAPL", "event_time": "2020-01-02T23:59:59.999Z", "open": 1.5, "high": 2.5, "low": 1.25}
    whole |= {"close": 2.25, "adj_close": 2.25, "volume": 77, "close_usd": 1.125} | expected
    assert answer.rows[0] == whole


def test_a_file_of_yfinance_with_three_lines_of_header_is_read(tmp_path: Path) -> None:
    lines = [
        "Price,Close,High,Low,Open,Volume",
        "Ticker,MSFT,MSFT,MSFT,MSFT,MSFT",
        "Date,,,,,",
        "2020-01-02,2.25,2.5,1.25,1.5,77",
    ]
    content = "\n".join(lines)
    answer = read(tmp_path, content)
    assert (answer.column("symbol"), answer.days, answer.column("close")) == (["MSFT"], ["2020-01-02"], [2.25])


def test_intraday_rows_of_stooq_keep_their_time(tmp_path: Path) -> None:
    content = "\n".join(LAYOUTS["stooq"][0]).replace(",D,20200102,000000", ",5,20200102,153500")
    assert read(tmp_path, content, time_zone="Europe/Warsaw").column("event_time") == ["2020-01-02T14:35:00.000Z"]


def test_the_operator_says_where_fields_come_from(tmp_path: Path) -> None:
    content = "When,What,First,Top,Bottom,Final\n2020-01-02,X,1,4,0.5,2\n"
    assert "has no column for date, open, high, low, close" in refused(tmp_path, content)
    columns: dict[str, Any] = {
        "date": "when",
        "symbol": {"value": "ABC"},
        "open": "First",
        "high": "Top",
        "low": "Bottom",
        "close": "Final",
        "close_usd": {"rate": 0.25},
        "volume": {"value": 7},
        "adj_close": None,
    }
    (only,) = read(tmp_path, content, columns=columns).rows
    assert (only["symbol"], only["close"], only["adj_close"], only["volume"], only["close_usd"]) == (
        "ABC",
        2,
        2,
        7,
        0.5,
    )
    assert read(tmp_path, content, "XYZ.csv", columns=columns | {"symbol": {"file": True}}).column("symbol") == ["XYZ"]
    assert read(tmp_path, content, columns=columns | {"symbol": "What"}).column("symbol") == ["X"]
    for wrong, words in (
        ({"colse": "Final"}, "names colse, which is no field of a quote: the fields are symbol, date"),
        ({"close": "Finale"}, "says that close is in the column Finale, but"),
        ({"open": {"rate": 2}}, "it takes a column's name or number, or one of {value: ...}"),
        ({"symbol": None}, "has None for symbol"),
    ):
        (tmp_path / "new").mkdir(exist_ok=True)
        assert words in refused(tmp_path / "new", content, columns=columns | wrong)


def test_dollars_come_from_a_rate_for_all_or_for_each_symbol(tmp_path: Path) -> None:
    content = "Date,Symbol,Open,High,Low,Close\n2020-01-02,A,1,1,1,4\n2020-01-02,B,1,1,1,4\n"
    assert read(tmp_path, content, usd_rate=0.5).column("close_usd") == [2.0, 2.0]
    answer = read(tmp_path, content, usd_rate={"A": 2.0})
    assert (answer.column("close_usd"), answer.skipped) == ([8.0], {"no rate to dollars for the symbol": 1})
    assert read(tmp_path, content).report["mended"]["close_usd taken as close x 1"] == 2


def test_a_directory_or_a_pattern_is_one_market(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, day in (("MSFT", "1/13/2020"), ("AAPL", "1/2/2020")):
        (folder / f"{name}.csv").write_text(f"Date,Open,High,Low,Close,Volume\n{day},1,1,1,1,5\n")
    (folder / "notes.md").write_text("none of them")
    for path in (folder, folder / "*.csv"):
        answer = Answer(prepare(Options(path=str(path), order="time"), tmp_path / "made"))
        assert list(zip(answer.column("symbol"), answer.days, strict=True)) == [
            ("AAPL", "2020-01-02"),
            ("MSFT", "2020-01-13"),
        ]
        assert answer.report["text"][0].startswith("2 files: 2 rows read, 0 skipped")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty: it has no line with the columns' names"),
        ("\n\n", "is empty"),
        (f"{HEADER}\n", "has no usable row (it has no row below its first line)"),
        (
            table(row("nonsense"), row("2020-01-02", "x")),
            "has no usable row (unreadable date: line 2 of quotes.csv: HSI, nonsense)",
        ),
        (row() + "\n", "has no column for date, open, high, low, close"),
    ],
)
def test_data_that_cannot_be_replayed_gives_one_sentence(tmp_path: Path, content: str, words: str) -> None:
    sentence = refused(tmp_path, content)
    assert words in sentence
    assert "\n" not in sentence


def test_a_missing_file_gives_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path / "*.csv"):
        with pytest.raises(MarketDataError, match="there is no such file or directory"):
            prepare(Options(path=str(path)), tmp_path)
    with pytest.raises(MarketDataError, match=r"has no file that ends with \.csv"):
        prepare(Options(path=str(tmp_path)), tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MarketDataError, match="it is neither a file nor a directory"):
        prepare(Options(path=str(tmp_path / "pipe")), tmp_path)
    with pytest.raises(MarketDataError, match="which is no time zone"):
        read(tmp_path, table(row()), time_zone="Mars")


def test_the_second_reading_is_of_what_the_first_has_made(tmp_path: Path) -> None:
    first = read(tmp_path, table(row()))
    made = Path(first.report["path"])
    stamp = made.stat().st_mtime_ns
    again = msgspec.json.decode(prepare(Options(path=str(tmp_path / "quotes.csv"), order="file"), tmp_path / "made"))
    assert (again, made.stat().st_mtime_ns) == (first.report, stamp)
    assert read(tmp_path, table(row(), row())).report["path"] != str(made)
    assert not made.exists()

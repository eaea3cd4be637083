"""A replayed file is read whatever has happened to it, and what is left out is counted by reason."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import msgspec
import pytest

import stock_market
from stock_market import replay, sample
from stock_market.errors import SettingsError

HEADER = "Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD"
GOOD = "HSI,1987-01-02,2540.1,2540.1,2540.1,2540.1,2540.1,0.0,330.213"


def table(tmp_path: Path, content: bytes | str) -> replay.Table:
    path = tmp_path / "quotes.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return replay.read(str(path))


def test_a_row_becomes_the_fields_of_a_quote(tmp_path: Path) -> None:
    ((key, value),) = table(tmp_path, f"{HEADER}\n{GOOD}\n").rows
    assert key == b"HSI"
    assert msgspec.json.decode(value + b"}") == {
        "symbol": "HSI",
        "event_time": "1987-01-02T23:59:59.999Z",
        "open": 2540.1,
        "high": 2540.1,
        "low": 2540.1,
        "close": 2540.1,
        "adj_close": 2540.1,
        "volume": 0,
        "close_usd": 330.213,
    }


@pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", "\ufeff".encode().decode("latin-1").encode()])
def test_a_byte_order_mark_even_encoded_twice_is_removed(tmp_path: Path, bom: bytes) -> None:
    read = table(tmp_path, bom + f"{HEADER}\n{GOOD}\n".encode())
    assert len(read.rows) == 1
    assert read.mended["byte-order mark"] == 1


def test_dates_with_the_day_first_are_read_as_such(tmp_path: Path) -> None:
    read = table(tmp_path, f"{HEADER}\n{GOOD.replace('1987-01-02', '02/01/1987')}\n{GOOD.replace('1987-', '1987/')}\n")
    assert b"1987-01-02T23:59:59.999Z" in read.rows[0][1]
    assert read.mended["date as DD/MM/YYYY"] == 1
    assert read.skipped["unreadable date"] == 1


def test_damaged_rows_are_left_out_and_counted_by_reason(tmp_path: Path) -> None:
    lines = [HEADER, GOOD, *[""] * 3000, "HSI,1987-01-05,null,null,null,null,null,null,null", "HSI,1987-01-06", GOOD]
    lines += [GOOD.replace("330.213", "much"), GOOD.replace("330.213", "inf"), GOOD[:40]]
    read = table(tmp_path, "\r\n".join(lines))
    assert len(read.rows) == 2
    assert read.skipped == {
        "blank line": 3000,
        "null in a number column": 1,
        "too few columns": 1,
        "unreadable number": 2,
        "cut line": 1,
    }
    assert read.mended["line ends with CR"] == 1


def test_a_last_number_that_was_cut_is_noticed_by_its_rate(tmp_path: Path) -> None:
    assert table(tmp_path, f"{HEADER}\n{GOOD}\n{GOOD[:-5]}").skipped == {"cut line": 1}
    assert len(table(tmp_path, f"{HEADER}\n{GOOD}\n{GOOD}").rows) == 2


def test_a_file_without_the_columns_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"lacks the columns Adj Close, CloseUSD; it needs Index, Date") as caught:
        table(tmp_path, "Index,Date,Open,High,Low,Close,Volume\n")
    assert caught.value.exit_code == 2
    with pytest.raises(SettingsError, match="no usable row"):
        table(tmp_path, f"{HEADER}\n\n")
    with pytest.raises(SettingsError, match="cannot read the CSV file"):
        replay.check(str(tmp_path / "missing.csv"))


def test_rows_come_at_random_without_end_or_each_once_or_in_order(tmp_path: Path) -> None:
    rows = "\n".join(GOOD.replace("HSI", f"S{number}") for number in range(50))
    read = table(tmp_path, f"{HEADER}\n{rows}\n")
    assert list(replay.series(read, "file", loop=False, seed=1)) == read.rows
    shuffled = list(replay.series(read, "random", loop=False, seed=1))
    assert shuffled != read.rows
    assert sorted(shuffled) == sorted(read.rows)
    drawn = list(islice(replay.series(read, "random", loop=True, seed=1), 1000))
    assert set(drawn) == set(read.rows)
    assert drawn[:50] != shuffled
    assert list(islice(replay.series(read, "file", loop=True, seed=1), 120)) == (read.rows * 3)[:120]


def test_the_shipped_file_is_what_its_program_makes_and_has_every_oddity() -> None:
    path = Path(stock_market.__file__).parent / "data" / "sample.csv"
    assert path.read_bytes() == sample.content()
    read = replay.read(str(path))
    assert len(read.rows) > 200
    assert set(read.skipped) == {"blank line", "cut line", "null in a number column"}
    assert set(read.mended) == {"byte-order mark", "date as DD/MM/YYYY", "line ends with CR"}

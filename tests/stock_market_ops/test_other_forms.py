"""Market data in the forms that programs and sites write is read as meant, or refused with its real cause."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.stock_market_ops.files import read, refused

HEADER = "Date,Open,High,Low,Close,Volume"


def row(day: str = "2020-01-02", price: str = "1.5", volume: str = "100") -> str:
    """A row without a symbol."""
    return f"{day},{price},{price},{price},{price},{volume}"


def table(*rows: str) -> str:
    """A file of such rows."""
    return "\n".join((HEADER, *rows, ""))


def zipped(members: dict[str, str]) -> bytes:
    """A ZIP archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


def tarred(text: str) -> bytes:
    """A tar archive, packed by gzip."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("quotes.csv")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


PLAIN = table(row(), row("2020-01-03"))
SPACED = "".join(", ".join(f'"{cell}"' for cell in line.split(",")) + "\n" for line in PLAIN.splitlines())


@pytest.mark.parametrize("name", ["quotes.csv", "QUOTES.CSV.GZ", "quotes.zip"])
@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        gzip.compress(PLAIN.encode()),
        bz2.compress(PLAIN.encode()),
        lzma.compress(PLAIN.encode()),
        zipped({"a.csv": PLAIN}),
        PLAIN.encode("utf-32"),
    ],
    ids=["text", "gzip", "bzip2", "xz", "zip", "utf-32"],
)
def test_a_file_is_read_as_what_it_holds_whatever_its_name_says(tmp_path: Path, name: str, content: bytes) -> None:
    answer = read(tmp_path, content, name)
    assert (answer.days, answer.skipped) == (["2020-01-02", "2020-01-03"], {})
    assert set(answer.column("symbol")) == {name.partition(".")[0]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped({"[Content_Types].xml": "", "xl/workbook.xml": ""}), "an Excel workbook: save its sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000, "an Excel workbook: save its sheet as CSV"),
        (b"PAR1\x15\x04PAR1", "a Parquet file"),
        (b"%PDF-1.4\n", "a PDF document"),
        (b"\x28\xb5\x2f\xfdrest", "packed by zstd: unpack it"),
        (b"<!DOCTYPE html>\n<html>Not, found</html>\n", "an HTML or XML page"),
        (b'[\n {"Date": "2020-01-02", "Open": 1}]', "JSON"),
        (b'{"Date": "2020-01-02", "Open": 1}\n', "JSON"),
        (tarred(PLAIN), "a tar archive: unpack it into a directory"),
        (gzip.compress(gzip.compress(PLAIN.encode())), "packed twice"),
        (gzip.compress(b"PAR1"), "a Parquet file"),
    ],
    ids=range(11),
)
def test_what_is_no_text_is_called_by_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    assert f"holds no CSV: it is {words}" in refused(tmp_path, content)


def test_a_packed_file_that_is_broken_is_refused_in_a_sentence(tmp_path: Path) -> None:
    packed = gzip.compress(PLAIN.encode() * 1000)
    for broken in (packed[:-20], packed[:50] + b"\xff" * 50 + packed[100:]):
        sentence = refused(tmp_path, broken)
        assert sentence.startswith("cannot read the CSV file")
        assert "\n" not in sentence


def test_a_quoted_text_may_run_over_lines(tmp_path: Path) -> None:
    content = (
        'Date,Open,High,Low,Close,Volume,Note\n2020-01-02,1,2,1,2,5,"two\n\nlines, with, commas"\n'
        '2020-01-03,1,2,1,2,5,one\n2020-01-06,1,2,1,2,5,"three ""quoted""\nlines\n"\n'
    )
    answer = read(tmp_path, content)
    assert (answer.days, answer.skipped) == (["2020-01-02", "2020-01-03", "2020-01-06"], {})
    broken = content.replace('commas"', "commas").replace('lines\n"', "lines\n")
    answer = read(tmp_path, broken)
    assert answer.days == ["2020-01-03"]
    assert answer.skipped["unbalanced quotation mark"] == 2
    header = f'"Date","Open",High,Low,"Close",Volume,"Turnover\n(USD)"\n{row()},1\n{row("2020-01-03")},1\n'
    assert read(tmp_path, header).days == ["2020-01-02", "2020-01-03"]


def test_one_quotation_mark_costs_its_own_row(tmp_path: Path) -> None:
    rows = [f"{row(f'2020-01-{day:02}')},good" for day in range(1, 29)]
    rows[3] = rows[3].replace("good", '5" pipe')
    rows[20] = rows[20].replace("good", '"cut')
    answer = read(tmp_path, f"{HEADER},Note\n" + "\n".join(rows) + "\n")
    assert (len(answer.rows), answer.skipped) == (26, {"unbalanced quotation mark": 2})


def test_lines_above_the_columns_names_are_left_out(tmp_path: Path) -> None:
    answer = read(tmp_path, f"https://www.example.com\n# a, b, c\n\n{PLAIN}")
    assert answer.days == ["2020-01-02", "2020-01-03"]
    assert answer.skipped == {"line above the columns' names": 2, "blank line": 1}
    assert answer.report["skipped"]["blank line"]["first"].startswith("line 3 of")


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\n{row()},\n{row('2020-01-03')},,\n",
        f"{HEADER},,\n{row()}\n{row('2020-01-03')},\n",
        f"{HEADER},\n{row()},note\n{row('2020-01-03')},\n",
        SPACED,
    ],
)
def test_delimiters_at_the_end_and_blanks_before_quotation_marks_change_nothing(tmp_path: Path, content: str) -> None:
    answer = read(tmp_path, content)
    assert (answer.days, answer.column("volume"), answer.skipped) == (["2020-01-02", "2020-01-03"], [100, 100], {})


def test_files_that_were_put_together_lose_the_marks_and_headers_between_them(tmp_path: Path) -> None:
    answer = read(tmp_path, f"\ufeff{PLAIN}\ufeff{PLAIN}".replace("\n", "\r\n", 2))
    assert (len(answer.rows), answer.skipped) == (4, {"repeated header": 1})
    assert answer.report["mended"]["byte-order mark"] == 2


def test_two_columns_of_one_name_are_told_apart_by_their_number(tmp_path: Path) -> None:
    content = "Date,Open,High,Low,Close,close,Volume\n2020-01-02,1,4,1,2,3,5\n"
    sentence = refused(tmp_path, content)
    assert "has 2 columns for close with the name 'Close'" in sentence
    assert "{close: 6}" in sentence
    assert read(tmp_path, content, columns={"close": 6}).column("close") == [3]
    assert "has 2 columns for close" in refused(tmp_path, content, columns={"close": "Close"})
    assert "column number 8, but" in refused(tmp_path, content, columns={"close": 8})
    for wrong in ({"close": True}, {"date": {"value": "2020-01-02"}}, {"open": {"value": "much"}}):
        assert "it takes a column's name or number" in refused(tmp_path, content, columns=wrong)


def test_a_file_without_names_is_told_so(tmp_path: Path) -> None:
    sentence = refused(tmp_path, "1577836800000,7195.24,7255.0,7175.15,7200.85,16792\n" * 2)
    assert "its first line holds values in place of names ('1577836800000', '7195.24'" in sentence
    assert "'日付', '始値'" in refused(tmp_path, "日付,始値,高値,安値,終値\n2020-01-02,1,2,1,2\n")
    named = {"date": "日付", "open": "始値", "high": "高値", "low": "安値", "close": "終値"}
    answer = read(tmp_path, "日付,始値,高値,安値,終値\n2020-01-02,1,4,0.5,2\n", columns=named)
    assert (answer.column("high"), answer.column("close")) == ([4], [2])


def test_what_is_all_one_line_or_nothing_is_told_so(tmp_path: Path) -> None:
    assert "(line of 65536 characters or more: line 1 of quotes.csv: xxx" in refused(tmp_path, "x" * 200_000)
    assert "(NUL bytes: line 2 of quotes.csv:" in refused(tmp_path, "\n" + "\0" * 5000)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1577923200123"], ["2020-01-02T00:00:00.123Z"]),
        (["1577923200.5", "-86400"], ["2020-01-02T00:00:00.500Z", "1969-12-31T00:00:00.000Z"]),
        (["1577923200123456789"], ["2020-01-02T00:00:00.123Z"]),
        # Milliseconds, of which some have as many digits as seconds and dates have.
        (
            ["1577923200123", "946684800000", "1209600000", "20200102", "-157766400000"],
            [
                "2020-01-02T00:00:00.123Z",
                "2000-01-01T00:00:00.000Z",
                "1970-01-15T00:00:00.000Z",
                "1970-01-01T05:36:40.102Z",
                "1965-01-01T00:00:00.000Z",
            ],
        ),
        (["20200102", "20200103 0930", "1577923200"], [None, "2020-01-03T09:30:00.000Z", "2020-01-02T00:00:00.000Z"]),
        (["Thu Jan  2 09:15:00 2020", "Thu Jan  2 09:15:00 UTC 2020"], ["2020-01-02T09:15:00.000Z"] * 2),
        (['"Thu, 02 Jan 2020 09:15:00 GMT"', "Thu 2020-01-02 09:15"], ["2020-01-02T09:15:00.000Z"] * 2),
        (["Thu Jan 02 2020 09:15:00 GMT+0530 (India Standard Time)"], ["2020-01-02T03:45:00.000Z"]),
        (["2020-01-02T09:15:00-05:00[America/New_York]"], ["2020-01-02T14:15:00.000Z"]),
        (["2020-07-02 09:15:00 America/New_York"], ["2020-07-02T13:15:00.000Z"]),
        (["20200102T093000Z", "20200102T093000.250+0530"], ["2020-01-02T09:30:00.000Z", "2020-01-02T04:00:00.250Z"]),
        (["1/13/2020 9:30 a.m.", "1/14/2020 9:30PM"], ["2020-01-13T09:30:00.000Z", "2020-01-14T21:30:00.000Z"]),
    ],
)
def test_times_are_read_as_programs_write_them(tmp_path: Path, texts: list[str], expected: list[str | None]) -> None:
    found = read(tmp_path, table(*map(row, texts))).column("event_time")
    assert found == [each or "2020-01-02T23:59:59.999Z" for each in expected]


def test_an_abbreviated_zone_means_only_what_the_operator_says(tmp_path: Path) -> None:
    content = table(row("2020-01-02 09:15:00 IST"), row("2020-01-03 09:15:00 EST"), row("2020-07-03 09:15:00 EDT"))
    sentence = refused(tmp_path, content)
    assert "time in IST, which is not what stock_producer_csv_time_zone is called then: line 2 of" in sentence
    assert read(tmp_path, content, time_zone="Asia/Kolkata").column("event_time") == ["2020-01-02T03:45:00.000Z"]
    answer = read(tmp_path, content, time_zone="America/New_York")
    assert answer.column("event_time") == ["2020-01-03T14:15:00.000Z", "2020-07-03T13:15:00.000Z"]
    assert sum(answer.skipped.values()) == 1


def test_a_year_of_two_digits_may_stand_first(tmp_path: Path) -> None:
    content = table(row("20-01-13"), row("20-02-14"))
    assert "whether the day or the year stands first (line 2 of quotes.csv: 20-01-13)" in refused(tmp_path, content)
    assert read(tmp_path, content, dates="year_first").days == ["2020-01-13", "2020-02-14"]
    assert read(tmp_path, content, dates="day_first").days == ["2013-01-20", "2014-02-20"]
    assert read(tmp_path, table(row("99-12-31"), row("00-01-03"))).days == ["1999-12-31", "2000-01-03"]
    assert read(tmp_path, table(row("20-01-13"), row("30-01-13"), row("20-01-99"))).days[2] == "1999-01-20"
    assert read(tmp_path, table(row("13/01/20"))).days == ["2020-01-13"]


def test_a_month_has_its_name_and_no_other(tmp_path: Path) -> None:
    answer = read(tmp_path, table(row("02-Martian-2020"), row("02-Sept-2020"), row("02 Septem. 2020")))
    assert (answer.days, answer.skipped) == (["2020-09-02", "2020-09-02"], {"unreadable date": 1})


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (['"12,34,567"', '"1,23,456.5"', '"1,00,000"'], [1234567, 123456.5, 100000]),
        (["\u221213.5", "13.5-", "(13.5)"], [-13.5, -13.5, -13.5]),
        (["2.5mln", "2.5 bn", "1.5 Lakh", "2Cr"], [2_500_000, 2_500_000_000, 150_000, 20_000_000]),
        (['"1,234.5-"', '"2,345-"'], [-1234.5, -2345]),
    ],
)
def test_numbers_are_read_as_people_write_them(tmp_path: Path, texts: list[str], expected: list[Any]) -> None:
    assert read(tmp_path, table(*(row(price=text) for text in texts))).column("close") == expected


def test_a_number_beyond_all_bounds_costs_its_own_row(tmp_path: Path) -> None:
    rows = [row(price=text) for text in ("1e99999999", "1e400", "9" * 400, "1e-400", "1.5")]
    answer = read(tmp_path, table(*rows))
    assert (answer.column("close"), answer.skipped) == ([0.0, 1.5], {"unreadable number": 3})


def test_a_volume_that_is_no_value_is_none(tmp_path: Path) -> None:
    answer = read(tmp_path, table(*(row(volume=text) for text in ("<NA>", "?", "\u2014", "N/A"))))
    assert (answer.column("volume"), answer.skipped) == ([0, 0, 0, 0], {})


def test_any_text_is_a_symbol_as_it_stands(tmp_path: Path) -> None:
    symbols = ["<img src=x>", "{{ 7 * 7 }}", "=cmd", "$(id)", "株式", "aapl", "AAPL", "007", "NA"]
    content = f"Symbol,{HEADER}\n" + "".join(f"{symbol},{row()}\n" for symbol in symbols)
    assert read(tmp_path, content).column("symbol") == symbols

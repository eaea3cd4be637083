"""However a file is damaged, each row that is read is a valid quote, and a file that is refused gets one sentence."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.stock_market_ops.files import read

from stock_market_ops.market_data.report import MarketDataError

PIECES = [
    *('"', '""', ",", ";", "\t", "\n", "\r\n", "\r", "\0", "\ufeff", "ï»¿", "\x85", "\u2028", "sep=,", "{{", "<", " "),
    *(
        "1e999999999",
        "9" * 25,
        "-",
        "1,234",
        "1.234,5",
        "12,34,567",
        "NaN",
        "∞",
        "²",
        "\u0661",
        "0x1",
        "%",
        "(",
        ")",
        "bn",
    ),
    *("2020-01-02", "13/1/20", "1/13/2020", "20-01-13", "1577836800000", "-5", "09:30", "24:00", "Z", "+05:30", "[x]"),
    *("Thu", "Jan", "EST", "GMT+0530 (I)", "99999999", "10000101", "Date", "Close", "Price", "Ticker"),
]
WHOLE = "Symbol,Date,Time,Open,High,Low,Close,Volume,Note\n" + "".join(
    f'S{number % 3},2020-01-{number + 1:02},09:3{number % 10},1.5,2,1,2,10{number},"n, {number}"\n'
    for number in range(12)
)
ENCODINGS = ["utf-8"] * 6 + ["utf-16", "utf-16-le", "cp1252", "utf-32", "gb18030"]


def damaged(draw: random.Random) -> bytes:
    """A file to which something has happened, at some places or at many."""
    text = list(WHOLE)
    for _ in range(draw.choice([1, 2, 5, 20, 60])):
        place = draw.randrange(len(text) + 1)
        if draw.random() < 0.7:
            text[place:place] = draw.choice(PIECES)
        else:
            del text[place : place + draw.randrange(1, 8)]
    return "".join(text).encode(draw.choice(ENCODINGS), "replace")


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_gives_valid_quotes_or_one_sentence(tmp_path: Path, seed: int) -> None:
    draw, usable, sentences = random.Random(seed), 0, []
    for _ in range(50):
        try:
            usable += bool(read(tmp_path, damaged(draw)).rows)
        except MarketDataError as error:
            sentences.append(str(error))
    assert usable > 5
    assert [sentence for sentence in sentences if "\n" in sentence] == []

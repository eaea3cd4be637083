"""Makes the small CSV file that the project ships: invented days of the tutorials' indices, with all the oddities that
such files have in circulation. `python -m stock_market.producer.sample FILE` writes it; it is the same every time.
"""

from __future__ import annotations

import random
import sys
from datetime import date, timedelta
from pathlib import Path

from stock_market.producer.market import Market

COLUMNS = ("Index", "Date", "Open", "High", "Low", "Close", "Adj Close", "Volume", "CloseUSD")
_DAYS = 20
_FIRST = date(2024, 2, 19)


def rows() -> list[str]:
    """The file's lines, undamaged: every index on twenty weekdays."""
    market = Market(symbols=13, seed=20240219, interval_seconds=86_400.0)
    draw = random.Random(7)
    days = [day for day in (_FIRST + timedelta(n) for n in range(_DAYS * 2)) if day.weekday() < 5][:_DAYS]
    lines = []
    for day, *bars in zip(days, *market.bars(), strict=False):
        for listing, *ticks, turnover in zip(market.listings, *bars, strict=True):
            flat = draw.random() < 0.15  # As old days often are.
            opened, high, low, close = (f"{price * listing.tick:.6f}" for price in (ticks[3:] * 4 if flat else ticks))
            traded = 0.0 if draw.random() < 0.3 else float(int(turnover))
            usd = f"{float(close) * listing.usd:.8f}"
            lines.append(f"{listing.symbol},{day},{opened},{high},{low},{close},{close},{traded},{usd}")
    return lines


def content() -> bytes:
    """The whole file, damaged here and there."""
    lines = rows()
    for number in range(5, len(lines), 40):
        cells = lines[number].split(",")
        year, month, day = cells[1].split("-")
        lines[number] = ",".join([cells[0], f"{day}/{month}/{year}", *cells[2:]])
    for number in range(17, len(lines), 60):
        cells = lines[number].split(",")
        lines[number] = ",".join([*cells[:2], *["null"] * 6, "null"])
    for number in range(200, 10, -30):
        lines.insert(number, "")
    text = "\n".join([",".join(COLUMNS), *lines])
    cut = text[: -len(lines[-1]) // 2]
    head, middle, tail = cut[:3000], cut[3000:6000], cut[6000:]
    # A BOM, encoded twice, and a stretch with the line ends of another system.
    return "\xef\xbb\xbf".encode() + (head + middle.replace("\n", "\r\n") + tail).encode()


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(content())

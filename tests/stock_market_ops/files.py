"""Files of market data, and what the operator's side makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from stock_market.producer.replay_file import ReplayFile
from stock_market.producer.source import Stamp
from stock_market.quotes import validation as quotes
from stock_market_ops.market_data.market import Options, prepare
from stock_market_ops.market_data.report import MarketDataError

HEADER = "Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD"


def row(day: str = "2020-01-02", volume: str = "100", symbol: str = "HSI", price: str = "20.5") -> str:
    """A row of the tutorials' layout."""
    return f"{symbol},{day},{price},{price},{price},{price},{price},{volume},2.665"


def table(*rows: str, end: str = "\n") -> str:
    """A file of the tutorials' layout."""
    return end.join((HEADER, *rows, ""))


class Answer:
    """What was read: the report, and the rows in the files' order."""

    def __init__(self, told: bytes) -> None:
        self.report: dict[str, Any] = msgspec.json.decode(told)
        lines = list(ReplayFile(self.report["path"]).lines(loop=False, seed=1))
        self.rows: list[dict[str, Any]] = [msgspec.json.decode(line) for line in lines]
        for line, fields in zip(lines, self.rows, strict=True):
            assert quotes.flaw(fields["symbol"].encode(), Stamp("p").complete(line[:-1])) is None

    def column(self, name: str) -> list[Any]:
        """A field of all rows."""
        return [fields[name] for fields in self.rows]

    @property
    def days(self) -> list[str]:
        """The day of each row, which has no time of its own."""
        assert all(moment.endswith("T23:59:59.999Z") for moment in self.column("event_time"))
        return [moment[:10] for moment in self.column("event_time")]

    @property
    def skipped(self) -> dict[str, int]:
        """How many rows were left out, by reason."""
        return {reason: each["rows"] for reason, each in self.report["skipped"].items()}


def read(folder: Path, content: str | bytes, name: str = "quotes.csv", **options: Any) -> Answer:
    """Reads a file of this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Answer(prepare(Options(path=str(path), order=options.pop("order", "file"), **options), folder / "made"))


def refused(folder: Path, content: str | bytes, **options: Any) -> str:
    """The sentence with which a file of this content is refused."""
    made = sorted((folder / "made").glob("*"))
    with pytest.raises(MarketDataError) as caught:
        read(folder, content, **options)
    assert caught.value.exit_code == 2
    assert sorted((folder / "made").glob("*")) == made
    return str(caught.value)

"""The live page's reader on a real broker: all partitions from before now on, and what it leaves out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.stock_market_ops.live.made import value
from tests.support.stock_market import raw_produce
from tests.support.stock_market.services import Workbench, eventually, market_quotes

from stock_market.settings import Kafka
from stock_market_ops.live.market import Market, Tick
from stock_market_ops.live.reader import Reader


class SlowMarket(Market):
    """A market that takes its time, and stops while `goes_on` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.goes_on.set()

    def add(self, ticks: Sequence[Tick], invalid: int = 0) -> None:
        """As Market's, later."""
        self.goes_on.wait(600)
        time.sleep(0.2)
        super().add(ticks, invalid)


@contextmanager
def reading(bench: Workbench, market: Market, look_back_seconds: float = 900.0) -> Iterator[Reader]:
    """A reader of the bench's topic."""
    kafka = Kafka(bootstrap_servers=[bench.broker.address], topic=bench.topic)
    reader = Reader(kafka, market, look_back_seconds)
    reader.start()
    yield reader
    reader.stop()
    reader.join(60)


def record(symbol: str, price: float) -> tuple[bytes | None, bytes | None]:
    """A quote of now."""
    return symbol.encode(), value(symbol, price, int(time.time() * 1000))


def prices(market: Market) -> dict[str, float]:
    """The newest price of each symbol."""
    return {row.symbol: row.last for row in market.board()[1]}


def test_the_page_begins_with_what_was_there_and_goes_on_in_all_partitions(workbench: Workbench) -> None:
    workbench.create_topic(3)
    for partition in range(3):
        workbench.send([record(f"S{partition}", 100.0 + partition), (b"x", b"no quote")], partition)
    market = Market()
    with reading(workbench, market) as reader:
        eventually(lambda: prices(market) == {"S0": 100.0, "S1": 101.0, "S2": 102.0}, "what was there")
        workbench.send([record("S1", 111.0), record("S9", 9.0)], 1)
        eventually(lambda: prices(market).get("S9") == 9.0, "what came")
        assert prices(market)["S1"] == 111.0
        eventually(lambda: reader.view().end == 8, "the topic's end")
        view = reader.view()
        assert (view.read, view.invalid, view.symbols, view.share, view.problem) == (8, 3, 4, 1.0, "")


def test_a_page_without_a_look_back_begins_now(workbench: Workbench) -> None:
    workbench.create_topic(1)
    workbench.send([record("OLD", 1.0)])
    time.sleep(0.1)
    market = Market()
    with reading(workbench, market, 0.0) as reader:
        eventually(lambda: reader.view().end == 1, "the reader's start")
        workbench.send([record("NEW", 2.0)])
        eventually(lambda: prices(market) == {"NEW": 2.0}, "the new one alone")


def test_a_topic_that_comes_later_is_waited_for_and_said(workbench: Workbench) -> None:
    market = Market()
    with reading(workbench, market) as reader:
        eventually(lambda: "does not exist" in reader.view().problem, "the sentence")
        workbench.create_topic(1)
        workbench.send([record("A", 1.0)])
        eventually(lambda: prices(market) == {"A": 1.0}, "the quote")
        assert reader.view().problem == ""


def test_a_reader_that_is_too_slow_leaves_records_out_and_says_which_share_it_has(workbench: Workbench) -> None:
    workbench.create_topic(1)
    workbench.send([record("A", 1.0)])
    market = SlowMarket()
    with reading(workbench, market) as reader:
        eventually(lambda: prices(market) == {"A": 1.0}, "the start")
        eventually(lambda: reader.view().end == 1, "the reader's look at how far it is")
        market.goes_on.clear()
        batches = [(0, one) for one in raw_produce.compressed(market_quotes(40_000), 70)]
        raw_produce.send(workbench.broker.address, workbench.topic, batches * 3)
        time.sleep(1.2)
        market.goes_on.set()
        eventually(lambda: reader.view().share < 1, "a share")
        assert reader.view().read < reader.view().end
        workbench.send([record("LAST", 8.0)])
        # One who leaves nothing out needs 40 s.
        eventually(lambda: prices(market).get("LAST") == 8.0, "the newest quote", 30)

"""The simulated market behaves like one, and the same seed gives the same market."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from stock_market.kafka.batch_builder import Records, join
from stock_market.producer.market import Bars, Floats, Market, activity, listings
from stock_market.producer.rows import Cut, Quotes, RowWriter
from stock_market.producer.source import SimulatedSource, partition_of
from stock_market.quotes.validation import flaw
from stock_market.settings import ProducerKafka, ProducerSettings, Simulation

KAFKA = ProducerKafka(bootstrap_servers=["localhost:9092"])


def rounds(market: Market, count: int) -> Bars:
    blocks: list[Bars] = []
    while sum(len(block.open) for block in blocks) < count:
        blocks.append(market.bars())
    return Bars(*(np.concatenate(column)[:count] for column in zip(*blocks, strict=True)))


def returns(symbols: int, count: int, interval: float) -> Floats:
    return np.diff(np.log(rounds(Market(symbols, 5, interval), count).close), axis=0)


def test_the_same_seed_gives_the_same_market_and_another_seed_another() -> None:
    def series(seed: int) -> bytes:
        return b"".join(column.tobytes() for column in rounds(Market(20, seed, 60), 500))

    assert series(1) == series(1)
    assert series(1) != series(2)


def test_symbols_move_together_and_those_of_a_region_more_so() -> None:
    moves = np.asarray(np.corrcoef(returns(13, 3000, 86_400).T))
    assert 0.55 < moves[0, 1] < 0.75
    assert 0.25 < moves[0, 6] < 0.45


def test_prices_move_as_far_as_the_volatility_says() -> None:
    moves = returns(1, 4000, 86_400)
    yearly = math.sqrt(float((moves * moves).mean()) * 365)
    assert abs(yearly - listings(1)[0].volatility) < 0.01


def test_a_quote_opens_where_the_one_before_closed() -> None:
    bars = rounds(Market(30, 3, 86_400), 1000)
    assert (bars.open[1:] == bars.close[:-1]).all()


@pytest.mark.parametrize(("symbols", "years"), [(200, 1), (20, 5000)])
def test_highs_and_lows_enclose_open_and_close_and_prices_stay_in_their_band(symbols: int, years: int) -> None:
    market = Market(symbols, 3, 86_400.0 * min(years, 365))
    levels = np.array([listing.level / listing.tick for listing in market.listings])
    bars = rounds(market, 365 * max(1, years // 365))
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low >= 1).all()
    assert (np.abs(np.log(bars.close / levels)) < math.log(4) + 0.01).all()
    assert (bars.turnover >= 0).all()


def test_the_day_trades_most_at_its_ends() -> None:
    assert activity(0) > activity(20_000) > activity(43_200)
    mean = sum(activity(second) for second in range(0, 86_400, 60)) / 1440
    assert abs(mean - 1) < 0.01


def test_symbols_are_as_many_as_asked_for_and_all_different() -> None:
    assert len({listing.symbol for listing in listings(500)}) == 500
    assert listings(500)[:20] == listings(20)


def test_two_hosts_with_first_symbols_of_their_own_share_none() -> None:
    assert listings(10) + listings(10, first=10) == listings(20)
    assert listings(5, first=300) == listings(305)[300:]


def take(source: SimulatedSource, count: int, partitions: int) -> list[Records]:
    found: list[Records] = []
    while sum(batch.count for batch in found) < count:
        found += source.take(count - sum(batch.count for batch in found), partitions)
    return found


@pytest.mark.parametrize(
    ("symbols", "first", "counts", "partitions"),
    [(40, 0, [1, 63, 64, 65, 9000], 3), (1, 0, [20_000], 1), (5000, 13, [6000, 7, 5000], 7), (3, 0, [100] * 50, 12)],
)
def test_every_simulated_quote_is_a_valid_record_with_the_next_sequence(
    symbols: int, first: int, counts: list[int], partitions: int
) -> None:
    settings = ProducerSettings(kafka=KAFKA, simulate=Simulation(symbols=symbols, first_symbol=first))
    source = SimulatedSource(settings, "abc", clock=lambda: 1_767_225_600.25)
    sequences = []
    for count in counts:
        last = [-1] * partitions
        for batch in take(source, count, partitions):
            pairs = batch.split()
            assert bytes(batch.body) == join(batch.partition, pairs).body
            assert len(batch.body) <= KAFKA.batch_bytes
            for key, value in pairs:
                assert flaw(key, value) is None
                assert batch.partition == partition_of(key, partitions)
                assert b'"event_time":"2026-01-01T00:00:00.250Z"' in value
                assert 120 < len(value) < 260
                record = json.loads(value)
                assert record["producer_id"] == "abc"
                assert record["low"] <= min(record["open"], record["close"])
                assert record["high"] >= max(record["open"], record["close"])
                assert record["sequence"] > last[batch.partition]
                last[batch.partition] = record["sequence"]
                sequences.append(record["sequence"])
    assert sorted(sequences) == list(range(sum(counts)))


def test_the_same_quotes_come_however_many_are_taken_at_once() -> None:
    def values(counts: list[int]) -> list[bytes]:
        source = SimulatedSource(ProducerSettings(kafka=KAFKA), "abc", clock=lambda: 1_767_225_600.25)
        batches = [batch for count in counts for batch in take(source, count, 1)]
        return [value for batch in batches for _, value in batch.split()]

    assert values([10_000]) == values([1, 2, 3, 4, 4990, 5000])


def test_numbers_of_any_length_are_written_as_python_writes_them() -> None:
    source = SimulatedSource(ProducerSettings(kafka=KAFKA, simulate=Simulation(symbols=2000)), "abc")
    for produced in (0, 9_990, 99_999_990, 10**8, 10**12 - 10, 10**15):
        source.produced = produced
        batches = take(source, 2000, 2)
        records = sorted(
            (json.loads(value) for batch in batches for _, value in batch.split()), key=lambda r: r["sequence"]
        )
        assert [record["sequence"] for record in records] == list(range(produced, produced + 2000))
        usd = {listing.symbol: listing.usd for listing in listings(2000)}
        for record in records:
            assert abs(record["close_usd"] - record["close"] * usd[record["symbol"]]) < 1e-4
            assert record["adj_close"] == record["close"]


def _writer(usd: float = 0.13) -> RowWriter:
    return RowWriter([listing._replace(usd=usd) for listing in listings(2)], "abc")


def _written(writer: RowWriter, **numbers: int) -> list[dict[str, Any]]:
    """Two quotes that differ in their symbol, one with small numbers and one with these."""
    fields = {"open": 1, "high": 99, "low": 0, "close": 100, "volume": 0, "sequence": 0}
    columns = {name: np.array([small, numbers.get(name, small)], np.int64) for name, small in fields.items()}
    quotes = Quotes(np.array([1, 0]), *columns.values())
    (batch,) = writer.write(quotes, b"2026-01-01T00:00:00.250Z", Cut(np.array([0, 1]), [(3, 0, 2)]))
    assert (batch.partition, batch.count) == (3, 2)
    assert bytes(batch.body) == join(3, batch.split()).body
    assert [flaw(key, value) for key, value in batch.split()] == [None, None]
    found = [json.loads(value, parse_float=Decimal) for _, value in batch.split()]
    assert [record["symbol"] for record in found] == ["IXIC", "NYA"]
    assert (found[0]["open"], found[0]["high"], found[0]["low"]) == (Decimal("0.01"), Decimal("0.99"), Decimal("0.00"))
    return found


_EDGES = sorted(
    {10**power + step for power in (4, 8, 9, 11, 12, 15, 16, 18) for step in (-1, 0)} | {2**53 + 1, 2**63 - 1}
)


@pytest.mark.parametrize("number", _EDGES)
def test_each_number_of_64_bits_is_written_exactly(number: int) -> None:
    for name in ("volume", "sequence"):
        assert [record[name] for record in _written(_writer(), **{name: number})] == [0, number]
    for name in ("open", "high", "low", "close"):
        assert _written(_writer(), **{name: number})[1][name] == Decimal(number).scaleb(-2)
    last = _written(_writer(), close=number)[1]
    assert last["adj_close"] == last["close"]
    assert abs(last["close_usd"] - last["close"] * Decimal("0.13")) <= Decimal("0.0001")


@pytest.mark.parametrize("usd", [1e-300, 1e-7, 0.0, 1e9, 1e30])
def test_a_rate_to_dollars_of_any_size_makes_a_number_without_an_exponent(usd: float) -> None:
    dollars = _written(_writer(usd), close=12_345)[1]["close_usd"]
    assert abs(dollars - Decimal("123.45") * Decimal(repr(usd))) <= Decimal("0.0001")


@pytest.mark.parametrize("usd", [math.nan, math.inf, -math.inf, -1.0])
def test_a_rate_to_dollars_that_is_not_a_json_number_is_refused(usd: float) -> None:
    with pytest.raises(ValueError, match="NYA has the rate"):
        _writer(usd)


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume", "sequence"])
def test_a_negative_number_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is negative"):
        _written(_writer(), **{name: -1})


def test_keys_go_to_the_partitions_that_javas_producer_would_choose() -> None:
    # From UtilsTest.testMurmur2 of Kafka's clients, as murmur2 % 1000 of the positive hash.
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    for key, hashed in known.items():
        assert partition_of(key, 1000) == (hashed & 0x7FFFFFFF) % 1000

"""The simulated market behaves like one, and the same seed gives the same market."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec

from stock_market.market import Market, activity, listings
from stock_market.quotes import flaw
from stock_market.settings import ProducerKafka, ProducerSettings, Simulation
from stock_market.source import SimulatedSource, Stamp

KAFKA = ProducerKafka(bootstrap_servers=["localhost:9092"])


def returns(symbols: int, rounds: int, interval: float) -> list[list[float]]:
    market = Market(symbols, 5, interval)
    closes: list[list[int]] = [[] for _ in range(symbols)]
    for _ in range(rounds):
        for index, bar in enumerate(market.bars(43_200.0)):
            closes[index].append(bar.close)
    return [[math.log(later / earlier) for earlier, later in pairwise(series)] for series in closes]


def correlation(one: list[float], other: list[float]) -> float:
    mean_one, mean_other = sum(one) / len(one), sum(other) / len(other)
    both = sum((a - mean_one) * (b - mean_other) for a, b in zip(one, other, strict=True))
    spread = math.sqrt(sum((a - mean_one) ** 2 for a in one) * sum((b - mean_other) ** 2 for b in other))
    return both / spread


def test_the_same_seed_gives_the_same_market_and_another_seed_another() -> None:
    def series(seed: int) -> list[tuple[object, ...]]:
        market = Market(20, seed, 60)
        return [bar for _ in range(5) for bar in market.bars(3600.0)]

    assert series(1) == series(1)
    assert series(1) != series(2)


def test_symbols_move_together_and_those_of_a_region_more_so() -> None:
    moves = returns(13, 3000, 86_400)
    assert 0.55 < correlation(moves[0], moves[1]) < 0.75
    assert 0.25 < correlation(moves[0], moves[6]) < 0.45


def test_prices_move_as_far_as_the_volatility_says() -> None:
    moves = returns(1, 4000, 86_400)[0]
    yearly = math.sqrt(sum(move * move for move in moves) / len(moves) * 365)
    assert abs(yearly - listings(1)[0].volatility) < 0.01


def test_highs_and_lows_enclose_open_and_close_and_no_price_falls_below_a_tick() -> None:
    market = Market(200, 3, 86_400)
    for _ in range(200):
        for bar in market.bars(0.0):
            assert 1 <= bar.low <= min(bar.open, bar.close)
            assert bar.high >= max(bar.open, bar.close)
            assert bar.volume >= 0


def test_the_day_trades_most_at_its_ends() -> None:
    assert activity(0) > activity(20_000) > activity(43_200)
    mean = sum(activity(second) for second in range(0, 86_400, 60)) / 1440
    assert abs(mean - 1) < 0.01


def test_symbols_are_as_many_as_asked_for_and_all_different() -> None:
    assert len({listing.symbol for listing in listings(500)}) == 500
    assert listings(500)[:20] == listings(20)


def test_every_simulated_quote_is_a_valid_record_with_the_next_sequence() -> None:
    settings = ProducerSettings(kafka=KAFKA, simulate=Simulation(symbols=40))
    source = SimulatedSource(settings, clock=lambda: 1_767_225_600.25)
    stamp = Stamp("abc")
    for number, (key, start) in enumerate(source.take(400)):
        value = stamp.complete(start)
        assert flaw(key, value) is None
        record = msgspec.json.decode(value)
        assert record["sequence"] == number
        assert record["event_time"] == "2026-01-01T00:00:00.250Z"
        assert 120 < len(value) < 300

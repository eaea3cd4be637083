"""The benchmark of the first byte: percentiles, the histogram, and the programs that are compared."""

from __future__ import annotations

import pytest
from benchmarks import first_byte


def test_the_longest_delay_has_the_goal() -> None:
    delays = [number / 100 for number in range(1, 101)]
    median, rare, longest = first_byte.summary("a consumer, 1 s", delays, 0.9)
    assert (median.values, rare.values, longest.values) == ((0.51,), (1.0,), (1.0,))
    assert (median.verdict, rare.verdict, longest.verdict) == ("", "", "missed")


def test_a_histogram_has_every_record_in_one_span() -> None:
    shown = first_byte.histogram("a consumer", [-0.001, *(number / 10 for number in range(1, 100)), 10.0])
    shares = [float(row.split("|")[2].strip().rstrip("%")) for row in shown.splitlines()[2:]]
    assert len(shares) == 10
    assert sum(shares) == pytest.approx(100, abs=0.5)


def test_delays_without_a_length_have_a_histogram_too() -> None:
    assert "100.0%" in first_byte.histogram("a consumer", [0.0, 0.0])


def test_the_consumer_is_measured_at_its_default_at_the_shortest_and_at_the_peers_flush() -> None:
    own = {name: flush for name, (_, flush) in first_byte.PROGRAMS.items() if name.startswith("consumer")}
    assert own == {"consumer, 30 s": 30, "consumer, 10 s": 10, "consumer, 1 s": 1}

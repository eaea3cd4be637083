"""The benchmark's curves: what grows faster than its work misses its goal, and each value has its bar."""

from __future__ import annotations

import pytest
from benchmarks.curves import Curve, Point, Way, way_figures
from benchmarks.figures import Figure


def curve(*seconds: float, peak: float = 100) -> Curve:
    points = (Point(at, cpu, peak) for at, cpu in zip((10, 100, 1000), seconds, strict=True))
    return Curve("verifier", "objects", tuple(points))


def named(figures: list[Figure], what: str) -> Figure:
    (found,) = [figure for figure in figures if figure.what == what]
    return found


@pytest.mark.parametrize(
    ("seconds", "growth", "verdict"),
    [((1, 1, 1), 0, "met"), ((1, 10, 100), 1, "met"), ((1, 10, 1000), 2, "missed"), ((5, 6, 15), 0.4, "met")],
)
def test_what_grows_faster_than_its_work_is_missed(seconds: tuple[float, ...], growth: float, verdict: str) -> None:
    found = named(curve(*seconds).figures(), "verifier against objects: exponent of its CPU seconds")
    assert found.values[0] == pytest.approx(growth, abs=0.01)
    assert found.verdict == verdict


def test_memory_has_a_bound_at_every_value() -> None:
    figures = curve(1, 1, 1, peak=257).figures()
    assert named(figures, "verifier against objects: most memory").verdict == "missed"
    assert named(figures, "verifier against objects: memory").values == (257, 257, 257)


def test_a_curve_is_drawn_with_a_bar_for_each_value() -> None:
    _, _, *rows = curve(1, 2, 4).drawing().splitlines()
    assert [row.count("█") for row in rows] == [6, 12, 24]
    assert [row.split("|")[1].strip() for row in rows] == ["10", "100", "1,000"]


def test_more_consumers_are_compared_at_the_same_partitions() -> None:
    ways = [Way(8, 1, 400, 1, 2, 90), Way(8, 4, 300, 1, 3, 80), Way(512, 2, 100, 1, 8, 120)]
    figures = way_figures(ways)
    more = named(figures, "consumers' CPU seconds, 4 processes over 1")
    assert (more.values, more.verdict) == ((1.5,), "missed")
    assert named(figures, "whole way: most memory of a consumer").values == (120,)
    assert named(figures, "whole way, 512 partitions, consumers: 2").values == (100,)

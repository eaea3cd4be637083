"""How a metric is defined: name, type, unit, labels and meaning, once for the code and for docs/metrics.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from stock_market.metrics.histogram import Snapshot

Kind = Literal["counter", "gauge", "histogram", "info"]
Number: TypeAlias = float | Snapshot
"""A number, or what a histogram has counted."""
Values: TypeAlias = Number | Mapping[tuple[str, ...], Number]
"""The value of a metric without labels, or a value for each combination of its labels' values."""


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric's definition.

    Attributes:
        name: as Prometheus names it; a histogram's without _bucket, _sum and _count.
        kind: its type.
        unit: what its value counts; of a histogram, what its buckets measure.
        meaning: one or two sentences.
        labels: each with all values that it can have, or with a sentence about them.
        bounds: upper bounds of a histogram's buckets, in its unit.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    labels: Mapping[str, tuple[str, ...] | str] = field(default_factory=dict)
    bounds: tuple[float, ...] = ()


Readings: TypeAlias = Callable[[], Mapping[Metric, Values]]
"""Gives the values of the moment at which it is called, in any thread."""


class Definitions:
    """The metrics of one program, whose names begin with `prefix`, in the order in which they were defined."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.metrics: list[Metric] = []

    def _add(self, metric: Metric) -> Metric:
        self.metrics.append(metric)
        return metric

    def counter(self, name: str, unit: str, meaning: str, /, **labels: tuple[str, ...] | str) -> Metric:
        """A number that only grows until the process ends."""
        return self._add(Metric(self._prefix + name, "counter", unit, meaning, labels))

    def gauge(self, name: str, unit: str, meaning: str, /, **labels: tuple[str, ...] | str) -> Metric:
        """A number that grows and falls."""
        return self._add(Metric(self._prefix + name, "gauge", unit, meaning, labels))

    def info(self, name: str, meaning: str, /, **labels: tuple[str, ...] | str) -> Metric:
        """Texts, as labels of the value 1."""
        return self._add(Metric(self._prefix + name, "info", "", meaning, labels))

    def histogram(
        self, name: str, unit: str, meaning: str, bounds: tuple[float, ...], /, **labels: tuple[str, ...] | str
    ) -> Metric:
        """How often a value fell below each of the bounds."""
        return self._add(Metric(self._prefix + name, "histogram", unit, meaning, labels, bounds))

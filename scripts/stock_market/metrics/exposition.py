"""Gives prometheus-client the values of defined metrics, read at the moment of a scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from prometheus_client import metrics_core
from prometheus_client.registry import Collector

from stock_market.metrics.definition import Metric, Number, Readings, Values
from stock_market.metrics.histogram import Snapshot


class Reader(Collector):
    """Reads the values when Prometheus asks for them, so that nothing is done in between.

    Args:
        read: gives the values; a metric without a value for now is left out. Called in the listener's thread.
    """

    def __init__(self, read: Readings) -> None:
        self._read = read

    def collect(self) -> Iterator[metrics_core.Metric]:
        """The metrics with their values."""
        for metric, values in self._read().items():
            yield _family(metric, values)


def _family(metric: Metric, values: Values) -> metrics_core.Metric:
    samples: Mapping[tuple[str, ...], Number] = values if isinstance(values, Mapping) else {(): values}
    labels = tuple(metric.labels)
    if metric.kind == "info":
        info = metrics_core.InfoMetricFamily(metric.name.removesuffix("_info"), metric.meaning)
        for texts in samples:
            info.add_metric([], dict(zip(labels, texts, strict=True)))
        return info
    if metric.kind == "histogram":
        histogram = metrics_core.HistogramMetricFamily(metric.name, metric.meaning, labels=labels)
        bounds = [*map(str, metric.bounds), "+Inf"]
        for texts, number in samples.items():
            found = cast("Snapshot", number)
            histogram.add_metric(texts, list(zip(bounds, found.counts, strict=True)), found.total)
        return histogram
    kind = metrics_core.CounterMetricFamily if metric.kind == "counter" else metrics_core.GaugeMetricFamily
    family = kind(metric.name, metric.meaning, labels=labels)
    for texts, number in samples.items():
        family.add_metric(texts, cast("float", number))
    return family

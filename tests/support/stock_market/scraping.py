"""Reads a service's metrics as Prometheus does."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from tests.support.stock_market.services import Service, eventually

from stock_market.metrics.definition import Metric


class Scrape(NamedTuple):
    """What a service told.

    Attributes:
        types: of each metric, by its name without a suffix.
        samples: value by name and labels.
    """

    types: Mapping[str, str]
    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """The value of one sample."""
        return self.samples[name, frozenset(labels.items())]

    def has(self, name: str) -> bool:
        """Whether there is a sample of this name."""
        return any(each == name for each, _ in self.samples)

    def labels(self, name: str, label: str) -> set[str]:
        """The values that a label of this metric has."""
        return {dict(labels)[label] for each, labels in self.samples if each == name}


def table(port: int) -> str:
    """The settings that let a service listen."""
    return f'[metrics]\naddress = "127.0.0.1"\nport = {port}\n'


def scrape(port: int) -> Scrape:
    """One scrape."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }
    return Scrape({family.name: family.type for family in families}, samples)


def wait_until_held(consumer: Service, port: int, records: int) -> None:
    """Waits until a consumer that listens on the port holds exactly `records` of them."""
    consumer.logged("metrics_listening")
    eventually(lambda: scrape(port).value("stock_consumer_held_records") == records, f"{records} records held")


def undefined(found: Scrape, metrics: Iterable[Metric]) -> set[str]:
    """Samples that have another name, other labels, or other values of them than their definition allows."""
    allowed: dict[str, Metric] = {}
    for metric in metrics:
        suffixes = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        allowed |= {metric.name + suffix: metric for suffix in suffixes}
    wrong = set()
    for name, labels in found.samples:
        metric_of = allowed.get(name)
        given = dict(labels)
        if name.endswith("_bucket"):
            given.pop("le")
        if metric_of is None or set(given) != set(metric_of.labels):
            wrong.add(name)
            continue
        for label, values in metric_of.labels.items():
            if isinstance(values, tuple) and given[label] not in values:
                wrong.add(f"{name}{{{label}={given[label]}}}")
    return wrong

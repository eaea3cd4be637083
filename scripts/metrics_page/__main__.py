"""Writes docs/metrics.md from where the metrics are defined: `python -m metrics_page`, or `make metrics-doc`."""

from __future__ import annotations

from collections.abc import Iterator

from metrics_page.known import ROOT, tables
from stock_market.metrics.definition import Metric

PAGE = ROOT / "docs" / "metrics.md"
_ABOUT = {
    "Producer": "Role stock_producer, from `scripts/stock_market/producer/metrics.py`.",
    "Consumer": "Role stock_consumer, from `scripts/stock_market/consumer/metrics.py`. With several processes on a"
    " host, each has a port and these metrics of its own.",
    "Producer and consumer": "Both have these, under the names that Prometheus' clients agree on.",
    "Brokers": "The JMX exporter of the role kafka shows these and no others, from `roles/kafka/files/metrics.yml`.",
    "ZooKeeper": "The JMX exporter of the role zookeeper shows these and no others, from"
    " `roles/zookeeper/files/metrics.yml`.",
    "Controllers": "The JMX exporter of the role kafka_controller shows these and no others, from"
    " `roles/kafka_controller/files/metrics.yml`.",
    "Java machines": "The exporter's agent adds these, and more of the same kind, for brokers, ZooKeeper and"
    " controllers.",
    "Hosts": "Those of Debian's `prometheus-node-exporter` that a dashboard or an alert uses; it has many more. The"
    " project's own begin with `stock_market_`.",
    "Scrapes": "Prometheus itself adds these for each target.",
}
_INTRODUCTION = (
    "What Prometheus reads of a deployment: name, type, unit, labels and meaning of each metric. Every series also has"
    " the labels `job`, `instance` (the instance's name) and `service`; those of several consumers on a host have"
    " `process`. [dashboards/](dashboards) has dashboards for Grafana: import the files, and choose your Prometheus"
    " at the top of each."
)
_TYPES = (
    "Counters grow until their process ends: use `rate()` or `increase()`. A histogram has the series `_bucket`, `_sum`"
    " and `_count`: use `histogram_quantile()`."
)


def page() -> str:
    """The text of the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("# Metrics", "", _INTRODUCTION, "", _TYPES)
    for heading, metrics in tables().items():
        yield from ("", f"## {heading}", "", _ABOUT[heading], "")
        units = any(metric.unit for metric in metrics)
        yield "| metric | type | " + ("unit | " if units else "") + "labels | meaning |"
        yield "| --- | --- | " + ("--- | " if units else "") + "--- | --- |"
        for metric in metrics:
            unit = f"{metric.unit} | " if units else ""
            yield f"| `{metric.name}` | {metric.kind} | {unit}{_labels(metric)} | {_cell(metric.meaning)} |"
    yield from ("", "This page is made by `make metrics-doc` from where the metrics are defined.")


def _labels(metric: Metric) -> str:
    shown = []
    for name, values in metric.labels.items():
        text = ", ".join(f"`{value}`" for value in values) if isinstance(values, tuple) else _cell(values)
        shown.append(f"`{name}`" + (f": {text}" if text else ""))
    return "; ".join(shown)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

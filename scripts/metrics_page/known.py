"""All metrics of a deployment, from where they are defined: the services' code, and the JMX exporter's allow-lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from metrics_page.hosts import HOSTS, JAVA, PROMETHEUS
from stock_market.consumer.metrics import METRICS as CONSUMER
from stock_market.metrics.definition import Kind, Metric
from stock_market.metrics.process import COLLECTOR, PROCESS
from stock_market.producer.metrics import METRICS as PRODUCER

ROOT = Path(__file__).resolve().parents[2]


def allowed(role: str) -> tuple[Metric, ...]:
    """What the JMX exporter of a role shows, by its allow-list.

    Raises:
        ValueError: a rule has no help.
    """
    rules: list[dict[str, Any]] = yaml.safe_load(
        (ROOT / "roles" / role / "files" / "metrics.yml").read_text(encoding="utf-8")
    )["rules"]
    silent = [rule["name"] for rule in rules if not rule.get("help")]
    if silent:
        raise ValueError(f"rules without a help in roles/{role}/files/metrics.yml: {', '.join(silent)}")
    return tuple(
        Metric(
            rule["name"].replace("$1", "*"),
            cast("Kind", rule.get("type", "GAUGE").lower()),
            "",
            rule["help"].rstrip(".") + ".",
            dict.fromkeys(rule.get("labels", {}), ""),
        )
        for rule in rules
    )


def tables() -> Mapping[str, tuple[Metric, ...]]:
    """The metrics by the headings of the page."""
    return {
        "Producer": PRODUCER,
        "Consumer": CONSUMER,
        "Producer and consumer": (*PROCESS, *COLLECTOR),
        "Brokers": allowed("kafka"),
        "ZooKeeper": allowed("zookeeper"),
        "Controllers": allowed("kafka_controller"),
        "Java machines": JAVA,
        "Hosts": HOSTS,
        "Scrapes": PROMETHEUS,
    }


def series(metrics: Iterable[Metric]) -> set[str]:
    """The names that expressions may use."""
    return {
        metric.name + suffix
        for metric in metrics
        for suffix in (("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",))
    }


def known() -> set[str]:
    """The names that expressions may use, of all metrics."""
    return series(metric for metrics in tables().values() for metric in metrics)


def labels_of(name: str) -> set[str]:
    """The labels that a series of this name has of its own."""
    base = re.sub(r"_(bucket|count|sum)$", "", name)
    for metrics in tables().values():
        for metric in metrics:
            if metric.name == name or (metric.kind == "histogram" and metric.name == base):
                return set(metric.labels) | ({"le"} if name.endswith("_bucket") else set())
    raise KeyError(name)

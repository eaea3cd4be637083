"""What the JMX exporter shows: a list that does not grow with topics or clients, each metric with its meaning."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from stock_market_ops.common.deployment import ROOT

SERVICES = ("kafka", "zookeeper", "kafka_controller")


def configuration(service: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / f"roles/{service}/files/metrics.yml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("service", SERVICES)
def test_no_bean_of_a_single_topic_partition_or_client_is_read(service: str) -> None:
    names = configuration(service)["includeObjectNames"]
    assert len(names) == len(set(names)) > 3
    for name in names:
        keys = dict(pair.split("=", 1) for pair in name.partition(":")[2].split(","))
        assert keys.keys() & {"topic", "partition", "name4"} == set(), name
        # A pattern of values is for what a broker has few of.
        free = {key for key, value in keys.items() if "*" in value}
        assert free <= {"listener", "networkProcessor", "version", "name0", "name1", "name2"}, name


@pytest.mark.parametrize("service", SERVICES)
def test_a_metric_has_a_type_and_says_what_it_is(service: str) -> None:
    rules = configuration(service)["rules"]
    assert len({rule["name"] for rule in rules}) == len(rules)
    for rule in rules:
        re.compile(rule["pattern"])
        assert re.fullmatch(rf"{service.partition('_')[0]}_[a-z_]+", rule["name"])
        assert (rule["type"] == "COUNTER") == rule["name"].endswith("_total"), rule["name"]
        assert rule["help"]
        assert not rule["help"].endswith(".")


@pytest.mark.parametrize("service", SERVICES)
def test_a_role_by_itself_opens_no_port_for_metrics(service: str) -> None:
    defaults = yaml.safe_load((ROOT / f"roles/{service}/defaults/main.yml").read_text(encoding="utf-8"))
    assert defaults[f"{service}_metrics_port"] == 0

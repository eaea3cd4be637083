"""The state of the pipeline: a broker that is gone keeps its id, faults begin and end, the unknown is said."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from tests.stock_market_ops.live.test_live_program import deployment

from stock_market.settings import Kafka
from stock_market_ops.common.deployment import Instance
from stock_market_ops.live.brokers import ClusterView, Partition
from stock_market_ops.live.pipeline import Watch

ADDRESSES = [f"198.51.100.{number}:9092" for number in (1, 2, 3)]


def watch(*services: str) -> Watch:
    """A watch over three brokers, which nobody runs; further services are on the first instance."""
    instances = [
        Instance(f"kafka-{number}", f"i-{number}", f"198.51.100.{number}", f"10.0.0.{number}", ["kafka", *services])
        for number in (1, 2, 3)
    ]
    known = msgspec.structs.replace(deployment(), bootstrap_servers=",".join(ADDRESSES), instances=instances)
    return Watch(known, Kafka(bootstrap_servers=ADDRESSES), lambda: -1)


def told(over: Watch, running: set[int], leaders: dict[int, int]) -> dict[str, Any]:
    """The state once the brokers that run have told their leaders."""
    cluster = ClusterView(
        {number: ADDRESSES[number - 1] for number in sorted(running)},
        min(running),
        [Partition(number, leader, [1, 2, 3], sorted(running)) for number, leader in leaders.items()],
    )
    over._cluster._found = time.monotonic(), cluster
    answers = {address: number in running for number, address in enumerate(ADDRESSES, 1)}
    over._probe._found = time.monotonic(), answers
    over._made_at = 0.0
    return over.view()[1]


def test_a_broker_that_the_others_have_given_up_keeps_its_id_and_what_it_holds() -> None:
    over = watch()
    well = told(over, {1, 2, 3}, {0: 1, 1: 2, 2: 3})
    assert well["findings"] == []
    assert [(one["number"], one["name"], one["leads"]) for one in well["brokers"]] == [
        (1, "kafka-1", [0]),
        (2, "kafka-2", [1]),
        (3, "kafka-3", [2]),
    ]
    hurt = told(over, {2, 3}, {0: 2, 1: 2, 2: 3})
    assert [(one["number"], one["up"]) for one in hurt["brokers"]] == [(1, False), (2, True), (3, True)]
    [finding] = hurt["findings"]
    assert finding["what"] == "kafka-1 does not answer"
    assert "partitions (0, 1, 2)" in finding["meaning"]


def test_what_began_and_what_is_over_is_written_down() -> None:
    over = watch()
    told(over, {1, 2, 3}, {0: 1})
    told(over, {1, 2}, {0: 1})
    state = told(over, {1, 2, 3}, {0: 1})
    assert [(event["what"], event["began"]) for event in state["events"]] == [
        ("kafka-3 does not answer", True),
        ("kafka-3 does not answer", False),
    ]


def test_the_version_grows_only_where_something_changed() -> None:
    over = watch()
    told(over, {1, 2, 3}, {0: 1})
    before = over.view()[0]
    told(over, {1, 2, 3}, {0: 1})
    assert over.view()[0] == before
    told(over, {1, 2, 3}, {0: 2})
    assert over.view()[0] > before


def test_a_deployment_without_monitoring_says_so() -> None:
    assert "monitoring" in watch().view()[1]["problems"]["prometheus"]


def test_prometheus_that_is_not_reached_yet_is_not_known() -> None:
    over = watch("monitoring")
    assert over.view()[1]["problems"]["prometheus"] == "Connecting to Prometheus."
    over.__exit__()

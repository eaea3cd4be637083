"""What only Kafka 4 has of the features: run by `make test-kafka-4`, with STOCK_MARKET_TEST_KAFKA=4.3.1."""

from __future__ import annotations

import re
import subprocess

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_features
from plugins.modules import kafka_software_info
from tests.kafka import test_kafka_features
from tests.kafka.conftest import Run
from tests.kafka.test_kafka_features import OLD, levels
from tests.support.stock_market.broker import Broker, distribution
from tests.support.stock_market.services import eventually

broker = test_kafka_features.broker


def test_the_levels_of_the_releases_are_those_that_kafkas_tool_prints() -> None:
    command = [f"{distribution()}/bin/kafka-features.sh", "--bootstrap-server", "127.0.0.1:1", "version-mapping"]
    for release, known in kafka_features.RELEASES.items():
        done = subprocess.run([*command, "--release-version", release], capture_output=True, text=True, check=True)
        told = {name: int(level) for name, level in re.findall(r"(?m)^([a-z.]+)=(\d+)", done.stdout)}
        assert known == {name: level for name, level in told.items() if level}


def test_new_features_are_used_once_and_check_mode_changes_nothing(broker: Broker, run: Run) -> None:
    would = run("kafka_features", release="4.3", bootstrap_servers=[broker.address], _check=True)
    assert would["changed"]
    assert levels(broker) == OLD
    done = run("kafka_features", release="4.3", bootstrap_servers=[broker.address])
    assert done["changed"]
    assert levels(broker) == kafka_features.RELEASES["4.3"]
    controller = f"127.0.0.1:{broker.zookeeper_port}"
    eventually(lambda: kafka_software_info.features([controller], None, None) == "4.3", "what the controller tells")
    again = run("kafka_features", release="4.3", bootstrap_servers=[broker.address])
    assert not again["changed"]

"""Promises of the filter kafka_change in KRaft: Kafka 4 after 3.9, first its software and then its features."""

from __future__ import annotations

import pytest
from plugins.filter.kafka_change import kafka_change
from tests.kafka.test_kafka_change import Brokers, cluster

OLD = cluster("3.9.2/3.9", "3.9.2/3.9")
HALF = cluster("4.3.1/3.9", "3.9.2/3.9")
BETWEEN = cluster("4.3.1/3.9", "4.3.1/3.9")
NEW = cluster("4.3.1/4.3", "4.3.1/4.3")
SILENT = cluster("4.3.1/", "4.3.1/")


@pytest.mark.parametrize(
    ("brokers", "declared", "step", "features", "notice"),
    [
        pytest.param(
            OLD,
            "4.3.1",
            "software",
            "3.9",
            "Every broker comes to run Kafka 4.3.1, one after the other; the cluster uses the features of 3.9 until "
            "make upgrade STEP=features, and until then make upgrade STEP=rollback leads back.",
            id="the new software keeps the old features",
        ),
        pytest.param(HALF, "4.3.1", "software", "3.9", "Every broker comes to run Kafka 4.3.1", id="broken off"),
        pytest.param(BETWEEN, "4.3.1", "software", "3.9", "Every broker runs Kafka 4.3.1 already", id="there already"),
        pytest.param(
            BETWEEN,
            "4.3.1",
            "features",
            "4.3",
            "The cluster comes to use the features of Kafka 4.3: there is no way back.",
            id="the new features",
        ),
        pytest.param(
            NEW, "4.3.1", "features", "4.3", "The cluster uses the features of Kafka 4.3 already.", id="features again"
        ),
        pytest.param(BETWEEN, "3.9.2", "rollback", "3.9", "Every broker comes to run Kafka 3.9.2", id="back between"),
        pytest.param(
            HALF, "3.9.2", "rollback", "3.9", "Every broker comes to run Kafka 3.9.2", id="back in the middle"
        ),
        pytest.param(OLD, "3.9.2", "", "3.9", "", id="site.yml before"),
        pytest.param(BETWEEN, "4.3.1", "", "3.9", "", id="site.yml between"),
        pytest.param(NEW, "4.3.1", "", "4.3", "", id="site.yml after"),
        pytest.param(SILENT, "4.3.1", "", "", "", id="site.yml where no controller answers"),
        pytest.param(cluster("/"), "4.3.1", "", "4.3", "", id="the first deployment"),
    ],
)
def test_what_goes_and_what_it_says(brokers: Brokers, declared: str, step: str, features: str, notice: str) -> None:
    change = kafka_change(brokers, declared, step, "kraft")
    assert change["obstacle"] == ""
    assert change["protocol"] == features
    assert (notice in change["notice"]) if notice else (change["notice"] == "")


@pytest.mark.parametrize(
    ("brokers", "declared", "step", "sentence"),
    [
        pytest.param(
            OLD,
            "4.3.1",
            "",
            "run Kafka 3.9.2, and kafka_version is 4.3.1: say make upgrade STEP=software for that, or set "
            "kafka_version to 3.9.2.",
            id="site.yml with the new version",
        ),
        pytest.param(
            BETWEEN,
            "3.9.2",
            "",
            "run Kafka 4.3.1, and kafka_version is 3.9.2: say make upgrade STEP=rollback for that",
            id="site.yml with the old version between the steps",
        ),
        pytest.param(
            OLD,
            "4.3.1",
            "features",
            "kafka-1 and kafka-2 run Kafka 3.9.2, and kafka_version is 4.3.1: the features change only where every "
            "broker runs that. Say make upgrade STEP=software first.",
            id="features before the software",
        ),
        pytest.param(
            HALF, "4.3.1", "features", "the features change only where every broker runs that", id="too early"
        ),
        pytest.param(
            NEW,
            "3.9.2",
            "rollback",
            "The cluster uses the features of Kafka 4.3, which Kafka 3.9.2 does not know, so there is no way back to "
            "it: set kafka_version to 4.3.1.",
            id="back after the features",
        ),
        pytest.param(NEW, "3.9.2", "", "there is no way back to it: set kafka_version to 4.3.1.", id="site.yml too"),
        pytest.param(
            SILENT,
            "3.9.2",
            "rollback",
            "The controllers do not tell which features the cluster uses: see make status.",
            id="back where no controller answers",
        ),
        pytest.param(OLD, "4.3.1", "protocol", "no step 'protocol' of an upgrade: say software, features", id="step"),
        pytest.param(OLD, "4.1.2", "software", "of Kafka 4, only 4.2 and later run here. Set it to 4.3.1.", id="4.1"),
        pytest.param(OLD, "3.8.1", "rollback", "controllers need Kafka 3.9: set kafka_version to 3.9.2.", id="3.8"),
    ],
)
def test_what_does_not_go_and_the_sentence_that_says_so(
    brokers: Brokers, declared: str, step: str, sentence: str
) -> None:
    change = kafka_change(brokers, declared, step, "kraft")
    assert sentence in change["obstacle"]
    assert change["notice"] == ""

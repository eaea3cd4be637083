"""`make status` on brokers that take nobody without a password."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from tests.support.stock_market.authority import Authority
from tests.support.stock_market.services import Workbench

from stock_market_ops.common.deployment import Deployment, load
from stock_market_ops.status import probe_kafka


@dataclass
class State:
    """The operator's file of a deployment, and those that it names."""

    root: Path
    document: dict[str, object]

    def deployment(self, **security: str) -> Deployment:
        folder = self.root / "test"
        folder.mkdir(exist_ok=True)
        known = self.document["kafka_security"]
        assert isinstance(known, dict)
        document = self.document | {"kafka_security": known | security}
        (folder / "deployment.json").write_bytes(msgspec.json.encode(document))
        return load("test", self.root)


@pytest.fixture
def state(secured_workbench: Workbench, tmp_path: Path) -> State:
    bench = secured_workbench
    bench.create_topic(partitions=2)
    bench.send([(b"k", b"v")] * 5)
    assert bench.committed() is None  # Now the brokers have their topic of the groups.
    assert bench.broker.secured is not None
    ca_file = bench.broker.secured.authority.file
    document: dict[str, object] = dict.fromkeys(Deployment.__struct_fields__, "") | {
        "bootstrap_servers": bench.broker.address,
        "topic": bench.topic,
        "consumer_group": bench.group,
        "consumers": 1,
        "flush_seconds": 1.0,
        "instances": [],
        "kafka_security": {
            "ca_file": str(ca_file),
            "username": "operator",
            "password_file": str(ca_file.parent / "operator.password"),
        },
    }
    return State(tmp_path, document)


def test_the_operator_sees_topic_and_group(state: State) -> None:
    view = probe_kafka.look(state.deployment())
    assert view.topic is not None
    assert view.topic.end_offsets == {0: 5, 1: 0}


def test_the_rate_is_that_of_the_seconds_before_the_newest_record(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = probe_kafka.look(state.deployment()).topic
    assert topic is not None
    assert topic.records_per_second == 5 / 10

    def late() -> float:
        return time.time_ns() / 1e9 + 11

    monkeypatch.setattr(time, "time", late)
    topic = probe_kafka.look(state.deployment()).topic
    assert topic is not None
    assert topic.newest_record_age_seconds is not None
    assert topic.newest_record_age_seconds > 10
    assert topic.records_per_second == 0


def test_a_topic_without_a_record_has_no_rate(secured_workbench: Workbench, state: State) -> None:
    secured_workbench.topic += "-empty"
    secured_workbench.create_topic(partitions=2)
    topic = probe_kafka.look(msgspec.structs.replace(state.deployment(), topic=secured_workbench.topic)).topic
    assert topic is not None
    assert (topic.end_offsets, topic.records_per_second, topic.newest_record_age_seconds) == ({0: 0, 1: 0}, 0, None)


@pytest.mark.parametrize("fault", ["password", "authority", "missing"])
def test_why_the_brokers_do_not_take_the_operator_is_said_in_a_sentence(
    state: State, tmp_path: Path, fault: str
) -> None:
    (tmp_path / "wrong").write_text("not-the-password\n")
    changes, words = {
        "password": ({"password_file": str(tmp_path / "wrong")}, "refuses the user operator: Kafka has no such user"),
        "authority": ({"ca_file": str(Authority(tmp_path).file)}, "has a certificate that is not to be trusted"),
        "missing": ({"password_file": "/nowhere"}, "cannot read the password of Kafka's user operator, /nowhere"),
    }[fault]
    with pytest.raises(probe_kafka.KafkaProbeError, match=words) as error:
        probe_kafka.look(state.deployment(**changes))
    assert "not-the-password" not in str(error.value)

"""A consumer comes back into its group, whatever kept it outside."""

from __future__ import annotations

import threading
import time

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.structs import MemberState
from tests.support.stock_market.services import Service, Workbench, eventually, quote

from stock_market.consumer.service import ConsumerService
from stock_market.errors import ServiceError
from stock_market.service import Stop, Systemd
from stock_market.settings import ConsumerSettings, decode

_LONG_SESSION = 45.0


def members(workbench: Workbench) -> list[str]:
    """The ids of the members of the test's group, in the broker's eyes; none until its partitions are agreed upon."""
    try:
        with KafkaAdminClient(**workbench.broker.client) as admin:
            group = admin.describe_groups([workbench.group])[workbench.group]
    except KafkaError:  # It is still reading its groups.
        return []
    return [each["member_id"] for each in group["members"]] if group["group_state"] == "Stable" else []


def is_member(workbench: Workbench) -> bool:
    """Whether the test's group has one member."""
    return len(members(workbench)) == 1


def stays(workbench: Workbench, consumer: Service, seconds: float) -> bool:
    """Whether the consumer is a member for longer than a session, without joining again, as only heartbeats make it."""
    before = consumer.log().count("event=group_joined")
    time.sleep(seconds)
    return is_member(workbench) and consumer.log().count("event=group_joined") == before


@pytest.mark.parametrize(
    ("away", "session"),
    [
        pytest.param("broker", _LONG_SESSION, id="shorter-than-a-session"),
        pytest.param("broker", 2.0, id="longer-than-a-session"),
        pytest.param("broker-and-zookeeper", 2.0, id="with-zookeeper"),
    ],
)
def test_a_consumer_is_a_member_again_when_its_broker_is_back(workbench: Workbench, away: str, session: float) -> None:
    workbench.create_topic(partitions=3)
    workbench.send([quote(number) for number in range(100)])
    consumer = workbench.consumer(seconds=0.3, session=session)
    consumer.logged("event=group_joined")
    eventually(lambda: workbench.committed() == 100, "the first commit")
    before = members(workbench)
    if away == "broker":
        workbench.broker.kill()
    else:
        workbench.broker.stop()
    # With the time that a broker takes to start, also longer than the three sessions after which it would give up.
    time.sleep(0 if session == _LONG_SESSION else 6)
    workbench.broker.start()
    workbench.send([quote(number) for number in range(100, 200)])
    eventually(lambda: workbench.bucket.check_chain().get(0) == 200, "the rest")
    eventually(lambda: is_member(workbench), f"the member in\n{consumer.log()}")
    workbench.send([quote(number) for number in range(200, 300)])
    eventually(lambda: workbench.committed() == 300, f"a commit in\n{consumer.log()}")
    if session == _LONG_SESSION:
        # The same one. It may have joined again: a broker that has just begun may not know the topic yet.
        eventually(lambda: members(workbench) == before, f"the member {before} in\n{consumer.log()}")
    else:
        eventually(lambda: stays(workbench, consumer, session + 0.5), f"heartbeats in\n{consumer.log()}")
        assert consumer.log().count("event=group_joined") >= 2
    assert consumer.finish() == 0
    workbench.bucket.check_exactly_once(300)


@pytest.mark.usefixtures("operator")
def test_a_consumer_that_stays_outside_of_its_group_says_so_and_starts_afresh(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    workbench.create_topic()
    monkeypatch.setenv("AWS_ENDPOINT_URL", workbench.bucket.endpoint)
    text = workbench.consumer_settings(seconds=0.3, session=3)
    service = ConsumerService(decode(text.encode(), "settings", ConsumerSettings), Stop(), Systemd({}))
    ended: list[str] = []

    def run() -> None:
        try:
            service.run()
        except ServiceError as error:
            ended.append(str(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    eventually(lambda: is_member(workbench), "the member")
    workbench.send([quote(number) for number in range(50)])
    eventually(lambda: workbench.committed() == 50, "its commit")
    coordinator = service._consumer._coordinator
    # What kafka-python came to on a deployment: in the middle of joining, and nobody goes on with it.
    coordinator.state = MemberState.REBALANCING
    coordinator._disable_heartbeat()
    workbench.send([quote(number) for number in range(50, 100)])
    eventually(lambda: workbench.bucket.check_chain() == {0: 100}, "it reads on")
    thread.join(60)
    assert len(ended) == 1
    assert "outside of its group for 9 s in which the brokers answered; starting afresh" in ended[0]
    assert "outside_group" in caplog.text
    after = workbench.consumer(seconds=0.3, session=1)
    eventually(lambda: is_member(workbench), "the new member")
    workbench.send([quote(number) for number in range(100, 150)])
    eventually(lambda: workbench.committed() == 150, "its commit")
    assert after.finish() == 0
    workbench.bucket.check_exactly_once(150)

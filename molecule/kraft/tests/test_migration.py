"""A cluster goes from Kafka 3.8 with ZooKeeper to Kafka 4 under load, with each way back: writes pause only briefly."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keeping
import pytest
from kafka import KafkaAdminClient
from tests.support.day.events import MOST_AT_A_KILL, MOST_AT_A_RESTART, told
from tests.support.day.pauses import Pauses
from tests.support.day.running import (
    BROKERS,
    attempt,
    cut,
    declared,
    has_fired,
    host,
    instance,
    kill,
    login,
    make,
    play,
    power_off,
    power_on,
    versions,
    well_within,
)

from stock_market_ops.common import quorum

YESTERDAY, KAFKA_3, KAFKA_4 = "3.8.1", "3.9.2", "4.3.1"
MOST_AT_THE_END = 5.0
BEFORE_A_BLOW_SECONDS = 45
CUT_SECONDS = 30
# With Kafka's own timeouts, two of seven paused writes for 20 s: a broker kept asking the dead controller.
POWER_LOSSES = 4
LEADS = "kafka_controller_kafkacontroller_activecontrollercount"
LIMITS = {"finalize": MOST_AT_THE_END}


def migrate(step: str) -> str:
    return play("migrate.yml", "-e", f"migrate={step}")


def upgrade(step: str, version: str) -> str:
    return play("upgrade.yml", "-e", f"upgrade={step}", "-e", f"kafka_version={version}")


def changed(output: str) -> dict[str, int]:
    """How many tasks changed something, by the host, of those with any."""
    found = re.findall(r"(?m)^(\S+) +: ok=\d+ +changed=(\d+)", output)
    assert found, output[-2000:]
    return {name: int(number) for name, number in found if int(number)}


TOO_LONG: list[str] = []
"""The pauses of a test that were longer than allowed; they fail it at its end, for the next one counts on its steps."""


def judge(pauses: Pauses, event: str, most: float) -> None:
    """Prints an event's longest pause, and keeps it for the test's end if it was too long."""
    found = told(pauses, f"{event}, at most {most:.0f} s allowed")
    if found > most:
        TOO_LONG.append(f"{event}: {found:.2f} s, more than {most:.0f} s")


def take(pauses: Pauses, *steps: str, twice: bool = False) -> None:
    """Takes steps, and judges each one's longest pause; a second time they change nothing."""
    for step in steps:
        began = time.monotonic()
        migrate(step)
        judge(pauses, f"{step}, {time.monotonic() - began:.0f} s", LIMITS.get(step, MOST_AT_A_RESTART))
        if twice:
            assert changed(migrate(step)) == {}, f"{step} a second time"
            judge(pauses, f"{step} a second time", MOST_AT_A_RESTART)


def refusal(step: str) -> str:
    """The sentence that refuses a step."""
    done = attempt("migrate.yml", "-e", f"migrate={step}")
    assert done.returncode != 0, step
    assert changed(done.stdout) == {}, step
    found = re.search(r"(?s)fatal: .*?\n +msg: ['\"]?(.*?)['\"]?\n\n", done.stdout)
    assert found, done.stdout[-2000:]
    return " ".join(found[1].split())


def calm() -> None:
    """Waits until the alerts have ended that name what was removed or cut off: they look back five minutes."""
    well_within(400, "no alert about what was removed or cut off")


@contextmanager
def struck(blow: Callable[[], None]) -> Iterator[None]:
    """Does something bad while the block runs."""
    end = threading.Event()

    def work() -> None:
        if not end.wait(BEFORE_A_BLOW_SECONDS):
            blow()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def kill_a_controller() -> None:
    """Kills the one that leads the others."""
    kill(leader(), "kafka-controller")


def cut_a_host() -> None:
    """Takes a host's network away for a while."""
    with cut("kafka-3"):
        time.sleep(CUT_SECONDS)


def leader() -> str:
    """The host whose controller leads the quorum, by its own metrics."""
    ask, leads = "curl -sS --fail http://127.0.0.1:9406/metrics", f"\n{LEADS} 1"
    return next(name for name in BROKERS if leads in host(name).check_output(ask))


@pytest.fixture(scope="session")
def before() -> dict[str, Any]:
    """What the cluster had before the first step."""
    keeping.prepare()
    return dict(keeping.kept())


@pytest.fixture(autouse=True)
def nothing_forgotten(before: dict[str, Any]) -> Iterator[None]:
    """Ends each test with a comparison, item by item, and with the pauses that were too long."""
    TOO_LONG.clear()
    yield
    deadline = time.monotonic() + 30
    while found := keeping.differences(before, keeping.kept()):
        assert time.monotonic() < deadline, found
        time.sleep(1)
    assert not TOO_LONG


def test_0_only_kafka_3_9_leaves_zookeeper(pauses: Pauses) -> None:
    """The scenario sets up yesterday's version."""
    assert versions() == {YESTERDAY}
    assert f"kafka-1 runs Kafka {YESTERDAY}, and only 3.9 migrates" in refusal("controllers")
    upgrade("software", KAFKA_3)
    assert "and only 3.9 migrates: say make upgrade STEP=protocol" in refusal("controllers")
    upgrade("protocol", KAFKA_3)
    assert versions() == {KAFKA_3}
    judge(pauses, f"from {YESTERDAY} to {KAFKA_3}", MOST_AT_A_RESTART)


def test_1_the_plan_changes_nothing_and_steps_out_of_turn_are_refused(pauses: Pauses) -> None:
    assert changed(migrate("plan")) == {}
    for step in ("brokers", "kraft", "finalize"):
        assert refusal(step).startswith(f"STEP={step} comes after STEP=controllers.")
    told(pauses, "plan")


def test_2_controllers_come_and_go(pauses: Pauses) -> None:
    take(pauses, "controllers", twice=True)
    assert "STEP=kraft comes after STEP=brokers" in refusal("kraft")
    well_within(120, "all is well while controllers wait")
    take(pauses, "rollback", twice=True)
    calm()


def test_3_brokers_write_to_both_while_a_controller_and_a_broker_are_killed(pauses: Pauses) -> None:
    take(pauses, "controllers")
    with struck(kill_a_controller):
        take(pauses, "brokers")
    assert changed(migrate("brokers")) == {}
    assert "STEP=controllers is done" in refusal("controllers")
    for name, unit in (("kafka-2", "kafka"), (leader(), "kafka-controller")):
        began = time.monotonic()
        kill(name, unit)
        has_fired("ServiceCrashed", began)
        well_within(120, f"all is well after {unit} was killed")
        judge(pauses, f"{unit} on {name} killed in dual write", MOST_AT_A_KILL)
    take(pauses, "rollback", twice=True)
    calm()


def test_4_brokers_in_kraft_mode_come_back(pauses: Pauses) -> None:
    take(pauses, "controllers")
    with struck(cut_a_host):
        done = attempt("migrate.yml", "-e", "migrate=brokers")
    print(f"\nbrokers, while a host is cut off: exit code {done.returncode}")
    calm()
    migrate("brokers")
    judge(pauses, "a host cut off during the copy", MOST_AT_A_KILL)
    with struck(kill_a_controller):
        take(pauses, "kraft")
    assert changed(migrate("kraft")) == {}
    assert "step kraft" in make("status").stdout
    take(pauses, "rollback")
    calm()


def test_5_the_cluster_leaves_zookeeper(pauses: Pauses) -> None:
    take(pauses, "controllers", "brokers", "kraft")
    with struck(kill_a_controller):
        take(pauses, "finalize")
    assert changed(migrate("finalize")) == {}
    assert "there is no ZooKeeper to leave" in refusal("brokers")
    for name in BROKERS:
        assert not host(name).service("zookeeper").is_running
        assert host(name).service("kafka-controller").is_running
    calm()
    play("restart.yml")
    judge(pauses, "rolling restart with controllers", MOST_AT_A_RESTART)


def test_6_the_cluster_reaches_kafka_4(pauses: Pauses, before: dict[str, Any]) -> None:
    for step, version in (("software", KAFKA_4), ("rollback", KAFKA_3), ("software", KAFKA_4), ("features", KAFKA_4)):
        began = time.monotonic()
        upgrade(step, version)
        judge(pauses, f"{step} {version}, {time.monotonic() - began:.0f} s", MOST_AT_A_RESTART)
        assert versions() == {version}
    assert changed(upgrade("features", KAFKA_4)) == {}
    # With Kafka 4 the role sets this for the whole cluster, because the controllers count with the cluster's value.
    before["for all brokers"]["min.insync.replicas"] = "2"
    kill_a_controller()
    well_within(400, "all is well after a controller of Kafka 4 was killed")
    judge(pauses, "kafka-controller killed in Kafka 4", MOST_AT_A_KILL)
    play("restart.yml", "-e", f"kafka_version={KAFKA_4}")
    judge(pauses, "rolling restart of Kafka 4", MOST_AT_A_RESTART)


def voters() -> set[int]:
    """The ids of the controllers that vote."""
    with KafkaAdminClient(**login()) as admin:
        found = quorum.look(admin)
    assert found is not None
    return {voter["replica_id"] for voter in found["current_voters"]}


def test_7_controllers_are_lost_replaced_added_and_removed(pauses: Pauses) -> None:
    (version,) = versions()
    before = voters()
    for turn in range(POWER_LOSSES):
        name, began = leader(), time.monotonic()
        old = instance(name)["InstanceId"]
        power_off(name)
        time.sleep(20)
        judge(pauses, "the leading controller and its broker powered off", MOST_AT_A_KILL)
        if turn < POWER_LOSSES - 1:
            power_on(old)
    has_fired("InstanceDown", began)
    play("replace.yml", "-e", f"instance={name}", "-e", f"kafka_version={version}")
    assert instance(name)["InstanceId"] != old
    assert voters() == before
    judge(pauses, "both replaced", MOST_AT_A_RESTART)
    calm()
    added = {number: f"controller-{number}" for number in (4, 5)}
    more = [
        declared()[0] | {"name": each, "id": number, "services": ["kafka_controller"]} for number, each in added.items()
    ]
    play("scale.yml", "-e", json.dumps({"stock_market_instances": declared() + more, "kafka_version": version}))
    assert voters() == before | {1000 + number for number in added}
    judge(pauses, "two controllers added", MOST_AT_A_RESTART)
    well_within(120, "all is well with five controllers")
    play("scale.yml", "-e", json.dumps({"scale_remove": list(added.values()), "kafka_version": version}))
    assert voters() == before
    judge(pauses, "two controllers removed", MOST_AT_A_RESTART)

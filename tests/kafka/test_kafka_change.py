"""Promises of the filter kafka_change: an upgrade in Kafka's two phases, and a way back only where there is one."""

from __future__ import annotations

import pytest
from plugins.filter.kafka_change import kafka_change

Brokers = dict[str, dict[str, str]]
STEPS = ("", "software", "protocol", "rollback")


def cluster(*states: str) -> Brokers:
    """Brokers kafka-1, kafka-2, ... each given as `version/protocol`: `3.9.2/3.8`, `/` for none, `?` for not asked."""
    brokers = {}
    for number, state in enumerate(states, start=1):
        version, _, protocol = state.partition("/")
        brokers[f"kafka-{number}"] = {} if state == "?" else {"version": version, "protocol": protocol}
    return brokers


OLD = cluster("3.8.1/3.8", "3.8.1/3.8", "3.8.1/3.8")
HALF = cluster("3.9.2/3.8", "3.8.1/3.8", "3.8.1/3.8")
BETWEEN = cluster("3.9.2/3.8", "3.9.2/3.8", "3.9.2/3.8")
RAISING = cluster("3.9.2/3.9", "3.9.2/3.8", "3.9.2/3.8")
NEW = cluster("3.9.2/3.9", "3.9.2/3.9", "3.9.2/3.9")


@pytest.mark.parametrize(
    ("brokers", "declared", "step", "protocol"),
    [
        pytest.param(OLD, "3.9.2", "software", "3.8", id="the new software keeps the old protocol"),
        pytest.param(HALF, "3.9.2", "software", "3.8", id="new software that was broken off goes on"),
        pytest.param(BETWEEN, "3.9.2", "software", "3.8", id="new software that is there stays"),
        pytest.param(BETWEEN, "3.9.2", "protocol", "3.9", id="the new protocol"),
        pytest.param(RAISING, "3.9.2", "protocol", "3.9", id="a new protocol that was broken off goes on"),
        pytest.param(NEW, "3.9.2", "protocol", "3.9", id="a new protocol that is there stays"),
        pytest.param(BETWEEN, "3.8.1", "rollback", "3.8", id="back between the phases"),
        pytest.param(HALF, "3.8.1", "rollback", "3.8", id="back in the middle of the first phase"),
        pytest.param(OLD, "3.8.1", "rollback", "3.8", id="back where they are already"),
        pytest.param(NEW, "3.9.1", "rollback", "3.9", id="back to an older patch of the same line"),
        pytest.param(NEW, "3.9.2", "software", "3.9", id="software that was finished long ago"),
        pytest.param(cluster("/", "3.8.1/3.8"), "3.9.2", "software", "3.8", id="new software, and a broker replaced"),
        pytest.param(OLD, "3.8.1", "", "3.8", id="site.yml before"),
        pytest.param(BETWEEN, "3.9.2", "", "3.8", id="site.yml between the phases"),
        pytest.param(RAISING, "3.9.2", "", "3.9", id="site.yml where there is no way back any more"),
        pytest.param(NEW, "3.9.2", "", "3.9", id="site.yml after"),
        pytest.param(NEW, "3.9.3", "", "3.9", id="site.yml with a newer patch"),
        pytest.param(NEW, "3.9.1", "", "3.9", id="site.yml with an older patch"),
        pytest.param(cluster("3.9.1/3.8", "3.9.2/3.8"), "3.9.2", "", "3.8", id="site.yml with a patch broken off"),
        pytest.param(cluster("/", "/", "/"), "3.9.2", "", "3.9", id="the first deployment"),
        pytest.param(cluster("/", "/", "/"), "3.8.1", "", "3.8", id="the first deployment, of an old version"),
        pytest.param(cluster("3.9.2/3.8", "3.9.2/3.8", "/"), "3.9.2", "", "3.8", id="a new broker between the phases"),
        pytest.param(cluster("?", "3.9.2/3.9"), "3.9.2", "", "3.9", id="site.yml with --limit"),
        pytest.param(cluster("3.10.0/3.10", "3.10.0/3.9"), "3.10.0", "protocol", "3.10", id="3.10 is newer than 3.9"),
    ],
)
def test_what_goes_and_the_protocol_that_brokers_speak_then(
    brokers: Brokers, declared: str, step: str, protocol: str
) -> None:
    change = kafka_change(brokers, declared, step)
    assert change["obstacle"] == ""
    assert change["protocol"] == protocol


@pytest.mark.parametrize(
    ("brokers", "declared", "step", "sentence"),
    [
        pytest.param(
            OLD,
            "3.9.2",
            "",
            "kafka-1, kafka-2 and kafka-3 run Kafka 3.8.1, and kafka_version is 3.9.2: say make upgrade STEP=software "
            "for that, or set kafka_version to 3.8.1.",
            id="site.yml with a newer line",
        ),
        pytest.param(
            BETWEEN,
            "3.8.1",
            "",
            "kafka-1, kafka-2 and kafka-3 run Kafka 3.9.2, and kafka_version is 3.8.1: say make upgrade STEP=rollback "
            "for that, or set kafka_version to 3.9.2.",
            id="site.yml with an older line",
        ),
        *(
            pytest.param(
                HALF,
                declared,
                "",
                f"kafka-1 runs Kafka 3.9.2, kafka-2 and kafka-3 run Kafka 3.8.1, and kafka_version is {declared}: an "
                "upgrade was broken off. Go on by make upgrade STEP=software with kafka_version 3.9.2, or back by "
                "make upgrade STEP=rollback with kafka_version 3.8.1.",
                id=f"site.yml with {declared} in the middle",
            )
            for declared in ("3.9.2", "3.8.1")
        ),
        pytest.param(
            OLD,
            "3.9.2",
            "protocol",
            "kafka-1, kafka-2 and kafka-3 run Kafka 3.8.1, and kafka_version is 3.9.2: the protocol changes only where "
            "every broker runs that. Say make upgrade STEP=software first.",
            id="the protocol before the software",
        ),
        pytest.param(
            HALF,
            "3.9.2",
            "protocol",
            "kafka-1 runs Kafka 3.9.2, kafka-2 and kafka-3 run Kafka 3.8.1, and kafka_version is 3.9.2: the protocol",
            id="the protocol while a broker runs old software",
        ),
        pytest.param(
            cluster("3.9.2/3.8", "/"),
            "3.9.2",
            "protocol",
            "kafka-1 runs Kafka 3.9.2, kafka-2 runs no Kafka, and kafka_version is 3.9.2: the protocol changes only",
            id="the protocol while a broker runs nothing",
        ),
        pytest.param(
            BETWEEN,
            "3.8.1",
            "protocol",
            "kafka-1, kafka-2 and kafka-3 run Kafka 3.9.2, and kafka_version is 3.8.1: the protocol changes only",
            id="the protocol of another version than runs",
        ),
        pytest.param(
            BETWEEN,
            "3.8.1",
            "software",
            "kafka-1, kafka-2 and kafka-3 run Kafka 3.9.2, and kafka_version is 3.8.1: say make upgrade STEP=rollback "
            "to go back, or set kafka_version to 3.9.2.",
            id="software that is older",
        ),
        pytest.param(
            OLD,
            "3.9.2",
            "rollback",
            "kafka-1, kafka-2 and kafka-3 run Kafka 3.8.1, so Kafka 3.9.2 is no way back: say make upgrade "
            "STEP=software.",
            id="back to something newer",
        ),
        pytest.param(
            BETWEEN,
            "3.9.2",
            "rollback",
            "kafka-1, kafka-2 and kafka-3 run Kafka 3.9.2, which is kafka_version itself: say which Kafka 3.8 to go "
            "back to, by make upgrade STEP=rollback ARGS='-e kafka_version=...'.",
            id="back without a version",
        ),
        *(
            pytest.param(
                brokers,
                "3.8.1",
                step,
                "The brokers speak the protocol 3.9, which Kafka 3.8.1 does not know, so there is no way back to it: "
                "set kafka_version to 3.9.2.",
                id=f"{step or 'site.yml'} with what does not know the protocol {name}",
            )
            for step in ("", "software", "rollback")
            for name, brokers in {"all speak": NEW, "one speaks": RAISING}.items()
        ),
        pytest.param(
            cluster("3.8.1/3.9"),
            "3.8.1",
            "",
            "The brokers speak the protocol 3.9, which Kafka 3.8.1 does not know",
            id="site.yml with software that was put there by hand",
        ),
        pytest.param(
            cluster("3.9.2/3.8", "?"),
            "3.9.2",
            "protocol",
            "What Kafka kafka-2 run is not known: run the playbook without --limit.",
            id="a step with --limit",
        ),
        pytest.param(
            cluster("/", "?", "?"),
            "3.9.2",
            "",
            "What Kafka kafka-2 and kafka-3 run is not known: run the playbook without --limit.",
            id="a new broker with --limit",
        ),
        *(
            pytest.param(
                cluster("/", "/"),
                "3.9.2",
                step,
                "No broker runs Kafka yet, so there is nothing to upgrade: run make up first.",
                id=f"{step} where nothing is",
            )
            for step in STEPS[1:]
        ),
        pytest.param(OLD, "3.9.2", "sideways", "There is no step 'sideways' of an upgrade: say software,", id="step"),
        *(
            pytest.param(
                brokers,
                "4.3.1",
                step,
                "kafka_version is 4.3.1, which has no ZooKeeper, and the cluster keeps its metadata there: set",
                id=f"{step or 'site.yml'} with a version without ZooKeeper, {name}",
            )
            for step in STEPS
            for name, brokers in {"new": cluster("/"), "running": NEW}.items()
        ),
        *(
            pytest.param(
                NEW,
                declared,
                "software",
                f"kafka_version is '{declared}', which is no version of Kafka: say all three numbers, such as 3.9.2.",
                id=f"'{declared}'",
            )
            for declared in ("3.9", "", "v3.9.2", "3.9.2-rc1")
        ),
    ],
)
def test_what_does_not_go_and_the_sentence_that_says_so(
    brokers: Brokers, declared: str, step: str, sentence: str
) -> None:
    change = kafka_change(brokers, declared, step)
    assert sentence in change["obstacle"]
    assert change["notice"] == ""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("declared", ["3.7.2", "3.8.1", "3.9.1", "3.9.2"])
@pytest.mark.parametrize(
    "brokers", [OLD, HALF, BETWEEN, RAISING, NEW, cluster("/", "3.9.2/3.8"), cluster("3.7.2/3.7", "3.9.2/3.7")]
)
def test_whatever_is_allowed_all_understand_and_nothing_is_taken_back(
    brokers: Brokers, declared: str, step: str
) -> None:
    change = kafka_change(brokers, declared, step)
    if change["obstacle"]:
        return
    spoken = [each["protocol"] for each in brokers.values() if each["protocol"]]
    assert max(spoken) <= change["protocol"] <= declared[:3]
    if step != "protocol":
        assert change["protocol"] == max(spoken)
    for each in brokers.values():
        if step != "protocol" and change["protocol"] > (each["protocol"] or change["protocol"]):
            assert each["version"][:3] >= change["protocol"]


@pytest.mark.parametrize(
    ("brokers", "declared", "step", "notice"),
    [
        (
            OLD,
            "3.9.2",
            "software",
            "to run Kafka 3.9.2, one after the other; they speak the protocol 3.8 until make upgrade STEP=protocol",
        ),
        (BETWEEN, "3.9.2", "software", "Every broker runs Kafka 3.9.2 already; they speak the protocol 3.8 until"),
        (NEW, "3.9.3", "software", "to run Kafka 3.9.3, one after the other; they speak the protocol 3.9, as before."),
        (RAISING, "3.9.2", "protocol", "to speak the protocol 3.9, one after the other: there is no way back."),
        (NEW, "3.9.2", "protocol", "Every broker speaks the protocol 3.9 already."),
        (HALF, "3.8.1", "rollback", "to run Kafka 3.8.1, one after the other; they speak the protocol 3.8, as before."),
        (NEW, "3.9.2", "", ""),
    ],
)
def test_a_step_says_what_it_does(brokers: Brokers, declared: str, step: str, notice: str) -> None:
    said = kafka_change(brokers, declared, step)["notice"]
    assert (notice in said) if notice else (said == "")

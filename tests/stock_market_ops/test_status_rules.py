"""`make status`: what counts as well, what does not, and what the screen shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stock_market_ops.common.deployment import Deployment, Instance
from stock_market_ops.status import probe_cloud, probe_disks, screen, verdict
from stock_market_ops.status.report import (
    DiskView,
    GroupView,
    InstanceView,
    KafkaView,
    LogDirView,
    Outcome,
    Report,
    RowsView,
    StorageView,
    TopicView,
    lag,
    stored_offsets,
)

NODE = Instance("node-1", "i-1", "203.0.113.7", "10.0.0.7", ["zookeeper", "kafka", "stock_producer", "stock_consumer"])
DEPLOYMENT = Deployment(
    deployment="test",
    region="us-east-1",
    endpoint_url="",
    aws_profile="test",
    aws_config_file="config",
    aws_credentials_file="credentials",
    data_bucket="test-data",
    results_bucket="test-results",
    workgroup="test",
    database="stock_market",
    table="quotes",
    crawler="test",
    bootstrap_servers="203.0.113.7:9092",
    topic="stock-quotes",
    consumer_group="stock-consumer",
    ssh_config="ssh_config",
    consumers=2,
    flush_seconds=30,
    instances=[NODE],
)
INSTANCE = InstanceView("node-1", "i-1", "running", NODE.public_address, NODE.private_address, NODE.services)
TOPIC = TopicView(end_offsets={0: 120, 1: 80}, records_per_second=20.0, newest_record_age_seconds=0.1)
GROUP = GroupView(state="Stable", members=2, committed={0: 100, 1: 80})
KAFKA = KafkaView("cluster", 1, {1: "203.0.113.7:9092"}, 52, [], [], TOPIC, GROUP)
KRAFT = KafkaView("cluster", 1001, KAFKA.brokers, 52, [], [], TOPIC, GROUP, [], {1001: True})
STORAGE = StorageView("quotes/dt=2026-03-02/hour=09/x", 12.0, 4096, {0: 110, 1: 80}, 19.5)
ROWS = RowsView("2026-03-02", "09", 190, "2026-03-02T09:30:00.000Z")


def report(**changes: Any) -> Report:
    """A report of a deployment where all is well, but for the changes: a value, or a sentence instead of one."""
    parts: dict[str, Any] = {"instances": [INSTANCE], "kafka": KAFKA, "storage": STORAGE, "rows": ROWS} | changes
    outcomes: dict[str, Any] = {
        name: Outcome(None, part, 1.0) if isinstance(part, str) else Outcome(part, None, 1.0)
        for name, part in parts.items()
    }
    return Report(**outcomes)


def changed(view: Any, **changes: Any) -> Any:
    """The same view with other values."""
    return msgspec.structs.replace(view, **changes)


def topic(**changes: Any) -> KafkaView:
    """The brokers' view with another topic."""
    view: KafkaView = changed(KAFKA, topic=changed(TOPIC, **changes))
    return view


def test_nothing_is_wrong_where_all_is_well() -> None:
    assert verdict.problems(DEPLOYMENT, report()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instances": [changed(INSTANCE, state="stopped", public_address="")]}, "node-1 is stopped"),
        ({"instances": []}, "node-1 (i-1) is gone"),
        ({"instances": [changed(INSTANCE, state="terminated")]}, "node-1 (i-1) is gone"),
        ({"instances": [changed(INSTANCE, public_address="203.0.113.9")]}, "from 203.0.113.7 to 203.0.113.9"),
        (
            {"instances": [INSTANCE, changed(INSTANCE, name="node-2", instance_id="i-2")]},
            "node-2 (i-2, running) was not",
        ),
        ({"kafka": changed(KAFKA, brokers={})}, "None of the 1 brokers is in the cluster"),
        ({"kafka": changed(KAFKA, controller_id=-1)}, "no controller"),
        ({"kafka": changed(KRAFT, controller_id=-1)}, "No controller leads the others: see kafka-controller.service."),
        (
            {"kafka": changed(KRAFT, controllers={1001: True, 1002: False, 1003: True})},
            "The controllers 1002 do not follow the others: see kafka-controller.service on their hosts.",
        ),
        ({"kafka": changed(KAFKA, offline=["stock-quotes-1"])}, "no leader: stock-quotes-1"),
        ({"kafka": changed(KAFKA, under_replicated=["a-0", "a-1"])}, "2 partitions are under-replicated: a-0, a-1"),
        ({"kafka": changed(KAFKA, topic=None)}, "stock-quotes does not exist"),
        ({"kafka": topic(newest_record_age_seconds=None)}, "stock-quotes is empty"),
        ({"kafka": topic(newest_record_age_seconds=75.0)}, "No record has come into stock-quotes for 75 s"),
        ({"kafka": changed(KAFKA, group=changed(GROUP, members=0))}, "Nobody is in the consumer group"),
        (
            {"kafka": changed(KAFKA, group=changed(GROUP, members=1))},
            "1 of 2 consumers are in the group",
        ),
        ({"kafka": changed(KAFKA, group=None)}, "Nobody is in the consumer group"),
        ({"kafka": topic(end_offsets={0: 50, 1: 80})}, "beyond the end of partition 0"),
        ({"storage": changed(STORAGE, newest_age_seconds=91.0)}, "10 records wait and the newest object is 91 s old"),
        ({"rows": changed(ROWS, rows=0)}, "Athena counts no row"),
        ({"kafka": "No broker answers."}, "No broker answers."),
        ({"rows": "No table."}, "No table."),
    ],
)
def test_each_fault_is_named_once(changes: dict[str, Any], words: str) -> None:
    found = verdict.problems(DEPLOYMENT, report(**changes))
    assert len(found) == 1
    assert words in found[0]


def test_an_old_object_is_well_when_no_record_waits() -> None:
    old = changed(STORAGE, newest_age_seconds=5000.0, end_offsets={0: 120, 1: 80})
    assert verdict.problems(DEPLOYMENT, report(storage=old)) == []


def test_a_partition_without_a_new_object_counts_as_far_as_its_commit() -> None:
    assert stored_offsets(GROUP, changed(STORAGE, end_offsets={0: 110})) == {0: 110, 1: 80}
    assert stored_offsets(None, None) == {}


def test_one_dead_api_is_one_problem_however_many_parts_met_it() -> None:
    dead = "The AWS API does not answer."
    assert verdict.problems(DEPLOYMENT, report(instances=dead, storage=dead, rows=dead)) == [dead]


def test_a_deployment_without_instances_is_not_well() -> None:
    empty = changed(DEPLOYMENT, instances=[])
    assert any("no instances" in problem for problem in verdict.problems(empty, report(instances=[])))


def test_lag_counts_records_that_no_consumer_has_reached_and_is_never_negative() -> None:
    assert lag({0: 10, 1: 5, 2: 3}, {0: 4, 1: 9}) == 6 + 0 + 3


def test_the_screen_shows_every_part_and_the_verdict() -> None:
    text = screen.render(DEPLOYMENT, report(), [])
    for word in (
        "node-1 running",
        "203.0.113.7",
        "controller 1",
        "20.0 records/s",
        "4.0 KiB",
        "190 in Athena",
        "20 by what",
    ):
        assert word in text
    assert text.endswith("All is well.\n")
    assert len(text.splitlines()) <= 24


def test_the_screen_says_where_only_the_newest_objects_rows_are_counted() -> None:
    text = screen.render(DEPLOYMENT, report(rows=changed(ROWS, objects=2)), [])
    assert "190 in the newest 2 objects of Athena's newest hour, 2026-03-02 09h UTC" in text


def test_the_screen_says_unknown_where_looking_failed() -> None:
    failed = report(instances="a", kafka="b", storage="c", rows="d", history="e")
    text = screen.render(DEPLOYMENT, failed, verdict.problems(DEPLOYMENT, failed))
    assert text.count("unknown") == 5
    assert text.endswith("Not well:\n  - a\n  - b\n  - c\n  - d\n  - e\n")


def test_the_report_is_json_for_programs() -> None:
    document = msgspec.json.decode(msgspec.json.encode(report(rows="no table")))
    assert document["kafka"]["value"]["topic"]["end_offsets"] == {"0": 120, "1": 80}
    assert document["rows"] == {"value": None, "failure": "no table", "seconds": 1.0}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s ago"), (119, "119.0 s ago"), (120, "2 min ago"), (7200, "2 h ago")]
)
def test_ages_are_said_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert screen.ago(seconds) == text


@pytest.fixture
def stored() -> Callable[[int, int, float], probe_cloud.StoredObject]:
    """An object of a partition from an offset on, written some seconds after noon."""
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    return lambda partition, start, second: probe_cloud.StoredObject(
        f"{partition}+{start}", "", partition, start, noon + timedelta(seconds=second), 100
    )


def test_the_rate_into_s3_is_the_sum_of_the_partitions_chains(
    stored: Callable[[int, int, float], probe_cloud.StoredObject],
) -> None:
    objects = [stored(0, 0, 0), stored(0, 300, 30), stored(0, 600, 60), stored(1, 0, 0), stored(1, 60, 60)]
    assert probe_cloud.rate(objects) == pytest.approx(10.0 + 1.0)
    # What lies further back than the window says nothing about now.
    assert probe_cloud.rate([stored(0, 0, -4000), *objects]) == pytest.approx(11.0)


def test_only_the_log_that_was_written_last_is_shown(
    stored: Callable[[int, int, float], probe_cloud.StoredObject],
) -> None:
    old = [stored(0, 900, 0)._replace(topic_id="old"), stored(1, 700, 1)._replace(topic_id="old")]
    new = [stored(0, 0, 5)._replace(topic_id="new"), stored(0, 30, 6)._replace(topic_id="new")]
    assert probe_cloud.newest_log([*old, *new]) == new
    # Names of the old form do not tell; where the log goes on after them, they are its own.
    unnamed = stored(1, 400, 0)
    assert probe_cloud.newest_log([unnamed]) == [unnamed]
    after = stored(0, 900, 5)._replace(topic_id="new")
    assert probe_cloud.newest_log([unnamed, after]) == [after, unnamed]


def test_one_object_gives_no_rate(stored: Callable[[int, int, float], probe_cloud.StoredObject]) -> None:
    assert probe_cloud.rate([stored(0, 0, 0), stored(1, 0, 5)]) is None


GIB = 1 << 30
DISK = DiskView("node-1", "/", 20 * GIB, 12 * GIB)
LOG_DIR = LogDirView(1, "/var/lib/kafka", 20 * GIB, 12 * GIB, False, 150_000.0, 9 * GIB)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"free_bytes": 200 << 20},
            "The disk of node-1 is full, 200.0 MiB of 20.0 GiB free on /: delete what is no data of Kafka",
        ),
        ({"free_bytes": 0}, "The disk of node-1 is full, 0 B of 20.0 GiB free on /"),
        ({"free_bytes": GIB - 1}, "The disk of node-1 is nearly full, 1024.0 MiB of 20.0 GiB free on /"),
        ({"failure": "no route to host"}, "How full the disk of node-1 is cannot be told: no route to host."),
    ],
)
def test_a_disk_that_is_full_or_nearly_so_is_not_well(changes: dict[str, Any], words: str) -> None:
    (found,) = verdict.problems(DEPLOYMENT, report(disks=[changed(DISK, **changes)]))
    assert found.startswith(words)


def test_a_disk_with_a_twentieth_free_is_well() -> None:
    assert verdict.problems(DEPLOYMENT, report(disks=[changed(DISK, free_bytes=GIB)])) == []


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({}, None),
        ({"bytes_to_bound": None}, 12 * GIB / 150_000 / 86400),
        ({"bytes_to_bound": 13 * GIB}, 12 * GIB / 150_000 / 86400),
        ({"bytes_to_bound": None, "growth_bytes_per_second": 0.0}, None),
        ({"bytes_to_bound": None, "free_bytes": -1}, None),
    ],
)
def test_days_are_left_only_where_retention_does_not_hold(changes: dict[str, Any], days: float | None) -> None:
    log_dir = changed(LOG_DIR, **changes)
    assert log_dir.days_left == (None if days is None else pytest.approx(days))
    found = verdict.problems(DEPLOYMENT, report(kafka=changed(KAFKA, log_dirs=[log_dir])))
    assert len(found) == (days is not None)
    assert all("The volume of broker 1 is full in 1.0 days" in sentence for sentence in found)


def test_a_lost_log_directory_is_named() -> None:
    lost = changed(LOG_DIR, offline=True, total_bytes=-1, free_bytes=-1)
    (found,) = verdict.problems(DEPLOYMENT, report(kafka=changed(KAFKA, log_dirs=[lost])))
    assert found == "Broker 1 lost its log directory /var/lib/kafka: see kafka.service and its disk."


def test_the_screen_and_the_json_tell_of_disks() -> None:
    seen = report(disks=[DISK], kafka=changed(KAFKA, log_dirs=[LOG_DIR]))
    text = screen.render(DEPLOYMENT, seen, [])
    assert "disk       node-1 on /: 8.0 GiB of 20.0 GiB used, 12.0 GiB free (60%)\n" in text
    assert (
        "broker 1 in /var/lib/kafka: 12.0 GiB free, grows by 12.1 GiB a day, "
        "retention.bytes holds it after 9.0 GiB more" in text
    )
    document = msgspec.json.decode(msgspec.json.encode(seen))
    assert document["disks"]["value"][0]["free_bytes"] == 12 * GIB
    assert document["kafka"]["value"]["log_dirs"][0]["bytes_to_bound"] == 9 * GIB


def test_df_lists_each_file_system_once() -> None:
    said = (
        "Mounted on       1B-blocks        Avail\n/            21474836480  12884901888\n"
        "/            21474836480  12884901888\n/var/lib/kafka  104857600  0\n"
    )
    assert probe_disks.parse("node-1", said) == [DISK, DiskView("node-1", "/var/lib/kafka", 104857600, 0)]
    assert probe_disks.parse("node-1", "") == []


def test_an_instance_that_ssh_does_not_reach_says_why(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text("Host *\n  HostName 127.0.0.1\n  Port 9\n")
    (disk,) = probe_disks.look(changed(DEPLOYMENT, ssh_config=str(config)))
    assert disk.host == "node-1"
    assert "refused" in disk.failure

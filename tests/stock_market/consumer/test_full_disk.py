"""A broker whose disk is full: status says so, the broker is held back, and the stream goes on once there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.chaos.volume import Volume
from tests.support.stock_market.broker import Broker, distribution
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.services import SCRIPTS, Workbench, eventually

from stock_market_ops.common.deployment import Deployment, Instance
from stock_market_ops.status import probe_disks, probe_kafka, verdict
from stock_market_ops.status.report import Outcome, Report

ROLE = SCRIPTS.parent / "roles" / "kafka"
MEBIBYTES = 512
NODE = Instance("node-1", "i-1", "127.0.0.1", "127.0.0.1", ["kafka"])


class Bench(Workbench):
    """A broker of the test's own on a volume of its own."""

    volume: Volume


@pytest.fixture
def bench(bucket: Bucket, tmp_path: Path) -> Iterator[Bench]:
    volume = Volume(tmp_path / "data", MEBIBYTES)
    broker = Broker(distribution(), tmp_path)
    made = Bench(broker, bucket, tmp_path)
    made.volume = volume
    try:
        broker.start()
        yield made
    finally:
        made.end()
        broker.stop()
        volume.unmount()


def guard(data: Path) -> subprocess.CompletedProcess[str]:
    """What systemd runs before it starts the broker, as the role writes it into the unit."""
    unit = (ROLE / "templates" / "kafka.service.j2").read_text(encoding="utf-8")
    line = unit.replace("\\\n", " ").split("ExecStartPre=/bin/sh -c 'free=")[1].splitlines()[0].rstrip().rstrip("'")
    least = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))["kafka_start_free_mb"]
    # systemd takes $ for a variable of its own unless it is doubled.
    assert "$" not in line.replace("$$", "")
    script = (
        f"free={line}".replace("$$", "$")
        .replace("{{ kafka_data_dir }}", str(data))
        .replace("{{ kafka_start_free_mb }}", str(least))
    )
    assert "{{" not in script
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)


def deployment(bench: Bench) -> Deployment:
    document: dict[str, Any] = dict.fromkeys(Deployment.__struct_fields__, "") | {
        "bootstrap_servers": bench.broker.address,
        "topic": bench.topic,
        "consumer_group": bench.group,
        "consumers": 1,
        "flush_seconds": 1.0,
        "ssh_config": "/dev/null",
        "instances": [msgspec.to_builtins(NODE)],
        "kafka_security": None,
    }
    return msgspec.convert(document, Deployment)


def problems(bench: Bench) -> list[str]:
    """What status says of the disks, by its own look and rules."""
    nothing: Any = Outcome(None, None, 0.0)
    disks = Outcome(probe_disks.look(deployment(bench)), None, 0.0)
    report = Report(nothing, nothing, nothing, nothing, disks)
    return verdict.problems(deployment(bench), report)


def sequences(bench: Bench) -> list[int]:
    """The sequence numbers in the topic."""
    return [record["sequence"] for record in bench.records_in_topic()]


def test_the_stream_continues_by_itself_once_a_full_disk_has_room(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The shell stands in for ssh: it runs on this machine what status would run on the instance.
    shell = tmp_path / "bin" / "ssh"
    shell.parent.mkdir()
    shell.write_text('#!/bin/sh\nfor last; do :; done\nexec /bin/sh -c "$last"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shell.parent}:/usr/bin:/bin")
    monkeypatch.setattr(probe_disks, "PATHS", str(bench.volume.path))

    bench.create_topic()
    producer = bench.producer(rate=500)
    consumer = bench.consumer()
    eventually(lambda: len(bench.bucket.keys()) > 1, "the first objects")
    looks: list[Any] = []

    def grows_as_it_is_sent() -> bool:
        # The rate is that of the last ten seconds, in which the producer has begun, or has sent late what it missed.
        looks.append(probe_kafka.look(deployment(bench)).log_dirs[0])
        return bool(500 * 50 < looks[-1].growth_bytes_per_second < 500 * 400)

    eventually(grows_as_it_is_sent, "a growth of 500 records a second")
    (directory,) = looks[-1:]
    assert (directory.path, directory.total_bytes) == (str(bench.volume.path), MEBIBYTES << 20)
    assert 0.5 * 512 < directory.free_bytes / (1 << 20) <= 512
    assert directory.days_left == pytest.approx(directory.free_bytes / directory.growth_bytes_per_second / 86400)
    assert problems(bench) == []
    assert guard(bench.volume.path).returncode == 0

    with bench.volume.full():
        eventually(lambda: not bench.broker.is_running, "the broker ends, as its only log directory failed")
        (sentence,) = problems(bench)
        assert sentence.startswith(f"The disk of node-1 is full, 0 B of 512.0 MiB free on {bench.volume.path}: ")
        held = guard(bench.volume.path)
        assert held.returncode == 1
        assert held.stderr.startswith(
            f"The disk of {bench.volume.path} is full: 0 MiB are free, and Kafka starts with 128"
        )
        assert (producer.process.poll(), consumer.process.poll()) == (None, None)

    assert guard(bench.volume.path).returncode == 0
    assert problems(bench) == []
    bench.broker.start()  # as systemd does, which tries every three seconds
    written = bench.record_count()
    eventually(lambda: bench.record_count() > written + 500, "the producer goes on")
    assert producer.finish() == 0
    found = sequences(bench)
    assert found == list(range(len(found)))
    eventually(lambda: sum(bench.bucket.check_chain().values()) == len(found), "the consumer stores all of it")
    assert consumer.finish() == 0
    assert bench.bucket.check_exactly_once(len(found)) == len(found)

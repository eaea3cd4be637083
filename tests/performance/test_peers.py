"""The benchmark of the peers: verdicts, reasons for absences, the limit, and the costs of a whole tree of processes."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import boto3
import pytest
from benchmarks.drains import Drain
from benchmarks.figures import Figure
from benchmarks.measured import BenchmarkError, Measured
from benchmarks.object_store import CREDENTIALS, ObjectStore
from benchmarks.peers import limit, verdicts
from benchmarks.peers.environments import command
from benchmarks.peers.limit import Limit
from benchmarks.peers.sinks import Peer
from benchmarks.peers.turns import Turns
from benchmarks.producers import Fill

from kafka_distribution.build import BuildError
from stock_market.kafka.batch_builder import Payload, join

PYTHON_LOOP = Peer("a loop", "in Python", "at least once")
JVM_SINK = Peer("a sink", "in Java", "exactly once", jvm=True)
LIMITS = [Limit(1000, 0.25, 0.25, 0.5)] * 3


def drains(*rates: float, peak: float = 100) -> list[Drain]:
    return [Drain(rate, peak, 1, 30) for rate in rates]


def named(figures: list[Figure], what: str) -> Figure:
    (found,) = [figure for figure in figures if figure.what == what]
    return found


def test_a_ratio_is_taken_within_each_round() -> None:
    peers = {PYTHON_LOOP: drains(100, 200, 400)}
    found = named(
        verdicts.consumer_figures(drains(300, 600, 800), peers, LIMITS),
        "consumer over a loop",
    )
    assert found.values == (3, 3, 2)
    assert found.verdict == "met"


def test_a_missed_goal_stays_in_the_table_as_missed() -> None:
    peers = {PYTHON_LOOP: drains(100, 100, 100)}
    found = named(verdicts.consumer_figures(drains(249, 249, 251), peers, LIMITS), "consumer over a loop")
    assert (found.goal, found.verdict) == (2.5, "missed")


def test_only_a_java_virtual_machines_memory_is_compared() -> None:
    peers = {PYTHON_LOOP: drains(1, 1, 1, peak=100), JVM_SINK: drains(1, 1, 1, peak=400)}
    figures = verdicts.consumer_figures(drains(1, 1, 1, peak=100), peers, LIMITS)
    compared = [figure for figure in figures if figure.what.startswith("consumer: memory over")]
    assert [(each.what, each.values[0], each.verdict) for each in compared] == [
        ("consumer: memory over a sink's", 0.25, "missed")
    ]


def test_the_limit_is_of_all_three_parts_together() -> None:
    figures = verdicts.consumer_figures(drains(700, 700, 700), {}, LIMITS)
    assert named(figures, "the limit: lz4, validation and gzip alone").values == (1000, 1000, 1000)
    assert named(figures, "the limit: gzip, of its time").values == (0.5, 0.5, 0.5)
    assert named(figures, "consumer, of the limit").verdict == "met"


def test_the_producer_has_a_goal_beside_confluent_kafka_only() -> None:
    fills = [Fill(100, 1, 60)] * 3
    confluent, other = Peer("confluent-kafka, produce()", "", ""), Peer("another", "", "")
    figures = verdicts.producer_figures([Fill(129, 1, 60)] * 3, {confluent: fills, other: fills})
    assert named(figures, "producer over confluent-kafka, produce()").verdict == "missed"
    assert named(figures, "producer over another").verdict == ""


@pytest.mark.parametrize("error", [BenchmarkError("It ended:\n\nTraceback\nKeyError: 1"), BuildError("No jar.")])
def test_a_peer_that_fails_is_left_out_with_its_reason_and_the_others_go_on(error: Exception) -> None:
    reasons: dict[str, str] = {}
    turns = Turns[int]([PYTHON_LOOP, JVM_SINK], reasons)

    def run(peer: Peer) -> int:
        if peer is PYTHON_LOOP and turns[JVM_SINK]:
            raise error
        return 1

    for _ in range(3):
        turns.take(run)
    assert dict(turns) == {JVM_SINK: [1, 1, 1]}
    assert verdicts.absences(reasons) == (
        "not measured: a loop: It ended: ... KeyError: 1"
        if isinstance(error, BenchmarkError)
        else "not measured: a loop: No jar."
    )


def test_an_environment_that_is_not_made_is_a_reason() -> None:
    with pytest.raises(BenchmarkError, match=r"\.venv/nowhere has not been made: run make venv-peers"):
        command("nowhere", "confluent_consumer")


def test_each_program_of_a_peer_exists() -> None:
    programs = Path(limit.__file__).parent / "programs"
    assert sorted(path.stem for path in programs.glob("*.py")) == [
        *("confluent_consumer", "confluent_producer", "quix_consumer", "quix_producer"),
    ]


def quote(number: int) -> tuple[bytes, bytes]:
    symbol = b"S%d" % (number % 7)
    return symbol, (
        b'{"symbol":"%b","event_time":"2026-11-30T03:14:15.926Z","open":1.5,"high":2.5,"low":1.0,"close":2.0,'
        b'"adj_close":2.0,"volume":1000,"close_usd":2.0,"producer_id":"p","sequence":%d}' % (symbol, number)
    )


def segment(path: Path, records: list[tuple[bytes, bytes]]) -> list[str]:
    with path.open("wb") as file:
        for first in range(0, len(records), 500):
            file.write(Payload.of(join(0, records[first : first + 500])).seal(1, 0, first))
    return [str(path)]


def test_the_limit_reads_every_record_of_the_segments(tmp_path: Path) -> None:
    found = limit.measure(segment(tmp_path / "0.log", [quote(number) for number in range(5200)]))
    assert found.records == 5200
    assert min(found.lz4, found.validation, found.gzip) > 0
    assert sum(map(found.share, ("lz4", "validation", "gzip"))) == pytest.approx(1)


def test_the_limit_of_records_that_are_no_quotes_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="of 3000 records 0 were found valid at once"):
        limit.measure(segment(tmp_path / "0.log", [(b"key", b'{"not":"a quote"}' * 10)] * 3000))


def test_the_limit_of_an_empty_topic_is_no_measurement() -> None:
    with pytest.raises(BenchmarkError, match="of 0 records"):
        limit.measure([])


BURN = """
import subprocess, sys, time
if len(sys.argv) == 1:
    child = subprocess.Popen([sys.executable, __file__, "child"], stdin=subprocess.PIPE)
    sys.exit(child.wait())
while time.process_time() < 0.4:
    pass
print("burnt", flush=True)
sys.stdin.read()
"""
"""A child that spends 0.4 s and then waits; it ends with its parent, whose end closes the pipe."""


def test_what_a_process_below_the_measured_one_spends_counts_while_it_runs(tmp_path: Path) -> None:
    program = tmp_path / "burn.py"
    program.write_text(BURN)
    core = max(os.sched_getaffinity(0))
    process = Measured(str(core), [sys.executable, str(program)], tmp_path / "log", dict(os.environ))
    try:
        process.until(lambda: "burnt" in process.log(), "the child", 60)
        assert process.cpu_seconds() >= 0.4
    finally:
        process.kill()


def test_only_gzip_objects_count_as_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    packed = gzip.compress(b"one\ntwo\n")
    with ObjectStore(tmp_path) as store:
        client = boto3.client("s3", endpoint_url=store.endpoint, region_name="us-east-1")
        client.put_object(Bucket=store.bucket, Key="sink/0.gz", Body=packed)
        client.put_object(Bucket=store.bucket, Key="sink/_log/0", Body=b"no gzip\n")
        assert store.lines("sink/") == (2, len(packed))

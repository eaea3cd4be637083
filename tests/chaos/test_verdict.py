"""The verdict of a fault trial is bad when anything is lost, doubled or untrue, and only then."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.chaos import lake, poison
from tests.chaos.cuts import LogCut, LogCutter
from tests.chaos.daemon import Daemon, Run
from tests.chaos.topic import Entry
from tests.chaos.verdict import ProducerEnd, Reconciliation, Verdict
from tests.chaos.witness import Acknowledged
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.services import quote

_HOUR_MS = 3_600_000
_TEN = 1_790_000_000_000 // _HOUR_MS * _HOUR_MS
_POISON = {poison.record(kind, f"tag-{kind}") for kind in poison.KINDS}
_IN_FLIGHT = 5
_ENCODINGS: dict[str, Callable[[bytes], str]] = {
    "utf-8": lambda part: part.decode(),
    "base64": lambda part: base64.b64encode(part).decode(),
}


def _topic(count: int = 40) -> dict[int, list[Entry]]:
    """Two partitions: numbers of one producer in turn, and all kinds of poison after them in the first."""
    records: list[list[tuple[bytes | None, bytes | None]]] = [[], []]
    for number in range(count):
        records[number % 2].append(quote(number))
    records[0] += sorted(_POISON, key=repr)
    return {
        partition: [Entry(offset, _TEN + offset, key, value) for offset, (key, value) in enumerate(these)]
        for partition, these in enumerate(records)
    }


def _put(bucket: Bucket, key: str, lines: Sequence[bytes], **metadata: int) -> None:
    packed = gzip.compress(b"".join(line + b"\n" for line in lines))
    fields = {name.replace("_", "-"): str(value) for name, value in metadata.items()}
    fields |= {"record-count": str(len(lines)), "sha256": hashlib.sha256(packed).hexdigest()}
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=packed, Metadata=fields)


def _line(entry: Entry) -> bytes:
    fields: dict[str, object] = {"offset": entry.offset, "reason": "r"}
    for encoding, encode in _ENCODINGS.items():
        try:
            parts = {"key": entry.key, "value": entry.value}
            texts = {name: None if part is None else encode(part) for name, part in parts.items()}
        except UnicodeDecodeError:
            continue
        return json.dumps(fields | texts | {"encoding": encoding}).encode()
    raise AssertionError("base64 takes everything")


def _key(partition: int, start: int, prefix: str = "quotes", later: int = 0) -> str:
    hour = _TEN // _HOUR_MS % 24 + later
    return f"{prefix}/dt=2026-09-21/hour={hour:02d}/t+AAAAAAAAAAAAAAAAAAAAAA+{partition}+{start:020d}.json.gz"


def _store(
    bucket: Bucket, entries: Sequence[Entry], partition: int, start: int, end: int, *, later: int = 0, **more: int
) -> None:
    taken = entries[start:end]
    good = [entry.value for entry in taken if (entry.key, entry.value) not in _POISON and entry.value is not None]
    bad = [_line(entry) for entry in taken if (entry.key, entry.value) in _POISON]
    numbers = {"start_offset": start, "end_offset": end, "quarantined_count": len(bad)}
    _put(bucket, _key(partition, start, later=later), good, **numbers, **more)
    if bad:
        _put(bucket, _key(partition, start, "quarantine", later), bad, **numbers)


def _fill(bucket: Bucket) -> dict[int, list[Entry]]:
    topic = _topic()
    for partition, entries in topic.items():
        for start in range(0, len(entries), 10):
            _store(bucket, entries, partition, start, min(start + 10, len(entries)))
    return topic


def _judge(
    bucket: Bucket,
    topic: dict[int, list[Entry]],
    end: ProducerEnd | None = None,
    acknowledged: Sequence[Acknowledged] = (),
    cuts: Sequence[LogCut] = (),
) -> Verdict:
    comparison = Reconciliation(topic, lake.read(bucket), _POISON, cuts)
    comparison.check_objects()
    comparison.check_acknowledged(acknowledged)
    comparison.check_sequences([end or ProducerEnd("p", whole=True, records=40)], _IN_FLIGHT)
    return comparison.verdict


def test_what_is_there_once_is_well(bucket: Bucket) -> None:
    topic = _fill(bucket)
    one = topic[1][3]
    verdict = _judge(bucket, topic, acknowledged=[Acknowledged(1, 3, one.value)])
    assert verdict.well, verdict.problems
    assert (verdict.records, verdict.objects, verdict.quarantined) == (50, 5, 10)


def _delete(key: str) -> Callable[[Bucket, dict[int, list[Entry]]], None]:
    return lambda bucket, _topic: bucket.client.delete_object(Bucket=bucket.name, Key=key) and None


def _double(bucket: Bucket, topic: dict[int, list[Entry]]) -> None:
    _store(bucket, topic[1], 1, 10, 20, later=1)


def _overlap(bucket: Bucket, topic: dict[int, list[Entry]]) -> None:
    _store(bucket, topic[1], 1, 5, 20)


def _drop_a_line(bucket: Bucket, topic: dict[int, list[Entry]]) -> None:
    lines = [entry.value or b"" for entry in topic[1][1:10]]
    _put(bucket, _key(1, 0), lines, start_offset=0, end_offset=10, quarantined_count=0)


def _swap_lines(bucket: Bucket, topic: dict[int, list[Entry]]) -> None:
    lines = [entry.value or b"" for entry in topic[1][:10]]
    lines[3], lines[4] = lines[4], lines[3]
    _put(bucket, _key(1, 0), lines, start_offset=0, end_offset=10, quarantined_count=0)


def _double_poison(bucket: Bucket, topic: dict[int, list[Entry]]) -> None:
    bad = [_line(entry) for entry in topic[0][20:30]]
    numbers = {"start_offset": 20, "end_offset": 30, "quarantined_count": 11}
    _put(bucket, _key(0, 20), [], **numbers)
    _put(bucket, _key(0, 20, "quarantine"), [*bad, bad[0]], **numbers)


def _quarantine_a_good_record(bucket: Bucket, topic: dict[int, list[Entry]]) -> None:
    numbers = {"start_offset": 0, "end_offset": 10, "quarantined_count": 1}
    _put(bucket, _key(1, 0), [entry.value or b"" for entry in topic[1][1:10]], **numbers)
    _put(bucket, _key(1, 0, "quarantine"), [_line(topic[1][0])], **numbers)


def _wrong_hour(bucket: Bucket, topic: dict[int, list[Entry]]) -> None:
    bucket.client.delete_object(Bucket=bucket.name, Key=_key(1, 10))
    _store(bucket, topic[1], 1, 10, 20, later=1)


def _cut_short(bucket: Bucket, _topic: dict[int, list[Entry]]) -> None:
    answer = bucket.client.get_object(Bucket=bucket.name, Key=_key(1, 10))
    body = answer["Body"].read()[:-9]
    bucket.client.put_object(Bucket=bucket.name, Key=_key(1, 10), Body=body, Metadata=answer["Metadata"])


@pytest.mark.parametrize(
    ("harm", "lost", "doubled", "words"),
    [
        pytest.param(_delete(_key(1, 0)), 10, 0, "leaves a hole", id="an object is gone"),
        pytest.param(_delete(_key(1, 10)), 10, 0, "not in S3", id="the last object is gone"),
        pytest.param(_delete(_key(0, 20, "quarantine")), 10, 0, "speaks of 10 quarantined", id="quarantine is gone"),
        pytest.param(_double, 0, 10, "overlaps", id="an object is there in two hours"),
        pytest.param(_overlap, 0, 15, "overlaps", id="two objects overlap"),
        pytest.param(_drop_a_line, 10, 0, "9 lines for 10 records", id="a line is gone"),
        pytest.param(_swap_lines, 2, 0, "other bytes", id="lines are swapped"),
        pytest.param(_double_poison, 0, 1, "more than once", id="poison is in quarantine twice"),
        pytest.param(_quarantine_a_good_record, 0, 0, "the good record 0", id="a good record is in quarantine"),
        pytest.param(_wrong_hour, 0, 0, "holds records of the hours", id="an object lies in the wrong hour"),
        pytest.param(_cut_short, 10, 0, "no whole gzip file", id="an object is damaged"),
    ],
)
def test_harm_to_the_bucket_is_found(
    bucket: Bucket, harm: Callable[[Bucket, dict[int, list[Entry]]], None], lost: int, doubled: int, words: str
) -> None:
    topic = _fill(bucket)
    harm(bucket, topic)
    verdict = _judge(bucket, topic)
    assert not verdict.well
    assert (verdict.lost, verdict.doubled) == (lost, doubled), verdict.problems
    assert words in "\n".join(verdict.problems)


def test_an_acknowledged_record_that_the_topic_lacks_is_lost(bucket: Bucket) -> None:
    topic = _fill(bucket)
    assert _judge(bucket, topic, acknowledged=[Acknowledged(1, 3, b"another")]).lost == 1
    assert _judge(bucket, topic, acknowledged=[Acknowledged(1, 20, b"beyond the end")]).lost == 1


def test_a_number_that_the_topic_has_twice_is_doubled(bucket: Bucket) -> None:
    topic = _topic()
    key, value = quote(7)
    topic[1].append(Entry(len(topic[1]), _TEN, key, value))
    for partition, entries in topic.items():
        _store(bucket, entries, partition, 0, len(entries))
    verdict = _judge(bucket, topic)
    assert (verdict.lost, verdict.doubled) == (0, 1)


@pytest.mark.parametrize(
    ("end", "lost"),
    [
        pytest.param(ProducerEnd("p", whole=True, records=42), 2, id="ended well, the last are missing"),
        pytest.param(ProducerEnd("p", whole=True), 0, id="ended well, the log is gone"),
        pytest.param(ProducerEnd("p", whole=False), 0, id="killed"),
        pytest.param(ProducerEnd("q", whole=True, records=3), 3, id="nothing of it is there"),
    ],
)
def test_how_a_producer_ended_says_what_must_be_there(bucket: Bucket, end: ProducerEnd, lost: int) -> None:
    assert _judge(bucket, _fill(bucket), end).lost == lost


@pytest.mark.parametrize(("number", "lost"), [(39 - _IN_FLIGHT, 1), (39 - _IN_FLIGHT + 1, 0)])
def test_a_killed_producer_may_lack_only_what_it_had_in_flight(bucket: Bucket, number: int, lost: int) -> None:
    topic = _topic()
    entries = [entry for entry in topic[number % 2] if f'"sequence": {number}}}'.encode() not in (entry.value or b"")]
    topic[number % 2] = [entry._replace(offset=offset) for offset, entry in enumerate(entries)]
    for partition, those in topic.items():
        _store(bucket, those, partition, 0, len(those))
    assert _judge(bucket, topic, ProducerEnd("p", whole=False)).lost == lost


_LOST_FROM, _READ_TO = 12, 16


def _cut() -> tuple[list[Entry], list[Entry], LogCut]:
    """Partition 1 as it was, with 20 records, as it is since it was cut at 12 and grew to 22, and the cut."""
    before = _topic()[1]
    after = before[:_LOST_FROM]
    for offset in range(_LOST_FROM, 22):
        after.append(Entry(offset, _TEN + 1000 + offset, *quote(offset - _LOST_FROM, "q")))
    lost = {entry.offset: entry for entry in before[_LOST_FROM:]}
    return before, after, LogCut(1, _LOST_FROM, 20, lost, begun=0.0, over=10.0)


def _store_cut(bucket: Bucket, before: list[Entry], after: list[Entry], **tells: int) -> dict[int, list[Entry]]:
    """Stores partition 0 as it is; of partition 1 up to 16 what was before the cut, and then what is there since."""
    topic = {0: _topic()[0], 1: after}
    _store(bucket, topic[0], 0, 0, len(topic[0]))
    _store(bucket, before, 1, 0, _READ_TO)
    _store(bucket, after, 1, _READ_TO, len(after), **tells)
    return topic


def test_what_a_cut_took_may_be_missing_and_stands_in_s3_as_it_was_read(bucket: Bucket) -> None:
    before, after, cut = _cut()
    topic = _store_cut(bucket, before, after, cut_start_offset=_LOST_FROM)
    acknowledged = [Acknowledged(1, entry.offset, entry.value) for entry in (*before[10:], *after[10:])]
    verdict = _judge(bucket, topic, acknowledged=acknowledged, cuts=[cut])
    assert verdict.well, verdict.problems
    assert verdict.cut_away == 8


def test_a_cut_that_no_object_tells_is_found(bucket: Bucket) -> None:
    before, after, cut = _cut()
    verdict = _judge(bucket, _store_cut(bucket, before, after), cuts=[cut])
    assert verdict.lost == _READ_TO - _LOST_FROM
    assert "holds other bytes than the topic at the offsets 12-15" in "\n".join(verdict.problems)


@pytest.mark.parametrize("told", [11, 13])
def test_a_cut_that_an_object_tells_at_another_offset_is_found(bucket: Bucket, told: int) -> None:
    before, after, cut = _cut()
    verdict = _judge(bucket, _store_cut(bucket, before, after, cut_start_offset=told), cuts=[cut])
    assert f"tells a cut at offset {told} that there was not" in "\n".join(verdict.problems)


def test_a_cut_that_an_object_tells_and_that_took_nothing_that_was_read_is_found(bucket: Bucket) -> None:
    _, after, cut = _cut()
    verdict = _judge(bucket, _store_cut(bucket, after, after, cut_start_offset=_LOST_FROM), cuts=[cut])
    assert not verdict.well


def test_a_cut_excuses_no_record_beside_it(bucket: Bucket) -> None:
    before, after, cut = _cut()
    topic = _store_cut(bucket, before, after, cut_start_offset=_LOST_FROM)
    at_another_offset = Acknowledged(1, _LOST_FROM - 1, before[_LOST_FROM].value)
    another = Acknowledged(1, _LOST_FROM, b"another")
    assert _judge(bucket, topic, acknowledged=[at_another_offset, another], cuts=[cut]).lost == 2
    assert _judge(bucket, topic, ProducerEnd("p", whole=True, records=41), cuts=[cut]).lost == 1


@pytest.mark.parametrize(
    ("words", "ended", "excused"),
    [
        ("partition 1 reach offset 16, but Kafka's log ends at 12", 5.0, True),
        ("partition 1 reach offset 20, but Kafka's log ends at 19", 5.0, True),
        ("partition 0 reach offset 16, but Kafka's log ends at 12", 5.0, False),
        ("partition 1 reach offset 21, but Kafka's log ends at 12", 5.0, False),
        ("partition 1 reach offset 16, but Kafka's log ends at 11", 5.0, False),
        ("partition 1 reach offset 16, but Kafka's log ends at 12", 60.0, False),
        ("partition 1 is odd", 5.0, False),
    ],
)
def test_a_consumer_may_call_its_log_too_short_only_while_it_is(
    tmp_path: Path, words: str, ended: float, excused: bool
) -> None:
    log = tmp_path / "consumer.log"
    log.write_text(f'level=error event=ended reason="the objects of {words}: the broker has lost records"\n')
    nobody = Daemon("broker", [], {}, lambda: tmp_path, 1.0)
    cutter = LogCutter(nobody, "", tmp_path, "t")
    cutter.cuts.append(_cut()[2])
    run = Run("consumer.0", subprocess.Popen(["true"]), log, ended=ended)
    run.process.wait()
    assert cutter.excuses(run) is excused


def test_a_consumer_that_logs_another_range_than_that_of_the_cut_is_found(tmp_path: Path) -> None:
    log = tmp_path / "consumer.log"
    cutter = LogCutter(Daemon("broker", [], {}, lambda: tmp_path, 1.0), "", tmp_path, "t")
    cutter.cuts.append(_cut()[2])
    process = subprocess.Popen(["true"])
    process.wait()
    for start, end, lost, count in ((12, 16, 4, 0), (13, 16, 3, 1), (12, 21, 9, 1), (12, 16, 5, 1)):
        log.write_text(f"level=error event=log_cut_back partition=1 start={start} end={end} lost={lost} advice=x\n")
        assert len(cutter.complaints(Run("consumer.0", process, log))) == count

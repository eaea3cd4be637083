"""What the group is told of the chains' ends: all partitions together, and again what a request could not note."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.errors import NodeNotReadyError
from tests.support.stock_market.services import Workbench, eventually, quote

from stock_market.consumer import commits as commits_module
from stock_market.consumer.commits import Commits

A, B = TopicPartition("quotes", 0), TopicPartition("quotes", 1)


class Group:
    """Takes commits as kafka-python does, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[dict[TopicPartition, int]] = []
        self._open: list[Callable[[object], None]] = []

    def commit_async(self, offsets: dict[TopicPartition, Any], callback: Callable[..., None]) -> None:
        self.asked.append({where: end.offset for where, end in offsets.items()})
        self._open.append(lambda answer: callback(offsets, answer))

    def answer(self, answer: object = "noted") -> None:
        self._open.pop(0)(answer)


def info(end: int) -> Any:
    return SimpleNamespace(end=end, key=f"object-{end}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(commits_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.mark.usefixtures("clock")
def test_ends_go_together_and_one_request_waits_for_the_other() -> None:
    group = Group()
    commits = Commits(group)
    commits.note(A, info(5))
    commits.note(B, info(7))
    commits.send()
    commits.note(A, info(9))
    commits.note(A, info(11))
    commits.send()
    assert group.asked == [{A: 5, B: 7}]
    group.answer()
    commits.send()
    assert group.asked[1:] == [{A: 11}]
    group.answer()
    commits.send()
    assert len(group.asked) == 2
    assert commits.left() == {}


def test_what_failed_goes_with_a_later_request_unless_it_was_overtaken_or_taken(clock: list[float]) -> None:
    group = Group()
    commits = Commits(group)
    third = TopicPartition("quotes", 2)
    for where in (A, B, third):
        commits.note(where, info(5))
    commits.send()
    commits.note(A, info(9))
    commits.forget(third)
    group.answer(NodeNotReadyError("Node paused: {'max_in_flight'}"))
    assert {where: end.offset for where, end in commits.left().items()} == {A: 9, B: 5}
    commits.send()
    assert len(group.asked) == 1  # not at once
    clock[0] += 1
    commits.send()
    assert group.asked[1:] == [{A: 9, B: 5}]


def test_an_answer_that_never_comes_holds_up_nothing(clock: list[float]) -> None:
    group = Group()
    commits = Commits(group)
    commits.note(A, info(5))
    commits.note(B, info(7))
    commits.send()
    commits.note(A, info(6))
    clock[0] += 14
    commits.send()
    assert group.asked == [{A: 5, B: 7}]
    clock[0] += 2
    commits.send()
    assert group.asked[1:] == [{A: 6, B: 7}]
    group.answer(NodeNotReadyError("too late"))
    assert {where: end.offset for where, end in commits.left().items()} == {A: 6, B: 7}
    group.answer()
    clock[0] += 1
    commits.send()
    assert group.asked[2:] == [{B: 7}]  # The late answer told of it.
    group.answer()
    assert commits.left() == {}


def test_an_idle_partitions_end_is_asked_again_when_no_answer_comes(clock: list[float]) -> None:
    group = Group()
    commits = Commits(group)
    commits.note(A, info(5))
    commits.send()
    clock[0] += 16
    commits.send()
    assert group.asked == [{A: 5}, {A: 5}]
    group.answer()
    clock[0] += 16
    commits.send()
    assert len(group.asked) == 2


@pytest.mark.parametrize("workbench", ["batches"], indirect=True)
def test_the_ends_of_partitions_that_are_stored_at_once_are_all_noted(workbench: Workbench) -> None:
    """kafka-python sends five requests at most that wait for an answer."""
    workbench.create_topic(partitions=24)
    client = workbench.broker.client
    consumer = workbench.consumer(seconds=0.5)
    consumer.logged("partition_started partition=23")
    with closing(KafkaProducer(**client)) as producer, KafkaAdminClient(**client) as admin:

        def all_noted(records: int) -> bool:
            ends = admin.list_group_offsets({workbench.group: None})[workbench.group]
            return bool(sum(end.offset for end in ends.values()) == records)

        for turn in range(1, 4):
            for number in range(24):
                key, value = quote(turn * 24 + number)
                producer.send(workbench.topic, key=key, value=value, partition=number)
            producer.flush()
            eventually(partial(all_noted, turn * 24), "the ends of all partitions", 30)
    assert "commit_failed" not in consumer.log()
    assert consumer.finish() == 0

"""Promises of the module kafka_quorum_member: one change at a time, and none while the other members do not follow."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import KafkaError, Quorum
from ansible_collections.stock_market.streaming.plugins.module_utils.service_wait import NotReadyError

NOW, LATE, NEVER = 50_000, 40_000, -1
OLD, NEW = "AAAAAAAAAAAAAAAAAAAAAg", "AAAAAAAAAAAAAAAAAAAAMg"


@pytest.fixture
def member() -> Any:
    return importlib.import_module("plugins.modules.kafka_quorum_member")


def quorum(own: str = OLD, new: int | None = NOW, **last: int) -> Quorum:
    """A quorum that 1001 leads: when each voter was level, and the new one; `own` is the directory of voter 1002."""
    voters = {int(name[1:]): when for name, when in last.items()}
    observers = {} if new is None else {(1002, NEW): new}
    return Quorum(1001, voters, dict.fromkeys(voters, "AAAAAAAAAAAAAAAAAAAAAQ") | {1002: own}, observers)


@pytest.mark.parametrize(
    ("known", "step"),
    [
        pytest.param(quorum(v1001=NOW, v1002=NEVER, v1003=NOW), "remove", id="lost its data"),
        pytest.param(quorum(v1001=NOW, v1003=NOW), "add", id="removed, or new"),
        pytest.param(quorum(v1001=NOW), "add", id="the second of all"),
        pytest.param(quorum(v1001=NOW, v1002=LATE, v1003=NOW, v1004=NOW, v1005=LATE), "remove", id="two of five"),
        pytest.param(quorum(NEW, None, v1001=NOW, v1002=NOW, v1003=LATE), "", id="a member, whatever the others do"),
    ],
)
def test_the_next_step_is_the_one_that_is_missing(member: Any, known: Quorum, step: str) -> None:
    assert member.next_step(known, 1002, NEW) == step


@pytest.mark.parametrize(
    ("known", "words"),
    [
        pytest.param(None, "no controller is the leader", id="no leader"),
        pytest.param(
            quorum(v1001=NOW, v1002=LATE, v1003=LATE),
            r"of the other members \[1001, 1003\], \[1003\] do not follow the leader 1001",
            id="two at once",
        ),
        pytest.param(
            quorum(v1001=NOW, v1002=LATE, v1003=NOW, v1004=LATE, v1005=LATE),
            "do not follow the leader",
            id="three of five",
        ),
        pytest.param(
            quorum(v1001=NOW, v1002=NOW, v1003=NOW),
            f"controller 1002 works elsewhere, with the directory {OLD}",
            id="alive",
        ),
        pytest.param(
            quorum(v1001=NOW, v1002=LATE, v1003=NOW, new=None), "controller 1002 has not caught up", id="not there yet"
        ),
        pytest.param(
            quorum(v1001=NOW, v1002=LATE, v1003=NOW, new=LATE), "controller 1002 has not caught up", id="behind"
        ),
        pytest.param(
            quorum(NEW, None, v1001=NOW, v1002=LATE, v1003=NOW),
            "1002 does not follow the leader",
            id="a member, behind",
        ),
    ],
)
def test_nothing_is_changed_while_that_could_cost_the_quorum(member: Any, known: Quorum | None, words: str) -> None:
    with pytest.raises(NotReadyError, match=words):
        member.next_step(known, 1002, NEW)


class Leader:
    """A quorum of three that has lost 1002's data; it refuses the first change."""

    def __init__(self) -> None:
        self.known = quorum(v1001=NOW, v1002=NEVER, v1003=NOW)
        self.done: list[str] = []
        self.refuses = True

    def ask(self) -> Quorum:
        return self.known

    def do(self, step: str, _known: Quorum) -> None:
        self.done.append(step)
        if self.refuses:
            self.refuses = False
            raise KafkaError("adding controller 1002 gave error 7: a change goes on")
        if step == "remove":
            self.known = quorum(v1001=NOW, v1003=NOW)
        else:
            self.known = quorum(NEW, None, v1001=NOW, v1002=NOW, v1003=NOW)


def settle(member: Any, leader: Leader, timeout: float) -> Any:
    return member.settle(leader.ask, lambda known: member.next_step(known, 1002, NEW), leader.do, timeout)


def test_it_is_removed_and_added_and_a_refusal_is_tried_again(member: Any) -> None:
    leader = Leader()
    steps, known = settle(member, leader, 10)
    assert (leader.done, steps, known) == (["remove", "remove", "add"], ["remove", "add"], leader.known)


def test_a_member_is_left_as_it_is(member: Any) -> None:
    leader = Leader()
    leader.known = quorum(NEW, None, v1001=NOW, v1002=NOW, v1003=NOW)
    assert settle(member, leader, 10) == ([], leader.known)
    assert leader.done == []


def test_what_it_waited_for_in_vain_is_said(member: Any) -> None:
    leader = Leader()
    leader.known = quorum(v1001=NOW, v1002=LATE, v1003=LATE)
    with pytest.raises(NotReadyError, match="do not follow the leader 1001"):
        settle(member, leader, 0.1)
    assert leader.done == []


def test_a_member_is_taken_out_only_while_most_of_the_others_follow(member: Any) -> None:
    assert member.next_removal(quorum(v1001=NOW, v1002=NOW, v1003=NOW), 1002) == "remove"
    assert member.next_removal(quorum(v1001=NOW, v1002=NOW, v1003=NOW), 1001) == "remove"
    assert member.next_removal(quorum(v1001=NOW, v1003=NOW), 1002) == ""
    for known in (None, quorum(v1001=NOW, v1002=NOW, v1003=LATE), quorum(v1002=NOW)):
        with pytest.raises(NotReadyError, match="the leader"):
            member.next_removal(known, 1002)

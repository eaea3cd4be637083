"""Promises of the plan of replicas, on random clusters: racks apart, loads even, and no move more than that takes."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_assignment import Assignment, moves, plan

Racks = dict[int, str | None]


def spread(loads: Iterable[int], brokers: Iterable[int]) -> int:
    """How many more the fullest broker has than the emptiest."""
    counted = Counter(loads)
    sizes = [counted[broker] for broker in brokers]
    return max(sizes) - min(sizes)


def some_assignment(dice: random.Random, brokers: list[int], factor: int, topics: int) -> Assignment:
    sizes = {f"t{topic}": dice.randint(1, 9) for topic in range(topics)}
    return {
        (topic, number): tuple(dice.sample(brokers, factor)) for topic, size in sizes.items() for number in range(size)
    }


RACKS: list[list[str | None]] = [[None], ["a", "b"], ["a", "b", "c"]]


def some_clusters(count: int) -> Iterator[tuple[Assignment, Racks]]:
    """Assignments without any order, and the brokers that are to carry them: some of the old ones, and new ones."""
    for seed in range(count):
        dice = random.Random(seed)
        old = list(range(1, dice.randint(2, 6) + 1))
        factor = dice.randint(1, min(3, len(old)))
        current = some_assignment(dice, old, factor, dice.randint(1, 4))
        kept = dice.sample(old, dice.randint(1, len(old)))
        new = range(10, 10 + max(dice.randint(0, 2), factor - len(kept)))
        racks = dice.choice(RACKS)
        yield current, {broker: racks[index % len(racks)] for index, broker in enumerate([*kept, *new])}


CLUSTERS = list(some_clusters(60))


@pytest.mark.parametrize(("current", "racks"), CLUSTERS)
def test_each_partition_keeps_its_number_of_replicas_on_distinct_brokers_of_those_allowed(
    current: Assignment, racks: Racks
) -> None:
    target = plan(current, racks)
    assert target.keys() == current.keys()
    for key, replicas in target.items():
        assert len(set(replicas)) == len(replicas) == len(current[key])
        assert set(replicas) <= racks.keys()


@pytest.mark.parametrize(("current", "racks"), CLUSTERS)
def test_the_replicas_are_in_as_many_racks_as_there_can_be(current: Assignment, racks: Racks) -> None:
    known = set(racks.values()) - {None}
    for replicas in plan(current, racks).values():
        if known:
            assert len({racks[broker] for broker in replicas}) == min(len(replicas), len(known))


@pytest.mark.parametrize(("current", "racks"), CLUSTERS)
def test_without_racks_replicas_and_leaders_are_even_within_one_in_sum_and_for_each_topic(
    current: Assignment, racks: Racks
) -> None:
    target = plan(current, dict.fromkeys(racks, None))
    for topic in {None} | {topic for topic, _ in target}:
        chosen = [replicas for key, replicas in target.items() if topic in (None, key[0])]
        assert spread((broker for replicas in chosen for broker in replicas), racks) <= 1
    if all(len(replicas) == len(racks) for replicas in target.values()):
        assert spread((replicas[0] for replicas in target.values()), racks) <= 1


@pytest.mark.parametrize(("current", "racks"), CLUSTERS)
def test_a_plan_that_is_carried_out_is_as_good_as_can_be(current: Assignment, racks: Racks) -> None:
    target = plan(current, racks)
    assert plan(target, racks) == target


@pytest.mark.parametrize("seed", range(25))
def test_no_assignment_that_is_as_even_moves_less(seed: int) -> None:
    dice = random.Random(seed)
    current = {("t", number): tuple(dice.sample([1, 2, 3], 2)) for number in range(4)}
    brokers = dice.choice([[1, 2, 3], [2, 3, 4], [1, 2, 3, 4]])
    target = plan(current, dict.fromkeys(brokers, None))

    def uneven(chosen: Iterable[Iterable[int]]) -> int:
        return sum(size**2 for size in Counter(broker for pair in chosen for broker in pair).values())

    every = list(itertools.product(itertools.combinations(brokers, 2), repeat=len(current)))
    least = min(map(uneven, every))
    assert uneven(target.values()) == least
    assert moves(current, target) == min(
        moves(current, dict(zip(current, chosen, strict=True))) for chosen in every if uneven(chosen) == least
    )


def even_topic(partitions: int) -> Assignment:
    ring = [1, 2, 3]
    return {("t", n): tuple(ring[n % 3 :] + ring[: n % 3]) for n in range(partitions)}


def test_a_fourth_broker_takes_its_part_and_nothing_else_moves() -> None:
    current = even_topic(48)
    target = plan(current, dict.fromkeys([1, 2, 3, 4], None))
    assert moves(current, target) == 36
    assert Counter(broker for replicas in target.values() for broker in replicas) == {1: 36, 2: 36, 3: 36, 4: 36}
    assert Counter(replicas[0] for replicas in target.values()) == {1: 12, 2: 12, 3: 12, 4: 12}


def test_a_broker_in_a_rack_that_had_one_halves_that_ones_load() -> None:
    target = plan(even_topic(12), {1: "a", 2: "b", 3: "c", 4: "a"})
    assert Counter(broker for replicas in target.values() for broker in replicas) == {1: 6, 2: 12, 3: 12, 4: 6}


def test_an_even_assignment_does_not_change() -> None:
    current = even_topic(9)
    assert plan(current, {1: "a", 2: "b", 3: "c"}) == current


def test_more_replicas_come_beside_those_that_are_there() -> None:
    current: Assignment = {("t", 0): (1,), ("t", 1): (2,), ("u", 0): (3,)}
    target = plan(current, dict.fromkeys([1, 2, 3], None), {"t": 3})
    assert {len(target[key]) for key in current if key[0] == "t"} == {3}
    assert target["u", 0] == (3,)
    assert moves(current, target) == 4


def test_more_replicas_than_brokers_are_refused() -> None:
    with pytest.raises(ValueError, match="t-0 needs 3 brokers for its replicas, and there are 2"):
        plan({("t", 0): (1, 2, 3)}, {1: None, 2: None})

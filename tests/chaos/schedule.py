"""Draws a round's faults: the same seed, round and length give the same schedule."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.chaos.cast import Cast
from tests.chaos.faults import (
    CutLog,
    Fault,
    FillDisk,
    FreezeServer,
    FreezeService,
    JoinConsumer,
    JumpClock,
    KillServer,
    KillService,
    LateMetadata,
    LeaveService,
    NoMetadata,
    Poison,
    S3Faults,
    S3Outage,
)
from tests.chaos.history.faults import AwsOutage, CancelQueries, FreezeCompactor, KillCompactor, ManifestFaults
from tests.support.stock_market.faulty_s3 import FAULTS

GAP_SECONDS = 1.6
"""From one fault to the next, on the average."""

_Draw = Callable[[random.Random, float, Cast], Fault]


def _kinds() -> dict[str, tuple[int, _Draw]]:
    """Each kind of fault with its weight and the way to draw one."""
    kinds: dict[str, tuple[int, _Draw]] = {
        "kill consumer": (6, lambda rng, at, cast: KillService.draw(rng, at, cast, "consumer")),
        "freeze consumer": (7, lambda rng, at, cast: FreezeService.draw(rng, at, cast, "consumer")),
        "leave consumer": (4, lambda rng, at, cast: LeaveService.draw(rng, at, cast, "consumer")),
        "join consumer": (3, lambda rng, at, _cast: JoinConsumer.draw(rng, at)),
        "kill producer": (4, lambda rng, at, cast: KillService.draw(rng, at, cast, "producer")),
        "freeze producer": (3, lambda rng, at, cast: FreezeService.draw(rng, at, cast, "producer")),
        "leave producer": (2, lambda rng, at, cast: LeaveService.draw(rng, at, cast, "producer")),
        "kill broker": (2, lambda rng, at, _cast: KillServer.draw(rng, at, "broker")),
        "freeze broker": (2, lambda rng, at, _cast: FreezeServer.draw(rng, at, "broker")),
        "cut log": (2, CutLog.draw),
        "kill zookeeper": (2, lambda rng, at, _cast: KillServer.draw(rng, at, "zookeeper")),
        "s3 outage": (3, lambda rng, at, _cast: S3Outage.draw(rng, at)),
        "metadata away": (2, lambda rng, at, _cast: NoMetadata.draw(rng, at)),
        "metadata late": (2, lambda rng, at, cast: LateMetadata.draw(rng, at, cast, "consumer")),
        "history kill": (8, KillCompactor.draw),
        "history freeze": (6, FreezeCompactor.draw),
        "history queries": (4, lambda rng, at, _cast: CancelQueries.draw(rng, at)),
        "history outage": (4, lambda rng, at, _cast: AwsOutage.draw(rng, at)),
        "history put": (4, lambda rng, at, _cast: ManifestFaults.draw(rng, at)),
        "poison": (5, lambda rng, at, _cast: Poison.draw(rng, at)),
    }
    for fault in FAULTS:
        kinds[f"s3 {fault}"] = (2, lambda rng, at, _cast, fault=fault: S3Faults.draw(rng, at, fault))  # type: ignore[misc]  # mypy infers no lambda with a default
    for volume in ("broker", "zookeeper", "logs"):
        kinds[f"disk {volume}"] = (1, lambda rng, at, _cast, volume=volume: FillDisk.draw(rng, at, volume))  # type: ignore[misc]  # mypy infers no lambda with a default
    for clock in ("broker", "consumers", "producers"):
        kinds[f"clock {clock}"] = (1, lambda rng, at, _cast, clock=clock: JumpClock.draw(rng, at, clock))  # type: ignore[misc]  # mypy infers no lambda with a default
    return kinds


KINDS = _kinds()
APART = ("clock broker", "cut log")
"""Not in the same round, but by turns: a lone broker's timestamps tell of a cut, if its clock runs on."""


HISTORY = "history"
"""How the names of the kinds begin that need compactors."""
_HISTORY_EVERY = 3


def has_history(number: int, only: str = "") -> bool:
    """Whether hours become history in a round: in every third, the second first, and where only that is asked for."""
    return number % _HISTORY_EVERY == _HISTORY_EVERY - 1 or only.startswith(HISTORY)


def draw_cast(seed: int, number: int, consumer_module: str, rate: float, only: str = "") -> Cast:
    """A round's cast; every other round, by chance, with static membership."""
    rng = random.Random(f"cast {seed} {number}")
    static = rng.random() < 0.5
    return Cast(static=static, consumer_module=consumer_module, rate=rate, history=has_history(number, only))


def kinds(number: int, only: str = "") -> list[str]:
    """The kinds of a round's faults.

    Args:
        number: the round's number.
        only: takes only those whose name begins so.
    """
    names = [name for name in KINDS if name.startswith(only)]
    if not has_history(number, only):
        names = [name for name in names if not name.startswith(HISTORY)]
    return [name for name in names if name != APART[number % 2 - 1] or not set(APART) <= set(names)]


def draw(
    seed: int, number: int, count: int, cast: Cast, *, only: str = "", gap_seconds: float = GAP_SECONDS
) -> list[Fault]:
    """A round's faults in the order of their moments: first one of each of the round's kinds, then by weight.

    Args:
        seed: the run's seed.
        number: the round's number.
        count: how many faults.
        cast: the round's cast.
        only: takes only the kinds whose name begins so.
        gap_seconds: from one fault to the next, on the average; a tenth of it at least, nearly twice at most.
    """
    rng = random.Random(f"schedule {seed} {number}")
    names = kinds(number, only)
    deck = rng.sample(names, len(names))
    weights = [KINDS[name][0] for name in names]
    deck += rng.choices(names, weights, k=max(0, count - len(deck)))
    at, faults = 2.0, []
    for name in deck[:count]:
        faults.append(KINDS[name][1](rng, round(at, 1), cast))
        at += rng.uniform(0.1, 1.9) * gap_seconds
    return faults

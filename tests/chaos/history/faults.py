"""What happens to the compactors, and to the AWS that they ask."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Self

from tests.chaos.cast import Cast
from tests.chaos.daemon import Daemon
from tests.chaos.faults import Fault, Freeze, Kill, ProcessFault
from tests.chaos.history.company import COMPACTORS, Company
from tests.chaos.stage import Stage
from tests.support.stock_market.faulty_s3 import Fault as S3Fault


def _company(stage: Stage) -> Company:
    if stage.company is None:
        raise ValueError("no compactor is on the stage")
    return stage.company


@dataclass(frozen=True, slots=True)
class _Compactor(ProcessFault):
    """A fault of one of the compactors."""

    number: int

    @classmethod
    def draw(cls, rng: random.Random, at: float, _cast: Cast) -> Self:
        """One at random."""
        return cls(at, round(rng.uniform(0.1, cls.longest()), 1), rng.randrange(COMPACTORS))

    @staticmethod
    def longest() -> float:
        """The longest that it may last, in seconds."""
        return 2.0

    @property
    def name(self) -> str:
        """The process, for the schedule."""
        return f"compactor-{self.number}"

    def daemon(self, stage: Stage) -> Daemon:
        """The process on the stage."""
        return _company(stage).compactors[self.number]


@dataclass(frozen=True, slots=True)
class KillCompactor(Kill, _Compactor):
    """kill -9 of a compactor, wherever it is."""


@dataclass(frozen=True, slots=True)
class FreezeCompactor(Freeze, _Compactor):
    """A compactor that is stopped and wakes up late, when the other one has gone on."""

    @staticmethod
    def longest() -> float:
        return 15.0


@dataclass(frozen=True, slots=True)
class CancelQueries(Fault):
    """Somebody stops the queries that run in Athena."""

    @classmethod
    def draw(cls, rng: random.Random, at: float) -> Self:
        """One at random."""
        return cls(at, round(rng.uniform(0.5, 4.0), 1))

    def __str__(self) -> str:
        return f"every query in Athena is cancelled for {self.seconds} s"

    def strike(self, stage: Stage) -> None:
        deadline = time.monotonic() + self.seconds
        while time.monotonic() < deadline:
            _company(stage).catalog.cancel_running()
            time.sleep(0.2)


@dataclass(frozen=True, slots=True)
class AwsOutage(Fault):
    """Every request of the compactors to S3, Glue and Athena fails for a while."""

    kind: S3Fault

    @classmethod
    def draw(cls, rng: random.Random, at: float) -> Self:
        """One at random."""
        kinds: list[S3Fault] = ["error", "slow_down", "drop", "slow", "lose_answer"]
        return cls(at, round(rng.uniform(1.0, 6.0), 1), rng.choice(kinds))

    def __str__(self) -> str:
        return f"every request of the compactors for {self.seconds} s: {self.kind}"

    def strike(self, stage: Stage) -> None:
        with _company(stage).gateway.outage(self.kind):
            time.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class ManifestFaults(Fault):
    """The compactors' next PUTs to S3 fail, all in the same way."""

    kind: S3Fault
    count: int

    @classmethod
    def draw(cls, rng: random.Random, at: float) -> Self:
        """One at random."""
        kinds: list[S3Fault] = ["error", "slow_down", "lose_answer", "drop", "late"]
        return cls(at, 0.0, rng.choice(kinds), rng.randint(1, 4))

    def __str__(self) -> str:
        return f"the compactors' next {self.count} PUTs: {self.kind}"

    def strike(self, stage: Stage) -> None:
        _company(stage).gateway.faults.extend([self.kind] * self.count)

"""The faults: each is drawn from a seeded generator with its moment, its target and its length, and strikes a stage."""

from __future__ import annotations

import random
import signal
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from tests.chaos import poison
from tests.chaos.cast import Cast
from tests.chaos.daemon import Daemon
from tests.chaos.stage import CREDENTIAL_SECONDS, Stage
from tests.support.stock_market.faulty_s3 import Fault as S3Fault

_HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Fault(ABC):
    """A fault.

    Attributes:
        at: its moment, in seconds since the round's beginning.
        seconds: how long it lasts, or how long what it ends stays down.
    """

    at: float
    seconds: float

    @abstractmethod
    def __str__(self) -> str:
        """What happens, for the schedule."""

    @abstractmethod
    def strike(self, stage: Stage) -> None:
        """Lets it happen; returns when it is over."""


def _seconds(rng: random.Random, low: float, high: float) -> float:
    return round(rng.uniform(low, high), 1)


@dataclass(frozen=True, slots=True)
class ProcessFault(Fault):
    """A fault of one process."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The process, for the schedule."""

    @abstractmethod
    def daemon(self, stage: Stage) -> Daemon:
        """The process on the stage."""


@dataclass(frozen=True, slots=True)
class Kill(ProcessFault):
    """kill -9."""

    def __str__(self) -> str:
        return f"kill -9 {self.name}, started again after {self.seconds} s"

    def strike(self, stage: Stage) -> None:
        self.daemon(stage).kill(self.seconds)


@dataclass(frozen=True, slots=True)
class Freeze(ProcessFault):
    """SIGSTOP and SIGCONT."""

    def __str__(self) -> str:
        return f"SIGSTOP {self.name}, SIGCONT after {self.seconds} s"

    def strike(self, stage: Stage) -> None:
        run = self.daemon(stage).target()
        if run is not None:
            run.signal(signal.SIGSTOP)
            time.sleep(self.seconds)
            run.signal(signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class _ServiceFault(ProcessFault):
    """A fault of one of the services: `kind` is consumer or producer."""

    kind: str
    number: int

    @classmethod
    def draw(cls, rng: random.Random, at: float, cast: Cast, kind: str) -> Self:
        """One at random."""
        count = cast.consumers if kind == "consumer" else cast.producers
        return cls(at, cls._length(rng, cast), kind, rng.randrange(count))

    @staticmethod
    def _length(rng: random.Random, _cast: Cast) -> float:
        return _seconds(rng, 0.2, 3.0)

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.number}"

    def daemon(self, stage: Stage) -> Daemon:
        return (stage.consumers if self.kind == "consumer" else stage.producers)[self.number]


@dataclass(frozen=True, slots=True)
class KillService(Kill, _ServiceFault):
    """kill -9 of a service."""


@dataclass(frozen=True, slots=True)
class FreezeService(Freeze, _ServiceFault):
    """SIGSTOP, and SIGCONT when others have taken its partitions, or just before that."""

    @staticmethod
    def _length(rng: random.Random, cast: Cast) -> float:
        short = rng.random() < 0.25
        return _seconds(rng, 0.5, 1.0) if short else round(cast.session_seconds * rng.uniform(1.1, 3.0), 1)


@dataclass(frozen=True, slots=True)
class LeaveService(_ServiceFault):
    """SIGTERM, and a new start."""

    def __str__(self) -> str:
        return f"SIGTERM {self.name}, started again after {self.seconds} s"

    def strike(self, stage: Stage) -> None:
        daemon = self.daemon(stage)
        daemon.target()
        daemon.ask_to_end(self.seconds)


@dataclass(frozen=True, slots=True)
class JoinConsumer(Fault):
    """One more consumer for a while."""

    @classmethod
    def draw(cls, rng: random.Random, at: float) -> Self:
        """One at random."""
        return cls(at, _seconds(rng, 3.0, 8.0))

    def __str__(self) -> str:
        return f"another consumer joins, leaves after {self.seconds} s"

    def strike(self, stage: Stage) -> None:
        guest = stage.join()
        time.sleep(self.seconds)
        run = guest.ask_to_end()
        if run is not None:
            run.process.wait(60)


@dataclass(frozen=True, slots=True)
class _ServerFault(ProcessFault):
    """A fault of the broker or of ZooKeeper."""

    server: str

    @classmethod
    def draw(cls, rng: random.Random, at: float, server: str) -> Self:
        """One at random."""
        return cls(at, _seconds(rng, 0.1, 5.0), server)

    @property
    def name(self) -> str:
        return self.server

    def daemon(self, stage: Stage) -> Daemon:
        return stage.broker if self.server == "broker" else stage.zookeeper


@dataclass(frozen=True, slots=True)
class KillServer(Kill, _ServerFault):
    """kill -9 of a server."""


@dataclass(frozen=True, slots=True)
class FreezeServer(Freeze, _ServerFault):
    """SIGSTOP and SIGCONT of a server."""


@dataclass(frozen=True, slots=True)
class CutLog(Fault):
    """The broker is killed and comes back without the newest records of some partitions; others take their offsets."""

    records: tuple[tuple[int, int], ...]

    @classmethod
    def draw(cls, rng: random.Random, at: float, cast: Cast) -> Self:
        """One at random: of one partition, of some or of all, between a record and two seconds' worth of each."""
        partitions = rng.sample(range(cast.partitions), rng.choice([1, 1, 2, cast.partitions]))
        most = 2.0 * cast.rate * cast.producers / cast.partitions
        records = tuple((partition, 1 + int(rng.uniform(0, most))) for partition in sorted(partitions))
        return cls(at, _seconds(rng, 0.1, 3.0), records)

    def __str__(self) -> str:
        lost = ", ".join(f"{count} of partition {partition}" for partition, count in self.records)
        return f"kill -9 broker, started again after {self.seconds} s without its last records: {lost}"

    def strike(self, stage: Stage) -> None:
        stage.cutter.cut(dict(self.records), self.seconds)


@dataclass(frozen=True, slots=True)
class S3Faults(Fault):
    """The next PUTs fail, all in the same way."""

    kind: S3Fault
    count: int

    @classmethod
    def draw(cls, rng: random.Random, at: float, kind: S3Fault) -> Self:
        """One at random."""
        return cls(at, 0.0, kind, rng.randint(1, 2 if kind == "hang" else 6))

    def __str__(self) -> str:
        return f"the next {self.count} PUTs: {self.kind}"

    def strike(self, stage: Stage) -> None:
        stage.gateway.faults.extend([self.kind] * self.count)


@dataclass(frozen=True, slots=True)
class S3Outage(Fault):
    """Every request to S3, of any kind, fails for a while."""

    kind: S3Fault

    @classmethod
    def draw(cls, rng: random.Random, at: float) -> Self:
        """One at random."""
        kinds: list[S3Fault] = ["error", "slow_down", "drop", "slow", "lose_answer"]
        return cls(at, _seconds(rng, 1.0, 6.0), rng.choice(kinds))

    def __str__(self) -> str:
        return f"every request to S3 for {self.seconds} s: {self.kind}"

    def strike(self, stage: Stage) -> None:
        with stage.gateway.outage(self.kind):
            time.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class NoMetadata(Fault):
    """The instances' metadata does not answer, for longer than credentials live."""

    @classmethod
    def draw(cls, rng: random.Random, at: float) -> Self:
        """One at random."""
        return cls(at, round(CREDENTIAL_SECONDS * rng.uniform(1.2, 1.8), 1))

    def __str__(self) -> str:
        return f"no instance metadata for {self.seconds} s, credentials live for {CREDENTIAL_SECONDS:g} s"

    def strike(self, stage: Stage) -> None:
        with stage.metadata.absent():
            time.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class LateMetadata(_ServiceFault):
    """A consumer starts before the instance's metadata answers."""

    @staticmethod
    def _length(rng: random.Random, _cast: Cast) -> float:
        return _seconds(rng, 3.0, 6.0)

    def __str__(self) -> str:
        return f"kill -9 {self.name}, whose next start finds no instance metadata for {self.seconds} s"

    def strike(self, stage: Stage) -> None:
        with stage.metadata.absent():
            self.daemon(stage).kill(0.1)
            time.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class FillDisk(Fault):
    """A disk is full for a while."""

    volume: str

    @classmethod
    def draw(cls, rng: random.Random, at: float, volume: str) -> Self:
        """One at random."""
        return cls(at, _seconds(rng, 1.0, 5.0), volume)

    def __str__(self) -> str:
        return f"the disk of {self.volume} is full for {self.seconds} s"

    def strike(self, stage: Stage) -> None:
        with ExitStack() as stack:
            if self.volume == "broker":
                # Kafka 3.9 that recovers its log on a full disk gets SIGBUS in its indexes, and loses the log later.
                stack.enter_context(stage.cutter.alone)
                stack.enter_context(stage.broker.held())
                stage.cutter.wait_for_recovery()  # One that has just started, which takes long on a busy machine.
            if self.volume == "zookeeper":
                stack.enter_context(stage.zookeeper.held())
                stack.callback(stage.remove_empty_transaction_logs)
            stack.enter_context(stage.volumes[self.volume].full())
            if self.volume == "zookeeper":
                stage.write_to_zookeeper(self.seconds)
            else:
                time.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class JumpClock(Fault):
    """The clock jumps an hour, and back again."""

    clock: str
    hours: int

    @classmethod
    def draw(cls, rng: random.Random, at: float, clock: str) -> Self:
        """One at random."""
        return cls(at, _seconds(rng, 1.0, 6.0), clock, rng.choice([1, -1]))

    def __str__(self) -> str:
        return f"the clock of {self.clock} jumps {self.hours:+d} h, and back after {self.seconds} s"

    def strike(self, stage: Stage) -> None:
        stage.clocks[self.clock].jump(self.hours * _HOUR_SECONDS)
        try:
            time.sleep(self.seconds)
        finally:
            stage.clocks[self.clock].jump(-self.hours * _HOUR_SECONDS)


@dataclass(frozen=True, slots=True)
class Poison(Fault):
    """Records that are no quotes, among the good ones."""

    kind: str
    count: int

    @classmethod
    def draw(cls, rng: random.Random, at: float) -> Self:
        """One at random."""
        return cls(at, 0.0, rng.choice(poison.KINDS), rng.randint(1, 40))

    def __str__(self) -> str:
        return f"{self.count} records of poison: {self.kind}"

    def strike(self, stage: Stage) -> None:
        stage.witness.send_poison(self.kind, self.count)

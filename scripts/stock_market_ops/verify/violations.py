"""What is found to be untrue, as sentences for a person and as fields for a program."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec


class Log(msgspec.Struct, frozen=True, order=True):
    """One partition of one log: a topic that was created again, or another cluster, counts offsets from 0 again."""

    topic: str
    partition: int
    cluster_id: str
    topic_id: str

    def __str__(self) -> str:
        return f"partition {self.partition} of {self.topic}"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is not as the protocol promises.

    Attributes:
        kind: a word that stays the same from version to version; docs/exactly-once.md lists them.
        sentence: one clear sentence, with the object and the range.
        key: the object, where it is about one.
        log: the partition, where it is known.
        producer_id: the producer, where it is about its sequence.
        hour: `YYYY-MM-DD HH`, where it is about an hour of the history.
        start: first offset or sequence number that it is about.
        end: the one after the last.
    """

    kind: str
    sentence: str
    key: str = ""
    log: Log | None = None
    producer_id: str = ""
    hour: str = ""
    start: int | None = None
    end: int | None = None


class EnoughError(Exception):
    """The first violation has been found, and no more is asked for."""


@dataclass(slots=True)
class Findings:
    """Collects findings, keeps the first ones, counts all.

    Args:
        most: how many are kept.
        accepted: kinds that are reported and still no violations.
        stop_at_first: whether the first violation ends the work.
    """

    most: int
    accepted: frozenset[str] = frozenset()
    stop_at_first: bool = False
    kept: list[Finding] = field(default_factory=list)
    accepted_kept: list[Finding] = field(default_factory=list)
    violations: int = 0
    by_log: Counter[Log] = field(default_factory=Counter)
    by_producer: Counter[str] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        """Takes a finding.

        Raises:
            EnoughError: it is a violation, and the first is enough.
        """
        if finding.kind in self.accepted:
            if len(self.accepted_kept) < self.most:
                self.accepted_kept.append(finding)
            return
        self.violations += 1
        if finding.log is not None:
            self.by_log[finding.log] += 1
        if finding.producer_id:
            self.by_producer[finding.producer_id] += 1
        if len(self.kept) < self.most:
            self.kept.append(finding)
        if self.stop_at_first:
            raise EnoughError

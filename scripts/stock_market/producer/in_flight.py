"""What is on its way to the broker: batches that have been handed over and not been acknowledged yet."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from stock_market.kafka.batch_builder import Records


class Flight(ABC):
    """The records of one batch on their way.

    Args:
        partition: where they go.
        count: how many they are.
        size: what they hold in memory until they are acknowledged, in bytes, about.
        plain_bytes: the length of the batch's records before compression.

    Attributes:
        error: why they were given up; None as long as they were not.
        next_offset: where the partition's log went on after them, once it is known.
        acknowledged: when the broker had them all, as time.monotonic() tells; 0 before.
    """

    def __init__(self, partition: int, count: int, size: int, plain_bytes: int) -> None:
        self.partition = partition
        self.count = count
        self.size = size
        self.plain_bytes = plain_bytes
        self.handed_over = time.monotonic()
        self.acknowledged = 0.0
        self.error: Exception | None = None
        self.next_offset = 0

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the outcome is known: acknowledged, or given up for the reason in `error`."""

    @abstractmethod
    def records(self) -> Records:
        """What is on its way."""

    @property
    def confirmed(self) -> bool:
        """Whether the broker has acknowledged all of it."""
        return self.done and self.error is None

    @property
    def seconds(self) -> float:
        """From the hand-over to the acknowledgement."""
        return self.acknowledged - self.handed_over

"""Who plays in a trial."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays, and how.

    Attributes:
        consumers: consumers of the group that are there all the time.
        producers: producers that are there all the time.
        partitions: partitions of the topic.
        rate: records per second of each producer.
        session_seconds: after how long without a sign of life a consumer loses its partitions.
        static: whether each consumer has an instance id of its own.
        in_flight: records in flight from which on a producer sends no more.
        history: whether hours pass fast, and compactors make history of them.
        consumer_module: the consumer's module; another one than the real shows that the verdict can be bad.
    """

    consumers: int = 3
    producers: int = 2
    partitions: int = 6
    rate: float = 1200.0
    session_seconds: float = 3.0
    static: bool = False
    in_flight: int = 4000
    history: bool = False
    consumer_module: str = "stock_market.consumer"

    @property
    def unacknowledged(self) -> int:
        """How many of its last records a killed producer may not have got into Kafka.

        Before it is full it takes what is due, which is at most a second's worth of records.
        """
        return self.in_flight + math.ceil(self.rate)

"""What is wrong with the pipeline, and what that means, in words for a person."""

from __future__ import annotations

from collections.abc import Sequence

from stock_market_ops.live.brokers import Partition
from stock_market_ops.live.prometheus import Service
from stock_market_ops.live.state import Broker, Finding


def find(
    brokers: Sequence[Broker],
    partitions: Sequence[Partition],
    producers: Sequence[Service],
    consumers: Sequence[Service],
    stale_object_seconds: float | None = None,
) -> list[Finding]:
    """Return what is not as it should be, the worst first.

    `stale_object_seconds` is the age of the newest object where that is more than it should be.
    """
    down = [broker for broker in brokers if not broker.up]
    found = _of_brokers(down, len(brokers), partitions)
    gone = {broker.number for broker in down}
    leaderless = [one.number for one in partitions if one.leader < 0 or one.leader in gone]
    if leaderless and len(down) < len(brokers):
        found.append(
            Finding(
                f"No leader: {_partitions(leaderless)}",
                "Their symbols stand still until another broker leads them, which takes some seconds. Producers hold "
                "their records meanwhile, and nothing is lost.",
                True,
            )
        )
    lagging = [one.number for one in partitions if len(one.in_sync) < len(one.replicas)]
    if lagging and not down:
        found.append(
            Finding(
                f"Not fully replicated: {_partitions(lagging)}",
                "A broker is catching up. Nothing is lost, but another failure now could stop writing.",
                False,
            )
        )
    found += _of_services(producers, consumers)
    if stale_object_seconds is not None:
        found.append(
            Finding(
                f"Nothing new in S3 for {stale_object_seconds:.0f} s",
                "No consumer writes, or no records arrive. Kafka keeps what was not written, within its retention.",
                True,
            )
        )
    return sorted(found, key=lambda finding: not finding.stops)


def _of_brokers(down: Sequence[Broker], count: int, partitions: Sequence[Partition]) -> list[Finding]:
    if down and len(down) == count:
        what = f"{_names(down)} does not answer" if count == 1 else "No broker answers"
        return [
            Finding(
                what,
                "Nothing can be written or read. Producers hold their records and send them once a broker is back. "
                "What is in the topic and in S3 stays.",
                True,
            )
        ]
    return [
        Finding(f"{broker.name} does not answer", _meaning(broker, partitions), False)
        for broker in sorted(down, key=lambda broker: broker.name)
    ]


def _meaning(broker: Broker, partitions: Sequence[Partition]) -> str:
    held = [one.number for one in partitions if broker.number in one.replicas]
    if not held:
        return "It holds no partition of this topic: the stream goes on."
    return (
        f"The other brokers lead its partitions ({_numbers(held)}) and hold copies of them: the stream goes on, and "
        "nothing is lost. Until it is back, another failure could stop writing."
    )


def _of_services(producers: Sequence[Service], consumers: Sequence[Service]) -> list[Finding]:
    found = []
    for service in producers:
        if not service.up:
            found.append(
                Finding(
                    f"The producer on {service.instance} is down",
                    "Its symbols do not move. What it sent is in the topic; it goes on with new quotes when it starts.",
                    len(producers) == 1,
                )
            )
    running = sum(service.up for service in consumers)
    for service in consumers:
        if not service.up:
            found.append(
                Finding(
                    f"The consumer on {service.instance} is down",
                    "The other consumers take over its partitions within some seconds. No record is lost or doubled."
                    if running
                    else "Nothing is written to S3 while it is away. Kafka keeps the records, within its retention. "
                    "When it starts it goes on where it ended. No record is lost or doubled.",
                    not running,
                )
            )
    return found


def _names(brokers: Sequence[Broker]) -> str:
    return ", ".join(broker.name for broker in brokers)


def _partitions(numbers: Sequence[int]) -> str:
    return f"partition{'s' if len(numbers) != 1 else ''} {_numbers(numbers)}"


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))

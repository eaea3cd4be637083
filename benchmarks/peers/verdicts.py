"""From the peers' runs to figures with verdicts, and to the table of what each promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.drains import Drain
from benchmarks.figures import Figure, ratios
from benchmarks.peers.limit import Limit
from benchmarks.peers.sinks import Peer
from benchmarks.producers import Fill
from tabulate import tabulate

CONSUMER_TIMES = 2.5
"""What the consumer is to do of each peer's records per core-second."""
JVM_MEMORY = 0.2
"""What it may take of a Java virtual machine's memory."""
PRODUCER_TIMES = 1.3
"""What the producer is to do of the records per core-second of confluent-kafka, which is handed ready-made values."""
OF_THE_LIMIT = 0.7
"""What the consumer is to do of what its lz4, validation and gzip alone would allow."""
_PER_SECOND = "records/s per core"


def consumer_figures(
    ours: Sequence[Drain], peers: Mapping[Peer, Sequence[Drain]], limits: Sequence[Limit]
) -> list[Figure]:
    """The consumer beside its peers and beside its limit.

    Args:
        ours: its runs, one a round.
        peers: of each peer as many.
        limits: as many.
    """
    rates = [drain.rate for drain in ours]
    peaks = [drain.peak for drain in ours]
    found = [
        Figure("consumer", tuple(rates), _PER_SECOND),
        Figure("consumer: memory", tuple(peaks), "MB"),
    ]
    for peer, drains in peers.items():
        times = ratios(rates, [drain.rate for drain in drains])
        found.append(Figure(f"consumer over {peer.name}", times, "times", CONSUMER_TIMES, True))
        if peer.jvm:
            less = ratios(peaks, [drain.peak for drain in drains])
            found.append(Figure(f"consumer: memory over {peer.name}'s", less, "times", JVM_MEMORY))
    alone = [limit.rate for limit in limits]
    found += [
        Figure("consumer, of the limit", ratios(rates, alone), "times", OF_THE_LIMIT, True),
        Figure("the limit: lz4, validation and gzip alone", tuple(alone), _PER_SECOND),
    ]
    for part in ("lz4", "validation", "gzip"):
        shares = tuple(limit.share(part) for limit in limits)
        found.append(Figure(f"the limit: {part}, of its time", shares, "times"))
    for peer, drains in peers.items():
        found += [
            Figure(peer.name, tuple(drain.rate for drain in drains), _PER_SECOND),
            Figure(f"{peer.name}: memory", tuple(drain.peak for drain in drains), "MB"),
            Figure(f"{peer.name}: S3 writes", tuple(drain.writes for drain in drains), "per million records"),
            Figure(f"{peer.name}: size in S3", tuple(drain.object_bytes for drain in drains), "bytes/record"),
        ]
    return found


def producer_figures(ours: Sequence[Fill], peers: Mapping[Peer, Sequence[Fill]]) -> list[Figure]:
    """The producer beside its peers.

    Args:
        ours: its runs, one a round.
        peers: of each peer as many; only those of confluent-kafka have a goal here.
    """
    rates = [fill.rate for fill in ours]
    found = [
        Figure("producer", tuple(rates), _PER_SECOND),
        Figure("producer: memory", tuple(fill.peak for fill in ours), "MB"),
        Figure("producer: size on the wire", tuple(fill.wire_bytes for fill in ours), "bytes/record"),
    ]
    for peer, fills in peers.items():
        goal = PRODUCER_TIMES if peer.name.startswith("confluent-kafka") else None
        times = ratios(rates, [fill.rate for fill in fills])
        found.append(Figure(f"producer over {peer.name}", times, "times", goal, True))
    for peer, fills in peers.items():
        found += [
            Figure(peer.name, tuple(fill.rate for fill in fills), _PER_SECOND),
            Figure(f"{peer.name}: memory", tuple(fill.peak for fill in fills), "MB"),
            Figure(f"{peer.name}: size on the wire", tuple(fill.wire_bytes for fill in fills), "bytes/record"),
        ]
    return found


def promises(peers: Sequence[Peer]) -> str:
    """What runs and what it promises of each record, as a table."""
    rows = [[peer.name, peer.what, peer.guarantee] for peer in peers]
    return tabulate(rows, headers=["program", "what runs", "what it guarantees"], tablefmt="github")


def absences(reasons: Mapping[str, str]) -> str:
    """The peers that were not measured, each with the reason, one a line; empty where all were."""
    return "\n".join(f"not measured: {name}: {reason}" for name, reason in reasons.items())


def in_a_line(error: Exception) -> str:
    """The first sentence of an error's message, and the last line, which is where a program's output ends."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ... ".join(dict.fromkeys([lines[0], lines[-1]])) if lines else type(error).__name__

"""The peers' turns: each runs once a round, and one that fails is left out with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from benchmarks.measured import BenchmarkError
from benchmarks.peers import verdicts
from benchmarks.peers.sinks import Peer
from benchmarks.stage import say

from kafka_distribution.build import BuildError

_Run = TypeVar("_Run")


class Turns(dict[Peer, list[_Run]]):
    """The peers' runs; a peer that fails once is left out from then on, and has a reason.

    Args:
        peers: all of them.
        reasons: takes the reasons.
    """

    def __init__(self, peers: Iterable[Peer], reasons: dict[str, str]) -> None:
        super().__init__({peer: [] for peer in peers})
        self._reasons = reasons

    def take(self, run: Callable[[Peer], _Run]) -> None:
        """One round.

        Args:
            run: runs a peer and returns what it cost; BenchmarkError and BuildError are reasons to leave it out.
        """
        for peer in list(self):
            try:
                self[peer].append(run(peer))
            except (BenchmarkError, BuildError) as error:
                self._reasons[peer.name] = verdicts.in_a_line(error)
                say(peer.name, error)
                del self[peer]
            else:
                say(peer.name, self[peer][-1])

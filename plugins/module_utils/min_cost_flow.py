"""The cheapest way to send units through a network: successive shortest paths with potentials.

R. K. Ahuja, T. L. Magnanti, J. B. Orlin, Network Flows (1993), sections 9.7 and 14.5: a cost that rises with the number
of units, as the balance of loads needs, stands for parallel edges of one unit each, of which the cheapest is next.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass

INFINITE = float("inf")


@dataclass
class Edge:
    """How many units may still go from one node to another, and what the next costs; `back` undoes the last.

    Each unit makes the next one cost `rise` more.
    """

    start: Hashable
    end: Hashable
    left: int
    cost: int
    rise: int = 0
    back: Edge | None = None

    @property
    def used(self) -> int:
        """The units that go through it."""
        return self.back.left if self.back is not None else 0

    def send(self) -> None:
        """Send one unit."""
        self.left -= 1
        if self.back is not None:
            self.back.left += 1
            self.back.cost = -self.cost
            self.cost += self.rise


class Network:
    """Nodes are whatever is hashable; they are there as soon as an edge names them."""

    def __init__(self) -> None:
        self._edges: defaultdict[Hashable, list[Edge]] = defaultdict(list)
        self._potentials: defaultdict[Hashable, int] = defaultdict(int)

    def edge(self, start: Hashable, end: Hashable, capacity: int, cost: int = 0, rise: int = 0) -> Edge:
        """Add an edge for up to `capacity` units, of which the first costs `cost` and each other `rise` more."""
        there, back = Edge(start, end, capacity, cost, rise), Edge(end, start, 0, -cost, rise)
        there.back, back.back = back, there
        self._edges[start].append(there)
        self._edges[end].append(back)
        return there

    def even(self, start: Hashable, end: Hashable, capacity: int, weight: int) -> Edge:
        """Add an edge whose units cost n * n * weight in sum, so that even loads are the cheapest."""
        return self.edge(start, end, capacity, weight, 2 * weight)

    def send(self, source: Hashable, sink: Hashable, units: int) -> None:
        """Send units at the least cost in sum, rerouting what was sent before, from wherever, where that is cheaper.

        Raises:
            ValueError: the edges can't carry that many.
        """
        for _ in range(units):
            for edge in self._shortest(source, sink):
                edge.send()

    def _shortest(self, source: Hashable, sink: Hashable) -> list[Edge]:
        """Return the cheapest path that still takes a unit; Dijkstra over the reduced costs."""
        distance: dict[Hashable, float] = {source: 0}
        by: dict[Hashable, Edge] = {}
        done: dict[Hashable, int] = {}
        queue: list[tuple[int, int, Hashable]] = [(0, 0, source)]
        ties = 0
        potentials = self._potentials
        while queue:
            far, _, node = heapq.heappop(queue)
            if node in done:
                continue
            done[node] = far
            if node == sink:
                break
            for edge in self._edges[node]:
                if edge.left and edge.end not in done:
                    reached = far + edge.cost + potentials[node] - potentials[edge.end]
                    if reached < distance.get(edge.end, INFINITE):
                        distance[edge.end] = reached
                        by[edge.end] = edge
                        ties -= 1
                        heapq.heappush(queue, (reached, ties, edge.end))
        if sink not in done:
            raise ValueError(f"no more units go from {source} to {sink}")
        # Only what lies nearer than the sink moves; the rest moves with the sink, which is the same as not at all.
        for node, far in done.items():
            potentials[node] += far - done[sink]
        path, node = [], sink
        while node != source:
            path.append(by[node])
            node = by[node].start
        return path

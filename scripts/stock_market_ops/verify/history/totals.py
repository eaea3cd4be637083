"""Sums of an hour's quotes, as its records come to and as the table of the hours summed up says."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from stock_market.history.summary import MOST_VOLUME

_TOLERANCE = 1e-9
"""Of the sum of all prices without their signs: sums of doubles depend on the order in which they were added up."""


class Group(NamedTuple):
    """A symbol's quotes of a producer run on a day of event_time."""

    symbol: str
    producer_id: str
    day: str


class Total(NamedTuple):
    """Sums and extremes of a group, by the names of the table's columns.

    Beside them `size`, the sum of close and close_usd without their signs, where the records are known.
    """

    records: int
    first_sequence: int
    last_sequence: int
    low: float
    high: float
    close_sum: float
    close_usd_sum: float
    volume: int
    largest_volume: int
    zero_volumes: int
    size: float = 0.0

    def plus(self, other: Total) -> Total:
        """Those of both groups' quotes."""
        return Total(*(put(own, added) for put, own, added in zip(_TOGETHER, self, other, strict=True)))

    def difference(self, said: Total) -> str:
        """The first column in which the table says something else, in words; empty where there is none."""
        true = self._replace(volume=min(self.volume, MOST_VOLUME))
        for name, own, other in zip(COLUMNS, true, said, strict=False):
            equal = _near(own, other, self.size) if name in _SUMS else own == other
            if not equal:
                return f"{name} is {other} instead of {own}"
        return ""


COLUMNS: Final = Total._fields[:-1]
"""The columns that the table has, too."""
_SUMS = frozenset({"close_sum", "close_usd_sum"})
_TOGETHER: tuple[Callable[[Any, Any], Any], ...] = (
    *(operator.add, min, max, min, max, operator.add),
    *(operator.add, operator.add, max, operator.add, operator.add),
)
"""How two values of each field become one."""
Totals = dict[Group, Total]


def _near(own: float, other: float, size: float) -> bool:
    # Sums beyond what a double holds differ by as much: no comparison with infinity is false.
    return not abs(own - other) > _TOLERANCE * size


def add(totals: Totals, others: Mapping[Group, Total]) -> None:
    """Adds other quotes' totals to some."""
    for group, total in others.items():
        known = totals.get(group)
        totals[group] = total if known is None else known.plus(total)


def differences(true: Mapping[Group, Total], said: Mapping[Group, Total]) -> Iterator[str]:
    """What the table says that is not so, in words, by symbol."""
    for group in sorted(true.keys() | said.keys()):
        own, other = true.get(group), said.get(group)
        if own is None or other is None:
            words = "it is missing" if other is None else "no record is of it"
        else:
            words = own.difference(other)
        if words:
            yield f"{group.symbol} of producer {group.producer_id} on {group.day}: {words}"

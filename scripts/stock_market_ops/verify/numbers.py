"""Sets of sequence numbers per producer, in memory that grows with their gaps, not with their count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pyroaring import BitMap64

_EXAMPLES = 3


@dataclass(slots=True)
class Numbers:
    """How often which sequence numbers of one producer were met.

    Attributes:
        seen: the numbers.
        records: how many records carried one.
        total: the sum of their numbers, doubles included.
        doubles: how many records carried one that had been met before.
        examples: some of these numbers, in the order in which they were met.
    """

    seen: BitMap64 = field(default_factory=BitMap64)
    records: int = 0
    total: int = 0
    doubles: int = 0
    examples: list[int] = field(default_factory=list)

    def add(self, numbers: list[int]) -> None:
        """Counts records' numbers."""
        self.merge(BitMap64(numbers), len(numbers), numbers)
        self.total += sum(numbers)

    def merge(self, fresh: BitMap64, records: int, numbers: Iterable[int] = ()) -> BitMap64:
        """Counts records whose numbers are a set; returns the numbers that were already met.

        Args:
            fresh: the numbers.
            records: how many records carried them.
            numbers: the records' numbers one by one, where doubles among themselves are to be exemplified.
        """
        again = self.seen & fresh
        inner = records - len(fresh)
        self.doubles += len(again) + inner
        if again:
            self._exemplify(again)
        if inner:
            self._exemplify(_repeated(numbers))
        self.seen |= fresh
        self.records += records
        return again

    def _exemplify(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if len(self.examples) >= _EXAMPLES:
                return
            self.examples.append(number)


def _repeated(numbers: Iterable[int]) -> Iterator[int]:
    met: set[int] = set()
    for number in numbers:
        if number in met:
            yield number
        met.add(number)


def absent(seen: BitMap64, end: int) -> int:
    """How many of 0 to end - 1 are not in the set."""
    return end - seen.range_cardinality(0, end) if end > 0 else 0


def ranges(seen: BitMap64, start: int, end: int, most: int) -> list[tuple[int, int]]:
    """The first `most` stretches (first, last) of start to end - 1 that are not in the set."""
    found: list[tuple[int, int]] = []
    at = start
    while at < end and len(found) < most:
        base = 0 if at == 0 else seen.range_cardinality(0, at)
        if at not in seen:
            following = seen[base] if base < len(seen) else end
            found.append((at, min(following, end) - 1))
            at = min(following, end)
            continue
        # The set's run from here on ends where its rank stops growing as fast as its numbers.
        low, high = at, min(end, at + len(seen) - base)
        while low < high:
            middle = (low + high + 1) // 2
            if seen.range_cardinality(at, middle) == middle - at:
                low = middle
            else:
                high = middle - 1
        at = low
    return found


def in_words(stretches: list[tuple[int, int]], *, more: bool = False) -> str:
    """Stretches as text: `3, 7 to 9`."""
    words = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in stretches)
    return f"{words}, ..." if more else words

"""Writes the rows to be replayed in the order in which they are sent, as blocks that the producer reads one by one."""

from __future__ import annotations

import os
from array import array
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from stock_market.producer.replay_file import Order, Writer
from stock_market_ops.market_data.reading import Row


def _text(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RowFile:
    """Takes rows in any order, on disk, and 16 bytes of memory for each.

    Args:
        directory: an empty one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "rows"
        self._file = self._path.open("wb")
        self._ends = array("q")
        self._moments = array("q")
        self._size = 0

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._ends)

    @property
    def first(self) -> str:
        """The earliest row's event time."""
        return _text(min(self._moments))

    @property
    def last(self) -> str:
        """The latest row's event time."""
        return _text(max(self._moments))

    def add(self, row: Row) -> None:
        """Takes a row."""
        self._file.write(row.line)
        self._size += len(row.line)
        self._ends.append(self._size)
        self._moments.append(row.moment_ms)

    def write(self, order: Order, seed: int) -> Path:
        """Writes the file, and returns where."""
        self._file.close()
        ends = np.frombuffer(self._ends, np.int64)
        starts = np.concatenate(([0], ends[:-1]))
        if order == "random":
            sequence = np.random.default_rng(seed).permutation(len(ends))
        elif order == "time":
            sequence = np.argsort(np.frombuffer(self._moments, np.int64), kind="stable")
        else:
            sequence = np.arange(len(ends))
        made = self._directory / "made"
        with self._path.open("rb") as file, made.open("wb") as output:
            # Not mapped: what is mapped counts as this program's memory, and all of it is read.
            rows = file.fileno()
            writer = Writer(output, order)
            for first in range(0, len(sequence), 100_000):
                part = sequence[first : first + 100_000]
                for start, end in zip(starts[part].tolist(), ends[part].tolist(), strict=True):
                    writer.add(os.pread(rows, end - start, start))
            writer.finish()
        return made

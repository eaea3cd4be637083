"""Takes the end of a partition's log from a broker that is down, as a machine that lost its last writes does."""

from __future__ import annotations

import struct
from pathlib import Path

_OVERHEAD = 12
"""Bytes of a batch that its length does not count: base offset and length."""


def cut(folder: Path, offset: int) -> int:
    """Cuts a log to the last batch boundary at or before an offset; the broker recovers from there when it starts.

    Args:
        folder: the partition's folder in the broker's data.
        offset: the first offset to lose.

    Returns:
        the first offset that is lost; the log's end where nothing was cut.
    """
    end = 0
    for segment in sorted(folder.glob("*.log")):
        data, at = segment.read_bytes(), 0
        if int(segment.stem) > offset:
            segment.unlink()
            continue
        while at + _OVERHEAD <= len(data):
            base, length = struct.unpack_from(">qi", data, at)
            (last_delta,) = struct.unpack_from(">i", data, at + 23)
            if base + last_delta >= offset:
                break
            end, at = base + last_delta + 1, at + _OVERHEAD + length
        with segment.open("r+b") as file:
            file.truncate(at)
    # The broker makes its indexes again; what it knew of producers is of records that it has lost.
    for pattern in ("*.index", "*.timeindex", "*.txnindex", "*.snapshot"):
        for path in folder.glob(pattern):
            path.unlink()
    return end

"""A .tgz whose bytes depend on its members' names, modes and contents alone.

The tar carries no owner, no time and no order of the file system. The gzip around it holds stored blocks written here
(RFC 1951, 3.2.4) instead of zlib's output, which differs between zlib's versions; nearly all of the content is jars,
compressed already.
"""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# 2000-01-01 UTC: ZIP tools and make alike dislike a time of zero.
MTIME: Final = 946_684_800
_BLOCK: Final = 0xFFFF
# Magic, deflate, no flags, mtime 0, no extra flags, unknown operating system (RFC 1952).
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class StoredGzip(io.RawIOBase):
    """A write-only stream that wraps what it is given in a gzip member of stored blocks."""

    def __init__(self, target: BinaryIO) -> None:
        """Write the header to `target`, which stays open when this stream is closed."""
        super().__init__()
        self._target = target
        self._pending = bytearray()
        self._crc = 0
        self._size = 0
        target.write(_GZIP_HEADER)

    def writable(self) -> bool:
        """Say that this stream can be written to."""
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than the stubs' Buffer
        """Take `data`, hand on every full block, and return the number of bytes taken."""
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._pending += data
        # The last block carries the end mark, so one is always kept back.
        while len(self._pending) > _BLOCK:
            self._put(self._pending[:_BLOCK], last=False)
            del self._pending[:_BLOCK]
        return len(data)

    def close(self) -> None:
        """Write the last block and the trailer."""
        if not self.closed:
            self._put(self._pending, last=True)
            self._target.write(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))
        super().close()

    def _put(self, block: bytes | bytearray, *, last: bool) -> None:
        self._target.write(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF))
        self._target.write(block)


def write_archive(target: BinaryIO, root: str, members: Iterable[tuple[str, bytes, int]]) -> None:
    """Write a .tgz with every member (path, content, mode) below the directory `root` to `target`.

    Paths are relative, with `/` between their parts; the order in which they come does not matter.

    Raises:
        ValueError: a path occurs twice, is absolute or climbs out of `root`.
    """
    contents: dict[str, tuple[bytes, int]] = {}
    for path, content, mode in members:
        if path in contents or path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"The path {path!r} occurs twice or leads out of the archive's directory.")
        contents[path] = (content, mode)
    directories = {"/".join(path.split("/")[:depth]) for path in contents for depth in range(path.count("/") + 1)}

    with StoredGzip(target) as stream, tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(directories | contents.keys()):
            entry = tarfile.TarInfo(f"{root}/{path}" if path else root)
            entry.mtime = MTIME
            if path in contents:
                content, entry.mode = contents[path]
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            else:
                entry.type = tarfile.DIRTYPE
                entry.mode = 0o755
                tar.addfile(entry)

"""A disk of its own, small enough to be filled."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_BLOCKS = (1 << 20, 4096)
_number = count()


class Volume:
    """A file system in memory, mounted at `path`; that needs root, and should be in a mount namespace of its own.

    Args:
        path: where; made if it is not there.
        mebibytes: its size.

    Attributes:
        was_full: whether it has been filled.
    """

    def __init__(self, path: Path, mebibytes: int) -> None:
        self.path = path
        self.was_full = False
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(path)], check=True)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Meanwhile not a block is free, unless its users delete something."""
        filler = self.path / f"filler-{next(_number)}"
        self.was_full = True
        try:
            with filler.open("wb", buffering=0) as file:
                for size in _BLOCKS:
                    self._write_until_full(file.fileno(), bytes(size))
            yield
        finally:
            filler.unlink(missing_ok=True)

    @staticmethod
    def _write_until_full(file: int, block: bytes) -> None:
        try:
            while True:
                os.write(file, block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def unmount(self) -> None:
        """Lets go of it, and of what is on it."""
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", "--lazy", str(self.path)], check=True)

"""The one Trino of a test process: started when a test first asks it something, ended with the process."""

from __future__ import annotations

import atexit
import functools
import tempfile
import threading
from pathlib import Path

from local_cloud.trino.client import Address
from local_cloud.trino.engine import READY_LIMIT_SECONDS, TrinoEngine


class _StartedWhenAsked(TrinoEngine):
    """Most tests that run the local cloud never ask Athena."""

    def __init__(self, work_dir: Path) -> None:
        super().__init__(work_dir)
        self._once = threading.Lock()
        self._started = False

    def address(self, limit: float = READY_LIMIT_SECONDS) -> Address:
        with self._once:
            if not self._started:
                self.start()
                self._started = True
                # On a busy machine this takes longer than whoever asks Athena waits.
                super().address(READY_LIMIT_SECONDS)
        return super().address(limit)


@functools.cache
def engine() -> TrinoEngine:
    """A Trino of this process. Its own questions go to the moto of this process, also after a reset of it."""
    directory = Path(tempfile.mkdtemp(prefix="stock-market-trino-"))
    made = _StartedWhenAsked(directory / "trino")

    def end() -> None:
        made.close()
        directory.rmdir()

    atexit.register(end)
    return made

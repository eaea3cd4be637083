"""The one Trino of a test process: started when the first test needs it, ended with the process."""

from __future__ import annotations

import atexit
import functools
import tempfile
from pathlib import Path

from local_cloud.trino.engine import TrinoEngine


@functools.cache
def engine() -> TrinoEngine:
    """A Trino that answers. Its own questions go to the moto of this process, also after a reset of it."""
    directory = Path(tempfile.mkdtemp(prefix="stock-market-trino-"))
    made = TrinoEngine(directory / "trino")
    made.start()
    made.address()

    def end() -> None:
        made.close()
        directory.rmdir()

    atexit.register(end)
    return made

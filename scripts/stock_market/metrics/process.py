"""What the process itself needs: processor, memory and files, under the names that Prometheus' clients agree on.

The ProcessCollector of prometheus-client gives nothing where /proc/stat is hidden, as by the units' ProcSubset=pid.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from pathlib import Path

from stock_market.metrics.definition import Definitions, Metric, Values

_defined = Definitions("process_")
_CPU = _defined.counter("cpu_seconds_total", "seconds", "Processor time of the process, of the user and the system.")
_MEMORY = _defined.gauge("resident_memory_bytes", "bytes", "Memory of the process that is not swapped out.")
_START = _defined.gauge("start_time_seconds", "seconds since 1970", "When the process started.")
_FILES = _defined.gauge("open_fds", "files", "Open files and connections of the process.")
_MOST_FILES = _defined.gauge("max_fds", "files", "How many files and connections the process may open.")
PROCESS = tuple(_defined.metrics)

_collected = Definitions("python_gc_")
_collected.counter(
    "objects_collected_total", "objects", "Objects that Python's garbage collector freed.", generation=("0", "1", "2")
)
_collected.counter(
    "objects_uncollectable_total", "objects", "Objects that it found and could not free.", generation=("0", "1", "2")
)
_collected.counter("collections_total", "runs", "Runs of Python's garbage collector.", generation=("0", "1", "2"))
COLLECTOR = tuple(_collected.metrics)
"""Given by prometheus-client's GCCollector."""

_STARTED = time.time()


def readings() -> Mapping[Metric, Values]:
    """The values of this moment."""
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        _CPU: time.process_time(),
        _MEMORY: float(resident * resource.getpagesize()),
        _START: _STARTED,
        _FILES: float(sum(1 for _ in Path("/proc/self/fd").iterdir())),
        _MOST_FILES: float(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
    }

"""Where producer and consumer spend their time: py-spy looks 200 times a second at the line that each thread is in.

Time in C code counts for the line of Python that called it. Threads that wait for the network or for work do not count;
on a busy machine py-spy takes some of them for running, so the lines on which they wait are left out.
"""

from __future__ import annotations

import linecache
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.drains import consumer_settings
from benchmarks.measured import BenchmarkError, Measured
from benchmarks.producers import PARTITIONS, producer_settings
from benchmarks.stage import Stage
from tabulate import tabulate

_RECORDS = 8_000_000
_SHOWN = 14
_WIDTH = 70
_WAITING = ("EpollSelector.select (", "_worker (", "Condition.wait (", "Event.wait (")


def profiles(scale: float) -> str:
    """Two tables, the producer's and the consumer's; `scale` is of the count of records.

    Raises:
        BenchmarkError: a process did not do its work.
    """
    records = round(_RECORDS * scale)
    with tempfile.TemporaryDirectory(prefix="stock-market-bench-") as folder, Stage(Path(folder)) as stage:
        stage.broker.create("quotes", PARTITIONS)
        producer = stage.service("producer", "producer", producer_settings(stage, "quotes", 10_000_000, "batches"))
        producer.until(lambda: stage.count("quotes") > records // 10, "the first tenth of the records", 120)
        spy = _spy(stage, producer)
        producer.until(lambda: stage.count("quotes") >= records, f"{records} records", 600)
        made = _shares(spy)
        producer.finish(60, signal.SIGTERM)
        total = stage.count("quotes")
        consumer = stage.service("consumer", "consumer", consumer_settings(stage, "quotes", "consumer", "batches"))
        consumer.until(lambda: "event=partitions_assigned" in consumer.log(), "the log to say partitions_assigned", 60)
        spy = _spy(stage, consumer)
        consumer.until(lambda: stage.broker.committed("consumer") >= total, "the topic's end to be committed", 600)
        read = _shares(spy)
        consumer.finish(60, signal.SIGTERM)
    return f"The producer\n\n{made}\n\nThe consumer\n\n{read}"


def _spy(stage: Stage, process: Measured) -> tuple[subprocess.Popen[bytes], Path]:
    program, raw = Path(sys.executable).with_name("py-spy"), stage.folder / f"{process.pid}.raw"
    command = [str(program), "record", "--pid", str(process.pid), "--rate", "200", "--full-filenames"]
    command += ["--format", "raw", "--output", str(raw)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), raw


def _shares(spy: tuple[subprocess.Popen[bytes], Path]) -> str:
    """Ends py-spy and makes a table of the lines that took most, from its folded stacks."""
    process, raw = spy
    process.send_signal(signal.SIGINT)
    process.wait(60)
    if not raw.is_file():
        raise BenchmarkError("py-spy could not look into the process; it needs ptrace(2), which root has")
    lines: Counter[str] = Counter()
    for stack in raw.read_text(encoding="utf-8").splitlines():
        frames, _, samples = stack.rpartition(" ")
        frame = frames.rpartition(";")[2]
        if not frame.startswith(_WAITING):
            lines[frame] += int(samples)
    rows = []
    for frame, count in lines.most_common(_SHOWN):
        name, _, place = frame.partition(" (")
        file, _, number = place.rstrip(")").rpartition(":")
        code = linecache.getline(file, int(number)).strip()
        rows.append([f"{100 * count / lines.total():.1f} %", f"{Path(file).name}:{number} {name}", code[:_WIDTH]])
    return tabulate(rows, headers=["share", "where", "line"], colalign=("right", "left", "left"), tablefmt="github")

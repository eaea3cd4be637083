"""A large CSV file on its way into the producer: how long the operator's machine reads it, and what both sides hold."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import ROOT, Figure, at_most
from benchmarks.measured import BenchmarkError

_ROWS = 5_000_000
_SYMBOLS = 50
_MOST_PRODUCER_MB = 100.0
_PRODUCER = """
import sys, time
from pathlib import Path
from stock_market import producer
from stock_market.settings import ProducerSettings, decode
from stock_market.source import make_source
source = make_source(decode(sys.stdin.buffer.read(), "benchmark", ProducerSettings), "benchmark")
began = time.monotonic()
while source.take(1000, 3):
    pass
lines = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
print(source.produced, time.monotonic() - began, peak)
"""


def _write(path: Path, rows: int) -> None:
    draw = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        file.write("Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD\n")
        for number in range(rows):
            day, symbol = divmod(number, _SYMBOLS)
            price = 100 + draw.random() * 50
            date = f"{1960 + day // 336 % 60}-{day // 28 % 12 + 1:02d}-{day % 28 + 1:02d}"
            prices = ",".join(f"{each:.4f}" for each in (price, price + 1, price - 1, price, price))
            file.write(f"IDX{symbol},{date},{prices},{number}.0,{price * 0.13:.6f}\n")


def _run(command: list[str], given: str) -> tuple[str, float, float]:
    """What a program prints, how long it runs in seconds, and the most memory that it holds, in MB."""
    began = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=told, env=environment)
        assert process.stdin is not None
        process.stdin.write(given.encode())
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise BenchmarkError(f"{command[:2]} ended with exit code {process.returncode}")
        told.seek(0)
        return told.read(), time.monotonic() - began, usage.ru_maxrss / 1024


def figures(scale: float) -> list[Figure]:
    """Measures all of it."""
    rows = int(_ROWS * scale)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "quotes.csv"
        _write(data, rows)
        for order in ("file", "random", "time"):
            options = json.dumps({"path": str(data), "order": order})
            told, seconds, memory = _run(["-m", "stock_market_ops.market_data", scratch], options)
            report = json.loads(told)
            if report["rows"] != rows:
                raise BenchmarkError(f"{report['rows']} of {rows} rows were read")
            made = Path(report["path"])
            found += [
                Figure(f"operator, order {order}: rows read a second", (rows / seconds,), "rows/s"),
                Figure(f"operator, order {order}: memory for {rows:,} rows", (memory,), "MB"),
            ]
            settings = f'mode = "replay"\n[kafka]\nbootstrap_servers = ["127.0.0.1:1"]\n[replay]\npath = "{made}"\n'
            told, _, _ = _run(
                ["-c", _PRODUCER], settings + "loop = false\n" + ("speed = 1e9\n" if order == "time" else "")
            )
            produced, took, peak = told.split()
            if int(produced) != rows:
                raise BenchmarkError(f"{produced} of {rows} rows were replayed")
            found += [
                Figure(f"producer, order {order}: rows a second", (rows / float(took),), "rows/s"),
                at_most(
                    f"producer, order {order}: memory for {rows:,} rows", int(peak) / 1024, _MOST_PRODUCER_MB, "MB"
                ),
            ]
        found.append(
            Figure("file for the host beside the CSV file", (made.stat().st_size / data.stat().st_size,), "ratio")
        )
    return found

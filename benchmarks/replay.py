"""A large CSV file on its way into Kafka: how long the operator's machine reads it, and what both sides hold."""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.measured import BenchmarkError, Measured
from benchmarks.stage import Stage

_ROWS = 5_000_000
_SYMBOLS = 50
_PARTITIONS = 8
_MAX_PRODUCER_MB = 100.0
_PATIENCE_SECONDS = 1800.0


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


def _read(stage: Stage, data: Path, order: str) -> tuple[Measured, Path, int]:
    """The operator's reader, which has ended; the file that it made, and how many rows are in it."""
    name = stage.name("reader")
    options = stage.folder / f"{name}.json"
    options.write_text(json.dumps({"path": str(data), "order": order}))
    # As the play runs it, but for the shell that hands it its options.
    program = f"exec {sys.executable} -m stock_market_ops.market_data {stage.folder} <{options}"
    process = stage.measure(name, ["sh", "-c", program])
    process.finish(_PATIENCE_SECONDS)
    report = json.loads(process.log())
    return process, Path(report["path"]), report["rows"]


def _replay(stage: Stage, made: Path, order: str, rows: int) -> Measured:
    """The producer, which has ended: it sent each row once, as fast as it can."""
    name = stage.name("replay")
    stage.broker.create(name, _PARTITIONS)
    speed = "speed = 1e9\n" if order == "time" else ""
    process = stage.service(
        "producer",
        name,
        f'mode = "replay"\nrate = 1e7\n[replay]\npath = "{made}"\nloop = false\n{speed}'
        f"[kafka]\n{stage.broker.kafka_settings(name, secured=False)}",
    )
    process.finish(_PATIENCE_SECONDS)
    sent = stage.count(name)
    if sent != rows:
        raise BenchmarkError(f"{sent} of {rows} rows are in the topic:\n{process.log()[-3000:]}")
    return process


def figures(scale: float) -> list[Figure]:
    """Measures all of it."""
    rows = int(_ROWS * scale)
    found = []
    with tempfile.TemporaryDirectory() as scratch, Stage(Path(scratch)) as stage:
        data = Path(scratch) / "quotes.csv"
        _write(data, rows)
        for order in ("file", "random", "time"):
            reader, made, read = _read(stage, data, order)
            if read != rows:
                raise BenchmarkError(f"{read} of {rows} rows were read")
            seconds = reader.cpu_seconds()
            producer = _replay(stage, made, order, rows)
            found += [
                Figure(f"operator, order {order}: time for {rows:,} rows", (seconds,), "CPU s"),
                Figure(f"operator, order {order}: memory for {rows:,} rows", (reader.peak_megabytes(),), "MB"),
                Figure(f"producer, order {order}", (rows / producer.cpu_seconds(),), "records/s per core"),
                at_most(
                    f"producer, order {order}: memory for {rows:,} rows",
                    producer.peak_megabytes(),
                    _MAX_PRODUCER_MB,
                    "MB",
                ),
            ]
        share = made.stat().st_size / data.stat().st_size
        found.append(Figure("file for the host, of the CSV file", (share,), "times"))
    return found

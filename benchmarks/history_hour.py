"""An hour of quotes made history: how long it takes, how large it becomes, and what the program needs on its host.

The local cloud's S3, Glue and Athena in this process; the compactor is the program that runs on a host.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
from benchmarks.figures import Figure, at_most
from moto.s3.models import S3Backend, s3_backends
from tests.support.small_cloud import SmallCloud

from stock_market.chain.naming import ObjectInfo, ObjectName, object_key
from stock_market.history.naming import Hour
from stock_market.hours import HOUR_MS
from stock_market.kafka.identity import Identity
from stock_market.quotes.validation import Quote
from stock_market_ops.common.deployment import ROOT

IDENTITY = Identity("bench", "AAAAAAAAAAAAAAAAAAAAAA")
SYMBOLS = 200
PARTITIONS = 6
_HOUR_RECORDS, _HOUR_SECONDS, _MEGABYTES = 18_000_000, 300.0, 512.0
_SUMS = re.compile(r'event=query_done what="[A-Za-z]+ of the sums of .* seconds=([\d.]+)')
_ENCODER = msgspec.json.Encoder()


class Made(NamedTuple):
    """What an hour became.

    Attributes:
        seconds: from the program's start to its end, without summing up.
        summing: the seconds of the queries that sum the hour up, after it has been published.
        megabytes: the most memory of the program, resident.
        raw_bytes: of the hour's objects.
        history_bytes: of its Parquet files.
        files: the sizes of these.
        log: what the program said.
    """

    seconds: float
    summing: float
    megabytes: float
    raw_bytes: int
    history_bytes: int
    files: list[int]
    log: str


def body(first: int, count: int, hour: Hour, *, pace: float, draw: random.Random, prices: list[float]) -> bytes:
    """Quotes as the simulated market makes them: symbols in turn, prices that move a little.

    Args:
        first: the first one's sequence number.
        count: how many.
        hour: that their times lie in.
        pace: milliseconds from one to the next.
        draw: of prices and volumes.
        prices: of each symbol, and what they have become.
    """
    lines = []
    for sequence in range(first, first + count):
        number = sequence % SYMBOLS
        opened = prices[number]
        prices[number] = close = round(opened * draw.uniform(0.999, 1.001), 2)
        seconds, millis = divmod(int(sequence * pace) % 3_600_000, 1000)
        lines.append(
            Quote(
                symbol=f"SYM{number:03d}",
                event_time=f"{hour.dt}T{hour.hour}:{seconds // 60:02d}:{seconds % 60:02d}.{millis:03d}Z",
                open=opened,
                high=round(max(opened, close) * 1.0005, 2),
                low=round(min(opened, close) * 0.9995, 2),
                close=close,
                adj_close=close,
                volume=draw.randrange(1, 100_000),
                close_usd=round(close * 0.1286, 4),
                producer_id="bench-0001",
                sequence=sequence,
            )
        )
    return _ENCODER.encode_lines(lines)


def fill(cloud: SmallCloud, hour: Hour, records: int, objects: int) -> int:
    """Puts an hour into the store itself, and an object of the next hour for each partition; returns its bytes.

    Args:
        cloud: whose data bucket.
        hour: the hour.
        records: of the hour.
        objects: that it is cut into, in six partitions.
    """
    store: S3Backend = s3_backends["123456789012"]["aws"]
    draw = random.Random(7)
    prices = [draw.uniform(50, 40_000) for _ in range(SYMBOLS)]
    ends = [0] * PARTITIONS
    size = 0
    cuts = [records * number // objects for number in range(objects + 1)]
    parts = [(cuts[at], cuts[at + 1] - cuts[at], at % PARTITIONS, hour) for at in range(objects)]
    parts += [(records + number, 1, number, hour.next) for number in range(PARTITIONS)]
    for first, count, partition, place in parts:
        packed = gzip.compress(body(first, count, place, pace=3_600_000 / records, draw=draw, prices=prices), 1)
        time_ms = place.end_ms - HOUR_MS
        key = object_key("quotes/", ObjectName("stock-quotes", IDENTITY.topic_id, partition, ends[partition]), time_ms)
        info = ObjectInfo(
            key=key,
            start=ends[partition],
            end=ends[partition] + count,
            records=count,
            quarantined=0,
            first_timestamp=time_ms,
            last_timestamp=time_ms,
            sha256=hashlib.sha256(packed).hexdigest(),
            identity=IDENTITY,
        )
        ends[partition] += count
        size += len(packed) if place == hour else 0
        stored = store.put_object(cloud.deployment.data_bucket, key, packed)
        stored.set_metadata({f"x-amz-meta-{name}": value for name, value in info.metadata().items()})
    return size


def settings_file(cloud: SmallCloud, folder: Path) -> Path:
    """The compactor's settings for a cloud, without Kafka."""
    known = cloud.deployment
    file = folder / "history.toml"
    file.write_text(
        f'[s3]\nbucket = "{known.data_bucket}"\n[catalog]\ndatabase = "{known.database}"\n'
        f'workgroup = "{known.workgroup}"\n'
    )
    return file


def compact(cloud: SmallCloud, folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Runs the program; returns its seconds, its memory in megabytes, and what it said.

    Raises:
        RuntimeError: it failed.
    """
    known = cloud.deployment
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "scripts"),
        "AWS_CONFIG_FILE": known.aws_config_file,
        "AWS_SHARED_CREDENTIALS_FILE": known.aws_credentials_file,
        "AWS_PROFILE": known.aws_profile,
    }
    command = [sys.executable, "-m", "stock_market.history", "--config", str(settings_file(cloud, folder)), *arguments]
    log = folder / "history.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        # What wait4 tells is never below the memory of who has started the program.
        most = 0
        while process.poll() is None:
            most = max(most, _high_water(process.pid))
            time.sleep(0.1)
    seconds, text = time.monotonic() - began, log.read_text(encoding="utf-8")
    if process.returncode:
        raise RuntimeError(f"stock_market.history ended with {process.returncode}: {text[-3000:]}")
    return seconds, most / 1024, text


def _high_water(process: int) -> int:
    """The most memory that a process has had until now, in KiB; 0 where it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) if found else 0


def measure(records: int, objects: int = 360) -> Made:
    """Makes an hour of this many records, cut into this many objects, history."""
    hour = Hour("2026-01-01", "12")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cloud = SmallCloud(folder / "cloud")
        try:
            cloud.make_table()
            raw_bytes = fill(cloud, hour, records, objects)
            compact(cloud, folder, "--declare")
            seconds, megabytes, log = compact(cloud, folder)
            listed = cloud.s3.list_objects_v2(Bucket=cloud.deployment.data_bucket, Prefix="history/dt=")["Contents"]
            sizes = [one["Size"] for one in listed if not one["Key"].endswith(".json")]
            summing = sum(float(found) for found in _SUMS.findall(log))
            return Made(seconds - summing, summing, megabytes, raw_bytes, sum(sizes), sizes, log)
        finally:
            cloud.close()


def figures(scale: float) -> list[Figure]:
    """An hour at 5,000 records/s made history; `scale` below 1 makes fewer records."""
    made = measure(max(PARTITIONS, round(_HOUR_RECORDS * scale)))
    records = f"{round(_HOUR_RECORDS * scale):,} records of an hour"
    return [
        at_most(f"{records} made history", made.seconds, _HOUR_SECONDS, "s"),
        Figure("the same, summed up afterwards", (made.summing,), "s"),
        at_most("the compactor's memory meanwhile", made.megabytes, _MEGABYTES, "MB"),
        Figure("size of that hour in S3, history/raw", (made.history_bytes / made.raw_bytes,), "ratio"),
    ]


if __name__ == "__main__":
    made = measure(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 360)
    print(made.log)
    print(made._replace(log=""))

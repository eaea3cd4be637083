"""An hour of quotes made history: how long it takes, how large it becomes, and what the program needs on its host.

The local cloud's S3, Glue and Athena in this process; the compactor is the program that runs on a host.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Figure, at_most
from benchmarks.raw_objects import DEFAULT_SYMBOLS, PARTITIONS, Feed
from tests.support.small_cloud import SmallCloud

from stock_market.history.naming import Hour
from stock_market_ops.common.deployment import ROOT

_HOUR_RECORDS, _HOUR_SECONDS, _MEGABYTES = 18_000_000, 300.0, 512.0
_MANY_SYMBOLS, _FEW_RECORDS = 200, 180_000
SIZE = 1 / 2
"""What the history may take in S3, against the raw objects."""
_SUMS = re.compile(r'event=query_done what="[A-Za-z]+ of the sums of .* seconds=([\d.]+)')


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


def measure(records: int, objects: int = 360, symbols: int = DEFAULT_SYMBOLS) -> Made:
    """Makes an hour of this many records of this many symbols, cut into this many objects, history."""
    hour = Hour("2026-01-01", "12")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cloud = SmallCloud(folder / "cloud")
        try:
            cloud.make_table()
            feed = Feed(cloud, records, objects, symbols)
            raw_bytes = feed.fill(hour)
            feed.begin(hour.next)
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
    wide = measure(max(PARTITIONS, round(_FEW_RECORDS * scale)), symbols=_MANY_SYMBOLS)
    records = f"{round(_HOUR_RECORDS * scale):,} records of an hour"
    return [
        at_most(f"{records} made history", made.seconds, _HOUR_SECONDS, "s"),
        Figure("the same, summed up afterwards", (made.summing,), "s"),
        at_most("the compactor's memory meanwhile", made.megabytes, _MEGABYTES, "MB"),
        at_most("size of that hour in S3, history/raw", made.history_bytes / made.raw_bytes, SIZE, "ratio"),
        at_most(
            f"size in S3 of an hour at 50 records/s and {_MANY_SYMBOLS} symbols, history/raw",
            *(wide.history_bytes / wide.raw_bytes, SIZE, "ratio"),
        ),
    ]


if __name__ == "__main__":
    made = measure(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 360)
    print(made.log)
    print(made._replace(log=""))

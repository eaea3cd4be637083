"""A bucket that holds a month: what the parts of `make up`, `make query` and `make status` that look at it take.

The local cloud's S3, Glue and Athena in this process, without instances, over 30 days of objects as the consumer writes
them, one every 10 s. The objects are put into the store itself, for by its API they would take most of an hour.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from benchmarks.figures import Figure, at_most
from benchmarks.measured import BenchmarkError
from moto.s3.models import S3Backend, s3_backends
from tests.support import playbook
from tests.support.local_cloud.glue_lake import ALL_RIGHTS, TRUST
from tests.support.small_cloud import COLUMNS, SmallCloud

from local_cloud.glue import crawler as glue_crawler
from local_cloud.s3 import keys as s3_keys
from stock_market_ops.common import aws, partitions
from stock_market_ops.common.deployment import ROOT
from stock_market_ops.query import command as query
from stock_market_ops.status import probe_cloud

T = TypeVar("T")

_DAYS = 30
_OBJECTS_AN_HOUR = 361  # 260,000 in 30 days
_ROWS = 20
# What `make up` again may take in all, and `make status`.
_UP_SECONDS, _STATUS_SECONDS = 45.0, 10.0


def _bodies(count: int) -> list[bytes]:
    made = []
    for number in range(count):
        rows = []
        for symbol in range(_ROWS):
            event_time = f"2026-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
            values = (f"SYM{symbol}", event_time, 1.0, 2.0, 0.5, 1.0 + number % 7, 1.5, 100, 1.5, "p")
            rows.append(json.dumps(dict(zip(COLUMNS, (*values, number * _ROWS + symbol), strict=True))) + "\n")
        made.append(gzip.compress("".join(rows).encode(), 1))
    return made


def _fill(cloud: SmallCloud, objects_an_hour: int) -> int:
    """Objects of the last 30 days, up to the hour that has just ended; returns how many."""
    store: S3Backend = s3_backends["123456789012"]["aws"]
    bodies = _bodies(objects_an_hour)
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=_DAYS)
    offset = 0
    for hours in range(_DAYS * 24):
        hour = first + timedelta(hours=hours)
        prefix = f"{cloud.deployment.table}/dt={hour:%Y-%m-%d}/hour={hour:%H}/{cloud.deployment.topic}+"
        for body in bodies:
            key = f"{prefix}AAAAAAAAAAAAAAAAAAAAAA+0+{offset:020}.json.gz"
            offset += _ROWS
            stored = store.put_object(cloud.deployment.data_bucket, key, body)
            stored.set_metadata({"x-amz-meta-end-offset": str(offset)})
    return offset // _ROWS


def _make_crawler(cloud: SmallCloud) -> None:
    known = cloud.deployment
    iam = aws.session(known).client("iam")
    iam.create_role(RoleName="glue", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName="glue", PolicyName="crawl", PolicyDocument=json.dumps(ALL_RIGHTS))
    cloud.glue.create_crawler(
        Name=known.crawler,
        Role="glue",
        DatabaseName=known.database,
        Targets={"CatalogTargets": [{"DatabaseName": known.database, "Tables": [known.table]}]},
        SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"},
    )


def _analyse(cloud: SmallCloud, folder: Path) -> None:
    """The role analyses, which ends `make up`.

    Raises:
        BenchmarkError: it fails.
    """
    known = cloud.deployment
    connection = {
        "region": known.region,
        "endpoint_url": known.endpoint_url,
        "access_key": "local-cloud",
        "secret_key": "local-cloud",
    }
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/stock_market.streaming.aws": connection},
        "vars": {
            "stock_market_deployment": known.deployment,
            "stock_market_root": str(ROOT),
            "stock_market_state_dir": str(cloud.state_root / known.deployment),
        },
        "roles": ["analyses"],
    }
    done = playbook.run(folder, [play], playbook.local_inventory({}))
    if done.code:
        raise BenchmarkError(f"The role analyses failed: {done.output[-3000:]}")


def _timed(act: Callable[[], T]) -> tuple[float, T]:
    began = time.monotonic()
    value = act()
    return time.monotonic() - began, value


def _own_megabytes() -> float:
    rollup = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8")
    return int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]) / 1024


def _measure(cloud: SmallCloud, folder: Path, scale: float) -> list[Figure]:
    known = cloud.deployment
    before = _own_megabytes()
    filling, objects = _timed(lambda: _fill(cloud, max(1, round(_OBJECTS_AN_HOUR * scale))))
    print(f"{objects:,} objects in {filling:.0f} s", file=sys.stderr)
    memory = _own_megabytes() - before
    first, _ = _timed(lambda: _analyse(cloud, folder))
    again, _ = _timed(lambda: _analyse(cloud, folder))
    session = aws.session(known)
    rows, _ = _timed(lambda: probe_cloud.look_at_rows(session, known))
    storage, _ = _timed(lambda: probe_cloud.look_at_storage(session, known))
    added, _ = _timed(lambda: partitions.synchronize(cloud.s3, cloud.glue, known))
    own = ["--deployment", known.deployment, "--state-root", str(cloud.state_root), "--timeout", "600"]
    sql = f"SELECT count(*) AS records FROM {known.table} WHERE dt = '{datetime.now(UTC):%Y-%m-%d}'"
    day, _ = _timed(lambda: query.main([*own, "--format", "json", "--sql", sql]))
    return [
        at_most(f"analyses at the end of make up, {objects:,} objects kept, no hour known", first, _UP_SECONDS, "s"),
        at_most("the same again", again, _UP_SECONDS, "s"),
        at_most("make status: rows", rows, _STATUS_SECONDS, "s"),
        at_most("make status: objects", storage, _STATUS_SECONDS, "s"),
        Figure("hours of S3 and of the catalog compared, all days", (added,), "s"),
        Figure("one query over the newest day", (day,), "s"),
        Figure(f"memory of the local cloud for {objects:,} objects", (memory,), "MB"),
    ]


def figures(scale: float) -> list[Figure]:
    """Measures all of it; `scale` below 1 keeps fewer objects an hour."""
    glue_crawler.install()
    s3_keys.install()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cloud = SmallCloud(folder / "cloud")
        try:
            cloud.make_table()
            _make_crawler(cloud)
            return _measure(cloud, folder / "play", scale)
        finally:
            cloud.close()

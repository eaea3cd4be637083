"""What the history saves: bytes and requests of each named analysis over a day, against the raw objects, and time.

The local cloud's S3, Glue and Athena in this process. A day of raw objects at 50 records/s is made history by the
compactor itself, and each analysis is asked of both: bytes and requests grow with the days on either side. Without
history an analysis reads all raw objects of the day, so these are what its bytes are compared with; those that look at
the newest hours only do so of the history alone here. The week's other days are that day's quotes, at times and with
numbers of their own; the three weeks before it, which nothing reads, are copies.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIEnvironment

import pyarrow.compute as pc
import pyarrow.parquet as pq
from benchmarks.figures import Figure, at_most
from benchmarks.history_hour import SIZE, compact
from benchmarks.measured import BenchmarkError
from benchmarks.raw_objects import PARTITIONS, Feed, store
from tests.support.small_cloud import SmallCloud

from local_cloud.s3 import keys as s3_keys
from local_cloud.trino import objects
from stock_market.chain.naming import ObjectName, object_key
from stock_market.history import statements, tables, view
from stock_market.history.naming import Hour, TryFolder, hours_prefix, parse_hour, parse_try
from stock_market.history.summary import HOURS
from stock_market.hours import HOUR_MS
from stock_market_ops.common import analyses, partitions
from stock_market_ops.query import command as query

_DAYS, _LONGER_DAYS = 7, 28
_OBJECTS_AN_HOUR, _ROWS = 360, 500  # one every 10 s, at 50 records/s
_FEW_ROWS = 10  # at a record a second, as the tutorials have it
_BYTES, _QUALITY_BYTES, _REQUESTS = 1 / 10, 1 / 4, 1 / 100
_QUERY_SECONDS, _LONGER = 15.0, 2.0
_TIMEOUT_SECONDS = 300.0
_RAW = {
    "quotes_all": '"quotes"',
    "quotes_hours": "(" + HOURS.select.format(table='"quotes"', condition="true") + ")",
}
_TABLE = re.compile(r"\bFROM (quotes_all|quotes_hours)\b")


class Asked(NamedTuple):
    """What a query cost: bytes that Athena scanned, GETs at S3, and seconds."""

    scanned: int
    requests: int
    seconds: float


class _Requests:
    """Counts Trino's GETs of objects."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Meanwhile they are counted."""
        answer = objects._object

        def counted(
            environ: WSGIEnvironment, start_response: StartResponse, bucket: str, key: str
        ) -> Iterable[bytes] | None:
            with self._lock:
                self.count += environ["REQUEST_METHOD"] == "GET"
            return answer(environ, start_response, bucket, key)

        objects._object = counted
        try:
            yield
        finally:
            objects._object = answer


class Kept:
    """A deployment with a day of quotes up to the hour that has just ended, and then with days before it.

    Args:
        cloud: an empty deployment.
        folder: for the compactor's settings.
        objects_an_hour: of how many raw objects.
        rows: the records of each.
    """

    def __init__(self, cloud: SmallCloud, folder: Path, objects_an_hour: int, rows: int) -> None:
        self.cloud = cloud
        self._folder = folder
        self._objects = objects_an_hour
        self.rows = rows
        now = Hour.at(datetime.now(UTC) - timedelta(minutes=5))
        first = Hour.at(now.start - timedelta(days=1))
        self.hours = list(_from_to(first, now))
        self._first = first
        # The week's hours before the day have the numbers from 0 on.
        earlier = len(list(_from_to(_midnight(now, _DAYS - 1), first)))
        self._feed = Feed(cloud, objects_an_hour * rows, objects_an_hour, first=earlier * objects_an_hour * rows)
        self.raw_bytes, self._small = 0, b""
        self._names = view.Names(cloud.deployment.database)

    def fill(self) -> None:
        """Puts the raw objects into the store itself, and one of the hour after them for each partition."""
        self.raw_bytes = sum(self._feed.fill(hour) for hour in self.hours)
        self._small = self._feed.begin(self.hours[-1].next)

    def compact(self) -> float:
        """Makes history of the day; returns the seconds that it took.

        Raises:
            BenchmarkError: an hour did not become history.
        """
        compact(self.cloud, self._folder, "--declare")
        seconds, _, log = compact(self.cloud, self._folder)
        watermark = self._history().watermark
        if watermark != self.hours[-1].next.text:
            raise BenchmarkError(f"The history ends before {watermark}, not {self.hours[-1].next.text}: {log[-2000:]}")
        return seconds

    def _history(self) -> view.History:
        found = self.cloud.glue.get_table(DatabaseName=self._names.database, Name=self._names.view)["Table"]
        return view.read(found, self._names)

    def history_sizes(self, prefix: str = "history/") -> dict[str, int]:
        """The Parquet files of the quotes, or of the hours summed up by their prefix, and their sizes."""
        bucket = store().buckets[self.cloud.deployment.data_bucket]
        return {
            key: len(held.value)
            for key, held in bucket.keys.items()
            if key.startswith(f"{prefix}dt=") and not key.endswith(".json")
        }

    def keep(self, days: int, *, read: bool) -> None:
        """Adds the hours before until these days are kept, raw and as history; their raw objects hold one record each.

        Args:
            days: today and those before it.
            read: whether a query will read them: each then has times and numbers of its own.
        """
        deployment, glue = self.cloud.deployment, self.cloud.glue
        bucket = store().buckets[deployment.data_bucket]
        models = {hour.hour: hour for hour in self.hours}
        files: dict[Hour, list[str]] = {hour: [] for hour in self.hours}
        for key in self.history_sizes():
            hour = parse_hour(key, "history/")
            if hour in files:
                files[hour].append(key)
        added: list[Any] = []
        first = _midnight(self.hours[-1].next, days - 1)
        for hour in _from_to(first, self._first):
            model = models[hour.hour]
            folder = parse_try(files[model][0], "history/")
            assert folder is not None
            copy = TryFolder(hour, folder.attempt)
            for key in files[model]:
                content = bucket.keys[key].value
                name = key.rpartition("/")[2]
                placed = self._earlier(content, model, hour) if read else content
                store().put_object(bucket.name, copy.prefix("history/") + name, placed)
            for number in range(self._objects):
                main = ObjectName(deployment.topic, "BBBBBBBBBBBBBBBBBBBBBB", number % PARTITIONS, number)
                store().put_object(bucket.name, object_key("quotes/", main, hour.end_ms - HOUR_MS), self._small)
            added.append(tables.history_partition(copy, view.FIRST_REVISION, bucket.name, "history/"))
        for at in range(0, len(added), 100):
            glue.batch_create_partition(
                DatabaseName=self._names.database,
                TableName=self._names.history,
                PartitionInputList=added[at : at + 100],
            )
        longer = view.History(self._history().watermark, {}, (("", first.before.text),))
        self._sum_up(list(_from_to(first, self._first)), read=read)
        for names in (self._names, self._names.hours):
            replaced: Any = view.table_input(names, longer)
            glue.update_table(DatabaseName=names.database, TableInput=replaced)
        partitions.synchronize(self.cloud.s3, glue, deployment)
        self._first = first

    def _sum_up(self, hours: list[Hour], *, read: bool) -> None:
        """Sums up hours that were added, as the compactor does; those that no query reads have the sums of others."""
        bucket, prefix = store().buckets[self.cloud.deployment.data_bucket], hours_prefix("history/")
        models = {parse_hour(key, prefix): key for key in self.history_sizes(prefix)}
        of_hour = {model.hour: models[model] for model in self.hours}
        names = self._names.hours
        for hour in hours:
            folder = TryFolder(hour, "20260101T000000Z-00000000")
            where = folder.prefix(prefix)
            if read:
                sql = statements.unload_sums(self._names, hour, view.FIRST_REVISION, f"s3://{bucket.name}/{where}")
                self._answered("sums", sql, [])
            else:
                store().put_object(bucket.name, f"{where}file", bucket.keys[of_hour[hour.hour]].value)
            made: Any = tables.history_partition(folder, view.FIRST_REVISION, bucket.name, prefix, layer=HOURS)
            self.cloud.glue.create_partition(DatabaseName=names.database, TableName=names.history, PartitionInput=made)

    def _earlier(self, content: bytes, model: Hour, hour: Hour) -> bytes:
        """A Parquet file of an hour, as that of the same hour some days before."""
        file = pq.ParquetFile(io.BytesIO(content))
        table = file.read()
        before = (model.start - hour.start) // timedelta(hours=1) * self._objects * self.rows
        changed = {
            "event_time": pc.replace_substring(table["event_time"], model.dt, hour.dt, max_replacements=1),
            "sequence": pc.subtract(table["sequence"], before),
        }
        for name, values in changed.items():
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(name), values.cast(table.schema.field(name).type))
        written = io.BytesIO()
        rows = file.metadata.row_group(0).num_rows
        pq.write_table(table, written, compression="zstd", row_group_size=rows)
        return written.getvalue()

    def ask(self, analysis: analyses.Analysis, requests: _Requests, *, raw: bool) -> Asked:
        """Runs an analysis over the day: of the raw objects alone, or as `make query` does."""
        since = self.hours[0].dt
        sql, literals = analyses.bounded(analysis.sql, since if raw else analysis.since(since, self.hours))
        before, began = requests.count, time.monotonic()
        if raw:
            sql = _TABLE.sub(lambda found: f"FROM {_RAW[found[1]]}", sql)
        scanned = self._answered(analysis.name, sql, literals)
        return Asked(scanned, requests.count - before, time.monotonic() - began)

    def _answered(self, name: str, sql: str, literals: list[str]) -> int:
        """Waits for a statement; returns the bytes that it scanned."""
        athena, deployment = self.cloud.athena, self.cloud.deployment
        started = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": deployment.database},
            WorkGroup=deployment.workgroup,
            **({"ExecutionParameters": literals} if literals else {}),  # type: ignore[arg-type]  # mypy takes the empty dict for one of str
        )["QueryExecutionId"]
        while True:
            found = athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]
            state = found["Status"]["State"]
            if state == "SUCCEEDED":
                return found["Statistics"]["DataScannedInBytes"]
            if state in {"FAILED", "CANCELLED"}:
                raise BenchmarkError(f"{name}: {found['Status'].get('StateChangeReason')}")
            time.sleep(0.05)

    def make_query(self, what: str) -> Figure:
        """The seconds of `make query DAYS=7`; where it fails, until then."""
        own = ["--deployment", self.cloud.deployment.deployment, "--state-root", str(self.cloud.state_root)]
        own += ["--days", str(_DAYS), "--timeout", str(_TIMEOUT_SECONDS), "--format", "json"]
        began = time.monotonic()
        code = query.main(own)
        seconds = time.monotonic() - began
        print(f"make query {what} ended with code {code} after {seconds:.1f} s", file=sys.stderr)
        return Figure(f"make query {what}", (seconds,), "s", _QUERY_SECONDS, unanswered=code != 0)


def _from_to(first: Hour, end: Hour) -> Iterator[Hour]:
    hour = first
    while hour < end:
        yield hour
        hour = hour.next


def _midnight(hour: Hour, days: int) -> Hour:
    return Hour(f"{hour.start - timedelta(days=days):%Y-%m-%d}", "00")


def _measure(kept: Kept) -> list[Figure]:
    named = analyses.load_all()
    requests = _Requests()
    say = f"{len(kept.hours)} hours, {len(kept.hours) * kept._objects:,} raw objects of {kept.rows} records"
    print(say, file=sys.stderr)
    kept.fill()
    compacting = kept.compact()
    print(f"history in {compacting:.0f} s", file=sys.stderr)
    raw: dict[str, Asked] = {}
    history: dict[str, Asked] = {}
    with requests.counting():
        for answers in (raw, history):
            for name, one in named.items():
                answers[name] = kept.ask(one, requests, raw=answers is raw)
                side = "raw" if answers is raw else "history"
                print(f"{name}, {side}: {answers[name]}", file=sys.stderr)
    found = [Figure(f"a day made history: {say}", (compacting,), "s")]
    for name in named:
        ratio = history[name].scanned / max(raw[name].scanned, 1)
        goal = _QUALITY_BYTES if name == "quality" else _BYTES
        found.append(at_most(f"bytes scanned by {name} over a day, history/raw", ratio, goal, "ratio"))
    gets = [sum(one.requests for one in answers.values()) for answers in (history, raw)]
    found.append(Figure("GETs of all named analyses over a day, raw", (float(gets[1]),), "requests"))
    found.append(Figure("the same, history", (float(gets[0]),), "requests"))
    found.append(at_most("the same, history/raw", gets[0] / max(gets[1], 1), _REQUESTS, "ratio"))
    size = sum(kept.history_sizes().values())
    found.append(at_most("size in S3, history/raw", size / kept.raw_bytes, SIZE, "ratio"))
    sums = sum(kept.history_sizes(hours_prefix("history/")).values())
    found.append(Figure("size in S3, hours summed up/raw", (sums / kept.raw_bytes,), "ratio"))
    for side, answers in (("raw", raw), ("history", history)):
        seconds = sum(one.seconds for one in answers.values())
        found.append(Figure(f"all named analyses over a day, one after the other, {side}", (seconds,), "s"))
    kept.keep(_DAYS, read=True)
    short = kept.make_query(f"DAYS={_DAYS}, {_DAYS} days kept")
    kept.keep(_LONGER_DAYS, read=False)
    longer = kept.make_query(f"DAYS={_DAYS}, {_LONGER_DAYS} days kept")
    ratio = longer.values[0] / short.values[0]
    found += [short, longer]
    found.append(at_most(f"the same, {_LONGER_DAYS} days/{_DAYS} days kept", ratio, _LONGER, "ratio"))
    return found


def _small(kept: Kept) -> list[Figure]:
    """`make query DAYS=7` where few records come."""
    kept.fill()
    kept.compact()
    kept.keep(_DAYS, read=True)
    a_second = kept.rows * kept._objects / 3600
    return [kept.make_query(f"DAYS={_DAYS}, {_DAYS} days kept, {a_second:g} records/s")]


def figures(scale: float) -> list[Figure]:
    """Measures all of it; `scale` below 1 keeps fewer objects an hour, of which fewer are read for each file."""
    s3_keys.install()
    found = []
    for measure, rows in ((_measure, _ROWS), (_small, _FEW_ROWS)):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            cloud = SmallCloud(folder / "cloud")
            try:
                cloud.make_table()
                found += measure(Kept(cloud, folder, max(PARTITIONS, round(_OBJECTS_AN_HOUR * scale)), rows))
            finally:
                cloud.close()
    return found

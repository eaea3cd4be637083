"""The Iceberg table beside the history: filled from it by MERGE, hour by hour, joined and cleaned once a day.

The table itself says what it has, so that there is no note of it that could be wrong. docs/history.md argues why each
record is in it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from stock_market.chain.s3_connection import code
from stock_market.errors import ServiceError
from stock_market.history import iceberg
from stock_market.history.compactor.athena import Athena, QueryError, StoppedError
from stock_market.history.compactor.attempt import Attempts, Step
from stock_market.history.compactor.catalog import Catalog
from stock_market.history.compactor.clients import MISSING, Clients
from stock_market.history.naming import Hour, TryFolder, new_try, try_time
from stock_market.history.view import FIRST_REVISION, History
from stock_market.logs import Log
from stock_market.service import Backoff, Stop
from stock_market.settings import HistoryIceberg, HistorySettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = Log("history")
_ROWS_AT_ONCE = 5_000_000
"""Records of several hours of a day that one MERGE adds; an hour that has more is added alone."""
_PACKED_DAYS = timedelta(days=7)
"""How far before the day that has just ended OPTIMIZE looks for files to join: late hours, and a day that it missed."""
_MAINTENANCE_RUNS = 20
"""How often an OPTIMIZE or a VACUUM is started again that Athena has ended halfway."""


class ForeignTableError(ServiceError):
    """The table's name is taken by a table that is none of Iceberg's."""


class DoubledError(ServiceError):
    """The table has more records of an hour than the history."""


class _Due(NamedTuple):
    """Hours of one day that one MERGE adds: the revision of each, and its records."""

    revisions: dict[Hour, str]
    rows: dict[Hour, int]


class Iceberg:
    """The table: fills it from the history, joins and cleans its files, and removes folders of earlier tables."""

    def __init__(
        self,
        clients: Clients,
        catalog: Catalog,
        attempts: Attempts,
        athena: Athena,
        *,
        settings: HistorySettings,
        stop: Stop,
        step: Step,
        now: Callable[[], datetime],
    ) -> None:
        own = settings.iceberg or HistoryIceberg()
        self._table, self._prefix = own.table, own.prefix
        self._bucket = settings.s3.bucket
        self._attempts_limit = settings.attempts
        self._grace = timedelta(seconds=settings.grace_seconds)
        self._s3: S3Client = clients.s3
        self._glue = clients.glue
        self._catalog = catalog
        self._attempts = attempts
        self._athena = athena
        self._stop = stop
        self._step = step
        self._now = now
        self._filled: set[Hour] = set()
        self._first_day = ""

    def fill(self, *, every: bool, dry: bool) -> list[Hour]:
        """Adds what the history has and the table has not; returns the hours of which something was lacking.

        Args:
            every: compares every hour; else the newest days, and the hours that were written more than once.
            dry: only tells.

        Raises:
            QueryError: Athena has failed too often.
            ForeignTableError, DoubledError: the table is not as it has to be.
            ManifestError: an hour's manifest is none.
            StoppedError: the program has to end.
            botocore's errors.
        """
        history = self._catalog.state().history
        if not history.watermark or (self._location() is None and not self._create(history, dry=dry)):
            return []
        pauses = Backoff(first=1.0)
        while True:
            try:
                self._fill(self._catalog.state().history, every=every, dry=dry)
                self._maintain()
                return sorted(self._filled)
            except QueryError as error:
                # Another host's MERGE of the same hour makes this one's commit fail; the counts tell what is left.
                if pauses.attempts + 1 >= self._attempts_limit:
                    raise
                seconds = pauses.pause()
                _log.warning("try_again", attempt=pauses.attempts, pause=seconds, reason=error)
                if self._stop.wait(seconds):
                    raise StoppedError("asked to end between two tries") from error

    def _location(self) -> str | None:
        """The folder of the table, as the catalog has it; None where there is no table."""
        try:
            found: Any = self._glue.get_table(DatabaseName=self._catalog.names.database, Name=self._table)["Table"]
        except ClientError as error:
            if code(error) != MISSING:
                raise
            return None
        if str(found.get("Parameters", {}).get("table_type", "")).upper() != "ICEBERG":
            raise ForeignTableError(
                f"{self._catalog.names.database}.{self._table} is no table of Iceberg's: drop it, or set"
                " stock_market_iceberg_table to another name"
            )
        return str(found["StorageDescriptor"]["Location"])

    def _create(self, history: History, *, dry: bool) -> bool:
        """Creates the table in a folder of its own; returns whether it is there now."""
        if dry:
            _log.info("would_create", table=self._table, until=history.watermark)
            return False
        folder = f"s3://{self._bucket}/{self._prefix}{self._table}-{new_try()}/"
        self._step("create", Hour.parse(history.watermark))
        try:
            self._athena.run(iceberg.create(self._table, folder), f"CREATE TABLE {self._table}")
        except QueryError:
            # Another host has created it at the same moment.
            if self._location() is None:
                raise
        _log.info("iceberg_created", table=self._table, location=self._location())
        return True

    def _fill(self, history: History, *, every: bool, dry: bool) -> None:
        folders = {
            hour: folder
            for (hour, revision), folder in self._catalog.partitions().items()
            if folder is not None and history.revision(hour) == revision
        }
        before = Hour.parse(history.watermark).before
        since = "" if every else Hour.at(before.start - timedelta(days=1)).dt
        days = {hour.dt for hour in folders if hour.dt >= since or history.revision(hour) != FIRST_REVISION}
        held = self._counts(days if since else (), since)
        if not any(hour.dt >= since for hour in held) and (newest_day := self._newest_day()):
            days.add(newest_day)
            held |= self._counts({newest_day})
        newest = max(held, default=None)
        # Of an hour that has one revision, all records were added at once or none.
        compared = {
            hour: folder
            for hour, folder in folders.items()
            if newest is None
            or hour > newest
            or (hour.dt in days and (every or hour not in held or history.revision(hour) != FIRST_REVISION))
        }
        self._first_day = self._first_day or (newest.dt if newest else min(compared, default=before).dt)
        for due in self._due(history, compared, held):
            if dry:
                _log.info("would_merge", hours=len(due.rows), first=min(due.rows).text, rows=sum(due.rows.values()))
            else:
                self._merge(due)
            self._filled |= due.rows.keys()

    def _due(self, history: History, compared: dict[Hour, TryFolder], held: dict[Hour, int]) -> Iterator[_Due]:
        """What is lacking, the oldest first: so the table has all hours up to its newest one, in the first revision."""
        group = _Due({}, {})
        for hour, folder in sorted(compared.items()):
            written = self._attempts.read_manifest(folder)
            if written is None:
                raise ServiceError(f"the manifest of the hour {hour.text} in {folder.attempt} is missing")
            number = held.get(hour, 0)
            if number > written.rows:
                raise self._too_many(hour, history.revision(hour), number, written.rows)
            if number == written.rows:
                continue
            rows = sum(group.rows.values()) + written.rows
            if group.rows and (hour.dt != min(group.rows).dt or rows > _ROWS_AT_ONCE):
                yield group
                group = _Due({}, {})
            group.revisions[hour], group.rows[hour] = history.revision(hour) or "", written.rows
        if group.rows:
            yield group

    def _too_many(self, hour: Hour, revision: str | None, held: int, rows: int) -> ServiceError:
        """Why the table has more records of an hour than the revision that was read."""
        if self._catalog.state().history.revision(hour) != revision:
            return QueryError(f"the hour {hour.text} was written again, and another host has added it meanwhile")
        return DoubledError(
            f"the table {self._table} has {held} records of the hour {hour.text}, and the history has {rows}: delete"
            f" the table from Glue's catalog (aws glue delete-table --database-name {self._catalog.names.database}"
            f" --name {self._table}), and the next run makes a new one"
        )

    def _merge(self, due: _Due) -> None:
        first, last = min(due.rows), max(due.rows)
        name = first.text if first == last else f"{first.text} to {last.hour}"
        self._step("merge", first)
        sql = iceberg.merge(self._table, self._catalog.names.history, due.revisions)
        self._athena.run(sql, f"MERGE of {name}")
        self._step("count", first)
        held = self._counts({first.dt})
        for hour, rows in due.rows.items():
            if held.get(hour, 0) > rows:
                raise self._too_many(hour, due.revisions[hour], held[hour], rows)
            if held.get(hour, 0) < rows:
                raise QueryError(
                    f"the table {self._table} has {held.get(hour, 0)} records of the hour {hour.text} after its MERGE,"
                    f" and the history has {rows}"
                )
        _log.info("hours_merged", first=first.text, last=last.text, hours=len(due.rows), rows=sum(due.rows.values()))

    def _counts(self, days: Iterable[str], since: str = "") -> dict[Hour, int]:
        """The table's records by hour: of these days, and of those from `since` on; of all without either."""
        rows = self._athena.rows(iceberg.counts(self._table, since, days), f"count of {self._table}")
        return {Hour(str(dt), str(hour)): int(number or 0) for dt, hour, number in rows}

    def _newest_day(self) -> str:
        ((day,),) = self._athena.rows(iceberg.newest_day(self._table), f"newest day of {self._table}")
        return day or ""

    def _maintain(self) -> None:
        """Joins the files of days that have ended, and removes what is old: in the run that begins a new day."""
        first, last = self._first_day, max(self._filled, default=Hour("", "")).dt
        if last <= first:
            return
        start = Hour.at(Hour(first, "00").start - _PACKED_DAYS).dt
        for name, sql in (
            ("OPTIMIZE", iceberg.optimize(self._table, start, last)),
            ("VACUUM", iceberg.vacuum(self._table)),
        ):
            for _ in range(_MAINTENANCE_RUNS):
                self._step(name.lower(), Hour(last, "00"))
                try:
                    self._athena.run(sql, f"{name} of {self._table}")
                except QueryError as error:
                    if not iceberg.needs_more_runs(str(error)):
                        raise
                else:
                    break
            else:
                _log.warning("maintenance_unfinished", statement=name, table=self._table, runs=_MAINTENANCE_RUNS)

    def clean(self, *, dry: bool) -> int:
        """Removes folders of earlier tables, which a lost catalog left behind, after the grace; returns their objects.

        The catalog is asked after the folders were listed: a table that is created meanwhile has a folder that is
        younger than the grace.
        """
        beginning = f"{self._prefix}{self._table}-"
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=beginning, Delimiter="/")
        found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        try:
            location = self._location()
        except ForeignTableError:  # `fill` has told it
            return 0
        if location is None:
            return 0
        end, count = self._now() - self._grace, 0
        for folder in found:
            made = try_time(folder.removeprefix(beginning).rstrip("/"))
            is_own = location.rstrip("/") == f"s3://{self._bucket}/{folder}".rstrip("/")
            if is_own or made is None or made >= end:
                continue
            if dry:
                _log.info("would_remove", folder=folder)
                continue
            self._step("remove_table", Hour.at(made))
            count += self._attempts.delete_folder(folder)
            _log.info("old_table_removed", folder=folder)
        return count

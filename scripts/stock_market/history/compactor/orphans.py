"""Orphans: tries, and partitions of the history, that the view does not read. They are removed after a grace.

Before anything is removed, the view is replaced by itself. Whoever has read it before cannot publish any more; whoever
reads it afterwards makes a new try, which is not among those that were listed. So nothing that is removed can still be
published, however long somebody was stopped; the grace is only for queries that are running.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from stock_market.history.compactor.attempt import Attempts, Step
from stock_market.history.compactor.catalog import Catalog, OvertakenError
from stock_market.history.naming import MANIFEST, Hour, TryFolder, parse_try
from stock_market.history.view import FIRST_REVISION, History
from stock_market.logs import Log
from stock_market.settings import HistorySettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = Log("history")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_Partitions = dict[tuple[Hour, str], TryFolder | None]


@dataclass
class _Found:
    """A try's folder: when its newest object was written, and its manifest."""

    newest: datetime = _LONG_AGO
    manifest: datetime = _LONG_AGO


class Orphans:
    """Finds orphans that are older than the grace in the settings, and removes them."""

    def __init__(
        self,
        s3: S3Client,
        catalog: Catalog,
        attempts: Attempts,
        *,
        settings: HistorySettings,
        step: Step,
        now: Callable[[], datetime],
    ) -> None:
        self._s3 = s3
        self._catalog = catalog
        self._attempts = attempts
        self._bucket = settings.s3.bucket
        self._prefix = catalog.prefix
        self._grace = timedelta(seconds=settings.grace_seconds)
        self._step = step
        self._now = now

    def _folders(self) -> dict[TryFolder, _Found]:
        found: dict[TryFolder, _Found] = {}
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix):
            for entry in page.get("Contents", []):
                folder = parse_try(entry["Key"], self._prefix)
                if folder is not None:
                    one = found.setdefault(folder, _Found())
                    one.newest = max(one.newest, entry["LastModified"])
                    if entry["Key"].endswith(MANIFEST):
                        one.manifest = entry["LastModified"]
        return found

    def _orphans(self, history: History, partitions: _Partitions) -> tuple[list[tuple[Hour, str]], list[TryFolder]]:
        folders = self._folders()
        read = {
            hour: folder
            for (hour, revision), folder in partitions.items()
            if folder is not None and history.revision(hour) == revision
        }
        # At or above the watermark the first revision may be published at any moment.
        kept = {*read.values()} | {
            folder
            for (hour, revision), folder in partitions.items()
            if folder is not None and revision == FIRST_REVISION and not history.has(hour)
        }
        # So may any try that is whole: it waits to be adopted.
        kept |= {folder for folder, one in folders.items() if one.manifest > _LONG_AGO and not history.has(folder.hour)}
        end = self._now() - self._grace

        def is_old(hour: Hour, folder: TryFolder | None) -> bool:
            # Who reads an older revision began before its successor was there.
            successor = folders.get(read[hour], _Found()).newest if hour in read else _LONG_AGO
            own = folders.get(folder, _Found()).newest if folder is not None else _LONG_AGO
            return max(successor, own) < end

        unread = [
            (hour, revision)
            for (hour, revision), folder in partitions.items()
            if history.revision(hour) != revision
            and (revision != FIRST_REVISION or history.has(hour))
            and is_old(hour, folder)
        ]
        return unread, [one for one in folders if one not in kept and is_old(one.hour, one)]

    def remove(self, *, dry: bool) -> int:
        """Removes those that are old enough; returns how many objects."""
        state = self._catalog.state()
        partitions, folders = self._orphans(state.history, self._catalog.partitions())
        if not partitions and not folders:
            return 0
        if dry:
            _log.info("would_remove", partitions=len(partitions), tries=len(folders))
            return 0
        self._step("fence", (partitions[0][0] if partitions else folders[0].hour))
        try:
            self._catalog.publish(state, state.history)
        except OvertakenError:
            _log.info("not_removed", reason="somebody else has just replaced the view; the next run removes the rest")
            return 0
        for hour, revision in partitions:
            self._step("remove_partition", hour)
            self._catalog.delete_partition(hour, revision)
        count = 0
        for folder in folders:
            self._step("remove", folder.hour)
            count += self._attempts.delete_folder(folder.prefix(self._prefix))
        _log.info("orphans_removed", partitions=len(partitions), tries=len(folders), objects=count)
        return count

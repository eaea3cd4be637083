"""Adoption: hours that are history in S3 and not in the view, for the catalog was lost or made again.

A manifest is written when its try has been compared with the raw objects, so such a try can be published as it is. Only
this shows again the hours whose raw objects have expired.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from stock_market.chain.naming import parse_key
from stock_market.errors import ServiceError
from stock_market.history.compactor.attempt import Attempts
from stock_market.history.compactor.raw import Raw
from stock_market.history.manifest import Manifest
from stock_market.history.naming import Hour, TryFolder, parse_try
from stock_market.logs import Log
from stock_market.settings import HistorySettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = Log("history")


class Adoption:
    """Finds the tries that can be adopted.

    Who cleans never removes a try with a manifest whose hour is at or above the watermark, so that what is found after
    the view was read is still there when the view is replaced.
    """

    def __init__(
        self, s3: S3Client, raw: Raw, attempts: Attempts, *, pool: ThreadPoolExecutor, settings: HistorySettings
    ) -> None:
        self._s3 = s3
        self._raw = raw
        self._attempts = attempts
        self._pool = pool
        self._bucket = settings.s3.bucket
        self._prefix = settings.s3.history_prefix
        self._found: dict[Hour, TryFolder] | None = None

    def first(self, watermark: str) -> Hour | None:
        """The first hour from the watermark on that can be adopted, as `next` has last seen it."""
        return min((hour for hour in self._look(watermark) if hour.text >= watermark), default=None)

    def next(self, watermark: str) -> list[TryFolder]:
        """The tries to adopt: of the hours from the watermark on, up to the first that has only raw objects."""
        self._found = None
        first = self.first(watermark)
        if first is None:
            return []
        raw = next(self._raw.hours(watermark), None)
        if raw is not None and raw < first:
            return []
        found = self._look(watermark)
        hours = sorted({hour for hour in found if hour.text >= watermark} | {*self._raw.hours(watermark)})
        adopted = []
        for hour in hours:
            if hour not in found:
                break
            adopted.append(found[hour])
        return adopted

    def _look(self, watermark: str) -> dict[Hour, TryFolder]:
        if self._found is None:
            folders = self._folders(watermark)
            hours: dict[Hour, list[TryFolder]] = defaultdict(list)
            for folder in folders:
                hours[folder.hour].append(folder)
            newest = self._pool.map(
                lambda hour: self._newest(sorted(hours[hour], key=lambda one: one.attempt), folders), hours
            )
            self._found = {one.hour: one for one in newest if one is not None}
        return self._found

    def _folders(self, watermark: str) -> dict[TryFolder, dict[str, int]]:
        """The tries of the hours from the watermark on that have a manifest, with the sizes of their objects."""
        found: dict[TryFolder, dict[str, int]] = defaultdict(dict)
        # Keys are in the order of the hours, so that what is history already is not listed.
        after = f"{self._prefix}dt={watermark[:10]}/hour={watermark[11:]}" if watermark else self._prefix
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix, StartAfter=after
        )
        for page in pages:
            for entry in page.get("Contents", []):
                folder = parse_try(entry["Key"], self._prefix)
                if folder is not None and folder.hour.text >= watermark:
                    found[folder][entry["Key"]] = entry["Size"]
        return {one: keys for one, keys in found.items() if one.manifest_key(self._prefix) in keys}

    def _newest(self, tries: list[TryFolder], folders: dict[TryFolder, dict[str, int]]) -> TryFolder | None:
        """The newest of an hour's tries that is whole, and has all that the hour's raw objects have."""
        for folder in reversed(tries):
            try:
                written = self._attempts.read_manifest(folder)
            except ServiceError as error:
                _log.warning("not_adopted", hour=folder.hour.text, attempt=folder.attempt, reason=error)
                continue
            if written is not None and written.is_whole(folders[folder]) and self._has_all(folder.hour, written):
                return folder
        return None

    def _has_all(self, hour: Hour, written: Manifest) -> bool:
        listed = self._raw.listed(hour)
        if not written.lacks(listed):
            return True
        # What came late is added once it is history; raw objects that have expired come from nowhere else.
        mains = sum(parse_key(key) is not None for key in listed)
        return mains < sum(one.objects for one in written.ranges)

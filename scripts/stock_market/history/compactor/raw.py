"""The raw objects of the chain, as S3 lists them and as their metadata tells them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from stock_market.chain.naming import ObjectInfo, ObjectName, object_key, parse_key
from stock_market.chain.replays import parse_replay, read_offsets
from stock_market.chain.store import metadata_of
from stock_market.errors import ServiceError
from stock_market.history import folders, manifest
from stock_market.history.manifest import Log, Replay
from stock_market.history.naming import Hour, parse_hour

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class BrokenHourError(ServiceError):
    """The hour's raw objects are not as the chain's rules want them; `make verify` tells more."""


class VanishedError(ServiceError):
    """An object was listed and is not there any more."""


class Listed(NamedTuple):
    """One line of a listing: key, bytes, and S3's tag of the content."""

    key: str
    size: int
    etag: str


@dataclass(frozen=True)
class RawHour:
    """The raw objects of an hour, as they are listed, by key, and as their metadata tells them, main and replay."""

    hour: Hour
    listed: dict[str, Listed]
    mains: list[ObjectInfo]
    replays: list[Replay]

    @property
    def rows(self) -> int:
        """The quotes in them, by their metadata."""
        return sum(one.records for one in self.mains) + sum(one.records for one in self.replays)


class Raw:
    """The raw objects in a bucket, below a prefix with a slash at its end; the pool asks for many at once."""

    def __init__(self, client: S3Client, bucket: str, prefix: str, pool: ThreadPoolExecutor) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._pool = pool

    def path(self, key: str) -> str:
        """The object's address, as Athena's "$path" has it."""
        return f"s3://{self._bucket}/{key}"

    def days(self) -> list[str]:
        """The days that have objects, the oldest first."""
        return folders.days(self._client, self._bucket, self._prefix)

    def hours(self, watermark: str) -> Iterator[Hour]:
        """The hours from the watermark on that have objects, the oldest first."""
        return folders.hours_since(self._client, self._bucket, self._prefix, watermark)

    def _list(self, prefix: str) -> Iterator[Listed]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if parse_key(entry["Key"]) is not None or parse_replay(entry["Key"]) is not None:
                    yield Listed(entry["Key"], entry["Size"], entry["ETag"])

    def day(self, dt: str) -> dict[Hour, dict[str, Listed]]:
        """The objects of a day's hours."""
        found: dict[Hour, dict[str, Listed]] = defaultdict(dict)
        for one in self._list(f"{self._prefix}dt={dt}/"):
            hour = parse_hour(one.key, self._prefix)
            if hour is not None:
                found[hour][one.key] = one
        return found

    def listed(self, hour: Hour) -> dict[str, Listed]:
        """The objects of an hour."""
        return {one.key: one for one in self._list(hour.folder(self._prefix))}

    def metadata(self, key: str) -> dict[str, str] | None:
        """An object's metadata; None where there is no such object."""
        return metadata_of(self._client, self._bucket, key)

    def read(self, hour: Hour, listed: dict[str, Listed]) -> RawHour:
        """The objects with what their metadata says.

        Raises:
            ConflictError: an object's metadata does not say what it holds.
            BrokenHourError: a replay's does not.
            VanishedError: one is gone.
        """
        mains, replays = [], []
        for key, metadata in zip(listed, self._pool.map(self.metadata, listed), strict=True):
            if metadata is None:
                raise VanishedError(f"the object {key} was listed and is not there any more")
            if parse_key(key) is None:
                replays.append(_replay(key, metadata))
            else:
                mains.append(ObjectInfo.from_metadata(key, metadata))
        return RawHour(hour, listed, mains, replays)

    def require_unbroken(self, raw: RawHour) -> None:
        """Each log's objects of the hour have to follow each other, over objects of other hours if need be.

        Raises:
            BrokenHourError: one is missing between them.
            ManifestError: two overlap.
        """
        ranges = manifest.ranges_of(raw.mains)
        for before, after in pairwise(ranges):
            if before.log == after.log and not self._goes_on(before.log, before.end, raw.hour):
                raise BrokenHourError(
                    f"the hour {raw.hour.text} lacks the objects of partition {before.partition} of {before.topic} from"
                    f" offset {before.end} to {after.start - 1}: it stays raw until they are back; `make verify` tells"
                    " more"
                )

    def _goes_on(self, log: Log, start: int, hour: Hour) -> bool:
        """Whether an object of another hour starts at this offset."""
        for near in (hour.next, hour.before):
            for topic_id in (log.topic_id, ""):
                name = ObjectName(log.topic, topic_id, log.partition, start)
                if self.metadata(object_key(self._prefix, name, near.end_ms - 1)) is not None:
                    return True
        # A clock that goes back by more than an hour, or timestamps that producers set.
        names = (parse_key(one.key) for day in self.days() for one in self._list(f"{self._prefix}dt={day}/"))
        return any(
            name is not None
            and (name.topic, name.partition, name.start) == (log.topic, log.partition, start)
            and name.log in ("", log.topic_id)
            for name in names
        )


def _replay(key: str, metadata: dict[str, str]) -> Replay:
    offsets = metadata.get("replayed-offsets", "")
    try:
        read_offsets(metadata)
        return Replay(key=key, records=int(metadata["record-count"]), offsets=offsets)
    except (KeyError, ValueError) as error:
        raise BrokenHourError(
            f"the object {key} does not say in its metadata how many records it replays: move it away"
        ) from error

"""The chain protocol's dealings with S3; they run in worker threads and tell the main thread what they found."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from stock_market.chain.naming import ObjectInfo, ObjectName, object_key, parse_key
from stock_market.chain.segment import Segment
from stock_market.chain.store import Store
from stock_market.errors import ConflictError
from stock_market.hours import HOUR_MS
from stock_market.kafka.identity import Identity
from stock_market.logs import Log
from stock_market.settings import Storage

_log = Log("chain")
_LISTING_SECONDS = 10.0
"""Partitions that are assigned together search one listing of the bucket; one that is this old is good enough, for
whoever begins at an object that is not the last finds the next one there and goes on."""
_TAIL = 20
"""Objects before the last whose connection is looked at when a partition is begun."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt to go on at an offset led to.

    Attributes:
        info: the object that now covers the offset; None when there is none.
        stored: whether it holds exactly the segment that was to be written.
        lacks_quarantine: the object names quarantined records, but their object is missing and must be made
            from the same range before anybody goes on after it.
        moment: when it was stored, in seconds since 1970; 0 where it was not.
    """

    info: ObjectInfo | None
    stored: bool = False
    lacks_quarantine: bool = False
    moment: float = 0.0


class Objects:
    """The objects of one topic in one bucket."""

    def __init__(self, store: Store, storage: Storage, topic: str, identity: Identity) -> None:
        self._store = store
        self._prefix = storage.prefix
        self._quarantine_prefix = storage.quarantine_prefix
        self._topic = topic
        self._identity = identity
        self._listing: dict[int, list[tuple[datetime, int, str]]] = {}
        self._listed_at = -_LISTING_SECONDS
        self._listing_lock = threading.Lock()

    def key(self, partition: int, start: int, timestamp_ms: int) -> str:
        """Key of the main object that starts at `start` with a record of this Kafka timestamp."""
        name = ObjectName(self._topic, self._identity.topic_id, partition, start)
        return object_key(self._prefix, name, timestamp_ms)

    def _quarantine_key(self, key: str) -> str:
        return self._quarantine_prefix + key.removeprefix(self._prefix)

    def _own(self, key: str) -> ObjectInfo | None:
        metadata = self._store.metadata(key)
        if metadata is None:
            return None
        info = ObjectInfo.from_metadata(key, metadata)
        if info.identity != self._identity:
            raise ConflictError(
                f"the object {key} has the name of topic id {self._identity.topic_id} of cluster"
                f" {self._identity.cluster_id}, but its metadata says topic id {info.identity.topic_id} of cluster"
                f" {info.identity.cluster_id}: somebody copied or changed it; move it away"
            )
        return info

    def _found(self, info: ObjectInfo) -> Outcome:
        lacks = info.quarantined > 0 and self._store.metadata(self._quarantine_key(info.key)) is None
        return Outcome(info, lacks_quarantine=lacks)

    def probe(self, partition: int, start: int, timestamp_ms: int) -> Outcome:
        """Looks whether somebody has already written the object that starts here."""
        info = self._own(self.key(partition, start, timestamp_ms))
        return Outcome(None) if info is None else self._found(info)

    def store(self, segment: Segment) -> Outcome:
        """Writes a segment's object, and then its quarantine object, unless the chain already goes on here."""
        key = self.key(segment.partition, segment.start, segment.first_timestamp)
        mine = segment.info(key, self._identity)
        while not self._store.put_new(key, segment.good.finish(), mine.metadata()):
            info = self._own(key)
            if info == mine:
                break  # Stored by an attempt of ours whose answer got lost.
            if info is not None:
                return self._found(info)
        self.quarantine(segment, mine)
        return Outcome(mine, stored=True, moment=time.time())

    def quarantine(self, segment: Segment, info: ObjectInfo) -> None:
        """Writes the quarantine object that belongs to a main object, from a segment of exactly its range."""
        if segment.bad.count != info.quarantined:
            _log.error(
                "quarantine_differs",
                key=info.key,
                promised=info.quarantined,
                found=segment.bad.count,
                advice="Kafka no longer has the same records, or another version judged them",
            )
        if segment.bad.count:
            metadata = info.metadata() | {
                "record-count": str(segment.bad.count),
                "sha256": segment.bad.sha256,
                "main-object": info.key,
            }
            self._store.put_new(self._quarantine_key(info.key), segment.bad.finish(), metadata)

    def resume(self, partition: int, committed: int | None, last_key: str) -> Outcome:
        """Finds the chain's last object, from what the group committed or, when that is lost or wrong, from S3 alone.

        Args:
            partition: the partition.
            committed: the committed offset, None when there is none.
            last_key: the object that ended there, as committed beside the offset.
        """
        if committed is not None and last_key:
            metadata = self._store.metadata(last_key)
            if metadata is not None:
                info = ObjectInfo.from_metadata(last_key, metadata)
                if info.identity == self._identity and info.end == committed:
                    return self._found(info)
            _log.warning(
                "committed_offset_wrong",
                partition=partition,
                committed=committed,
                last_key=last_key,
                advice="no object of the chain ends there; the objects in S3 tell where to go on",
            )
        elif committed is not None:
            _log.warning("committed_offset_foreign", partition=partition, committed=committed)
        outcome = self._walk(partition)
        self._report_search(partition, committed, outcome.info)
        return outcome

    def last(self, partition: int) -> Outcome:
        """The chain's last object as the bucket has it at this moment."""
        with self._listing_lock:
            self._listed_at = -_LISTING_SECONDS
        return self._walk(partition)

    @staticmethod
    def _report_search(partition: int, committed: int | None, last: ObjectInfo | None) -> None:
        """Tells what the objects in S3 say against the committed offset."""
        end = 0 if last is None else last.end
        if committed is None and last is not None:
            _log.warning(
                "committed_offset_lost",
                partition=partition,
                offset=end,
                advice="the group has no committed offset for the partition; its objects in S3 tell where to go on",
            )
        elif committed is not None and committed > end:
            _log.error(
                "objects_missing",
                partition=partition,
                start=end,
                end=committed,
                advice="S3 had objects up to the committed offset, and has them no more: someone deleted them; what"
                " Kafka still has of these offsets is stored again, what it has not is reported as retention_gap",
            )

    def _walk(self, partition: int) -> Outcome:
        """Finds the last object by listing.

        An object is only begun after the one before it is there, so within one log the newest by S3's clock, which
        counts seconds, and then by offset, is the last. Names of the old form do not tell the log, their metadata does.
        """
        for _modified, _start, key in sorted(self._list().get(partition, []), reverse=True):
            metadata = self._store.metadata(key)
            if metadata is None:
                continue
            info = ObjectInfo.from_metadata(key, metadata)
            if info.identity == self._identity:
                return self._found(info)
        return Outcome(None)

    def _may_be_ours(self, name: ObjectName) -> bool:
        return name.topic == self._topic and name.log in ("", self._identity.topic_id)

    def _list(self) -> dict[int, list[tuple[datetime, int, str]]]:
        """Time of writing, start offset and key of every object, by partition."""
        with self._listing_lock:
            if time.monotonic() - self._listed_at > _LISTING_SECONDS:
                found: dict[int, list[tuple[datetime, int, str]]] = defaultdict(list)
                for listed in self._store.list(self._prefix):
                    name = parse_key(listed.key)
                    if name is not None and self._may_be_ours(name):
                        found[name.partition].append((listed.modified, name.start, listed.key))
                self._listing, self._listed_at = found, time.monotonic()
            return self._listing

    def report_holes(self, partition: int, last: ObjectInfo) -> None:
        """Looks at the objects of the last two hours before `last`, at most twenty, and reports where one is missing.

        Whoever deletes an object amidst the chain leaves such a hole; nobody who reads on at the chain's end meets it.
        """
        times = (last.first_timestamp - HOUR_MS, last.first_timestamp)
        hours = {self.key(partition, 0, time_ms).rpartition("/")[0] for time_ms in times}
        found = {}
        for hour in hours:
            for log in (f"{self._identity.topic_id}+", ""):  # The old form of names has no log.
                for listed in self._store.list(f"{hour}/{self._topic}+{log}{partition}+"):
                    name = parse_key(listed.key)
                    if name is not None and name.start < last.start:
                        found[name.start] = listed.key
        after = last
        for start in sorted(found, reverse=True)[:_TAIL]:
            metadata = self._store.metadata(found[start])
            before = None if metadata is None else ObjectInfo.from_metadata(found[start], metadata)
            if before is None or before.identity != self._identity:
                continue
            if before.end < after.start:
                _log.error(
                    "chain_hole",
                    partition=partition,
                    start=before.end,
                    end=after.start,
                    before=before.key,
                    after=after.key,
                    advice="the objects of these offsets are missing in S3: someone deleted them; bring them back from"
                    " a version or a copy of the bucket",
                )
            after = before

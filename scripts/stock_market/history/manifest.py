"""The manifest of an hour's try: what was written, and of which raw objects.

It is written last into the try's folder, as `_manifest.json`. Its size grows with ranges of offsets, producers and
replays, not with raw objects, so that it says what an hour held when these are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from stock_market.chain.naming import ObjectInfo, parse_key
from stock_market.chain.replays import read_offsets
from stock_market.errors import ServiceError
from stock_market.history.naming import Hour, TryFolder, is_try

FORMAT = 1
_Count = Annotated[int, Meta(ge=0)]


class ManifestError(ServiceError):
    """A manifest cannot be understood, or contradicts itself."""


class Log(NamedTuple):
    """One partition's log; `topic_id` is as Kafka's tools show it."""

    topic: str
    topic_id: str
    partition: int


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the manifest's parts: unknown fields are refused."""


class Producer(_Part, frozen=True):
    """The records of one producer: how many, the least and the greatest sequence number, and the numbers' sum."""

    producer_id: str
    records: Annotated[int, Meta(ge=1)]
    min: _Count
    max: _Count
    sum: str
    """A decimal number: it may pass 64 bits."""


class File(_Part, frozen=True):
    """A Parquet file: its key, and its size in bytes."""

    key: str
    size: _Count


class Range(_Part, frozen=True):
    """Raw main objects of the hour that follow each other.

    Attributes:
        topic: the topic.
        topic_id: the log.
        partition: the partition.
        start: the first offset.
        end: the first offset after it.
        objects: how many objects.
        records: how many quotes in these.
        quarantined: how many records of the range are in the quarantine.
    """

    topic: str
    topic_id: str
    partition: _Count
    start: _Count
    end: _Count
    objects: Annotated[int, Meta(ge=1)]
    records: _Count
    quarantined: _Count

    @property
    def log(self) -> Log:
        """The log whose offsets these are."""
        return Log(self.topic, self.topic_id, self.partition)


class Quarantined(_Part, frozen=True):
    """A main object, by log and start, of whose range `count` records are in the quarantine."""

    topic: str
    topic_id: str
    partition: _Count
    start: _Count
    count: Annotated[int, Meta(ge=1)]


class Replay(_Part, frozen=True):
    """A replay object that the hour holds: its key, its quotes, and their offsets as its metadata names them."""

    key: str
    records: _Count
    offsets: str


class Manifest(_Part, frozen=True, rename={"attempt": "try"}):
    """What a try wrote.

    Attributes:
        dt: the hour's day.
        hour: the hour.
        attempt: the try's id; `try` in JSON.
        created: when, ISO 8601, UTC.
        rows: records in the files.
        checksum: of these, 16 hexadecimal digits (`checksum.text_of`).
        producers: by producer_id.
        files: the Parquet files, by key.
        ranges: the raw main objects, by log and start.
        quarantined_objects: those of them that name quarantined records.
        replays: the replay objects, by key.
        format: the version of this form.
    """

    dt: str
    hour: str
    attempt: str
    created: str
    rows: _Count
    checksum: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
    producers: list[Producer]
    files: list[File]
    ranges: list[Range]
    quarantined_objects: list[Quarantined]
    replays: list[Replay]
    format: int = FORMAT

    @property
    def folder(self) -> TryFolder:
        """The try's folder."""
        return TryFolder(Hour(self.dt, self.hour), self.attempt)

    def is_whole(self, sizes: Mapping[str, int]) -> bool:
        """Whether each file that it names is among the objects of its folder, given by key with their size in bytes."""
        return all(sizes.get(one.key) == one.size for one in self.files)

    def covers(self, topic: str, topic_id: str, partition: int, offset: int) -> bool:
        """Whether an offset lies in a range; a name of the old form has no topic's id (empty), and any log counts."""
        return any(
            one.start <= offset < one.end
            for one in self.ranges
            if one.topic == topic and one.partition == partition and topic_id in ("", one.topic_id)
        )

    def lacks(self, keys: Iterable[str]) -> list[str]:
        """Which raw objects of the hour, main or replay, are not in it: main objects outside the ranges, and replays
        that it does not name."""
        replays = {one.key for one in self.replays}
        missing = []
        for key in keys:
            name = parse_key(key)
            if name is None:
                if key not in replays:
                    missing.append(key)
            elif not self.covers(name.topic, name.log, name.partition, name.start):
                missing.append(key)
        return missing


def ranges_of(infos: Iterable[ObjectInfo]) -> list[Range]:
    """Main objects as ranges, by log and start: each as long as objects follow each other.

    Raises:
        ManifestError: two objects overlap.
    """
    found: list[Range] = []
    for log, info in sorted(((_log_of(info), info) for info in infos), key=lambda one: (one[0], one[1].start)):
        last = found[-1] if found and found[-1].log == log else None
        if last is not None and info.start < last.end:
            raise ManifestError(f"the object {info.key} begins at offset {info.start}, before offset {last.end}, at"
                                " which the object before it ends")  # fmt: skip
        new = Range(
            topic=log.topic,
            topic_id=log.topic_id,
            partition=log.partition,
            start=info.start,
            end=info.end,
            objects=1,
            records=info.records,
            quarantined=info.quarantined,
        )
        _append(found, new)
    return found


def merged(*groups: Iterable[Range]) -> list[Range]:
    """Ranges of several lists as one, by log and start.

    Raises:
        ManifestError: two overlap.
    """
    found: list[Range] = []
    for one in sorted((one for group in groups for one in group), key=lambda one: (one.log, one.start)):
        if found and found[-1].log == one.log and one.start < found[-1].end:
            raise ManifestError(f"two ranges of {one.topic} {one.topic_id} {one.partition} overlap at {one.start}")
        _append(found, one)
    return found


def _append(found: list[Range], new: Range) -> None:
    last = found[-1] if found else None
    if last is None or last.log != new.log or last.end != new.start:
        found.append(new)
        return
    found[-1] = msgspec.structs.replace(
        last,
        end=new.end,
        objects=last.objects + new.objects,
        records=last.records + new.records,
        quarantined=last.quarantined + new.quarantined,
    )


def _log_of(info: ObjectInfo) -> Log:
    name = parse_key(info.key)
    if name is None:
        raise ManifestError(f"the object {info.key} is not named like a main object")
    return Log(name.topic, info.identity.topic_id, name.partition)


def quarantined_of(infos: Iterable[ObjectInfo]) -> list[Quarantined]:
    """The main objects that name quarantined records, by log and start."""
    found = sorted((_log_of(info), info.start, info.quarantined) for info in infos if info.quarantined)
    return [
        Quarantined(topic=log.topic, topic_id=log.topic_id, partition=log.partition, start=start, count=count)
        for log, start, count in found
    ]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Manifest)


def encode(manifest: Manifest) -> bytes:
    """The manifest as JSON, one line with its end."""
    return _ENCODER.encode(manifest) + b"\n"


def decode(data: bytes, key: str) -> Manifest:
    """Reads a manifest and looks whether it contradicts itself.

    Raises:
        ManifestError: it is none, or contradicts itself.
    """
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"the manifest {key} is none: {error}") from error
    flaw = _flaw(found)
    if flaw:
        raise ManifestError(f"the manifest {key} contradicts itself: {flaw}")
    return found


def _flaw(one: Manifest) -> str:
    try:
        Hour.parse(f"{one.dt} {one.hour}")
        for replay in one.replays:
            read_offsets({"replayed-offsets": replay.offsets})
        merged(one.ranges)
    except (ValueError, ManifestError) as error:
        return str(error)
    if one.format != FORMAT:
        return f"its format is {one.format} instead of {FORMAT}"
    if not is_try(one.attempt):
        return f"{one.attempt!r} is no try's id"
    if any(part.end <= part.start for part in one.ranges):
        return "a range has no offsets"
    counted = sum(part.records for part in one.ranges) + sum(part.records for part in one.replays)
    if counted != one.rows:
        return f"its raw objects hold {counted} records, its files {one.rows}"
    if one.rows and not one.files:
        return f"it names no file that holds its {one.rows} records"
    if sum(part.records for part in one.producers) != one.rows:
        return "its producers' records do not add up to its rows"
    if len({part.producer_id for part in one.producers}) != len(one.producers):
        return "it names a producer more than once"
    if sum(part.quarantined for part in one.ranges) != sum(part.count for part in one.quarantined_objects):
        return "its quarantined records do not add up to those of its ranges"
    return ""

"""Reads a bucket as somebody does who knows only the contract of the chain, and takes nothing for granted."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

from tests.support.stock_market.bucket import Bucket

_KEY = re.compile(
    r"(?P<prefix>quotes|quarantine)/dt=(?P<dt>[\d-]{10})/hour=(?P<hour>\d\d)"
    r"/[^/+]+\+(?P<log>[A-Za-z0-9_-]{22})\+(?P<partition>\d+)\+(?P<start>\d{20})\.json\.gz"
)


@dataclass(frozen=True, slots=True)
class MainObject:
    """An object of the chain; `lines` are its lines, `hour` is `YYYY-MM-DD HH`, `cut_start` the cut that it tells."""

    key: str
    hour: str
    partition: int
    start: int
    end: int
    quarantined: int
    lines: list[bytes]
    cut_start: int | None = None


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A line of a quarantine object: the record as it was, and why it is there."""

    offset: int
    key: bytes | None
    value: bytes | None
    reason: str


@dataclass(slots=True)
class Lake:
    """What is in a bucket.

    Attributes:
        main: per partition the objects of the chain, by start and key.
        quarantine: the lines of each quarantine object, by its key without the prefix.
        problems: what is not as the contract says, one sentence each.
    """

    main: dict[int, list[MainObject]] = field(default_factory=dict)
    quarantine: dict[str, list[QuarantinedRecord]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def _raw(line: dict[str, Any], name: str) -> bytes | None:
    text = line[name]
    if text is None:
        return None
    return base64.b64decode(text) if line["encoding"] == "base64" else str(text).encode()


def _lines(lake: Lake, key: str, packed: bytes, metadata: dict[str, str]) -> list[bytes]:
    try:
        plain = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        lake.problems.append(f"{key} is no whole gzip file: {error}")
        return []
    lines = plain.split(b"\n")
    if lines.pop() != b"":
        lake.problems.append(f"{key} does not end with the end of a line")
    if metadata.get("sha256") != hashlib.sha256(packed).hexdigest():
        lake.problems.append(f"{key} has another checksum than its metadata says")
    if metadata.get("record-count") != str(len(lines)):
        lake.problems.append(f"{key} has {len(lines)} lines, its metadata says {metadata.get('record-count')}")
    return lines


def read(bucket: Bucket) -> Lake:
    """Reads every object of the bucket, of whatever name, but for the history's."""
    lake = Lake()
    for key in bucket.keys(""):
        if key.startswith("history/"):
            continue
        match = _KEY.fullmatch(key)
        if match is None:
            lake.problems.append(f"{key} is no name of the contract")
            continue
        answer = bucket.client.get_object(Bucket=bucket.name, Key=key)
        metadata = answer["Metadata"]
        lines = _lines(lake, key, answer["Body"].read(), metadata)
        if match["prefix"] == "quarantine":
            records = [json.loads(line) for line in lines]
            lake.quarantine[key.removeprefix("quarantine/")] = [
                QuarantinedRecord(line["offset"], _raw(line, "key"), _raw(line, "value"), line["reason"])
                for line in records
            ]
            continue
        found = MainObject(
            key=key,
            hour=f"{match['dt']} {match['hour']}",
            partition=int(match["partition"]),
            start=int(match["start"]),
            end=int(metadata.get("end-offset", -1)),
            quarantined=int(metadata.get("quarantined-count", -1)),
            lines=lines,
            cut_start=int(metadata["cut-start-offset"]) if "cut-start-offset" in metadata else None,
        )
        if metadata.get("start-offset") != str(found.start):
            lake.problems.append(f"{key} begins at {metadata.get('start-offset')} by its metadata")
        lake.main.setdefault(found.partition, []).append(found)
    for objects in lake.main.values():
        objects.sort(key=lambda found: (found.start, found.key))
    return lake

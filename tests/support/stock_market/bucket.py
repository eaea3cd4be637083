"""Looks into a bucket as somebody does who knows only the contract of the chain."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import boto3

_Version = tuple[str, datetime]
_KEY = re.compile(
    r"(?P<prefix>\w+)/dt=(?P<dt>[\d-]{10})/hour=(?P<hour>\d\d)"
    r"/[^/+]+\+(?P<log>[A-Za-z0-9_-]{22})\+(?P<partition>\d+)\+(?P<start>\d{20})\.json\.gz"
)


class Object(NamedTuple):
    """An object of the chain, or of the quarantine."""

    key: str
    hour: str
    log: str
    partition: int
    start: int
    end: int
    metadata: dict[str, str]
    lines: list[dict[str, Any]]


class Bucket:
    """A bucket of its own in moto's S3."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.endpoint = endpoint
        self.name = name
        self.client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self._read: dict[str, tuple[_Version, Object]] = {}
        self.client.create_bucket(Bucket=name)

    def _listed(self, prefix: str) -> Iterator[tuple[str, _Version]]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                yield entry["Key"], (entry["ETag"], entry["LastModified"])

    def keys(self, prefix: str = "quotes/") -> list[str]:
        """The keys under a prefix."""
        return [key for key, _ in self._listed(prefix)]

    def objects(self, prefix: str = "quotes/") -> list[Object]:
        """The objects under a prefix, in the order of the chain; each is read once while S3 lists it unchanged."""
        found = []
        for key, version in self._listed(prefix):
            if key not in self._read or self._read[key][0] != version:
                self._read[key] = (version, self._object(key))
            found.append(self._read[key][1])
        return sorted(found, key=lambda found: (found.partition, found.start))

    def _object(self, key: str) -> Object:
        match = _KEY.fullmatch(key)
        assert match, key
        answer = self.client.get_object(Bucket=self.name, Key=key)
        lines = [json.loads(line) for line in gzip.decompress(answer["Body"].read()).splitlines()]
        metadata = answer["Metadata"]
        assert int(metadata["record-count"]) == len(lines)
        assert metadata["topic-id"] == match["log"]
        place = (int(match["partition"]), int(match["start"]), int(metadata["end-offset"]))
        return Object(key, match["hour"], match["log"], *place, metadata, lines)

    def check_chain(self, first: int = 0, log: str = "") -> dict[int, int]:
        """Asserts that every partition's objects follow each other without hole or overlap; returns their ends.

        Args:
            first: where each chain begins.
            log: looks at this log's objects only; at all, which then have to be of one log, when empty.
        """
        ends: dict[int, int] = {}
        for one in self.objects():
            if log not in ("", one.log):
                continue
            assert one.start == ends.get(one.partition, first), f"{one.key} does not follow the object before it"
            assert one.end > one.start
            ends[one.partition] = one.end
        return ends

    def sequences(self) -> dict[str, Counter[int]]:
        """How often each sequence number of each producer is there."""
        found: dict[str, Counter[int]] = {}
        for one in self.objects():
            for line in one.lines:
                found.setdefault(line["producer_id"], Counter())[line["sequence"]] += 1
        return found

    def check_exactly_once(self, expected: int | None = None) -> int:
        """Asserts that no producer's sequence has a gap or a double; returns how many records there are."""
        total = 0
        for producer_id, counts in self.sequences().items():
            assert set(counts) == set(range(len(counts))), f"{producer_id} has gaps"
            assert set(counts.values()) == {1}, f"{producer_id} has doubles"
            total += len(counts)
        if expected is not None:
            assert total == expected
        return total

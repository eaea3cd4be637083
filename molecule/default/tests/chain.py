"""Reads the data bucket only by DESIGN.md's S3 contract, without the consumer's code."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

KEY = re.compile(
    r"quotes/dt=(?P<dt>\d{4}-\d\d-\d\d)/hour=(?P<hour>\d\d)"
    r"/(?P<topic>[^/+]+)\+(?P<log>[A-Za-z0-9_-]{22})\+(?P<partition>\d+)\+(?P<start>\d{20})\.json\.gz"
)

_READ: dict[tuple[Any, ...], tuple[int, list[tuple[str, int]]]] = {}


@dataclass
class Stream:
    """What the bucket holds: each partition's objects by their start offset, and each producer's sequence numbers."""

    spans: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    sequences: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    newest: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def records(self) -> int:
        return sum(len(numbers) for numbers in self.sequences.values())

    def end(self, partition: int) -> int:
        """The offset after the partition's last stored record."""
        return max((end for _, end in self.spans[partition]), default=0)

    def faults(self, *, at_rest: bool = False) -> list[str]:
        """Every break of a promise, in words; empty is what is wanted.

        While the stream flows, a number is missed only below the producer's watermark: a partition holds its numbers in
        rising order, so nothing below the smallest of the partitions' newest numbers can still be on its way. With
        `at_rest` (no producer runs, the consumer has caught up) every number must be there.
        """
        found = []
        for partition, spans in sorted(self.spans.items()):
            expected = 0
            for start, end in sorted(spans):
                if start != expected:
                    found.append(f"partition {partition}: an object starts at {start}, the chain is at {expected}")
                expected = end
        for producer, numbers in sorted(self.sequences.items()):
            if len(set(numbers)) != len(numbers):
                found.append(f"producer {producer}: {len(numbers) - len(set(numbers))} records are there twice")
            newest = self.newest[producer]
            watermark = max(numbers) if at_rest else min(newest.get(partition, -1) for partition in self.spans)
            if missing := sorted(set(range(watermark + 1)) - set(numbers)):
                found.append(f"producer {producer}: {len(missing)} records are missing, the first is {missing[0]}")
        return found


def read_stream(s3: Any, bucket: str) -> Stream:
    """Reads every object under quotes/; the metadata's end offset must agree with the lines and the quarantined."""
    stream = Stream()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="quotes/"):
        for entry in page.get("Contents", []):
            name = KEY.fullmatch(entry["Key"])
            assert name, f"a name that the contract does not know: {entry['Key']}"
            # An object that has changed since it was read has another time or ETag.
            version = (bucket, entry["Key"], entry["ETag"], entry["LastModified"])
            if version not in _READ:
                _READ[version] = _read(s3, bucket, entry["Key"])
            end, quotes = _READ[version]
            start, partition = int(name["start"]), int(name["partition"])
            assert end - start >= len(quotes), entry["Key"]
            stream.spans[partition].append((start, end))
            for producer, sequence in quotes:
                stream.sequences[producer].append(sequence)
                newest = stream.newest[producer]
                newest[partition] = max(sequence, newest.get(partition, -1))
    return stream


def _read(s3: Any, bucket: str, key: str) -> tuple[int, list[tuple[str, int]]]:
    """An object's end offset, and the producer and sequence number of each of its quotes."""
    answer = s3.get_object(Bucket=bucket, Key=key)
    quotes = map(json.loads, gzip.decompress(answer["Body"].read()).splitlines())
    return int(answer["Metadata"]["end-offset"]), [(quote["producer_id"], quote["sequence"]) for quote in quotes]

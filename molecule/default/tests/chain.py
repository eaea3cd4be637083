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
            answer = s3.get_object(Bucket=bucket, Key=entry["Key"])
            lines = gzip.decompress(answer["Body"].read()).splitlines()
            start, end = int(name["start"]), int(answer["Metadata"]["end-offset"])
            assert end - start >= len(lines), entry["Key"]
            stream.spans[int(name["partition"])].append((start, end))
            for line in lines:
                quote = json.loads(line)
                producer, sequence = quote["producer_id"], quote["sequence"]
                stream.sequences[producer].append(sequence)
                newest = stream.newest[producer]
                newest[int(name["partition"])] = max(sequence, newest.get(int(name["partition"]), -1))
    return stream

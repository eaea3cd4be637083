"""Writes the objects of chains as the contract describes them, true ones and, where a test wants it, false ones."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.services import quote

from stock_market.chain.naming import ObjectInfo, ObjectName, object_key
from stock_market.hours import HOUR_MS
from stock_market.kafka.identity import Identity

TOPIC = "stock-quotes"
IDENTITY = Identity("cluster", "topic-id")
NOON = 1_767_268_800_000
"""2026-01-01T12:00:00Z, in milliseconds."""


def line(sequence: int, producer_id: str = "p") -> bytes:
    """A quote's line."""
    return quote(sequence, producer_id)[1] + b"\n"


def lines(numbers: Iterable[int], producer_id: str = "p") -> bytes:
    """Quotes' lines."""
    return b"".join(line(number, producer_id) for number in numbers)


def poison(offset: int, value: str = "rubbish", partition: int = 0, reason: str = "the value is no quote") -> bytes:
    """A quarantine's line."""
    fields = {
        "topic": TOPIC,
        "partition": partition,
        "offset": offset,
        "timestamp": NOON,
        "reason": reason,
        "encoding": "utf-8",
        "key": "HSI",
        "value": value,
    }
    return json.dumps(fields).encode() + b"\n"


class Lake:
    """A bucket with chains in it.

    Args:
        bucket: an empty bucket.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def put(self, key: str, body: bytes, metadata: dict[str, str]) -> str:
        """Writes an object as it is."""
        self.bucket.client.put_object(Bucket=self.bucket.name, Key=key, Body=body, Metadata=metadata)
        return key

    def main(
        self,
        start: int,
        content: bytes,
        *,
        partition: int = 0,
        poisons: list[bytes] | None = None,
        time_ms: int = NOON,
        quarantine: bool = True,
        **changes: Any,
    ) -> str:
        """Writes a main object of these lines, and the quarantine object of these poisons; returns the first's key.

        Args:
            changes: fields of `ObjectInfo` that are to be others than the true ones.
        """
        records, bad, packed = content.count(b"\n"), poisons or [], gzip.compress(content)
        identity = changes.get("identity", IDENTITY)
        fields: dict[str, Any] = {
            "key": object_key("quotes/", ObjectName(TOPIC, identity.topic_id, partition, start), time_ms),
            "start": start,
            "end": start + records + len(bad),
            "records": records,
            "quarantined": len(bad),
            "first_timestamp": time_ms,
            "last_timestamp": time_ms + 1000,
            "sha256": hashlib.sha256(packed).hexdigest(),
            "identity": IDENTITY,
        } | changes
        info = ObjectInfo(**fields)
        self.put(info.key, packed, info.metadata())
        if bad and quarantine:
            self.quarantine(info, b"".join(bad))
        return info.key

    def three(self) -> list[str]:
        """Writes a true chain of three objects, the second with a quarantined record; returns their keys."""
        return [
            self.main(0, lines(range(10))),
            self.main(10, lines(range(10, 18)), poisons=[poison(13)]),
            self.main(19, lines(range(18, 25)), time_ms=NOON + HOUR_MS),
        ]

    def quarantine(self, info: ObjectInfo, content: bytes) -> str:
        """Writes the quarantine object of a main object."""
        packed = gzip.compress(content)
        metadata = info.metadata() | {
            "record-count": str(content.count(b"\n")),
            "sha256": hashlib.sha256(packed).hexdigest(),
            "main-object": info.key,
        }
        return self.put(info.key.replace("quotes/", "quarantine/", 1), packed, metadata)

    def delete(self, key: str) -> None:
        """Deletes an object."""
        self.bucket.client.delete_object(Bucket=self.bucket.name, Key=key)

    def change(self, key: str, body: bytes | None = None, **metadata: str) -> None:
        """Replaces an object's body, or single fields of its metadata (`_` for `-`)."""
        answer = self.bucket.client.get_object(Bucket=self.bucket.name, Key=key)
        kept = answer["Body"].read()
        fields = answer["Metadata"] | {name.replace("_", "-"): value for name, value in metadata.items()}
        self.put(key, kept if body is None else body, fields)

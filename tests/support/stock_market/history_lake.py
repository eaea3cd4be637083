"""Writes the history of hours as its contract describes it, without the project's code, true or false."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from tests.support.stock_market.lake import Lake

_NAMES = ("symbol", "event_time", "open", "high", "low", "close", "adj_close", "volume", "close_usd", "producer_id")
COLUMNS = (*_NAMES, "sequence")
_STRINGS, _WHOLE = ("symbol", "event_time", "producer_id"), ("volume", "sequence")
_KEY = re.compile(r"quotes/dt=(?P<dt>[^/]+)/hour=(?P<hour>\d\d)/(?P<topic>[^+]+)\+(?P<log>[^+]+)\+(?P<partition>\d+)\+")
Quote = dict[str, Any]


def checksum(quotes: Iterable[Quote]) -> int:
    """The sum of the records' hashes, as docs/history.md gives it."""
    total = 0
    for quote in quotes:
        parts = []
        for name in COLUMNS:
            if name in _STRINGS:
                parts.append(quote[name].encode() + b"\0")
            else:
                # -0.0 counts as 0.0.
                parts.append(struct.pack(">q" if name in _WHOLE else ">d", quote[name] + 0))
        # The last field has no separator after it.
        total += int.from_bytes(xxhash.xxh64_digest(b"".join(parts)), "big", signed=True)
    return total % 2**64


def parquet(quotes: list[Quote], **changes: Any) -> bytes:
    """Quotes as a Parquet file in the order of symbol and time; `changes` are other columns' arrays."""
    ordered = sorted(quotes, key=lambda quote: (quote["symbol"], quote["event_time"], quote["sequence"]))
    types = {name: pa.string() if name in _STRINGS else pa.int64() if name in _WHOLE else pa.float64()
             for name in COLUMNS}  # fmt: skip
    arrays = {name: pa.array([quote[name] for quote in ordered], kind) for name, kind in types.items()}
    out = io.BytesIO()
    pq.write_table(pa.table(arrays | changes), out, compression="zstd")
    return out.getvalue()


class HistoryLake:
    """Adds history to a lake.

    Args:
        lake: with raw objects of one topic.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._tries = 0

    def raw(self, dt: str, hour: str) -> list[tuple[str, dict[str, str], list[Quote]]]:
        """The raw objects of an hour: key, metadata and quotes."""
        bucket = self.lake.bucket
        found = []
        for key in bucket.keys(f"quotes/dt={dt}/hour={hour}/"):
            answer = bucket.client.get_object(Bucket=bucket.name, Key=key)
            lines = gzip.decompress(answer["Body"].read()).splitlines()
            found.append((key, answer["Metadata"], [json.loads(line) for line in lines]))
        return found

    def hour(
        self,
        hour: str,
        dt: str = "2026-01-01",
        *,
        files: list[list[Quote]] | None = None,
        before: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """Writes an hour's history from its raw objects; returns the try's folder.

        Args:
            files: the records of each file, if they are to be others than the raw objects'.
            before: the manifest of the hour's last try, and its records in `quotes`, where raw objects are gone.
            changes: fields of the manifest that are to be others than the true ones.
        """
        self._tries += 1
        attempt = f"202601{self._tries:02d}T000000Z-{self._tries:08x}"
        folder = f"history/dt={dt}/hour={hour}/{attempt}/"
        manifest = before["manifest"] if before else {}
        quotes: list[Quote] = list(before["quotes"]) if before else []
        ranges, quarantined = list(manifest.get("ranges", [])), list(manifest.get("quarantined_objects", []))
        replays = list(manifest.get("replays", []))
        for key, metadata, lines in self.raw(dt, hour):
            match = _KEY.match(key)
            assert match
            log = {"topic": match["topic"], "topic_id": match["log"], "partition": int(match["partition"])}
            if "+replay-" in key:
                if key not in {one["key"] for one in replays}:
                    offsets = metadata["replayed-offsets"]
                    replays.append({"key": key, "records": len(lines), "offsets": offsets})
                    quotes += lines
                continue
            start, end, bad = (int(metadata[f"{name}"]) for name in ("start-offset", "end-offset", "quarantined-count"))
            known = any(one["start"] <= start < one["end"] for one in ranges if log.items() <= one.items())
            if known:
                continue
            quotes += lines
            ranges.append(log | {"start": start, "end": end, "objects": 1, "records": len(lines), "quarantined": bad})
            if bad:
                quarantined.append(log | {"start": start, "count": bad})
        parts = {"ranges": ranges, "quarantined_objects": quarantined, "replays": replays}
        return self._write((folder, dt, hour, attempt), quotes, files, parts | changes)

    def _write(
        self, place: tuple[str, str, str, str], quotes: list[Quote], files: list[list[Quote]] | None, parts: Any
    ) -> str:
        folder, dt, hour, attempt = place
        numbers: dict[str, list[int]] = defaultdict(list)
        for quote in quotes:
            numbers[quote["producer_id"]].append(quote["sequence"])
        listed = []
        for number, held in enumerate([quotes] if files is None else files):
            key, body = f"{folder}part-{number}", parquet(held)
            self.lake.put(key, body, {})
            listed.append({"key": key, "size": len(body)})
        manifest = {
            "format": 1,
            "dt": dt,
            "hour": hour,
            "try": attempt,
            "created": "2026-01-02T00:00:00Z",
            "rows": len(quotes),
            "checksum": f"{checksum(quotes):016x}",
            "producers": [
                {"producer_id": name, "records": len(held), "min": min(held), "max": max(held), "sum": str(sum(held))}
                for name, held in sorted(numbers.items())
            ],
            "files": listed,
        } | parts
        self.lake.put(f"{folder}_manifest.json", json.dumps(manifest).encode(), {})
        return folder

    def read(self, folder: str) -> dict[str, Any]:
        """A try's manifest and records."""
        bucket = self.lake.bucket
        body = bucket.client.get_object(Bucket=bucket.name, Key=f"{folder}_manifest.json")["Body"].read()
        manifest = json.loads(body)
        quotes: list[Quote] = []
        for file in manifest["files"]:
            data = bucket.client.get_object(Bucket=bucket.name, Key=file["key"])["Body"].read()
            quotes += pq.read_table(io.BytesIO(data)).to_pylist()
        return {"manifest": manifest, "quotes": quotes}

    def expire(self, *keys: str) -> None:
        """Removes raw objects."""
        for key in keys:
            self.lake.delete(key)

"""What the buckets still hold when the local cloud ends, as plain files: nothing is lost without a word."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SPECIAL_NAMES = {"": "%", ".": "%2E", "..": "%2E%2E"}
_LONGEST_NAME = 200


def relative_path(key: str) -> Path:
    """Return the file path for a key, inside the bucket's directory whatever the key is.

    A key's slashes become directories. What can't be a file's name ('', '.', '..', NUL, more than 200 bytes) is encoded
    or cut, and the listing beside the files tells which key a file was.
    """
    parts = []
    for part in key.split("/"):
        safe = _SPECIAL_NAMES.get(part, part.replace("\0", "%00"))
        while len(safe.encode()) > _LONGEST_NAME:
            safe = safe[: len(safe) * 3 // 4]
        parts.append(safe)
    return Path(*parts)


def save_bucket(bucket: str, objects: Iterable[Any], kept_directory: Path) -> str:
    """Write a bucket's objects, which are moto's, below ``kept_directory``; returns a sentence, empty if it has none.

    What an earlier stop has kept of a bucket of that name stays: this one then goes to ``<bucket>.2`` and so on.
    """
    remaining = list(objects)
    if not remaining:
        return ""
    directory = _fresh_directory(kept_directory, bucket)
    listing = []
    size = 0
    for item in remaining:
        content = item.value
        path = _free_path(directory, relative_path(item.name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        size += len(content)
        file = str(path.relative_to(directory))
        listing.append({"key": item.name, "file": file, "size": len(content), "metadata": dict(item.metadata)})
    directory.with_name(f"{directory.name}.json").write_text(json.dumps(listing, indent=1) + "\n")
    noun = "object" if len(remaining) == 1 else "objects"
    return f"Bucket {bucket} still held {len(remaining)} {noun} ({size} bytes): kept in {directory}"


def _fresh_directory(parent: Path, bucket: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    names = itertools.chain([bucket], (f"{bucket}.{number}" for number in itertools.count(2)))
    directory = next(parent / name for name in names if not (parent / name).exists())
    directory.mkdir()
    return directory


def _free_path(directory: Path, relative: Path) -> Path:
    """Where a file can be written: in S3, 'a' and 'a/b' may both be objects, and two keys may be cut to one name."""
    path = directory
    for part in relative.parts[:-1]:
        path /= part
        if path.is_file():
            path = path.with_name(f"{path.name}%")
    path /= relative.parts[-1]
    while path.exists():
        path = path.with_name(f"{path.name}%")
    return path

"""The folders of days and hours below `quotes/` or `history/`, as S3 lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stock_market.history.naming import Hour, is_hour

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def days(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    """The days that have objects below a prefix, `YYYY-MM-DD`, the oldest first."""
    return [day for day in _values(s3, bucket, f"{prefix}dt=") if is_hour(f"{day} 00")]


def hours(s3: S3Client, bucket: str, prefix: str, day: str) -> list[Hour]:
    """The hours of a day that have objects below a prefix, the oldest first."""
    found = [Hour(day, hour) for hour in _values(s3, bucket, f"{prefix}dt={day}/hour=")]
    return [hour for hour in found if is_hour(hour.text)]


def hours_since(s3: S3Client, bucket: str, prefix: str, first: str) -> Iterator[Hour]:
    """The hours from `first` on, `YYYY-MM-DD HH` or empty, that have objects below a prefix, the oldest first."""
    for day in days(s3, bucket, prefix):
        if day >= first[:10]:
            yield from (hour for hour in hours(s3, bucket, prefix, day) if hour.text >= first)


def _values(s3: S3Client, bucket: str, start: str) -> list[str]:
    """The names of the folders that begin with `start`, without it."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start, Delimiter="/")
    found = (entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", []))
    return sorted(folder.removeprefix(start).rstrip("/") for folder in found)

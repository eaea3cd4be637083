"""The objects in the local cloud's S3, read straight from moto's backend in this process."""

from __future__ import annotations

import bisect
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from moto.s3.models import FakeKey, S3Backend, s3_backends

from local_cloud.s3 import keys as s3_keys
from local_cloud.settings import ACCOUNT_ID

GZIP_MAGIC = b"\x1f\x8b"


class NoSuchBucketError(LookupError):
    """The bucket does not exist."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as it stands now: its content never changes under the same `etag`."""

    bucket: str
    key: str
    etag: str
    size: int

    @property
    def url(self) -> str:
        """The address that Athena's hidden column `$path` gives."""
        return f"s3://{self.bucket}/{self.key}"


def split_s3_url(url: str) -> tuple[str, str]:
    """Bucket and key prefix of `s3://bucket/prefix`.

    Raises:
        ValueError: if `url` is no address in S3.
    """
    scheme, separator, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme not in {"s3", "s3a", "s3n"} or not separator or not bucket:
        raise ValueError(f"'{url}' is no S3 address: it should look like s3://bucket/prefix/")
    return bucket, prefix


def folder_of(url: str) -> tuple[str, str]:
    """Bucket and prefix of a folder: the prefix ends with a slash unless it is the bucket's root."""
    bucket, prefix = split_s3_url(url)
    return bucket, f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""


class ObjectStore:
    """The account's buckets.

    A listing is a snapshot: it stays as it was, however many objects are written in the meantime.
    """

    def __init__(self) -> None:
        self._backend: S3Backend = s3_backends[ACCOUNT_ID]["aws"]
        self._listings: dict[str, list[str]] = {}

    def _keys(self, bucket: str) -> list[str]:
        if bucket not in self._listings:
            if bucket not in self._backend.buckets:
                raise NoSuchBucketError(bucket)
            self._listings[bucket] = s3_keys.snapshot(self._backend.buckets[bucket].keys)
        return self._listings[bucket]

    def list(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]:
        """The objects whose keys begin with `prefix`, in the order of their keys.

        Raises:
            NoSuchBucketError: if there is no such bucket.
        """
        keys = self._keys(bucket)
        stored = self._backend.buckets[bucket].keys
        for index in range(bisect.bisect_left(keys, prefix), len(keys)):
            key = keys[index]
            if not key.startswith(prefix):
                return
            found = stored.get(key)
            if isinstance(found, FakeKey):
                yield StoredObject(bucket, key, found.etag.strip('"'), found.size)

    def read_url(self, url: str) -> bytes:
        """The bytes of the object that has an address now.

        Raises:
            FileNotFoundError: if there is none.
            NoSuchBucketError: if there is no such bucket.
        """
        bucket, key = split_s3_url(url)
        if bucket not in self._backend.buckets:
            raise NoSuchBucketError(bucket)
        found = self._backend.buckets[bucket].keys.get(key)
        if not isinstance(found, FakeKey):
            raise FileNotFoundError(url)
        return bytes(found.value)

    def read(self, stored: StoredObject) -> bytes:
        """The object's bytes as they are stored.

        Raises:
            FileNotFoundError: if it is gone, or another object stands under its key by now.
        """
        bucket = self._backend.buckets.get(stored.bucket)
        found = bucket.keys.get(stored.key) if bucket else None
        if not isinstance(found, FakeKey) or found.etag.strip('"') != stored.etag:
            raise FileNotFoundError(stored.url)
        return bytes(found.value)

    def write(self, bucket: str, key: str, body: bytes, *, content_type: str) -> None:
        """Stores an object.

        Raises:
            NoSuchBucketError: if there is no such bucket.
        """
        if bucket not in self._backend.buckets:
            raise NoSuchBucketError(bucket)
        written = self._backend.put_object(bucket, key, body)
        written.set_metadata({"Content-Type": content_type})


def head_of(content: bytes, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of plain or gzipped content, decompressed, and whether that is all of it.

    Raises:
        zlib.error: if the content looks like gzip and is damaged.
    """
    if not content.startswith(GZIP_MAGIC):
        return content[:limit], len(content) <= limit
    head = b""
    while content and len(head) < limit:
        member = zlib.decompressobj(wbits=31)
        head += member.decompress(content, limit - len(head))
        if not member.eof:
            return head, False
        content = member.unused_data
    return head, not content


def is_hidden(key: str) -> bool:
    """Whether crawlers and Athena pass an object over: names that begin with `_` or `.`, and folders' markers."""
    name = key.rpartition("/")[2]
    return not name or name.startswith(("_", "."))

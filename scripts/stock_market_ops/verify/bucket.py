"""Where the objects are, how they are listed, and how one is read with patience."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from stock_market.chain.s3_connection import status
from stock_market_ops.common import aws
from stock_market_ops.common.deployment import Deployment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_T = TypeVar("_T")
_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.2


class Entry(NamedTuple):
    """One line of a listing.

    Attributes:
        key: without the bucket.
        size: packed bytes.
        written: when, in seconds since 1970 by S3's clock.
    """

    key: str
    size: int
    written: float


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and the prefixes of the chain's objects.

    Attributes:
        bucket: its name.
        prefix: of the quotes' objects, with the slash at its end.
        quarantine_prefix: of the quarantine's objects, likewise.
        history_prefix: of the history's files, likewise.
        topic: looks at this topic's objects only; all when empty.
        endpoint_url: of S3; empty for AWS or for what the environment says. Without effect with a deployment.
        deployment: whose profile is used; the caller's own credentials when there is none.
    """

    bucket: str
    prefix: str = "quotes/"
    quarantine_prefix: str = "quarantine/"
    history_prefix: str = "history/"
    topic: str = ""
    endpoint_url: str = ""
    deployment: Deployment | None = None

    def client(self, connections: int = 10) -> S3Client:
        """A client of its own for each process; threads may share it."""
        config = aws.config(attempts=_ATTEMPTS).merge(Config(max_pool_connections=connections))
        if self.deployment is not None:
            return aws.session(self.deployment).client("s3", config=config)
        return boto3.client("s3", endpoint_url=self.endpoint_url or None, config=config)

    def writer(self) -> S3Client:
        """A client that may write quotes: by the deployment's replay profile where it has one."""
        if self.deployment is None or not self.deployment.replay_profile:
            return self.client()
        found = aws.session(self.deployment, self.deployment.replay_profile)
        return found.client("s3", config=aws.config(attempts=_ATTEMPTS))

    def quarantine_key(self, key: str) -> str:
        """Where the quarantined records of a main object's range are."""
        return self.quarantine_prefix + key.removeprefix(self.prefix)

    def main_key(self, quarantine_key: str) -> str:
        """The main object that a quarantine object belongs to."""
        return self.prefix + quarantine_key.removeprefix(self.quarantine_prefix)


@dataclass(frozen=True, slots=True)
class Listing:
    """What was under a prefix.

    Attributes:
        began: a moment by S3's clock, in seconds since 1970, at which it was not begun yet: what was written before is
            in it.
        entries: the objects.
    """

    began: float
    entries: list[Entry]


def take_listing(client: S3Client, bucket: str, prefix: str) -> Listing:
    """Lists a prefix, once; S3 shows each object whose writing ended before the listing began."""
    asked, began = time.monotonic(), 0.0
    entries: list[Entry] = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        if not began:
            # S3's own clock, for it is compared with S3's own times; the answer's date, which is in whole seconds, may
            # be as much later than the look at the bucket as the answer took.
            date = page["ResponseMetadata"]["HTTPHeaders"]["date"]
            began = parsedate_to_datetime(date).timestamp() - (time.monotonic() - asked)
        entries.extend(
            Entry(entry["Key"], entry["Size"], entry["LastModified"].timestamp())
            for entry in page.get("Contents", [])
            if not entry["Key"].endswith("/")
        )
    return Listing(began, entries)


class VanishedError(Exception):
    """An object of the listing is not there any more."""


def patiently(call: Callable[[], _T]) -> _T:
    """Repeats reading a whole object, for a connection can break in the middle of a body.

    Raises:
        VanishedError: there is no such object.
        botocore's errors: S3 goes on refusing.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return call()
        except ClientError as error:
            if status(error) == 404:
                raise VanishedError from error
            raise
        except (BotoCoreError, OSError):
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
    raise AssertionError("unreachable")


class Opened(NamedTuple):
    """An object that is being read.

    Attributes:
        metadata: what S3 keeps beside it.
        tags: how many tags it has; 0 also where the caller may not know.
        pieces: its body, piece by piece.
    """

    metadata: dict[str, str]
    tags: int
    pieces: Iterator[bytes]


def opened(client: S3Client, bucket: str, key: str, size: int) -> Opened:
    """Begins to read an object, in pieces of at most `size` bytes."""
    answer = client.get_object(Bucket=bucket, Key=key)
    return Opened(dict(answer["Metadata"]), answer.get("TagCount", 0), answer["Body"].iter_chunks(size))

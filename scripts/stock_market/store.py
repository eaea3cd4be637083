"""S3, as the chain needs it: write an object only where none is, read metadata, list; patient with S3's bad days."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from stock_market.logs import Log
from stock_market.service import Backoff, Stop

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_T = TypeVar("_T")
_log = Log("store")


class UnfinishedError(Exception):
    """The service has to end before S3 has answered; what was asked for may or may not have happened."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a bucket's listing."""

    key: str
    modified: datetime


def new_object(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What `put_object` needs beside the place and the body, so that it writes a new object or none.

    Args:
        metadata: what S3 keeps beside it; by its `sha256`, hexadecimal, S3 refuses a body that arrives as another.
    """
    return {
        "Metadata": dict(metadata),
        "ContentType": "application/gzip",
        "ChecksumSHA256": base64.b64encode(bytes.fromhex(metadata["sha256"])).decode(),
        "IfNoneMatch": "*",
    }


def make_client(region: str, connections: int) -> S3Client:
    """An S3 client with the default credential chain and endpoint variables, and limits on how long a call takes."""
    # botocore's own, for boto3 keeps two megabytes more.
    client = botocore.session.get_session().create_client(
        "s3",
        region_name=region,
        config=Config(
            connect_timeout=5,
            read_timeout=15,
            max_pool_connections=connections + 2,
            # Repeating is done here, with growing pauses and an eye on the end of the service.
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
    )
    return cast("S3Client", client)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class Store:
    """A bucket. Every call is repeated with growing pauses until S3 answers or the service's time is over.

    Args:
        client: the S3 client; used by several threads at once.
        bucket: the bucket's name.
        stop: ends the repeating.
        pauses: makes the pauses of one call.
    """

    def __init__(self, client: S3Client, bucket: str, stop: Stop, pauses: Callable[[], Backoff] | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self._stop = stop
        self._pauses = pauses or (lambda: Backoff(first=0.2))

    def _patiently(self, action: str, key: str, call: Callable[[], _T]) -> _T:
        pauses = self._pauses()
        while True:
            try:
                return call()
            except (BotoCoreError, HTTPClientError, ClientError) as error:
                if self._stop.expired:
                    raise UnfinishedError(f"{action} {key}: {error}") from error
                seconds = pauses.pause()
                _log.warning("s3_retry", action=action, key=key, attempt=pauses.attempts, pause=seconds, error=error)
            self._stop.pause(seconds)

    def put_new(self, key: str, body: bytes | bytearray, metadata: Mapping[str, str]) -> bool:
        """Writes an object where none is yet.

        An attempt whose answer got lost may have stored the object all the same; then the next one finds it there.

        Args:
            key: where to.
            body: what.
            metadata: see `new_object`.

        Returns:
            whether it was written; False when there is one already, which stays as it is.

        Raises:
            UnfinishedError: the service's time is over.
        """
        conditions = new_object(metadata)

        def call() -> bool:
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=body,  # type: ignore[arg-type]  # botocore takes a bytearray, its stubs do not
                    **conditions,
                )
            except ClientError as error:
                if _status(error) == 412:
                    return False
                raise
            return True

        return self._patiently("put", key, call)

    def metadata(self, key: str) -> dict[str, str] | None:
        """The metadata of an object; None when there is no such object.

        Raises:
            UnfinishedError: the service's time is over.
        """

        def call() -> dict[str, str] | None:
            try:
                return dict(self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"])
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise

        return self._patiently("head", key, call)

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every object whose key starts with `prefix`, in the order of the keys, page by page.

        Raises:
            UnfinishedError: the service's time is over.
        """
        after = ""
        while True:
            page = self._patiently(
                "list",
                prefix,
                lambda after=after: self._client.list_objects_v2(  # type: ignore[misc]
                    Bucket=self._bucket, Prefix=prefix, StartAfter=after
                ),
            )
            contents = page.get("Contents", [])
            for entry in contents:
                yield Listed(entry["Key"], entry["LastModified"])
            if not page.get("IsTruncated") or not contents:
                return
            after = contents[-1]["Key"]

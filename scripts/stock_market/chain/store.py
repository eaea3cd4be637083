"""S3, as the chain needs it: write an object only where none is, read metadata, list; patient with S3's bad days."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from stock_market.chain import s3_connection
from stock_market.chain.request_times import RequestTimes
from stock_market.chain.s3_connection import S3Connection
from stock_market.logs import Log
from stock_market.service import Backoff, Stop

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_T = TypeVar("_T")
_log = Log("store")
_CREDENTIALS_PAUSE = 3.0


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


def metadata_of(client: S3Client, bucket: str, key: str) -> dict[str, str] | None:
    """The metadata of an object; None when there is no such object.

    Raises:
        botocore's errors.
    """
    try:
        return dict(client.head_object(Bucket=bucket, Key=key)["Metadata"])
    except ClientError as error:
        if s3_connection.status(error) == 404:
            return None
        raise


class Trouble:
    """Why S3 cannot be used for now, as far as credentials or the clock are the reason; several threads tell it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = 0.0
        self.text = ""

    def is_there(self, error: Exception) -> None:
        """A call has failed for such a reason."""
        reason = s3_connection.explain(error)
        with self._lock:
            if not self.text:
                self._since = time.monotonic()
                _log.error("credentials_missing", error=reason, advice="the consumer waits, and goes on by itself")
            self.text = reason

    def is_over(self) -> None:
        """A call has been answered."""
        if self.text:
            with self._lock:
                if self.text:
                    _log.info("credentials_found", seconds=time.monotonic() - self._since)
                self.text = ""


class Store:
    """A bucket. Every call is repeated with growing pauses until S3 answers or the service's time is over.

    Attributes:
        trouble: why S3 cannot be used for now, where credentials or the clock are the reason.
        requests: how long each attempt of a call took.
    """

    def __init__(
        self, connection: S3Connection, bucket: str, stop: Stop, pauses: Callable[[], Backoff] | None = None
    ) -> None:
        self._connection = connection
        self._bucket = bucket
        self._stop = stop
        self._pauses = pauses or (lambda: Backoff(first=0.2))
        self.trouble = Trouble()
        self.requests = RequestTimes()

    def _patiently(self, action: str, key: str, call: Callable[[S3Client], _T]) -> _T:
        pauses = self._pauses()
        while True:
            client, began = None, time.monotonic()
            try:
                client = self._connection.client()
                answer = call(client)
            except (BotoCoreError, HTTPClientError, ClientError, RuntimeError) as error:
                self.requests.note(action, time.monotonic() - began, error)
                seconds = self._failed(action, key, error, client, pauses)
            else:
                self.requests.note(action, time.monotonic() - began, None)
                self.trouble.is_over()
                return answer
            self._stop.pause(seconds)

    def _failed(self, action: str, key: str, error: Exception, client: S3Client | None, pauses: Backoff) -> float:
        """Tells what went wrong; returns the seconds after which to try again."""
        curable = s3_connection.may_be_cured(error)
        if isinstance(error, RuntimeError) and not curable:
            raise error
        if self._stop.expired:
            raise UnfinishedError(f"{action} {key}: {error}") from error
        seconds = pauses.pause()
        if curable:
            self._connection.give_up(client)
            # Whoever gives credentials is near, and asking it again costs little.
            seconds = min(seconds, _CREDENTIALS_PAUSE)
        if s3_connection.is_credentials_trouble(error):
            self.trouble.is_there(error)
        _log.warning(
            "s3_retry",
            action=action,
            key=key,
            attempt=pauses.attempts,
            pause=seconds,
            error=s3_connection.explain(error),
        )
        return seconds

    def put_new(self, key: str, body: bytes | bytearray, metadata: Mapping[str, str]) -> bool:
        """Writes an object where none is yet.

        `metadata` is as in `new_object`. An attempt whose answer got lost may have stored the object all the same; then
        the next one finds it there.

        Returns:
            whether it was written; False when there is one already, which stays as it is.

        Raises:
            UnfinishedError: the service's time is over.
        """
        conditions = new_object(metadata)

        def call(client: S3Client) -> bool:
            try:
                client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=body,  # type: ignore[arg-type]  # botocore takes a bytearray, its stubs do not
                    **conditions,
                )
            except ClientError as error:
                if s3_connection.status(error) == 412:
                    return False
                raise
            return True

        return self._patiently("put", key, call)

    def metadata(self, key: str) -> dict[str, str] | None:
        """The metadata of an object; None when there is no such object.

        Raises:
            UnfinishedError: the service's time is over.
        """
        return self._patiently("head", key, lambda client: metadata_of(client, self._bucket, key))

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
                lambda client, after=after: client.list_objects_v2(  # type: ignore[misc]  # mypy infers no lambda with a default
                    Bucket=self._bucket, Prefix=prefix, StartAfter=after
                ),
            )
            contents = page.get("Contents", [])
            for entry in contents:
                yield Listed(entry["Key"], entry["LastModified"])
            if not page.get("IsTruncated") or not contents:
                return
            after = contents[-1]["Key"]

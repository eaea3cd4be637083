"""PutObject in one step, as S3 has it: what is there is looked at, and the object appears with its metadata.

moto looks for the object that a condition (If-None-Match, If-Match) speaks of, stores the new one, and then gives it
its metadata. Of two writers at once both would succeed, and a reader would find an object without its metadata.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from moto.s3.models import FakeKey
from moto.s3.responses import S3Response
from moto.s3.utils import _VersionedKeyStore, metadata_from_headers

from local_cloud.moto_patch import wrap

_conditional = threading.Lock()
_request = threading.local()


def _put_object(response: S3Response, of_moto: Callable[[], Any]) -> Any:
    """Waits for another conditional write, and has the object stored with its metadata."""
    _request.response = response
    try:
        if "If-None-Match" in response.headers or "If-Match" in response.headers:
            with _conditional:
                return of_moto()
        return of_moto()
    finally:
        _request.response = None


def _set(_: _VersionedKeyStore, of_moto: Callable[[str, list[Any]], None], key: str, versions: list[Any]) -> None:
    """Stores what PutObject has made, the last of the versions."""
    response = getattr(_request, "response", None)
    if response is not None and isinstance(versions[-1], FakeKey):
        for said in (response.headers, response.querystring):
            versions[-1].set_metadata(metadata_from_headers(said))
    of_moto(key, versions)


def install() -> None:
    """Has moto's PutObject take one step. Calling it again changes nothing."""
    if hasattr(S3Response.put_object, "__wrapped__"):
        return
    wrap(S3Response, "put_object")(_put_object)
    wrap(_VersionedKeyStore, "setlist")(_set)

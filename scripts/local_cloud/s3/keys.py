"""The keys of a bucket in order, so that a listing takes what its page holds and not what the bucket does.

moto 5.1 walks through all keys of a bucket for each page: at 65,000 objects a page takes 1.6 s. Here each bucket's keys
are kept sorted beside moto's own dictionary, and ListObjectsV2 starts where its page does. Upstream knows of no other
way to list (`S3Backend.list_objects_v2`, `_VersionedKeyStore`), so this stands in their place.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterator
from typing import Any

from moto.s3.models import FakeKey, S3Backend
from moto.s3.utils import _VersionedKeyStore

from local_cloud.moto_patch import replace, wrap

_lock = threading.RLock()


def _sorted(store: _VersionedKeyStore) -> list[str]:
    """The store's keys in order, to be used and changed under the lock."""
    kept: list[str] | None = store.__dict__.get("sorted_keys")
    if kept is None:
        kept = store.__dict__["sorted_keys"] = sorted(dict.keys(store))
    return kept


def snapshot(store: _VersionedKeyStore) -> list[str]:
    """All keys in order, as they are now."""
    with _lock:
        return list(_sorted(store)) if _is_installed() else sorted(dict.keys(store))


def _is_installed() -> bool:
    return hasattr(_VersionedKeyStore.__setitem__, "__wrapped__")


def _entries(store: _VersionedKeyStore, prefix: str, delimiter: str, after: str) -> Iterator[FakeKey | str]:
    """Keys and common prefixes below a prefix that come after a text, in order."""
    keys = _sorted(store)
    at = bisect.bisect_left(keys, prefix)
    if after >= prefix:
        at = bisect.bisect_right(keys, after)
    while at < len(keys) and keys[at].startswith(prefix):
        key = keys[at]
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end >= 0:
            folder = key[: end + len(delimiter)]
            if folder > after:
                yield folder
            # To the least text that comes after everything in the folder.
            at = bisect.bisect_left(keys, folder[:-1] + chr(ord(folder[-1]) + 1), at)
            continue
        found = store.get(key)
        if isinstance(found, FakeKey):  # and no delete marker
            yield found
        at += 1


def _list_objects_v2(
    self: S3Backend,
    *,
    bucket: Any,
    prefix: str | None,
    delimiter: str | None,
    continuation_token: str | None,
    start_after: str | None,
    max_keys: int,
) -> tuple[list[FakeKey | str], bool, str | None]:
    """moto's method: the entries of a page, whether there are more, and the token that goes on."""
    after = self._pagination_tokens.get(continuation_token) if continuation_token else start_after
    page: list[FakeKey | str] = []
    with _lock:
        for entry in _entries(bucket.keys, prefix or "", delimiter or "", after or ""):
            page.append(entry)
            if len(page) > max_keys:
                break
    result: tuple[list[FakeKey | str], bool, str | None] = self._truncate_result(page, max_keys)
    return result


def _set(store: _VersionedKeyStore, of_moto: Callable[..., Any], key: str, value: Any) -> None:
    """Sets a key, with the order kept."""
    with _lock:
        if not dict.__contains__(store, key):
            bisect.insort(_sorted(store), key)
        of_moto(key, value)


def _pop(store: _VersionedKeyStore, of_moto: Callable[..., Any], key: str) -> None:
    with _lock:
        of_moto(key)
        keys = _sorted(store)
        at = bisect.bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            del keys[at]


def install() -> None:
    """Keeps the keys of all buckets in order. Calling it again changes nothing."""
    if _is_installed():
        return
    wrap(_VersionedKeyStore, "__setitem__")(_set)
    wrap(_VersionedKeyStore, "setlist")(_set)
    wrap(_VersionedKeyStore, "pop")(_pop)
    replace(S3Backend, "list_objects_v2", _list_objects_v2)

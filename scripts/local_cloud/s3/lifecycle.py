"""Lifecycle rules carried out: objects expire, and uploads that nobody completes end.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html: the days are added to the moment at
which the object was written, and the result is rounded up to the next midnight UTC. A bucket's policy doesn't hold the
rules back (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html).

The rules go by a clock that a file can set ahead by whole days. So a test doesn't wait a week, and nobody who reaches
the API can set it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from moto.s3.models import FakeBucket, FakeKey, FakeMultipart, LifecycleRule, S3Backend

from local_cloud.moto_patch import wrap
from local_cloud.s3.keys import snapshot

LOG = logging.getLogger(__name__)
PERIOD_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_NOT_CARRIED_OUT = ("Transition", "NoncurrentVersionTransition", "NoncurrentVersionExpiration")
_SIZES = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")


def midnight_after(written: datetime, days: int) -> datetime:
    """When an object or an upload of this moment has lived for that number of days, by S3's way to count them."""
    return (written + timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _prefix_and_tags(rule: LifecycleRule) -> tuple[str, dict[str, str]]:
    """What a rule is limited to; an empty prefix and no tags are the whole bucket."""
    found = rule.filter
    if found is None:
        return rule.prefix or "", {}
    if found.and_filter is not None:
        return found.and_filter.prefix or "", dict(found.and_filter.tags)
    return found.prefix or "", {found.tag_key: found.tag_value or ""} if found.tag_key else {}


def _expires(rule: LifecycleRule, written: datetime, now: datetime) -> bool:
    if rule.expiration_days:
        return midnight_after(written, int(rule.expiration_days)) <= now
    return bool(rule.expiration_date) and _aware(datetime.fromisoformat(str(rule.expiration_date))) <= now


def _expired(backend: S3Backend, bucket: FakeBucket, rule: LifecycleRule, now: datetime) -> Iterator[str]:
    prefix, tags = _prefix_and_tags(rule)
    for key in snapshot(bucket.keys):
        if not key.startswith(prefix):
            continue
        found = bucket.keys.get(key)
        if not isinstance(found, FakeKey) or not _expires(rule, _aware(found.last_modified), now):
            continue
        if tags and not tags.items() <= backend.tagger.get_tag_dict_for_resource(found.arn).items():
            continue
        yield key


def _abandoned(bucket: FakeBucket, rule: LifecycleRule, now: datetime) -> Iterator[str]:
    prefix, tags = _prefix_and_tags(rule)
    for upload in list(bucket.multiparts.values()):
        if not tags and upload.key_name.startswith(prefix):
            begun = getattr(upload, "begun", now)
            if midnight_after(begun, int(rule.aimu_days or 0)) <= now:
                yield upload.id


def carry_out(backend: S3Backend, now: datetime) -> int:
    """Removes what the rules of all buckets expire at a moment; returns how many objects and uploads.

    Args:
        backend: the buckets of an account.
        now: the moment, with its time zone.
    """
    removed = 0
    for bucket in list(backend.buckets.values()):
        for rule in list(bucket.rules):
            if str(rule.status) != "Enabled":
                continue
            for key in list(_expired(backend, bucket, rule, now)):
                backend.delete_object(bucket.name, key)
                removed += 1
            for upload in list(_abandoned(bucket, rule, now)) if rule.aimu_days else []:
                backend.abort_multipart_upload(bucket.name, upload)
                removed += 1
    return removed


def _require_served(rule: dict[str, Any]) -> None:
    found = rule.get("Filter") or {}
    sizes = [name for name in _SIZES if name in found or name in (found.get("And") or {})]
    unserved = [name for name in _NOT_CARRIED_OUT if name in rule] + sizes
    if "ExpiredObjectDeleteMarker" in (rule.get("Expiration") or {}):
        unserved.append("ExpiredObjectDeleteMarker")
    if unserved:
        raise NotImplementedError(f"lifecycle rules with {unserved[0]}, which it would not carry out")


def install() -> None:
    """Refuse lifecycle rules that are not carried out, keep when uploads began, and end an object's tags with it."""

    @wrap(S3Backend, "put_bucket_lifecycle_configuration")
    def put_bucket_lifecycle_configuration(
        _self: S3Backend, of_moto: Callable[..., None], bucket_name: str, rules: Any
    ) -> None:
        for rule in rules if isinstance(rules, list) else [rules]:
            _require_served(rule)
        of_moto(bucket_name, rules)

    @wrap(S3Backend, "create_multipart_upload")
    def create_multipart_upload(
        _self: S3Backend, of_moto: Callable[..., FakeMultipart], *args: Any, **options: Any
    ) -> FakeMultipart:
        made = of_moto(*args, **options)
        made.begun = datetime.now(UTC)  # type: ignore[attr-defined]  # moto keeps no such moment
        return made

    @wrap(S3Backend, "delete_object")
    def delete_object(
        self: S3Backend, of_moto: Callable[..., Any], bucket_name: str, key_name: str, *args: Any, **options: Any
    ) -> Any:
        bucket = self.get_bucket(bucket_name)
        gone = None if bucket.is_versioned else bucket.keys.get(key_name)
        result = of_moto(bucket_name, key_name, *args, **options)
        if isinstance(gone, FakeKey):
            self.tagger.delete_all_tags_for_resource(gone.arn)
        return result


class Lifecycle:
    """Carries rules out once a minute, and at once when its clock is set; `close` ends it.

    Args:
        backend: the buckets.
        days_ahead: the file with the number of days by which the rules' clock is ahead; it need not be there.
    """

    def __init__(self, backend: S3Backend, days_ahead: Path) -> None:
        self._backend = backend
        self._file = days_ahead
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="lifecycle", daemon=True)
        self._thread.start()

    def _days_ahead(self) -> int:
        try:
            return int(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return 0

    def _serve(self) -> None:
        waited, before = PERIOD_SECONDS, 0
        while not self._over.wait(_LOOK_SECONDS):
            days, waited = self._days_ahead(), waited + _LOOK_SECONDS
            if days == before and waited < PERIOD_SECONDS:
                continue
            before, waited = days, 0.0
            try:
                removed = carry_out(self._backend, datetime.now(UTC) + timedelta(days=days))
            except Exception:
                LOG.exception("the lifecycle rules could not be carried out")
                continue
            if removed:
                LOG.info("lifecycle rules removed %s objects and uploads", removed)

    def close(self) -> None:
        """Ends the work."""
        self._over.set()
        self._thread.join()

"""S3's list of object versions, when what it lists is deleted page by page.

moto 5.1 goes on behind the version that a page ended with, and finds nothing more where that one is gone: whoever
deletes what each page lists, as Ansible's s3_bucket does, deletes 1,000 objects and no more. S3 goes on with what comes
after it.
"""

from __future__ import annotations

from typing import Any

from moto.s3.models import S3Backend

from local_cloud.moto_patch import wrap


def _still_there(bucket: Any, key: str, version_id: str) -> tuple[str | None, str | None]:
    """The marked version if it is there, else the last one of the keys before it; no marker where there is none."""
    if any(version.version_id == version_id for version in bucket.keys.getlist(key) or []):
        return key, version_id
    before = max((name for name in bucket.keys if name < key), default=None)
    if before is None:
        return None, None
    # moto lists a key's versions from the newest to the oldest.
    oldest = min(bucket.keys.getlist(before), key=lambda version: version.last_modified)
    return before, oldest.version_id


def install() -> None:
    """Have moto's S3 go on behind a version that is gone."""

    @wrap(S3Backend, "list_object_versions")
    def list_object_versions(
        self: Any,
        of_moto: Any,
        bucket_name: str,
        *,
        key_marker: str | None = None,
        version_id_marker: str | None = None,
        **options: Any,
    ) -> Any:
        if key_marker and version_id_marker:
            key_marker, version_id_marker = _still_there(self.get_bucket(bucket_name), key_marker, version_id_marker)
        return of_moto(bucket_name, key_marker=key_marker, version_id_marker=version_id_marker, **options)

"""One try to write an hour: UNLOAD into a new folder, a partition, the comparison with the source, the manifest.

Nobody reads what a try has written before the view says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stock_market.errors import ServiceError
from stock_market.history import checksum, manifest, statements
from stock_market.history.compactor.athena import Athena
from stock_market.history.compactor.catalog import Catalog
from stock_market.history.compactor.raw import Raw, RawHour
from stock_market.history.manifest import File, Manifest
from stock_market.history.naming import MANIFEST, Hour, TryFolder, new_try
from stock_market.history.view import FIRST_REVISION
from stock_market.logs import Log
from stock_market.settings import HistorySettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Step = Callable[[str, Hour], None]
"""Hears the name of the step that comes next; a test may end or hold the program there."""
_log = Log("history")
_DELETE_AT_ONCE = 1000


class DifferentError(ServiceError):
    """What was written is not what the hour's objects hold; they may have changed meanwhile."""


@dataclass(frozen=True)
class Plan:
    """What a try is to write.

    Attributes:
        hour: the hour.
        listed: the hour's raw objects as they were listed; they have to be the same when it is published.
        raw: the raw objects to read: all of the hour, or with `base` only those that it lacks.
        base: the manifest of the revision that is read besides them; None where all comes from raw objects.
        base_revision: its revision.
        first: whether it may become the hour's first revision.
    """

    hour: Hour
    listed: dict[str, str]
    raw: RawHour
    base: Manifest | None = None
    base_revision: str = ""
    first: bool = True

    @property
    def rows(self) -> int:
        """The records that it has to hold."""
        return self.raw.rows + (self.base.rows if self.base is not None else 0)


@dataclass(frozen=True)
class Prepared:
    """A try that is ready to be read, by the partition of its revision."""

    plan: Plan
    folder: TryFolder
    revision: str
    written: Manifest


class Attempts:
    """Makes tries, and takes failed ones away."""

    def __init__(
        self, s3: S3Client, raw: Raw, catalog: Catalog, athena: Athena, *, settings: HistorySettings, step: Step
    ) -> None:
        self._s3 = s3
        self._raw = raw
        self._catalog = catalog
        self._athena = athena
        self._bucket = settings.s3.bucket
        self._prefix = catalog.prefix
        self._step = step

    def prepare(self, plan: Plan) -> Prepared:
        """Makes a try of a plan; what a failed one leaves behind is removed as far as possible.

        Raises:
            DifferentError, QueryError: it failed; another may succeed.
            NullError: the hour's objects hold what is no record.
            StoppedError: the program has to end.
            botocore's errors.
        """
        folder, revision = TryFolder(plan.hour, new_try()), ""
        began = time.monotonic()
        try:
            self._catalog.add_raw_partition(plan.hour)
            source = self._source(plan)
            if plan.rows:
                self._step("unload", plan.hour)
                location = f"s3://{self._bucket}/{folder.prefix(self._prefix)}"
                self._athena.run(statements.unload(source, location), f"UNLOAD of {plan.hour.text}")
            # Listed before the comparison, which shows that none was removed by then. So the manifest of a try that
            # somebody removes while it is made names what is gone.
            files = self._files(folder.prefix(self._prefix))
            self._step("partition", plan.hour)
            revision = self._catalog.add_partition(folder, first=plan.first)
            self._step("check", plan.hour)
            content = self._compare(plan, source, revision)
            self._step("manifest", plan.hour)
            written = self._manifest(plan, folder, content, files)
        except ServiceError as error:
            if error.exit_code:
                self.discard(folder, revision)
            raise
        _log.info(
            "hour_prepared",
            hour=plan.hour.text,
            revision=revision,
            rows=written.rows,
            objects=len(plan.raw.listed),
            files=len(written.files),
            bytes=sum(one.size for one in written.files),
            seconds=time.monotonic() - began,
        )
        return Prepared(plan, folder, revision, written)

    def _source(self, plan: Plan) -> str:
        names = self._catalog.names
        if plan.base is None:
            return statements.raw(names, plan.hour)
        lacking = [self._raw.path(key) for key in sorted(plan.raw.listed)]
        return statements.union(
            [statements.revision(names, plan.hour, plan.base_revision), statements.raw(names, plan.hour, lacking)]
        )

    def _compare(self, plan: Plan, source: str, revision: str) -> statements.Content:
        written = statements.revision(self._catalog.names, plan.hour, revision)
        rows = self._athena.rows(statements.comparison(source, written), f"comparison of {plan.hour.text}")
        found, content = statements.contents(rows)
        if found.rows != plan.rows:
            raise DifferentError(
                f"Athena finds {found.rows} records of the hour {plan.hour.text}, but the metadata of its objects"
                f" promises {plan.rows}: `make verify` names the object"
            )
        if found != content:
            raise DifferentError(
                f"Athena has written {content.rows} records of the hour {plan.hour.text} with the checksum"
                f" {checksum.text_of(content.checksum)}, and its objects hold {found.rows} with"
                f" {checksum.text_of(found.checksum)}"
            )
        return content

    def _manifest(self, plan: Plan, folder: TryFolder, content: statements.Content, files: dict[str, int]) -> Manifest:
        ranges = manifest.ranges_of(plan.raw.mains)
        quarantined, replays = manifest.quarantined_of(plan.raw.mains), plan.raw.replays
        if plan.base is not None:
            ranges = manifest.merged(plan.base.ranges, ranges)
            quarantined = [*plan.base.quarantined_objects, *quarantined]
            replays = [*plan.base.replays, *replays]
        written = Manifest(
            dt=plan.hour.dt,
            hour=plan.hour.hour,
            attempt=folder.attempt,
            created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            rows=content.rows,
            checksum=checksum.text_of(content.checksum),
            producers=sorted(content.producers.values(), key=lambda one: one.producer_id),
            files=[File(key=key, size=size) for key, size in sorted(files.items())],
            ranges=ranges,
            quarantined_objects=sorted(
                quarantined, key=lambda one: (one.topic, one.topic_id, one.partition, one.start)
            ),
            replays=sorted(replays, key=lambda one: one.key),
        )
        key = folder.manifest_key(self._prefix)
        data = manifest.encode(written)
        manifest.decode(data, key)
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType="application/json")
        return written

    def _files(self, prefix: str) -> dict[str, int]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        found = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}
        return {key: size for key, size in found.items() if not key.endswith(MANIFEST)}

    def is_unchanged(self, plan: Plan) -> bool:
        """Whether the hour's raw objects are still those that were listed."""
        self._step("relist", plan.hour)
        return {key: one.etag for key, one in self._raw.listed(plan.hour).items()} == plan.listed

    def discard(self, folder: TryFolder, revision: str) -> None:
        """Removes a try of this program's that has no manifest, and so is published by nobody.

        A partition of the first revision stays: it points to an empty folder, is not read, and keeps others from
        taking a name that a stalled cleaner may be about to delete.
        """
        if revision and revision != FIRST_REVISION:
            self._catalog.delete_partition(folder.hour, revision)
        self.delete_folder(folder.prefix(self._prefix))

    def delete_folder(self, prefix: str) -> int:
        """Deletes the objects of a folder, whose name ends with a slash; returns how many."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, PaginationConfig={"PageSize": _DELETE_AT_ONCE}
        )
        count = 0
        for page in pages:
            keys = [entry["Key"] for entry in page.get("Contents", [])]
            if keys:
                answer = self._s3.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
                )
                for error in answer.get("Errors", []):
                    raise ServiceError(
                        f"S3 did not delete {error.get('Key')}: {error.get('Code')}: {error.get('Message')}"
                    )
                count += len(keys)
        return count

    def read_manifest(self, folder: TryFolder) -> Manifest | None:
        """A try's manifest; None where it has none.

        Raises:
            ManifestError: it is none.
        """
        key = folder.manifest_key(self._prefix)
        try:
            data = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        return manifest.decode(data, key)

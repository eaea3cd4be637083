"""Glue's crawlers for moto: StartCrawler crawls, in a thread of its own, and tells the truth about how it went."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.glue import models, responses
from moto.glue.exceptions import CrawlerNotRunningException, CrawlerRunningException, EntityNotFoundException

from local_cloud.glue import role as glue_role
from local_cloud.glue.crawl import (
    Crawl,
    CrawlCounts,
    CrawlError,
    CrawlStoppedError,
    SchemaCache,
    add_or_update_behaviors,
)
from local_cloud.glue.objects import split_s3_url
from local_cloud.glue.requests import invalid_input

STOPPING_SECONDS = 0.2
_DEFAULT_POLICY = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DEPRECATE_IN_DATABASE"}
_UNSUPPORTED_TARGETS = ("JdbcTargets", "MongoDBTargets", "DynamoDBTargets", "DeltaTargets")


class CrawlRecord(models.FakeCrawl):
    """One run of a crawler, as ListCrawls gives it. `status` is RUNNING, STOPPING, COMPLETED, STOPPED or FAILED."""

    status = "RUNNING"
    """moto's own moves on whenever it is asked."""

    def __init__(self, crawler_name: str) -> None:
        super().__init__(crawler_name)
        self.error = ""
        self.counts = CrawlCounts()
        self.stop_asked = threading.Event()

    @property
    def seconds(self) -> float:
        """How long it has run, or ran."""
        return ((self.end_time or utcnow()) - self.start_time).total_seconds()

    def checkpoint(self) -> None:
        """Raises `CrawlStoppedError` once StopCrawler was called."""
        if self.stop_asked.is_set():
            raise CrawlStoppedError

    def advance(self) -> None:
        """moto's listing asks each record to move on; this one does so by itself."""

    def as_dict(self) -> dict[str, Any]:
        """The record in the API's words."""
        summary = {
            "TABLE": {"ADD": self.counts.created, "UPDATE": self.counts.updated, "DELETE": self.counts.deleted},
            "PARTITION": {"ADD": self.counts.partitions_created, "DELETE": self.counts.partitions_deleted},
        }
        record = super().as_dict() | {"DPUHour": 0.0, "Summary": json.dumps(summary)}
        return record | ({"ErrorMessage": self.error} if self.error else {})


class Crawler(models.FakeCrawler):
    """A crawler that crawls. Takes the place of moto's in its backend."""

    def __init__(self, **definition: Any) -> None:
        _check(definition)
        super().__init__(**_with_defaults(definition))
        self.records: list[CrawlRecord] = []
        self.schemas: SchemaCache = {}
        self._lock = threading.Lock()

    def update(self, changes: dict[str, Any]) -> None:
        """Takes in the fields that are given, as UpdateCrawler does.

        Raises:
            CrawlerRunningException: while it runs.
            JsonRESTError: InvalidInputException if a field makes no sense.
        """
        with self._lock:
            if self.status != "READY":
                raise CrawlerRunningException(f"Crawler with name {self.name} is currently running")
            kept = {
                "targets": self.targets,
                "schema_change_policy": self.schema_change_policy,
                "recrawl_policy": self.recrawl_policy,
                "database_name": self.database_name,
            }
            _check(kept | {field: value for field, value in changes.items() if value is not None})
            for field, value in _with_defaults(changes, only_given=True).items():
                setattr(self, field, value)
            self.version += 1
            self.last_updated = utcnow()

    @property
    def status(self) -> str:
        if self.records and self.records[-1].status in {"RUNNING", "STOPPING"}:
            return self.records[-1].status
        return "READY" if not self.records or self.records[-1].end_time else "STOPPING"

    def as_dict(self) -> dict[str, Any]:
        # An empty text is left out, too: AWS keeps none of TablePrefix, Description and Configuration.
        description = {key: value for key, value in super().as_dict().items() if value is not None and value != ""}
        description["CrawlElapsedTime"] = 0
        if self.records and self.status != "READY":
            description["CrawlElapsedTime"] = int(self.records[-1].seconds * 1000)
        finished = [record for record in self.records if record.end_time]
        if finished:
            last = finished[-1]
            status = {"COMPLETED": "SUCCEEDED", "STOPPED": "CANCELLED"}.get(last.status, "FAILED")
            told = last.as_dict()
            names = ("LogGroup", "LogStream", "MessagePrefix", "StartTime", "ErrorMessage")
            description["LastCrawl"] = {"Status": status} | {name: told[name] for name in names if name in told}
        return description

    def metrics(self) -> dict[str, Any]:
        """What GetCrawlerMetrics tells of it: the tables of the last crawl, times in seconds."""
        finished = [record for record in self.records if record.end_time]
        counts = finished[-1].counts if finished else CrawlCounts()
        return {
            "CrawlerName": self.name,
            "TimeLeftSeconds": 0.0,
            "StillEstimating": self.status == "RUNNING",
            "LastRuntimeSeconds": finished[-1].seconds if finished else 0.0,
            "MedianRuntimeSeconds": statistics.median(r.seconds for r in finished) if finished else 0.0,
            "TablesCreated": counts.created,
            "TablesUpdated": counts.updated,
            "TablesDeleted": counts.deleted,
        }

    def start_crawler(self) -> None:
        with self._lock:
            if self.status != "READY":
                raise CrawlerRunningException(f"Crawler with name {self.name} has already started")
            record = CrawlRecord(self.name)
            self.records.append(record)
            self.crawls = self.records  # type: ignore[assignment]  # moto's own is replaced, or has no types
        threading.Thread(target=self._crawl, args=(record,), name=f"crawl-{self.name}", daemon=True).start()

    def stop_crawler(self) -> None:
        with self._lock:
            if self.status != "RUNNING":
                raise CrawlerNotRunningException(f"Crawler with name {self.name} isn't running")
            self.records[-1].stop_asked.set()
            self.records[-1].status = "STOPPING"

    def _crawl(self, record: CrawlRecord) -> None:
        outcome = "FAILED"
        try:
            crawl = Crawl(self, self.schemas, record.checkpoint)
            record.counts = crawl.counts
            crawl.run()
            outcome = "COMPLETED"
        except CrawlStoppedError:
            outcome = "STOPPED"
        except CrawlError as error:
            record.error = str(error)
        except Exception as error:  # the thread's last resort: what went wrong must be seen by who waits
            record.error = f"Internal Service Exception: {type(error).__name__}: {error}"
        record.status = "STOPPING"
        time.sleep(STOPPING_SECONDS)
        record.status = outcome
        record.end_time = utcnow()


def _check(definition: dict[str, Any]) -> None:
    targets = definition.get("targets")
    if targets is not None:
        _check_targets(targets, definition.get("schema_change_policy") or {})
        _check_recrawl(targets, definition.get("recrawl_policy") or {}, definition.get("schema_change_policy") or {})
    if definition.get("schedule"):
        raise invalid_input("Schedules of crawlers are not supported by the local cloud.")
    if definition.get("classifiers"):
        raise invalid_input("Custom classifiers are not supported by the local cloud.")
    try:
        behaviors = add_or_update_behaviors(definition.get("configuration"))
    except (ValueError, AttributeError, TypeError) as error:
        raise invalid_input("Crawler configuration is no JSON object.") from error
    if behaviors.get("Tables") == "MergeNewColumns":
        raise invalid_input("MergeNewColumns is not supported by the local cloud.")
    if definition.get("role") is not None:
        problem = glue_role.problem(definition["role"], definition.get("database_name") or "")
        if problem:
            raise invalid_input(problem)


def _check_targets(targets: dict[str, Any], policy: dict[str, Any]) -> None:
    for kind in _UNSUPPORTED_TARGETS:
        if targets.get(kind):
            raise invalid_input(f"{kind} are not supported by the local cloud.")
    folders, tables = targets.get("S3Targets") or [], targets.get("CatalogTargets") or []
    if not folders and not tables:
        raise invalid_input("Crawler targets must not be empty.")
    if tables and folders:
        raise invalid_input("Catalog targets cannot be combined with other targets.")
    behavior = (_DEFAULT_POLICY | policy)["DeleteBehavior"]
    if tables and behavior == "DEPRECATE_IN_DATABASE":
        # https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/glue_crawler
        raise invalid_input(
            "The DeleteBehavior of a crawler with catalog targets can't be DEPRECATE_IN_DATABASE, which is the default."
        )
    if tables and behavior != "LOG":
        # https://docs.aws.amazon.com/glue/latest/dg/crawler-configuration.html, "Deleted objects"
        raise invalid_input("Only the delete behavior LOG is allowed with catalog targets.")
    for target in folders:
        try:
            split_s3_url(target.get("Path", ""))
        except ValueError as error:
            raise invalid_input(str(error)) from error


def _check_recrawl(targets: dict[str, Any], recrawl: dict[str, Any], policy: dict[str, Any]) -> None:
    """Crawls of what is new only: for S3 targets, and without a change of what is known.

    https://docs.aws.amazon.com/glue/latest/dg/incremental-crawls.html, "Notes and restrictions"; the words are those of
    https://github.com/hashicorp/terraform-provider-aws/issues/22868 and
    https://github.com/LBHackney-IT/Data-Platform/pull/2418
    """
    behavior = recrawl.get("RecrawlBehavior") or "CRAWL_EVERYTHING"
    if behavior == "CRAWL_EVERYTHING":
        return
    if behavior == "CRAWL_NEW_FOLDERS_ONLY":
        if targets.get("CatalogTargets"):
            raise invalid_input('RecrawlBehavior "Crawl new folders only" can only apply to Amazon S3 target.')
        if set((_DEFAULT_POLICY | policy).values()) != {"LOG"}:
            raise invalid_input(
                'The SchemaChangePolicy for "Crawl new folders only" Amazon S3 target can have only LOG DeleteBehavior '
                "value and LOG UpdateBehavior value.",
            )
    raise invalid_input(f"RecrawlBehavior {behavior} is not supported by the local cloud.")


def _with_defaults(definition: dict[str, Any], *, only_given: bool = False) -> dict[str, Any]:
    """The definition as AWS keeps and returns it: role by its name, empty lists and default policies filled in."""
    filled = {key: value for key, value in definition.items() if value is not None or not only_given}
    if filled.get("role"):
        _, is_arn, path = filled["role"].partition(":role/")
        filled["role"] = path if is_arn else filled["role"]
    if filled.get("targets"):
        given = filled["targets"]
        s3 = [{**target, "Exclusions": target.get("Exclusions") or []} for target in given.get("S3Targets") or []]
        filled["targets"] = {
            "S3Targets": s3,
            "CatalogTargets": given.get("CatalogTargets") or [],
            **{kind: [] for kind in _UNSUPPORTED_TARGETS},
        }
    if not only_given or "schema_change_policy" in filled:
        filled["schema_change_policy"] = _DEFAULT_POLICY | (filled.get("schema_change_policy") or {})
    if not only_given:
        filled["recrawl_policy"] = filled.get("recrawl_policy") or {"RecrawlBehavior": "CRAWL_EVERYTHING"}
        filled["lineage_configuration"] = filled.get("lineage_configuration") or {"CrawlerLineageSettings": "DISABLE"}
        filled["classifiers"] = filled.get("classifiers") or []
    return filled


_UPDATABLE = (
    *("Role", "DatabaseName", "Description", "Targets", "Schedule", "Classifiers", "TablePrefix", "SchemaChangePolicy"),
    *("RecrawlPolicy", "LineageConfiguration", "Configuration", "CrawlerSecurityConfiguration"),
)


def _update_crawler(self: responses.GlueResponse) -> ActionResult:
    parameters = self.parameters
    crawler = self.glue_backend.get_crawler(parameters["Name"])
    crawler.update({camelcase_to_underscores(name): parameters.get(name) for name in _UPDATABLE})  # type: ignore[attr-defined]  # moto's own is replaced, or has no types
    return EmptyResult()


def _get_crawler_metrics(self: responses.GlueResponse) -> ActionResult:
    wanted = self.parameters.get("CrawlerNameList")
    crawlers = [c for c in self.glue_backend.get_crawlers() if not wanted or c.name in wanted]
    return ActionResult({"CrawlerMetricsList": [crawler.metrics() for crawler in crawlers]})  # type: ignore[attr-defined]  # moto's own is replaced, or has no types


def _delete_crawler(self: models.GlueBackend, name: str) -> None:
    crawler = self.get_crawler(name)
    if crawler.status != "READY":
        raise CrawlerRunningException(f"Crawler with name {name} is currently running")
    del self.crawlers[name]
    self.tagger.delete_all_tags_for_resource(crawler.arn)


def _delete_database(self: models.GlueBackend, database_name: str) -> None:
    self.get_database(database_name)
    del self.databases[database_name]
    arn = f"arn:aws:glue:{self.region_name}:{self.account_id}:database/{database_name}"
    self.tagger.delete_all_tags_for_resource(arn)


def _exists(backend: models.GlueBackend, kind: str, name: str) -> bool:
    known: dict[str, Any] = {"database": backend.databases, "crawler": backend.crawlers}
    return kind not in known or name in known[kind]


def _get_tags(self: models.GlueBackend, resource_id: str) -> dict[str, str]:
    kind, _, name = resource_id.rpartition(":")[2].partition("/")
    if not _exists(self, kind, name):
        raise EntityNotFoundException(f"{kind.capitalize()} {name} not found.")
    return self.tagger.get_tag_dict_for_resource(resource_id)


def _tagged_resources(self: models.GlueBackend) -> Iterator[TaggedResource]:
    """Only what still exists: moto keeps the tags of what was deleted."""
    for arn, tags in self.tagger.tags.items():
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if tags and _exists(self, kind, name):
            yield TaggedResource(
                arn=arn, tags={key: value or "" for key, value in tags.items()}, resource_type=f"glue:{kind}"
            )


def install() -> None:
    """Puts the real crawler into moto's Glue. Calling it again changes nothing."""
    models.FakeCrawler = Crawler  # type: ignore[assignment,misc]  # moto's own is replaced, or has no types
    models.GlueBackend.delete_crawler = _delete_crawler  # type: ignore[method-assign]  # moto's own is replaced, or has no types
    models.GlueBackend.delete_database = _delete_database  # type: ignore[method-assign]  # moto's own is replaced, or has no types
    models.GlueBackend.get_tags = _get_tags  # type: ignore[method-assign]  # moto's own is replaced, or has no types
    models.GlueBackend.iter_tagged_resources = _tagged_resources  # type: ignore[method-assign]  # moto's own is replaced, or has no types
    responses.GlueResponse.update_crawler = _update_crawler  # type: ignore[attr-defined]  # moto's own is replaced, or has no types
    responses.GlueResponse.get_crawler_metrics = _get_crawler_metrics  # type: ignore[attr-defined]  # moto's own is replaced, or has no types

"""One crawl: from the objects under a target to tables and partitions in the catalog."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from moto.glue.models import FakeCrawler, FakeTable

from local_cloud.glue import role as glue_role
from local_cloud.glue.crawled_tables import Folder, FoundTable, combine, statistics, storage
from local_cloud.glue.folders import PARTITION, is_excluded, table_roots
from local_cloud.glue.inference import Schema, infer
from local_cloud.glue.objects import ObjectStore, StoredObject, folder_of, is_hidden
from local_cloud.iam.callers import AccessDeniedError
from local_cloud.iam.policy import UnsupportedPolicyError

CREATED_BY = "UPDATED_BY_CRAWLER"
# What partitions take from their table with InheritFromTable: format, SerDe and schema.
_INHERITED = ("Columns", "InputFormat", "OutputFormat", "SerdeInfo")
SchemaCache = dict[tuple[str, str, str], Schema]


class CrawlError(Exception):
    """The crawl can't go on; the text is what LastCrawl tells."""


class CrawlStoppedError(Exception):
    """StopCrawler was called."""


@dataclass(slots=True)
class CrawlCounts:
    """What a crawl did to the catalog, as GetCrawlerMetrics counts it."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    partitions_created: int = 0
    partitions_deleted: int = 0


class Crawl:
    """Reads the targets and brings the catalog up to date.

    `schemas` remembers what an object's head said, by its ETag, so that a further crawl reads only what is new.
    `checkpoint` is called between objects and may raise `CrawlStoppedError`.
    """

    def __init__(self, crawler: FakeCrawler, schemas: SchemaCache, checkpoint: Callable[[], None]) -> None:
        backend = crawler.backend
        self._backend = backend
        self._name = crawler.name
        self._database = crawler.database_name
        self._targets = crawler.targets["S3Targets"] + crawler.targets["CatalogTargets"]
        self._table_prefix = crawler.table_prefix or ""
        self._policy = crawler.schema_change_policy
        self._inherits = add_or_update_behaviors(crawler.configuration).get("Partitions") == "InheritFromTable"
        self._role = crawler.role
        self._rights = glue_role.rights(crawler.role, backend.region_name, self._database)
        self._schemas = schemas
        self._checkpoint = checkpoint
        self._store = ObjectStore()
        self.counts = CrawlCounts()

    def run(self) -> CrawlCounts:
        """The whole crawl.

        Raises:
            CrawlError: if the database or a bucket is missing, or the role may not do what a crawl does.
            CrawlStoppedError: from `checkpoint`.
        """
        problem = glue_role.problem(self._role)
        if problem:
            raise CrawlError(problem)
        try:
            return self._crawl()
        except AccessDeniedError as error:
            raise CrawlError(f"Access Denied (Status Code: 403; Error Code: AccessDenied): {error}") from error
        except UnsupportedPolicyError as error:
            raise CrawlError(f"The local cloud can't judge a policy with {error}") from error

    def _crawl(self) -> CrawlCounts:
        self._rights.database("glue:GetDatabase")
        if self._database not in self._backend.databases:
            raise CrawlError(f"Database {self._database} not found.")
        found: dict[str, FoundTable] = {}
        for target in self._targets:
            if "Tables" in target:
                found.update(self._find_declared(target))
                continue
            for table in self._find_tables(target):
                name = f"{self._table_prefix}{table.name}"
                if name in found:  # two folders of one name: Glue tells them apart by a hash
                    name = f"{name}_{hashlib.md5(table.folder.location.encode()).hexdigest()}"
                found[name] = table
        for name, table in found.items():
            self._write_table(name, table)
        self._remove_missing(found)
        return self.counts

    def _find_tables(self, target: dict[str, Any]) -> Iterable[FoundTable]:
        bucket, prefix = folder_of(target["Path"])
        objects = self._data_objects(bucket, prefix, target.get("Exclusions") or [])
        for root, members in table_roots(prefix, objects).items():
            table = self._read_table(bucket, root, members)
            if table:
                yield table

    def _find_declared(self, target: dict[str, Any]) -> Iterable[tuple[str, FoundTable]]:
        """The tables of a catalog target, whose definitions say where their objects are; no other table is made."""
        for name in target["Tables"]:
            self._rights.table("glue:GetTable", name)
            declared = self._backend.get_database(target["DatabaseName"]).tables.get(name)
            if declared is None:
                raise CrawlError(f"Table {name} not found in database {target['DatabaseName']}.")
            bucket, prefix = folder_of(self._current(declared)["StorageDescriptor"]["Location"])
            objects = self._data_objects(bucket, prefix, [])
            table = self._read_table(bucket, prefix, objects) if objects else None
            if table:
                yield name, table

    def _data_objects(self, bucket: str, prefix: str, excluded: list[str]) -> list[StoredObject]:
        self._rights.list(bucket, prefix)
        return [
            stored
            for stored in self._list(bucket, prefix)
            if stored.size and not is_hidden(stored.key) and not is_excluded(stored.key[len(prefix) :], excluded)
        ]

    def _list(self, bucket: str, prefix: str) -> Iterable[StoredObject]:
        try:
            yield from self._store.list(bucket, prefix)
        except LookupError as error:
            raise CrawlError(
                f"The specified bucket does not exist: {bucket} (Service: Amazon S3; Status Code: 404; "
                "Error Code: NoSuchBucket)"
            ) from error

    def _read_table(self, bucket: str, root: str, objects: list[StoredObject]) -> FoundTable | None:
        folders: dict[str, Folder] = {}
        keys_of: dict[str, tuple[str, ...]] = {}
        for stored in objects:
            inside = stored.key[len(root) :].rpartition("/")[0]
            parts = [PARTITION.fullmatch(part) for part in inside.split("/")] if inside else []
            named = [part for part in parts if part]
            where = root + "".join(f"{part[0]}/" for part in named)
            keys_of[where] = tuple(part[1].lower() for part in named)
            values = tuple(urllib.parse.unquote(part[2]) for part in named)
            folders.setdefault(where, Folder(bucket, where, values)).objects.append(stored)
        # Folders partitioned by other keys than most are no part of the table.
        keys = Counter(keys_of.values()).most_common(1)[0][0]
        partitions = [folder for where, folder in folders.items() if keys_of[where] == keys]
        for folder in partitions:
            folder.schema = self._schema_of(folder.objects)
        kinds = Counter(folder.schema.classification for folder in partitions if folder.schema)
        if not kinds:
            return None
        # A folder whose objects have no lines, as where all records were quarantined, says nothing of the table.
        known = kinds - Counter({"UNKNOWN": kinds["UNKNOWN"]}) or kinds
        kind = known.most_common(1)[0][0]
        partitions = [folder for folder in partitions if folder.schema and folder.schema.classification == kind]
        schema = combine(folder.schema for folder in partitions if folder.schema)
        table_folder = Folder(bucket, root, (), [stored for folder in partitions for stored in folder.objects], schema)
        return FoundTable(table_folder, keys, partitions, schema)

    def _schema_of(self, objects: list[StoredObject]) -> Schema | None:
        schemas = []
        for stored in objects:
            self._checkpoint()
            self._rights.read(stored)
            key = (stored.bucket, stored.key, stored.etag)
            if key not in self._schemas:
                try:
                    self._schemas[key] = infer(self._store.read(stored))
                except FileNotFoundError:
                    continue  # replaced or deleted since the listing
            schemas.append(self._schemas[key])
        if not schemas:
            return None
        kinds = Counter(schema.classification for schema in schemas if schema.classification != "UNKNOWN")
        kind = kinds.most_common(1)[0][0] if kinds else "UNKNOWN"
        return combine(schema for schema in schemas if schema.classification == kind)

    def _write_table(self, name: str, found: FoundTable) -> None:
        wanted = self._table_input(name, found)
        database = self._backend.get_database(self._database)
        self._rights.table("glue:GetTable", name)
        table = database.tables.get(name)
        if table is None:
            self._rights.table("glue:CreateTable", name)
            table = self._backend.create_table(self._database, name, wanted)
            self.counts.created += 1
            changed = False
        else:
            changed = self._update_table(table, wanted)
        if found.keys:
            self._rights.table("glue:GetPartitions", name)
            changed |= self._write_partitions(table, found)
        self.counts.updated += changed

    def _update_table(self, table: FakeTable, wanted: dict[str, Any]) -> bool:
        if self._policy["UpdateBehavior"] == "LOG":
            return False
        current = table.versions[str(table._current_version)]
        kept = {
            key: value for key, value in (current.get("Parameters") or {}).items() if key != "DEPRECATED_BY_CRAWLER"
        }
        wanted["Parameters"] = {**kept, **wanted["Parameters"]}
        if current == wanted:
            return False
        self._rights.table("glue:UpdateTable", table.name)
        table.update(wanted)
        return True

    def _write_partitions(self, table: FakeTable, found: FoundTable) -> bool:
        """Adds the partitions that the catalog does not know and corrects those whose description has changed."""
        current = self._current(table)
        # Folders by other keys than the table's are no partitions of a table that somebody declared.
        if tuple(key["Name"] for key in current.get("PartitionKeys") or []) != found.keys:
            return False
        changed = False
        for folder in found.partitions:
            schema = folder.schema or found.schema
            wanted: dict[str, Any] = {
                "Values": list(folder.values),
                "StorageDescriptor": storage(folder, schema),
                "Parameters": statistics(folder, schema),
            }
            if self._inherits:
                wanted["StorageDescriptor"] |= {
                    key: current["StorageDescriptor"][key] for key in _INHERITED if key in current["StorageDescriptor"]
                }
            key = str(wanted["Values"])
            known = table.partitions.get(key)
            if known is None:
                self._rights.table("glue:BatchCreatePartition", table.name)
                table.create_partition(wanted)
                self.counts.partitions_created += 1
            elif known.partition_input != wanted:
                self._rights.table("glue:BatchUpdatePartition", table.name)
                table.update_partition(wanted["Values"], wanted)
            else:
                continue
            changed = True
        if self._policy["DeleteBehavior"] == "DELETE_FROM_DATABASE":
            present = {str(list(folder.values)) for folder in found.partitions}
            fresh = ObjectStore()
            for key, partition in list(table.partitions.items()):
                location = (partition.partition_input.get("StorageDescriptor") or {}).get("Location")
                # What was added while the crawl ran has objects by now, though the crawl's listing has none.
                if key not in present and not (location and _has_objects(fresh, location)):
                    self._rights.table("glue:BatchDeletePartition", table.name)
                    table.partitions.pop(key, None)
                    self.counts.partitions_deleted += 1
                    changed = True
        return changed

    def _remove_missing(self, found: dict[str, FoundTable]) -> None:
        """Deals with the tables of this crawler whose objects are gone."""
        if self._policy["DeleteBehavior"] == "LOG":
            return
        self._rights.table("glue:GetTables", "*")
        for name, table in list(self._backend.get_database(self._database).tables.items()):
            current = self._current(table)
            parameters = current.get("Parameters") or {}
            if name in found or parameters.get(CREATED_BY) != self._name:
                continue
            if self._policy["DeleteBehavior"] == "DELETE_FROM_DATABASE":
                self._rights.table("glue:DeleteTable", name)
                self._backend.delete_table(self._database, name)
                self.counts.deleted += 1
            elif "DEPRECATED_BY_CRAWLER" not in parameters:
                self._rights.table("glue:UpdateTable", name)
                table.update({**current, "Parameters": {**parameters, "DEPRECATED_BY_CRAWLER": self._name}})
                self.counts.updated += 1

    @staticmethod
    def _current(table: FakeTable) -> dict[str, Any]:
        return table.versions[str(table._current_version)]

    def _table_input(self, name: str, found: FoundTable) -> dict[str, Any]:
        parameters = {
            **statistics(found.folder, found.schema),
            CREATED_BY: self._name,
            "CrawlerSchemaDeserializerVersion": "1.0",
            "CrawlerSchemaSerializerVersion": "1.0",
        }
        if found.keys:
            parameters["partition_filtering.enabled"] = "true"
        return {
            "Name": name,
            "Owner": "owner",
            "Retention": 0,
            "StorageDescriptor": storage(found.folder, found.schema),
            "PartitionKeys": [{"Name": key, "Type": "string"} for key in found.keys],
            "TableType": "EXTERNAL_TABLE",
            "Parameters": parameters,
        }


def add_or_update_behaviors(configuration: str | None) -> dict[str, str | None]:
    """The AddOrUpdateBehavior of `Partitions` and of `Tables` in a crawler's configuration, where it says any.

    Raises:
        ValueError: if the configuration is no JSON object.
    """
    output = json.loads(configuration or "{}").get("CrawlerOutput", {})
    return {what: output.get(what, {}).get("AddOrUpdateBehavior") for what in ("Partitions", "Tables")}


def _has_objects(store: ObjectStore, location: str) -> bool:
    try:
        return any(stored.size and not is_hidden(stored.key) for stored in store.list(*folder_of(location)))
    except LookupError:
        return False

"""Glue's catalog: a view and its replacement, the partitions of the raw table and of the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from stock_market.chain.s3_connection import code
from stock_market.errors import EXIT_CONFLICT, ServiceError
from stock_market.history import tables, view
from stock_market.history.compactor.clients import MISSING
from stock_market.history.naming import Hour, TryFolder, hours_prefix, parse_location
from stock_market.history.view import FIRST_REVISION, History, Names
from stock_market.settings import HistorySettings

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

_EXISTS, _CHANGED = "AlreadyExistsException", "ConcurrentModificationException"


class AbsentError(ServiceError):
    """A table or the view is not in the catalog."""

    exit_code = EXIT_CONFLICT  # 3: nothing there


class OvertakenError(ServiceError):
    """Somebody else has replaced the view since it was read."""


class State(NamedTuple):
    """The view at one moment; it is only replaced as long as it has this version, Glue's VersionId."""

    version: str
    history: History


class Partition(NamedTuple):
    """What a partition of the history points to: a try's folder, None where it is none's; and what it was made from."""

    folder: TryFolder | None
    source: str


class Catalog:
    """The deployment's tables in Glue, by the names in the settings: of the quotes, or of the hours summed up.

    Args:
        client: Glue's.
        settings: of the program.
        hours: of the hours summed up.
    """

    def __init__(self, client: GlueClient, settings: HistorySettings, *, hours: bool = False) -> None:
        self._client: Any = client  # the TypedDicts of its stubs take no plain dict
        names, self._s3 = settings.catalog, settings.s3
        self.names = Names(names.database, names.table, names.history_table, names.view)
        self.prefix = self._s3.history_prefix
        if hours:
            self.names, self.prefix = self.names.hours, hours_prefix(self.prefix)

    def _table(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._client.get_table(DatabaseName=self.names.database, Name=name)["Table"]
        except ClientError as error:
            if code(error) != MISSING:
                raise
            raise AbsentError(
                f"{self.names.database}.{name} is not in the catalog yet: the catalog's role declares it"
                " (ansible-playbook playbooks/site.yml)"
            ) from error
        return found

    def declare(self) -> list[str]:
        """Creates the table of the history and the view where they are absent; returns the names of those created.

        A view that is there keeps what it reads.
        """
        inputs = (
            tables.history_table(self.names.history, self._s3.bucket, self.prefix, self.names.layer),
            view.table_input(self.names, History()),
        )
        created = []
        for one in inputs:
            try:
                self._client.create_table(DatabaseName=self.names.database, TableInput=one)
                created.append(one["Name"])
            except ClientError as error:
                if code(error) != _EXISTS:
                    raise
        return created

    def state(self) -> State:
        """The view as it is now.

        Raises:
            AbsentError: there is none.
            ViewError: it is not one of this program's.
        """
        table = self._table(self.names.view)
        return State(str(table["VersionId"]), view.read(table, self.names))

    def publish(self, state: State, history: History) -> None:
        """Replaces the view, in one step, if it still is as it was read.

        Raises:
            OvertakenError: somebody else has replaced it; an attempt of ours whose answer got lost may have done so.
        """
        try:
            self._client.update_table(
                DatabaseName=self.names.database,
                TableInput=view.table_input(self.names, history),
                VersionId=state.version,
                SkipArchive=True,
            )
        except ClientError as error:
            if code(error) != _CHANGED:
                raise
            raise OvertakenError("somebody else has replaced the view since it was read") from error

    def add_raw_partition(self, hour: Hour) -> None:
        """Makes sure that Athena sees the hour's raw objects."""
        table = self._table(self.names.raw)
        location = f"s3://{self._s3.bucket}/{hour.folder(self._s3.prefix)}"
        storage = {**table["StorageDescriptor"], "Location": location}
        self._create(self.names.raw, {"Values": list(hour), "StorageDescriptor": storage})

    def _create(self, table: str, partition: Mapping[str, Any]) -> bool:
        try:
            self._client.create_partition(DatabaseName=self.names.database, TableName=table, PartitionInput=partition)
        except ClientError as error:
            if code(error) != _EXISTS:
                raise
            return False
        return True

    def add_partition(self, folder: TryFolder, *, first: bool, source: str = "") -> str:
        """Gives a try's folder a revision; returns the revision.

        Args:
            folder: the try's.
            first: whether it may be the hour's first revision; where somebody's try has that, it is not.
            source: the try that it was made from, where it was not made from raw objects.
        """
        if first and (self._add(folder, FIRST_REVISION, source) or self._is_ours(folder)):
            return FIRST_REVISION
        # Nobody else uses this name; it is there only if an attempt's answer got lost.
        self._add(folder, folder.attempt, source)
        return folder.attempt

    def _add(self, folder: TryFolder, revision: str, source: str) -> bool:
        made = tables.history_partition(
            folder, revision, self._s3.bucket, self.prefix, layer=self.names.layer, source=source
        )
        return self._create(self.names.history, made)

    def _is_ours(self, folder: TryFolder) -> bool:
        """Whether an attempt of ours whose answer got lost has created the first revision."""
        return self.partitions(folder.hour.dt).get((folder.hour, FIRST_REVISION)) == folder

    def partitions(self, dt: str = "") -> dict[tuple[Hour, str], TryFolder | None]:
        """The history's partitions, of one day or all: the try that each points to, None where it points elsewhere."""
        return {key: one.folder for key, one in self.described_partitions(dt).items()}

    def described_partitions(self, dt: str = "") -> dict[tuple[Hour, str], Partition]:
        """The history's partitions, of one day or all."""
        found = {}
        pages = self._client.get_paginator("get_partitions").paginate(
            DatabaseName=self.names.database,
            TableName=self.names.history,
            ExcludeColumnSchema=True,
            **({"Expression": f"dt = '{dt}'"} if dt else {}),
        )
        for page in pages:
            for one in page["Partitions"]:
                day, hour, revision = one["Values"]
                folder = parse_location(one["StorageDescriptor"]["Location"], self.prefix)
                found[Hour(day, hour), revision] = Partition(folder, one.get("Parameters", {}).get(tables.SOURCE, ""))
        return found

    def delete_partition(self, hour: Hour, revision: str) -> None:
        """Deletes a revision's partition, if it is there."""
        try:
            self._client.delete_partition(
                DatabaseName=self.names.database, TableName=self.names.history, PartitionValues=[*hour, revision]
            )
        except ClientError as error:
            if code(error) != MISSING:
                raise

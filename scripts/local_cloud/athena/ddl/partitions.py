"""Partitions: ADD, DROP, RENAME, SHOW PARTITIONS and MSCK REPAIR TABLE."""

from __future__ import annotations

import copy
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from local_cloud.athena.catalog import Catalog
from local_cloud.athena.ddl.errors import (
    ICEBERG_UNSUPPORTED,
    DdlError,
    execution_error,
    partition_not_found,
    semantic_error,
)
from local_cloud.athena.ddl.statement import GlueTable, TableName, Values, nothing, result_of, statement
from local_cloud.athena.ddl.tables import normal_location
from local_cloud.athena.results import Result
from local_cloud.glue.expressions import COMPARISONS

_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
# What Hive writes as %XX in a partition's folder: FileUtils.charToEscape
_ESCAPED = frozenset("\"#%'*/:=?\\{[]^\x7f") | {chr(code) for code in range(1, 32)}


@dataclass(frozen=True, slots=True)
class Condition:
    """What a partition's key is compared with: `operator` is `=` everywhere but in DROP PARTITION."""

    key: str
    operator: str
    value: str


@statement("ALTER_TABLE_ADD_PARTITION")
def add_partitions(
    catalog: Catalog,
    database: str,
    named: TableName,
    partitions: tuple[tuple[Values, str | None], ...],
    if_not_exists: bool = False,
) -> Result:
    """ALTER TABLE t ADD [IF NOT EXISTS] PARTITION (...) [LOCATION '...'] ...: all of them, or none.

    Each of the partitions has its folder beside it, None where the statement says none.
    """
    table = partitioned(catalog, database, named)
    every = [(in_order(table, values), location) for values, location in partitions]
    for _, location in every:
        if location is not None:
            normal_location(location)
    known = table.stored.partitions
    if not if_not_exists and any(str(values) in known for values, _ in every):
        raise execution_error("AlreadyExistsException(message:Partition already exists.)")
    table.authorize("glue:BatchCreatePartition")
    for values, location in every:
        if str(values) not in known:
            create_partition(table, values, location or default_location(table, values))
    return nothing()


@statement("ALTER_TABLE_DROP_PARTITION")
def drop_partitions(
    catalog: Catalog,
    database: str,
    named: TableName,
    alternatives: tuple[tuple[Condition, ...], ...],
    if_exists: bool = False,
) -> Result:
    """ALTER TABLE t DROP [IF EXISTS] PARTITION (key <operator> value, ...), PARTITION (...); their objects stay."""
    table = partitioned(catalog, database, named)
    table.authorize("glue:GetPartitions")
    found: list[list[str]] = []
    for conditions in alternatives:
        fitting = [values for values in values_of(table) if _fits(table, conditions, values)]
        if not fitting and not if_exists:
            raise partition_not_found({condition.key: condition.value for condition in conditions})
        found += [values for values in fitting if values not in found]
    table.authorize("glue:BatchDeletePartition")
    for values in found:
        table.stored.delete_partition(values)  # type: ignore[arg-type]  # moto's own is replaced, or has no types
    return nothing()


@statement("ALTER_TABLE_RENAME_PARTITION")
def rename_partition(catalog: Catalog, database: str, named: TableName, old: Values, new: Values) -> Result:
    """ALTER TABLE t PARTITION (...) RENAME TO PARTITION (...); its folder stays where it is."""
    table = partitioned(catalog, database, named)
    before, after = in_order(table, old), in_order(table, new)
    partition = partition_input(table, before)
    if str(after) in table.stored.partitions:
        raise execution_error(f"Unable to rename partition. Partition already exists: {after}")
    table.authorize("glue:UpdatePartition")
    table.stored.update_partition(before, {**partition, "Values": after})  # type: ignore[arg-type]  # moto's own is replaced, or has no types
    return nothing()


@statement("SHOW_PARTITIONS", "UTILITY")
def show_partitions(catalog: Catalog, database: str, named: TableName) -> Result:
    """SHOW PARTITIONS t: as their folders' names."""
    table = GlueTable(catalog, database, named)
    if not table.keys:
        raise execution_error(f"Table {table.name} is not a partitioned table")
    table.authorize("glue:GetPartitions")
    return result_of(["partition"], [[line] for line in sorted(path_of(table, v) for v in values_of(table))])


@statement("MSCK_REPAIR")
def repair_table(catalog: Catalog, database: str, named: TableName) -> Result:
    """MSCK REPAIR TABLE t: adds the partitions whose folders are in S3, tells of those without folders, removes none.

    Folders count whose keys are spelt as the table's, in lower case:
    https://docs.aws.amazon.com/athena/latest/ug/msck-repair-table.html
    """
    table = GlueTable(catalog, database, named)
    if table.is_iceberg:
        raise DdlError(ICEBERG_UNSUPPORTED)
    if not table.keys:
        return nothing()
    folders = catalog.folders(table.location)
    if not folders:
        return result_of([], [[f"Tables missing on filesystem:\t{table.name}"]])
    table.authorize("glue:GetPartitions")
    known = values_of(table)
    present = _partitions_in(table, folders)
    missing = {path: values for path, values in present.items() if values not in known}
    gone = [path_of(table, values) for values in known if not _has_folder(table, values, folders)]
    lines = []
    if missing:
        table.authorize("glue:BatchCreatePartition")
        lines.append("\t".join(["Partitions not in metastore:", *(f"{table.name}:{path}" for path in missing)]))
    if gone:
        lines.append("\t".join(["Partitions missing from filesystem:", *(f"{table.name}:{path}" for path in gone)]))
    for path, values in missing.items():
        create_partition(table, values, f"{table.location.rstrip('/')}/{path}/")
        lines.append(f"Repair: Added partition to metastore {table.name}:{path}")
    return result_of([], [[line] for line in lines])


def partitioned(catalog: Catalog, database: str, name: TableName) -> GlueTable:
    """The table of a statement about partitions.

    Raises:
        QueryError: if it has none.
    """
    table = GlueTable(catalog, database, name)
    if table.is_iceberg:
        raise DdlError(ICEBERG_UNSUPPORTED)
    if not table.keys:
        raise semantic_error("table is not partitioned but partition spec exists")
    return table


def in_order(table: GlueTable, values: Values) -> list[str]:
    """A partition's values in the order of the table's keys.

    Raises:
        QueryError: if the statement names other keys, or not all of them.
    """
    names = table.key_names
    if sorted(values) != sorted(names):
        spec = ", ".join(f"{name}={value}" for name, value in values.items())
        raise semantic_error(f"partition spec {{{spec}}} doesn't contain all ({len(names)}) partition columns", 10125)
    return [values[name] for name in names]


def values_of(table: GlueTable) -> list[list[str]]:
    """The values of all partitions that the catalog knows."""
    return [list(partition.values) for partition in list(table.stored.partitions.values())]


def partition_input(table: GlueTable, values: list[str]) -> dict[str, Any]:
    """A copy of a partition's description.

    Raises:
        QueryError: if the catalog does not know it.
    """
    table.authorize("glue:GetPartition")
    found = table.stored.partitions.get(str(values))
    if found is None:
        raise partition_not_found(dict(zip(table.key_names, values, strict=True)))
    return copy.deepcopy(found.partition_input)


def create_partition(table: GlueTable, values: list[str], location: str) -> None:
    """Adds a partition that has the table's format and columns. The caller has been judged."""
    storage = {**copy.deepcopy(table.storage), "Location": location}
    table.stored.create_partition({"Values": values, "StorageDescriptor": storage, "Parameters": {}})


def path_of(table: GlueTable, values: Iterable[str]) -> str:
    """A partition's folder below the table's, as Hive names it: `dt=2026-11-23/hour=09`."""
    return "/".join(f"{name}={_escaped(value)}" for name, value in zip(table.key_names, values, strict=True))


def default_location(table: GlueTable, values: list[str]) -> str:
    """Where a partition's objects are unless the statement says otherwise."""
    return f"{table.location.rstrip('/')}/{path_of(table, values)}/"


def _escaped(value: str) -> str:
    return "".join(f"%{ord(letter):02X}" if letter in _ESCAPED else letter for letter in value)


def _partitions_in(table: GlueTable, folders: Iterable[str]) -> dict[str, list[str]]:
    """The folders that are partitions of the table, and the values that their names give its keys."""
    names = table.key_names
    found: dict[str, list[str]] = {}
    for folder in sorted(folders):
        parts = folder.split("/")[: len(names)]
        split = [part.partition("=") for part in parts]
        if [name for name, _, _ in split] == names and all(value for _, _, value in split):
            found["/".join(parts)] = [urllib.parse.unquote(value) for _, _, value in split]
    return found


def _has_folder(table: GlueTable, values: list[str], folders: Iterable[str]) -> bool:
    """Whether a partition has objects. Those of a folder outside the table's are not looked for."""
    storage = table.stored.partitions[str(values)].partition_input.get("StorageDescriptor") or {}
    location = str(storage.get("Location") or default_location(table, values))
    root = f"{table.location.rstrip('/')}/"
    if not location.startswith(root):
        return True
    inside = f"{location.removeprefix(root).rstrip('/')}/"
    return any(f"{folder}/".startswith(inside) for folder in folders)


def _fits(table: GlueTable, conditions: tuple[Condition, ...], values: list[str]) -> bool:
    named = dict(zip(table.key_names, values, strict=True))
    types = {key["Name"].lower(): key.get("Type") or "string" for key in table.keys}
    for condition in conditions:
        if condition.key not in named:
            raise semantic_error(f"Partition column not found: {condition.key}")
        left: Any = named[condition.key]
        right: Any = condition.value
        if types[condition.key].startswith(_NUMBERS):
            try:
                left, right = float(left), float(right)
            except ValueError as error:
                raise semantic_error(f"'{right}' is not a value of {condition.key}") from error
        if not COMPARISONS[condition.operator](left, right):
            return False
    return True

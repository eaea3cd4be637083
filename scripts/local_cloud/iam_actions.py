"""Which actions a request is, on which resources, for the services whose policies the local cloud judges.

For every other call only the administrator is known to be allowed. The resources are those of AWS's Service
Authorization Reference, https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Pairs = list[tuple[str, str]]
Parameters = Mapping[str, Any]

_DATABASE_CALLS = frozenset({"GetDatabase", "UpdateDatabase", "DeleteDatabase"})
_TABLE_CALLS = frozenset({"GetTable", "DeleteTable"})
_TABLE_INPUT_CALLS = frozenset({"CreateTable", "UpdateTable"})
_PARTITION_CALLS = frozenset(
    {
        *("GetTableVersions", "GetPartition", "GetPartitions", "BatchGetPartition"),
        *("CreatePartition", "BatchCreatePartition"),
        *("UpdatePartition", "BatchUpdatePartition", "DeletePartition", "BatchDeletePartition"),
        *("GetTableVersion", "DeleteTableVersion", "BatchDeleteTableVersion"),
        *("GetColumnStatisticsForTable", "UpdateColumnStatisticsForTable", "DeleteColumnStatisticsForTable"),
        *("GetColumnStatisticsForPartition", "UpdateColumnStatisticsForPartition"),
        "DeleteColumnStatisticsForPartition",
    }
)
_CRAWLER_CALLS = frozenset({"GetCrawler", "StartCrawler", "StopCrawler"})
_WORKGROUP_CALLS = frozenset(
    {
        *("StartQueryExecution", "ListQueryExecutions", "GetWorkGroup", "CreateNamedQuery", "ListNamedQueries"),
        *("CreatePreparedStatement", "GetPreparedStatement", "BatchGetPreparedStatement", "ListPreparedStatements"),
        *("UpdatePreparedStatement", "DeletePreparedStatement"),
    }
)
_NAMED_QUERY_CALLS = frozenset({"GetNamedQuery", "UpdateNamedQuery", "DeleteNamedQuery"})
_CATALOG_CALLS = {
    "GetDataCatalog": "Name",
    **dict.fromkeys(("GetDatabase", "ListDatabases", "GetTableMetadata", "ListTableMetadata"), "CatalogName"),
}
_EXECUTION_CALLS = frozenset(
    {
        "GetQueryExecution",
        "GetQueryResults",
        "GetQueryRuntimeStatistics",
        "StopQueryExecution",
        "BatchGetQueryExecution",
    }
)


def glue_table_arns(region: str, account_id: str, database: str, table: str) -> list[str]:
    """The ARNs on which a call about a table has to be allowed: the table's own and those above it.

    https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    """
    prefix = f"arn:aws:glue:{region}:{account_id}"
    return [f"{prefix}:catalog", f"{prefix}:database/{database}", f"{prefix}:table/{database}/{table}"]


def glue_database_arns(region: str, account_id: str, database: str) -> list[str]:
    """The ARNs on which a call about a database has to be allowed."""
    return glue_table_arns(region, account_id, database, "*")[:2]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call is made; `workgroup_of` is the workgroup of a query's or a named query's id, None for another."""

    region: str
    account_id: str
    workgroup_of: Callable[[str], str | None]


def actions_of(service: str, action: str, parameters: Parameters, place: Place) -> Pairs | None:
    """The actions and ARNs of a call, None if it is one that is not known here.

    Args:
        service: as the request is signed for it.
        action: the call's name.
        parameters: the call's parameters, read from its JSON.
        place: region and account.
    """
    match service:
        case "glue":
            arns = _glue_arns(action, parameters, place)
        case "athena":
            arns = _athena_arns(action, parameters, place)
        case _:
            return None
    return None if arns is None else [(f"{service}:{action}", arn) for arn in arns]


def _glue_arns(action: str, parameters: Parameters, place: Place) -> list[str] | None:
    region, account_id = place.region, place.account_id
    if action == "CreateDatabase":
        name = (parameters.get("DatabaseInput") or {}).get("Name")
        return glue_database_arns(region, account_id, str(name))
    if action in _DATABASE_CALLS:
        return glue_database_arns(region, account_id, str(parameters.get("Name", "")))
    database = str(parameters.get("DatabaseName", ""))
    if action == "GetTables":  # about all of a database's tables
        return glue_table_arns(region, account_id, database, "*")
    if action in _TABLE_CALLS:
        return glue_table_arns(region, account_id, database, str(parameters.get("Name")))
    if action in _TABLE_INPUT_CALLS:
        return glue_table_arns(region, account_id, database, str((parameters.get("TableInput") or {}).get("Name")))
    if action in _PARTITION_CALLS:
        return glue_table_arns(region, account_id, database, str(parameters.get("TableName")))
    if action in _CRAWLER_CALLS:
        return [f"arn:aws:glue:{region}:{account_id}:crawler/{parameters.get('Name')}"]
    return None


def _athena_arns(action: str, parameters: Parameters, place: Place) -> list[str] | None:
    if action in _CATALOG_CALLS:
        catalog = parameters.get(_CATALOG_CALLS[action])
        return [f"arn:aws:athena:{place.region}:{place.account_id}:datacatalog/{catalog}"]
    prefix = f"arn:aws:athena:{place.region}:{place.account_id}:workgroup"
    if action in _NAMED_QUERY_CALLS:
        return [f"{prefix}/{place.workgroup_of(str(parameters.get('NamedQueryId'))) or '*'}"]
    if action in _WORKGROUP_CALLS:
        return [f"{prefix}/{parameters.get('WorkGroup') or 'primary'}"]
    if action in _EXECUTION_CALLS:
        batch = action == "BatchGetQueryExecution"
        ids = parameters.get("QueryExecutionIds", [""]) if batch else [parameters.get("QueryExecutionId", "")]
        # A query that does not exist has no workgroup: nobody but who may do it everywhere learns that.
        return [f"{prefix}/{place.workgroup_of(str(query)) or '*'}" for query in ids]
    return None

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

_DATABASE_CALLS = frozenset({"GetDatabase", "UpdateDatabase"})
_TABLE_CALLS = frozenset({"GetTable", "DeleteTable"})
_TABLE_INPUT_CALLS = frozenset({"CreateTable", "UpdateTable"})
_PARTITION_CALLS = frozenset(
    {
        *("GetTableVersions", "GetPartition", "GetPartitions", "BatchGetPartition"),
        *("CreatePartition", "BatchCreatePartition"),
        *("UpdatePartition", "BatchUpdatePartition", "DeletePartition", "BatchDeletePartition"),
        *("GetTableVersion", "DeleteTableVersion", "BatchDeleteTableVersion"),
    }
)
# Statistics of columns are judged as calls about what has them: so says each call's page in the API's reference.
_STATISTICS_CALLS = {
    f"{verb}ColumnStatisticsFor{kind}": f"{verb}{kind}"
    for verb in ("Get", "Update", "Delete")
    for kind in ("Table", "Partition")
}
_FUNCTION_CALLS = frozenset(
    {
        *("GetUserDefinedFunction", "GetUserDefinedFunctions", "CreateUserDefinedFunction"),
        *("UpdateUserDefinedFunction", "DeleteUserDefinedFunction"),
    }
)
_CRAWLER_CALLS = frozenset({"GetCrawler", "StartCrawler", "StopCrawler"})
_WORKGROUP_CALLS = frozenset(
    {
        *("StartQueryExecution", "ListQueryExecutions", "GetWorkGroup", "CreateNamedQuery", "ListNamedQueries"),
        *("CreatePreparedStatement", "GetPreparedStatement", "BatchGetPreparedStatement"),
        *("ListPreparedStatements", "UpdatePreparedStatement", "DeletePreparedStatement"),
    }
)
# Calls that name queries by their ids, and the parameter in which they do.
_QUERY_CALLS = {
    "GetQueryExecution": "QueryExecutionId",
    "GetQueryResults": "QueryExecutionId",
    "GetQueryRuntimeStatistics": "QueryExecutionId",
    "StopQueryExecution": "QueryExecutionId",
    "BatchGetQueryExecution": "QueryExecutionIds",
    "GetNamedQuery": "NamedQueryId",
    "UpdateNamedQuery": "NamedQueryId",
    "DeleteNamedQuery": "NamedQueryId",
    "BatchGetNamedQuery": "NamedQueryIds",
}
# Calls about a data catalog, and the parameter that names it.
_CATALOG_CALLS = {
    "GetDataCatalog": "Name",
    "GetDatabase": "CatalogName",
    "ListDatabases": "CatalogName",
    "GetTableMetadata": "CatalogName",
    "ListTableMetadata": "CatalogName",
}
_GLUE_CATALOG = "AwsDataCatalog"
_ON_EVERYTHING = frozenset({"ListDataCatalogs", "ListWorkGroups", "ListEngineVersions"})


def glue_table_arns(region: str, account_id: str, database: str, table: str) -> list[str]:
    """The ARNs on which a call about a table has to be allowed: the table's own and those above it.

    https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    """
    prefix = f"arn:aws:glue:{region}:{account_id}"
    database, table = database.lower(), table.lower()  # as Glue keeps their names
    return [f"{prefix}:catalog", f"{prefix}:database/{database}", f"{prefix}:table/{database}/{table}"]


def glue_database_arns(region: str, account_id: str, database: str) -> list[str]:
    """The ARNs on which a call about a database has to be allowed."""
    return glue_table_arns(region, account_id, database, "*")[:2]


def glue_database_deletion_arns(region: str, account_id: str, database: str) -> list[str]:
    """The ARNs on which the deletion of a database has to be allowed: all that is in it with it.

    https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    """
    functions = f"arn:aws:glue:{region}:{account_id}:userDefinedFunction/{database.lower()}/*"
    return [*glue_table_arns(region, account_id, database, "*"), functions]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call is made.

    Attributes:
        region: the region.
        account_id: the account.
        workgroup_of: the workgroup of a query or a named query by its id, None if there is none of that id.
    """

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
    judged = _STATISTICS_CALLS.get(action, action)
    return None if arns is None else [(f"{service}:{judged}", arn) for arn in arns]


def _glue_arns(action: str, parameters: Parameters, place: Place) -> list[str] | None:
    region, account_id = place.region, place.account_id
    if action == "DeleteDatabase":
        return glue_database_deletion_arns(region, account_id, str(parameters.get("Name", "")))
    if action in _DATABASE_CALLS:
        return glue_database_arns(region, account_id, str(parameters.get("Name", "")))
    if action == "CreateDatabase":
        return glue_database_arns(region, account_id, str((parameters.get("DatabaseInput") or {}).get("Name")))
    if action == "GetDatabases":  # about all databases
        return glue_database_arns(region, account_id, "*")
    database = str(parameters.get("DatabaseName", ""))
    if action == "GetTables":  # about all of a database's tables
        return glue_table_arns(region, account_id, database, "*")
    if action in _TABLE_CALLS:
        return glue_table_arns(region, account_id, database, str(parameters.get("Name")))
    if action in _TABLE_INPUT_CALLS:
        return glue_table_arns(region, account_id, database, str((parameters.get("TableInput") or {}).get("Name")))
    if action in _FUNCTION_CALLS:
        return _function_arns(parameters, place)
    if action in _PARTITION_CALLS or action in _STATISTICS_CALLS:
        return glue_table_arns(region, account_id, database, str(parameters.get("TableName")))
    if action in _CRAWLER_CALLS:
        return [f"arn:aws:glue:{region}:{account_id}:crawler/{parameters.get('Name')}"]
    return None


def _function_arns(parameters: Parameters, place: Place) -> list[str]:
    """The function's own ARN and those above it; a list is about all functions of a database, or of all databases."""
    database = str(parameters.get("DatabaseName") or "*").lower()
    name = parameters.get("FunctionName") or (parameters.get("FunctionInput") or {}).get("FunctionName") or "*"
    arns = glue_database_arns(place.region, place.account_id, database)
    return [*arns, f"arn:aws:glue:{place.region}:{place.account_id}:userDefinedFunction/{database}/{name}"]


def _athena_arns(action: str, parameters: Parameters, place: Place) -> list[str] | None:
    prefix = f"arn:aws:athena:{place.region}:{place.account_id}"
    if action in _ON_EVERYTHING:
        return ["*"]
    if action in _WORKGROUP_CALLS:
        return [f"{prefix}:workgroup/{parameters.get('WorkGroup') or 'primary'}"]
    if action in _CATALOG_CALLS:
        name = str(parameters.get(_CATALOG_CALLS[action]))
        # Glue's catalog may be named in any case; its ARN has one.
        return [f"{prefix}:datacatalog/{_GLUE_CATALOG if name.lower() == _GLUE_CATALOG.lower() else name}"]
    if action in _QUERY_CALLS:
        given = parameters.get(_QUERY_CALLS[action]) or ""
        # A query that does not exist has no workgroup: nobody but who may do it everywhere learns that.
        return [
            f"{prefix}:workgroup/{place.workgroup_of(str(query)) or '*'}"
            for query in (given if isinstance(given, list) else [given])
        ]
    return None

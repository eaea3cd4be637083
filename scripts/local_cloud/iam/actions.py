"""Which actions a call of Glue or Athena is, and on which resources.

For every other call only the administrator is known to be allowed. The resources are those of AWS's Service
Authorization Reference, https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_cloud.iam.check import Check, listed_tags, passed_role, tag_conditions
from local_cloud.settings import ACCOUNT_ID

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
_CRAWLER_CALLS = frozenset({"GetCrawler", "StartCrawler", "StopCrawler", "UpdateCrawler", "DeleteCrawler"})
_GLUE_TAGS = frozenset({"GetTags", "TagResource", "UntagResource"})
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
_ATHENA_TAGS = frozenset({"ListTagsForResource", "TagResource", "UntagResource"})
# Calls that change a workgroup, and the parameter that names it.
_WORKGROUP_NAMES = {"CreateWorkGroup": "Name", "UpdateWorkGroup": "WorkGroup", "DeleteWorkGroup": "WorkGroup"}


def glue_table_arns(region: str, database: str, table: str) -> list[str]:
    """The ARNs on which a call about a table has to be allowed: the table's own and those above it.

    https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    """
    prefix = f"arn:aws:glue:{region}:{ACCOUNT_ID}"
    database, table = database.lower(), table.lower()  # as Glue keeps their names
    return [f"{prefix}:catalog", f"{prefix}:database/{database}", f"{prefix}:table/{database}/{table}"]


def glue_database_arns(region: str, database: str) -> list[str]:
    """The ARNs on which a call about a database has to be allowed."""
    return glue_table_arns(region, database, "*")[:2]


def glue_database_deletion_arns(region: str, database: str) -> list[str]:
    """The ARNs on which the deletion of a database has to be allowed: all that is in it with it.

    https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    """
    functions = f"arn:aws:glue:{region}:{ACCOUNT_ID}:userDefinedFunction/{database.lower()}/*"
    return [*glue_table_arns(region, database, "*"), functions]


def glue_checks(action: str, parameters: Parameters, region: str) -> list[Check] | None:
    """All that has to be allowed for a call of Glue; None if that is not known here.

    Args:
        action: the call's name.
        parameters: the call's parameters, read from its JSON.
        region: where it is made.
    """
    crawler = f"arn:aws:glue:{region}:{ACCOUNT_ID}:crawler/{parameters.get('Name')}"
    passed = [passed_role(str(parameters["Role"]), "glue.amazonaws.com")] if parameters.get("Role") else []
    if action == "GetCrawlers":
        return [Check("glue:GetCrawlers", "*")]
    if action == "CreateCrawler":  # the reference knows no resource for it
        asked = _tag_conditions(parameters.get("Tags"))
        tagging = [Check("glue:TagResource", crawler, asked)] if asked else []
        return [Check("glue:CreateCrawler", "*", asked), *tagging, *passed]
    if action in _CRAWLER_CALLS:
        return [Check(f"glue:{action}", crawler), *(passed if action == "UpdateCrawler" else ())]
    if action in _GLUE_TAGS:
        arn = str(parameters.get("ResourceArn"))
        return [Check(f"glue:{action}", arn, _tag_conditions(parameters.get("TagsToAdd")))]
    judged = _STATISTICS_CALLS.get(action, action)
    arns = _glue_arns(action, parameters, region)
    return None if arns is None else [Check(f"glue:{judged}", arn) for arn in arns]


def _tag_conditions(tags: Mapping[str, Any] | None) -> dict[str, tuple[str, ...]]:
    return tag_conditions({}, {key: str(value) for key, value in (tags or {}).items()})


def _glue_arns(action: str, parameters: Parameters, region: str) -> list[str] | None:
    if action == "DeleteDatabase":
        return glue_database_deletion_arns(region, str(parameters.get("Name", "")))
    if action in _DATABASE_CALLS:
        return glue_database_arns(region, str(parameters.get("Name", "")))
    if action == "CreateDatabase":
        return glue_database_arns(region, str((parameters.get("DatabaseInput") or {}).get("Name")))
    if action == "GetDatabases":  # about all databases
        return glue_database_arns(region, "*")
    database = str(parameters.get("DatabaseName", ""))
    if action == "GetTables":  # about all of a database's tables
        return glue_table_arns(region, database, "*")
    if action in _TABLE_CALLS:
        return glue_table_arns(region, database, str(parameters.get("Name")))
    if action in _TABLE_INPUT_CALLS:
        return glue_table_arns(region, database, str((parameters.get("TableInput") or {}).get("Name")))
    if action in _FUNCTION_CALLS:
        return _function_arns(parameters, region)
    if action in _PARTITION_CALLS or action in _STATISTICS_CALLS:
        return glue_table_arns(region, database, str(parameters.get("TableName")))
    return None


def _function_arns(parameters: Parameters, region: str) -> list[str]:
    """The function's own ARN and those above it; a list is about all functions of a database, or of all databases."""
    database = str(parameters.get("DatabaseName") or "*").lower()
    name = parameters.get("FunctionName") or (parameters.get("FunctionInput") or {}).get("FunctionName") or "*"
    arns = glue_database_arns(region, database)
    return [*arns, f"arn:aws:glue:{region}:{ACCOUNT_ID}:userDefinedFunction/{database}/{name}"]


def athena_checks(
    action: str, parameters: Parameters, region: str, workgroup_of: Callable[[str], str | None]
) -> list[Check] | None:
    """All that has to be allowed for a call of Athena, given as in `glue_checks`; None if that is not known here.

    `workgroup_of` finds the workgroup of a query or a named query by its id, None if there is none of that id.
    """
    asked = tag_conditions({}, listed_tags(parameters.get("Tags")))
    if action in _ATHENA_TAGS:
        return [Check(f"athena:{action}", str(parameters.get("ResourceARN")), asked)]
    prefix = f"arn:aws:athena:{region}:{ACCOUNT_ID}"
    if action in _WORKGROUP_NAMES:
        arn = f"{prefix}:workgroup/{parameters.get(_WORKGROUP_NAMES[action])}"
        tagging = [Check("athena:TagResource", arn, asked)] if asked else []
        return [Check(f"athena:{action}", arn, asked), *tagging]
    if action in _ON_EVERYTHING:
        arns = ["*"]
    elif action in _WORKGROUP_CALLS:
        arns = [f"{prefix}:workgroup/{parameters.get('WorkGroup') or 'primary'}"]
    elif action in _CATALOG_CALLS:
        name = str(parameters.get(_CATALOG_CALLS[action]))
        # Glue's catalog may be named in any case; its ARN has one.
        arns = [f"{prefix}:datacatalog/{_GLUE_CATALOG if name.lower() == _GLUE_CATALOG.lower() else name}"]
    elif action in _QUERY_CALLS:
        given = parameters.get(_QUERY_CALLS[action]) or ""
        queries = given if isinstance(given, list) else [given]
        # A query that does not exist has no workgroup: nobody but who may do it everywhere learns that.
        arns = [f"{prefix}:workgroup/{workgroup_of(str(query)) or '*'}" for query in queries]
    else:
        return None
    return [Check(f"athena:{action}", arn) for arn in arns]

"""Calls about catalog, saved queries and prepared statements: each is allowed by its own actions and resources only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.support.local_cloud.catalog_tables import QUOTES
from tests.support.local_cloud.enforcing import ACCOUNT, REGION, Enforcing, Session, allow, enforcing_cloud

GLUE = f"arn:aws:glue:{REGION}:{ACCOUNT}"
ATHENA = f"arn:aws:athena:{REGION}:{ACCOUNT}"
DATABASE = [f"{GLUE}:catalog", f"{GLUE}:database/market"]
TABLE = [*DATABASE, f"{GLUE}:table/market/quotes"]
CATALOG = f"{ATHENA}:datacatalog/AwsDataCatalog"
WORKGROUP = f"{ATHENA}:workgroup/market"
USER = "someone"
STATISTICS: Any = [
    {
        "ColumnName": "close",
        "ColumnType": "double",
        "AnalyzedTime": datetime(2026, 11, 23, tzinfo=UTC),
        "StatisticsData": {
            "Type": "DOUBLE",
            "DoubleColumnStatisticsData": {"NumberOfNulls": 0, "NumberOfDistinctValues": 1},
        },
    }
]


@dataclass(frozen=True)
class Call:
    """A call, and the least that lets a caller make it: actions with their resources."""

    service: str
    operation: str
    arguments: dict[str, Any]
    needed: dict[str, str | list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.operation

    def make(self, session: Session) -> Any:
        """Makes the call."""
        return getattr(session.client(self.service), self.operation)(**self.arguments)

    def statements(self) -> list[dict[str, Any]]:
        """The statements that allow this call and no other."""
        return [allow(action, resources) for action, resources in self.needed.items()]


def _catalog(operation: str, action: str, glue: str = "", resources: Any = (), **arguments: Any) -> Call:
    needed: dict[str, Any] = {f"athena:{action}": CATALOG} | ({f"glue:{glue}": resources} if glue else {})
    return Call("athena", operation, arguments or {"CatalogName": "AwsDataCatalog"}, needed)


def _market(**arguments: Any) -> dict[str, Any]:
    return {"CatalogName": "awsdatacatalog", "DatabaseName": "`market`", **arguments}


def _in_workgroup(operation: str, action: str, **arguments: Any) -> Call:
    return Call("athena", operation, arguments, {f"athena:{action}": WORKGROUP})


def _in_glue(operation: str, action: str, resources: list[str], **arguments: Any) -> Call:
    return Call("glue", operation, {"DatabaseName": "market", **arguments}, {f"glue:{action}": resources})


def calls(query: str) -> list[Call]:
    """The calls, those that change nothing before those that do. `query` is a named query of the workgroup."""
    named: Any = {"StatementName": "by_symbol", "WorkGroup": "market"}
    saved: Any = {"Name": "newest", "Database": "market", "QueryString": "SELECT 1", "WorkGroup": "market"}
    of_table: Any = {"TableName": "quotes"}
    of_partition: Any = {"TableName": "quotes", "PartitionValues": ["2026-11-23", "9"]}
    function: Any = {"FunctionName": "widen"}
    functions = [*DATABASE, f"{GLUE}:userDefinedFunction/market/widen"]
    every_function = [*DATABASE, f"{GLUE}:userDefinedFunction/market/*"]
    return [
        Call("athena", "list_data_catalogs", {}, {"athena:ListDataCatalogs": "*"}),
        _catalog("get_data_catalog", "GetDataCatalog", Name="AwsDataCatalog"),
        _catalog("list_databases", "ListDatabases", "GetDatabases", [f"{GLUE}:catalog", f"{GLUE}:database/*"]),
        _catalog("get_database", "GetDatabase", "GetDatabase", DATABASE, **_market()),
        _catalog(
            "list_table_metadata", "ListTableMetadata", "GetTables", [*DATABASE, f"{GLUE}:table/market/*"], **_market()
        ),
        _catalog("get_table_metadata", "GetTableMetadata", "GetTable", TABLE, **_market(TableName="quotes")),
        _in_workgroup("list_named_queries", "ListNamedQueries", WorkGroup="market"),
        _in_workgroup("get_named_query", "GetNamedQuery", NamedQueryId=query),
        _in_workgroup("batch_get_named_query", "BatchGetNamedQuery", NamedQueryIds=[query]),
        _in_workgroup("list_prepared_statements", "ListPreparedStatements", WorkGroup="market"),
        _in_workgroup("get_prepared_statement", "GetPreparedStatement", **named),
        _in_workgroup(
            "batch_get_prepared_statement",
            "BatchGetPreparedStatement",
            PreparedStatementNames=["by_symbol"],
            WorkGroup="market",
        ),
        _in_glue("get_column_statistics_for_partition", "GetPartition", TABLE, ColumnNames=["close"], **of_partition),
        _in_glue("get_user_defined_function", "GetUserDefinedFunction", functions, **function),
        _in_glue("get_user_defined_functions", "GetUserDefinedFunctions", every_function, Pattern=".*"),
        _in_workgroup("create_named_query", "CreateNamedQuery", **saved),
        _in_workgroup("update_named_query", "UpdateNamedQuery", NamedQueryId=query, Name="n", QueryString="SELECT 2"),
        _in_workgroup(
            "create_prepared_statement",
            "CreatePreparedStatement",
            **named | {"StatementName": "other"},
            QueryStatement="SELECT ?",
        ),
        _in_workgroup("update_prepared_statement", "UpdatePreparedStatement", **named, QueryStatement="SELECT ?"),
        _in_glue(
            "update_column_statistics_for_table", "UpdateTable", TABLE, ColumnStatisticsList=STATISTICS, **of_table
        ),
        _in_glue(
            "update_column_statistics_for_partition",
            "UpdatePartition",
            TABLE,
            ColumnStatisticsList=STATISTICS,
            **of_partition,
        ),
        _in_glue("delete_column_statistics_for_table", "DeleteTable", TABLE, ColumnName="close", **of_table),
        _in_glue(
            "delete_column_statistics_for_partition", "DeletePartition", TABLE, ColumnName="close", **of_partition
        ),
        _in_glue(
            "update_user_defined_function",
            "UpdateUserDefinedFunction",
            functions,
            FunctionInput={"ClassName": "a"},
            **function,
        ),
        _in_glue("delete_user_defined_function", "DeleteUserDefinedFunction", functions, **function),
        _in_glue(
            "create_user_defined_function",
            "CreateUserDefinedFunction",
            functions,
            FunctionInput={**function, "ClassName": "a"},
        ),
        _in_workgroup("delete_prepared_statement", "DeletePreparedStatement", **named),
        _in_workgroup("delete_named_query", "DeleteNamedQuery", NamedQueryId=query),
    ]


@dataclass(frozen=True)
class Place:
    """The cloud, a user of it, and the calls that are tried."""

    cloud: Enforcing
    user: Session
    calls: list[Call]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with enforcing_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        operator = cloud.operator
        operator.glue.create_database(DatabaseInput={"Name": "market"})
        operator.glue.create_table(DatabaseName="market", TableInput=QUOTES)
        operator.glue.create_partition(
            DatabaseName="market", TableName="quotes", PartitionInput={"Values": ["2026-11-23", "9"]}
        )
        operator.glue.create_user_defined_function(DatabaseName="market", FunctionInput={"FunctionName": "widen"})
        for workgroup in ("market", "other"):
            operator.athena.create_work_group(Name=workgroup)
        operator.athena.create_prepared_statement(
            StatementName="by_symbol", WorkGroup="market", QueryStatement="SELECT ?"
        )
        query = operator.athena.create_named_query(
            Name="newest", Database="market", QueryString="SELECT 1", WorkGroup="market"
        )["NamedQueryId"]
        yield Place(cloud, cloud.user(USER), calls(query))


def refusal(make: Callable[[], Any]) -> str:
    """The text with which a call is denied."""
    with pytest.raises(ClientError) as caught:
        make()
    error = caught.value.response["Error"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert error["Code"] == "AccessDeniedException" or "Error Code: AccessDeniedException" in error["Message"]
    return error["Message"]


def test_a_policy_that_allows_one_call_allows_no_other(place: Place) -> None:
    for call in place.calls:
        place.cloud.let(USER, *call.statements())
        for other in place.calls:
            if other is not call:
                assert "is not authorized to perform" in refusal(lambda tried=other: tried.make(place.user))  # type: ignore[misc]  # mypy infers no lambda with a default
        call.make(place.user)


def test_a_call_needs_each_of_its_actions_and_resources(place: Place) -> None:
    for call in place.calls:
        for action, resources in call.needed.items():
            listed = [resources] if isinstance(resources, str) else resources
            for missing in listed:
                fewer = {**call.needed, action: [resource for resource in listed if resource != missing]}
                statements = [allow(one, allowed) for one, allowed in fewer.items() if allowed]
                place.cloud.let(USER, *statements, allow("sts:GetCallerIdentity"))
                message = refusal(lambda tried=call: tried.make(place.user))  # type: ignore[misc]  # mypy infers no lambda with a default
                assert f"is not authorized to perform: {action}" in message


def test_rights_in_one_workgroup_are_none_in_another(place: Place) -> None:
    place.cloud.let(USER, allow("athena:*", WORKGROUP))
    operator = place.cloud.operator.athena
    query = operator.create_named_query(Name="n", Database="d", QueryString="SELECT 1", WorkGroup="other")
    athena: Any = place.user.athena
    for make in (
        lambda: athena.get_named_query(NamedQueryId=query["NamedQueryId"]),
        lambda: athena.get_named_query(NamedQueryId="absent"),
        athena.list_named_queries,
        lambda: athena.list_prepared_statements(WorkGroup="other"),
    ):
        refusal(make)
    assert athena.list_named_queries(WorkGroup="market")["NamedQueryIds"]


def test_athena_reads_the_catalog_in_its_callers_name(place: Place) -> None:
    place.cloud.let(
        USER,
        allow("athena:*"),
        allow("glue:*", Condition={"ForAnyValue:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}}),
    )
    found = place.user.athena.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName="market", TableName="quotes"
    )
    assert found["TableMetadata"]["Name"] == "quotes"
    refusal(lambda: place.user.glue.get_table(DatabaseName="market", Name="quotes"))


def test_another_data_catalog_is_not_created(place: Place) -> None:
    with pytest.raises(ClientError, match="The local cloud does not serve athena:CreateDataCatalog"):
        place.cloud.operator.athena.create_data_catalog(Name="hive", Type="HIVE")
    with pytest.raises(ClientError, match="DataCatalog hive was not found"):
        place.cloud.operator.athena.get_data_catalog(Name="hive")


def test_a_denial_holds_for_a_name_in_any_case(place: Place) -> None:
    denial = {"Effect": "Deny", "Action": "glue:GetTable", "Resource": f"{GLUE}:table/market/quotes"}
    place.cloud.let(USER, allow("glue:*"), denial)
    for name in ("quotes", "QUOTES"):
        refusal(lambda asked=name: place.user.glue.get_table(DatabaseName="Market", Name=asked))  # type: ignore[misc]  # mypy infers no lambda with a default
    assert place.user.glue.get_tables(DatabaseName="Market")["TableList"]

"""Which resources a call of Glue or Athena is about: that is what the policies of users are judged by."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.iam.actions import athena_checks, glue_checks
from local_cloud.iam.check import Check

GLUE, ATHENA = "arn:aws:glue:us-east-1:123456789012", "arn:aws:athena:us-east-1:123456789012"
TABLE = [f"{GLUE}:catalog", f"{GLUE}:database/market", f"{GLUE}:table/market/quotes"]


@pytest.mark.parametrize(
    ("call", "parameters", "resources"),
    [
        ("glue:CreateDatabase", {"DatabaseInput": {"Name": "market"}}, TABLE[:2]),
        (
            "glue:DeleteDatabase",
            {"Name": "market"},
            [*TABLE[:2], f"{GLUE}:table/market/*", f"{GLUE}:userDefinedFunction/market/*"],
        ),
        ("glue:GetTableVersion", {"DatabaseName": "market", "TableName": "quotes"}, TABLE),
        ("athena:CreateNamedQuery", {"WorkGroup": "market"}, [f"{ATHENA}:workgroup/market"]),
        ("athena:CreateNamedQuery", {}, [f"{ATHENA}:workgroup/primary"]),
        ("athena:DeleteNamedQuery", {"NamedQueryId": "named"}, [f"{ATHENA}:workgroup/market"]),
        ("athena:DeleteNamedQuery", {"NamedQueryId": "nosuch"}, [f"{ATHENA}:workgroup/*"]),
        ("athena:DeletePreparedStatement", {"WorkGroup": "market"}, [f"{ATHENA}:workgroup/market"]),
        ("athena:ListTableMetadata", {"CatalogName": "AwsDataCatalog"}, [f"{ATHENA}:datacatalog/AwsDataCatalog"]),
        ("athena:GetDataCatalog", {"Name": "AwsDataCatalog"}, [f"{ATHENA}:datacatalog/AwsDataCatalog"]),
    ],
)
def test_a_call_is_about_its_resources(call: str, parameters: dict[str, Any], resources: list[str]) -> None:
    service, _, action = call.partition(":")
    if service == "glue":
        checks = glue_checks(action, parameters, "us-east-1")
    else:
        checks = athena_checks(action, parameters, "us-east-1", {"named": "market"}.get)
    assert checks == [Check(call, resource) for resource in resources]

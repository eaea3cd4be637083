"""Requests are held against AWS's own model of the API, and what it excludes is refused with AWS's words."""

from __future__ import annotations

from typing import Any

import pytest
from moto.core.exceptions import JsonRESTError

from local_cloud.validation import check

CREATE = {"DatabaseName": "market", "TableName": "quotes"}


def refusal(service: str, operation: str, request: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(JsonRESTError) as caught:
        check(service, operation, request)
    return caught.value.error_type, caught.value.message


@pytest.mark.parametrize(
    ("operation", "request_", "text"),
    [
        (
            "GetPartitions",
            CREATE | {"MaxResults": 0},
            "Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        ("GetPartitions", {"DatabaseName": "market"}, "Value null at 'tableName' failed to satisfy constraint"),
        (
            "CreatePartition",
            CREATE | {"PartitionInput": {"Values": ["2026-11-23", ""]}},
            "Value '' at 'partitionInput.values.2.member' failed to satisfy constraint: Member must have length",
        ),
        (
            "BatchCreatePartition",
            CREATE | {"PartitionInputList": [{}] * 101},
            "at 'partitionInputList' failed to satisfy constraint: Member must have length less than or equal to 100",
        ),
        (
            "GetUserDefinedFunctions",
            {"Pattern": "*", "FunctionType": "MACRO"},
            "enum value set: [REGULAR_FUNCTION, AGGREGATE_FUNCTION, STORED_PROCEDURE]",
        ),
        ("GetTables", {"DatabaseName": "a\x00b"}, "Member must satisfy regular expression pattern: "),
        (
            "CreateTable",
            {"DatabaseName": "market", "TableInput": {"Name": "t", "Parameters": {"k": "v" * 512_001}}},
            "at 'tableInput.parameters.k.member' failed to satisfy constraint",
        ),
    ],
)
def test_what_the_model_excludes_is_refused(operation: str, request_: dict[str, Any], text: str) -> None:
    code, message = refusal("glue", operation, request_)
    assert code == "ValidationException"
    assert message.startswith("1 validation error detected: ")
    assert text in message


def test_all_that_is_wrong_is_told_at_once() -> None:
    code, message = refusal("athena", "CreateNamedQuery", {"Name": "", "QueryString": "SELECT 1"})
    assert code == "InvalidRequestException"
    assert message.startswith("2 validation errors detected: Value '' at 'name'")
    assert "; Value null at 'database'" in message


@pytest.mark.parametrize("wrong", [7, ["quotes"], True, {}])
def test_a_parameter_of_another_type_is_refused(wrong: Any) -> None:
    assert refusal("glue", "GetTables", {"DatabaseName": wrong})[0] == "SerializationException"


def test_a_request_within_the_limits_passes() -> None:
    check(
        "glue", "GetTables", {"DatabaseName": "börse \N{CHART WITH UPWARDS TREND}", "Expression": "", "MaxResults": 100}
    )
    check("glue", "GetTables", {"DatabaseName": "market", "TransactionId": "7", "NextToken": None})
    check("athena", "ListDataCatalogs", {})

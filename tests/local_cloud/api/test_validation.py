"""Requests are held against AWS's own model of the API, and what it excludes is refused in the service's words."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from botocore.session import Session
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from tests.support.local_cloud.sent import environ_of, refusal

from local_cloud.api.errors import RefusedError
from local_cloud.api.request import ApiRequest
from local_cloud.api.validation import _compiled, require_valid

CREATE = {"DatabaseName": "market", "TableName": "quotes"}
WORDS = "failed to satisfy constraint: Member must"
VPC = {"CidrBlock": "10.0.0.0/16"}
ROLE = {"RoleName": "node", "AssumeRolePolicyDocument": "{}"}
LIFECYCLE = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}}


def lifecycle(**changes: Any) -> dict[str, Any]:
    return {"Bucket": "quotes", "LifecycleConfiguration": {"Rules": [LIFECYCLE | changes]}}


# A bad request of each kind of constraint, in each protocol: service, call, arguments, code and a part of the text.
BAD: list[tuple[str, str, dict[str, Any], str, str]] = [
    # ec2
    ("ec2", "create_security_group", {"GroupName": "x"}, "MissingParameter", "the parameter description"),
    ("ec2", "describe_instances", {"MaxResults": "many"}, "InvalidParameterValue", "(many) for parameter maxResults"),
    ("ec2", "describe_vpcs", {"MaxResults": 4}, "InvalidParameterValue", "greater than or equal to 5"),
    ("ec2", "create_vpc", VPC | {"InstanceTenancy": "mine"}, "InvalidParameterValue", "enum value set: [default,"),
    (
        *("ec2", "create_vpc", VPC | {"TagSpecifications": [{"ResourceType": "vpcs", "Tags": []}]}),
        *("InvalidParameterValue", "(vpcs) for parameter tagSpecifications.1.member.resourceType"),
    ),
    (
        "ec2",
        "create_launch_template",
        {
            "LaunchTemplateName": "a",
            "LaunchTemplateData": {
                "InstanceRequirements": {
                    "VCpuCount": {"Min": 1},
                    "MemoryMiB": {"Min": 1},
                    "AllowedInstanceTypes": ["t3 small"],
                }
            },
        },
        *("InvalidParameterValue", "regular expression"),
    ),
    # query
    ("iam", "create_role", {"RoleName": "node"}, "ValidationError", "Value null at 'assumeRolePolicyDocument'"),
    ("iam", "create_role", ROLE | {"RoleName": "x" * 65}, "ValidationError", f"at 'roleName' {WORDS} have length"),
    ("iam", "create_role", ROLE | {"RoleName": "bör"}, "ValidationError", "regular expression pattern: [\\w+=,.@-]+"),
    ("iam", "create_role", ROLE | {"Description": "a\x07b"}, "ValidationError", "at 'description'"),
    ("iam", "create_role", ROLE | {"MaxSessionDuration": 60}, "ValidationError", "have value greater than or equal to"),
    ("iam", "create_role", ROLE | {"MaxSessionDuration": "1h"}, "MalformedInput", "is not of the type integer"),
    (
        *("iam", "create_role", ROLE | {"Tags": [{"Key": "a?", "Value": "b"}]}),
        *("ValidationError", "at 'tags.1.member.key'"),
    ),
    (
        *("iam", "create_role", ROLE | {"Tags": [{"Key": f"a{n}", "Value": ""} for n in range(51)]}),
        *("ValidationError", "have length less than or equal to 50"),
    ),
    (
        *("iam", "update_access_key", {"AccessKeyId": "A" * 20, "Status": "On"}),
        *("ValidationError", "enum value set: [Active,"),
    ),
    ("sts", "assume_role", {"RoleArn": "x" * 20, "RoleSessionName": "a b"}, "ValidationError", "at 'roleSessionName'"),
    # json
    (
        *("glue", "get_partitions", CREATE | {"MaxResults": 0}, "ValidationException"),
        f"1 validation error detected: Value '0' at 'maxResults' {WORDS} have value greater than or equal to 1",
    ),
    ("glue", "get_partitions", {"DatabaseName": "market"}, "ValidationException", "Value null at 'tableName'"),
    (
        *("glue", "create_partition", CREATE | {"PartitionInput": {"Values": ["2026-11-23", ""]}}),
        *("ValidationException", f"Value '' at 'partitionInput.values.2.member' {WORDS} have length"),
    ),
    (
        *("glue", "batch_create_partition", CREATE | {"PartitionInputList": [{}] * 101}),
        *("ValidationException", f"at 'partitionInputList' {WORDS} have length less than or equal to 100"),
    ),
    (
        *("glue", "get_user_defined_functions", {"Pattern": "*", "FunctionType": "MACRO"}),
        *("ValidationException", "enum value set: [REGULAR_FUNCTION, AGGREGATE_FUNCTION, STORED_PROCEDURE]"),
    ),
    ("glue", "get_tables", {"DatabaseName": "a\x00b"}, "ValidationException", "regular expression pattern: "),
    (
        "glue",
        "create_table",
        {"DatabaseName": "market", "TableInput": {"Name": "t", "Parameters": {"k": "v" * 512_001}}},
        *("ValidationException", "at 'tableInput.parameters.k.member'"),
    ),
    ("glue", "get_tables", {"DatabaseName": 7}, "SerializationException", "'databaseName' is not of the type string"),
    ("glue", "get_tables", {"DatabaseName": ["q"]}, "SerializationException", "'databaseName'"),
    ("glue", "get_tables", {"DatabaseName": True}, "SerializationException", "'databaseName'"),
    ("glue", "get_tables", {"DatabaseName": {}}, "SerializationException", "'databaseName'"),
    ("ssm", "put_parameter", {"Name": "/a", "Value": "x", "Type": "Text"}, "ValidationException", "enum value set"),
    ("resourcegroupstaggingapi", "get_resources", {"ResourcesPerPage": -1}, "", ""),
    (
        "resourcegroupstaggingapi",
        "tag_resources",
        {"ResourceARNList": []},
        "InvalidParameterException",
        "null at 'tags",
    ),
    ("service-quotas", "get_service_quota", {"ServiceCode": "ec2"}, "ValidationException", "null at 'quotaCode'"),
    (
        *("athena", "create_named_query", {"Name": "", "QueryString": "SELECT 1"}, "InvalidRequestException"),
        "2 validation errors detected: Value '' at 'name'",
    ),
    ("athena", "create_work_group", {"Name": "my group"}, "InvalidRequestException", "regular expression pattern: "),
    # rest-xml
    ("s3", "put_object", {"Bucket": "b", "Key": "k", "StorageClass": "FAST"}, "InvalidStorageClass", "not valid"),
    ("s3", "put_object", {"Bucket": "b", "Key": "k", "ACL": "mine"}, "InvalidArgument", "Value 'mine' at 'aCL'"),
    ("s3", "list_objects_v2", {"Bucket": "b", "MaxKeys": "many"}, "InvalidArgument", "Value 'many' at 'maxKeys'"),
    ("s3", "list_objects_v2", {"Bucket": "b", "EncodingType": "gzip"}, "InvalidArgument", "enum value set: [url]"),
    ("s3", "put_bucket_lifecycle_configuration", lifecycle(Status="on"), "MalformedXML", "well-formed"),
    ("s3", "put_bucket_lifecycle_configuration", lifecycle(Status=None), "MalformedXML", "well-formed"),
    (
        *("s3", "put_bucket_lifecycle_configuration", lifecycle(Expiration={"Days": "soon"})),
        *("MalformedXML", "well-formed"),
    ),
    ("s3", "delete_objects", {"Bucket": "b", "Delete": {"Objects": [{"Key": ""}]}}, "MalformedXML", "well-formed"),
]


@pytest.mark.parametrize(("service", "call", "arguments", "code", "text"), BAD)
def test_what_the_model_excludes_is_refused(
    service: str, call: str, arguments: dict[str, Any], code: str, text: str
) -> None:
    found = refusal(service, call, **arguments)
    assert found[0] == code
    assert text in found[1]


GOOD: list[tuple[str, str, dict[str, Any]]] = [
    ("ec2", "create_vpc", VPC | {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]}),
    ("ec2", "describe_instances", {"Filters": [{"Name": "tag:a", "Values": ["b", "c.d"]}], "InstanceIds": ["i-1"]}),
    (
        "ec2",
        "describe_instance_types",
        {"InstanceTypes": ["t3.tiny"]},
    ),  # moto answers it, as EC2, by InvalidInstanceType
    ("iam", "create_role", ROLE | {"Description": "Börse: a\tb", "Tags": [{"Key": "ö b", "Value": ""}]}),
    ("iam", "tag_role", {"RoleName": "node", "Tags": []}),
    ("iam", "get_policy_version", {"PolicyArn": "arn:aws:iam::123456789012:policy/p", "VersionId": "v1"}),
    ("sts", "get_caller_identity", {}),
    ("glue", "get_tables", {"DatabaseName": "börse \N{CHART WITH UPWARDS TREND}", "Expression": "", "MaxResults": 100}),
    ("glue", "get_tables", {"DatabaseName": "market", "TransactionId": "7"}),
    ("athena", "list_data_catalogs", {}),
    ("ssm", "get_parameters_by_path", {"Path": "/quotes/", "Recursive": True, "WithDecryption": True}),
    ("resourcegroupstaggingapi", "get_resources", {"TagFilters": [{"Key": "Deployment", "Values": ["mine"]}]}),
    ("lakeformation", "get_data_lake_settings", {}),
    ("s3", "list_buckets", {}),
    ("s3", "create_bucket", {"Bucket": "b23", "CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}),
    (
        "s3",
        "put_object",
        {"Bucket": "b", "Key": "a/b c.gz", "Body": b"x", "Metadata": {"end": "7"}, "IfNoneMatch": "*"},
    ),
    ("s3", "get_object", {"Bucket": "b", "Key": "k", "Range": "bytes=0-7", "ChecksumMode": "enabled"}),
    ("s3", "get_object_attributes", {"Bucket": "b", "Key": "k", "ObjectAttributes": ["ETag", "ObjectSize"]}),
    ("s3", "put_bucket_lifecycle_configuration", lifecycle(Expiration={"Days": 7})),
    ("s3", "put_bucket_policy", {"Bucket": "b", "Policy": "{}"}),
    (
        *("s3", "put_bucket_acl"),
        {
            "Bucket": "b",
            "AccessControlPolicy": {
                "Owner": {"ID": "me"},
                "Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": "me"}, "Permission": "READ"}],
            },
        },
    ),
]


@pytest.mark.parametrize(("service", "call", "arguments"), GOOD)
def test_a_request_within_the_limits_passes(service: str, call: str, arguments: dict[str, Any]) -> None:
    assert refusal(service, call, **arguments) == ("", "")


def code_of(service: str, method: str, path: str, body: bytes, **headers: str) -> str:
    """The code with which a request that boto3 would not write is refused."""
    scope = f"AKIA/20260101/us-east-1/{service}/aws4_request"
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    try:
        require_valid(ApiRequest(environ_of(method, f"http://127.0.0.1{path}", headers, body)))
    except RefusedError as error:
        return error.refusal.code
    return ""


@pytest.mark.parametrize(
    ("service", "method", "path", "body", "code"),
    [
        ("ec2", "POST", "/", b"Action=MakeVpcs", "InvalidAction"),
        ("ec2", "GET", "/?Action=DescribeVpcs&Version=2016-11-15&X-Amz-Expires=60", b"", ""),
        ("iam", "POST", "/", b"Action=GetRole&RoleName=a&Colour=red", ""),
        # rest-json, which no service that is served here has yet
        ("lakeformation", "POST", "/RegisterResource", b"{}", "InvalidInputException"),
        ("lakeformation", "POST", "/ListResources", b'{"MaxResults": 1001}', "InvalidInputException"),
        ("lakeformation", "POST", "/ListResources", b'{"MaxResults": 10}', ""),
        ("lakeformation", "POST", "/ListResources", b"[]", "SerializationException"),
        ("lakeformation", "POST", "/ListChairs", b"{}", "UnknownOperationException"),
        ("s3", "PUT", "/b?versioning", b"<VersioningConfiguration>", "MalformedXML"),
        ("s3", "PATCH", "/b", b"", "MethodNotAllowed"),
    ],
)
def test_what_boto3_would_not_write_is_refused_where_aws_refuses_it(
    service: str, method: str, path: str, body: bytes, code: str
) -> None:
    assert code_of(service, method, path, body) == code


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("AWSGlue.GetTables", b'{"DatabaseName": "market", "Colour": "red", "NextToken": null}', ""),
        ("AWSGlue.GetTables", b"{'DatabaseName'}", "SerializationException"),
        ("AWSGlue.GetTables", b"[]", "SerializationException"),
        ("AWSGlue.GetChairs", b"{}", "UnknownOperationException"),
    ],
)
def test_json_that_boto3_would_not_write(target: str, body: bytes, code: str) -> None:
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    assert code_of("glue", "POST", "/", body, **headers) == code


def test_every_pattern_of_the_services_can_be_judged() -> None:
    count = 0
    for service in ("ec2", "iam", "sts", "s3", "glue", "athena", "ssm", "resourcegroupstaggingapi", "service-quotas"):
        model = Session().get_service_model(service)
        for name in model.shape_names:
            pattern = model.shape_for(name).metadata.get("pattern")
            if pattern:
                _compiled(pattern)
                count += 1
    assert count > 300


def test_a_services_first_requests_may_come_at_once() -> None:
    environ, before = environ_of("GET", "http://127.0.0.1/quotes/a", {}, b""), sys.getswitchinterval()

    def read_first(together: Barrier) -> None:
        together.wait()
        require_valid(ApiRequest(dict(environ)))

    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            get_service_model.cache_clear()
            get_service_router.cache_clear()
            get_service_model("s3")
            together = Barrier(4)
            with ThreadPoolExecutor(4) as pool:
                for done in [pool.submit(read_first, together) for _ in range(4)]:
                    done.result()
    finally:
        sys.setswitchinterval(before)

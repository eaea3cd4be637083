"""What AWS's pages say of a request holds here too: each rule takes a good request and refuses a bad one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.iam.models import iam_backends
from moto.moto_api._internal.models import moto_api_backend
from tests.support.local_cloud.sent import refusal

from local_cloud.api.rules import RULES
from local_cloud.settings import ACCOUNT_ID

Arguments = dict[str, Any]
MODELS = {"tagging": "resourcegroupstaggingapi"}
LETTERS = "._-:/()#,@[]+=&;{}!$*"


def tags(*keys: str, value: str = "x") -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key in keys]


def many(count: int) -> list[dict[str, str]]:
    return tags(*(f"key{number}" for number in range(count)))


def policy(size: int) -> str:
    """A policy of so many characters that count, and twice as many that do not."""
    empty = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": ""}]}, separators=(",", ":"))
    filled = empty.replace('"Sid":""', f'"Sid":"{"x" * (size - len(empty))}"')
    return filled.replace(":", ":" + " \n" * size, 1)


def rule_described(text: str) -> Arguments:
    permission = {"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": text}]}
    return {"GroupId": "sg-1", "IpPermissions": [permission]}


def launched(**more: Any) -> Arguments:
    return {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1, **more}


def parameter(name: str, value: str = "x", **more: Any) -> Arguments:
    return {"Name": name, "Value": value, "Type": "String", **more}


def lifecycle(*rules: Arguments) -> Arguments:
    base = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    return {"Bucket": "quotes", "LifecycleConfiguration": {"Rules": [base | rule for rule in rules]}}


def bucket_tags(listed: list[dict[str, str]]) -> Arguments:
    return {"Bucket": "quotes", "Tagging": {"TagSet": listed}}


def object_tags(listed: list[dict[str, str]]) -> Arguments:
    return {"Key": "a", **bucket_tags(listed)}


def deleted(count: int) -> Arguments:
    return {"Bucket": "quotes", "Delete": {"Objects": [{"Key": f"k{number}"} for number in range(count)]}}


def put(**more: Any) -> Arguments:
    return {"Bucket": "quotes", "Key": "a", **more}


ROLE = {"RoleName": "node", "AssumeRolePolicyDocument": "{}"}
GROUP = {"GroupName": "quotes", "Description": "x"}
WORKGROUP = {"Name": "quotes"}
INLINE = {"RoleName": "node", "PolicyName": "p"}
OF_USER = {"UserName": "me", "PolicyName": "p"}

# By the rule's name: the call, a good request and bad ones.
EXAMPLES: dict[str, tuple[str, Arguments, list[Arguments]]] = {
    "ec2 group name": (
        "create_security_group",
        GROUP | {"GroupName": f"quotes 1{LETTERS}"},
        [GROUP | {"GroupName": name} for name in ("sg-quotes", "quo<tes", "x" * 256, "")],
    ),
    "ec2 group description": (
        "create_security_group",
        GROUP | {"Description": LETTERS},
        [GROUP | {"Description": text} for text in ("the brokers' group", "börse", "x" * 256)],
    ),
    "ec2 rule description": (
        "authorize_security_group_ingress",
        rule_described(LETTERS),
        [rule_described(text) for text in ("the operator's", "x" * 256)],
    ),
    "ec2 key pair name": (
        "import_key_pair",
        {"KeyName": "my key?", "PublicKeyMaterial": b"x"},
        [{"KeyName": name, "PublicKeyMaterial": b"x"} for name in ("börse", "", "x" * 256)],
    ),
    "ec2 user data is base64": ("run_instances", launched(UserData="x"), []),
    "ec2 user data has 16 KB": ("run_instances", launched(UserData="x" * 16384), [launched(UserData="x" * 16385)]),
    "ec2 client token": (
        "run_instances",
        launched(ClientToken="x" * 64),
        [launched(ClientToken=token) for token in ("x" * 65, "ö")],
    ),
    "ec2 tags: no key begins with aws:": (
        "create_tags",
        {"Resources": ["i-1"], "Tags": tags("aws", "a:ws")},
        [{"Resources": ["i-1"], "Tags": tags("fine", key)} for key in ("aws:x", "AWS:x")],
    ),
    "ec2 tags: at most 50 tags": (
        "create_tags",
        {"Resources": ["i-1"], "Tags": many(50)},
        [{"Resources": ["i-1"], "Tags": many(51)}],
    ),
    "ec2 tags: no key twice": (
        "create_tags",
        {"Resources": ["i-1"], "Tags": tags("a", "A")},
        [{"Resources": ["i-1"], "Tags": tags("a", "a")}],
    ),
    "ec2 tags: keys of 128 characters": (
        "create_vpc",
        {"CidrBlock": "10.0.0.0/16", "TagSpecifications": [{"ResourceType": "vpc", "Tags": tags("x" * 128)}]},
        [{"CidrBlock": "10.0.0.0/16", "TagSpecifications": [{"ResourceType": "vpc", "Tags": tags("x" * 129)}]}],
    ),
    "ec2 tags: values of 256": (
        "create_tags",
        {"Resources": ["i-1"], "Tags": tags("a", value="ö<" * 128)},
        [{"Resources": ["i-1"], "Tags": tags("a", value="x" * 257)}],
    ),
    "iam inline policies of a role": (
        "put_role_policy",
        INLINE | {"PolicyDocument": policy(10_240)},
        [INLINE | {"PolicyDocument": policy(10_241)}],
    ),
    "iam inline policies of a user": (
        "put_user_policy",
        OF_USER | {"PolicyDocument": policy(2_048)},
        [OF_USER | {"PolicyDocument": policy(2_049)}],
    ),
    "iam managed policy": (
        "create_policy",
        {"PolicyName": "p", "PolicyDocument": policy(6_144)},
        [{"PolicyName": "p", "PolicyDocument": policy(6_145)}],
    ),
    "iam trust policy": (
        "create_role",
        ROLE | {"AssumeRolePolicyDocument": policy(2_048)},
        [ROLE | {"AssumeRolePolicyDocument": policy(2_049)}],
    ),
    "iam tags: no key begins with aws:": (
        "create_role",
        ROLE | {"Tags": tags("Börse: 1")},
        [ROLE | {"Tags": tags("aws:x")}],
    ),
    "ssm parameter name": (
        "put_parameter",
        parameter("/quotes/kafka.users_1-x"),
        [parameter(name) for name in ("/quotes/a b", "/quotes/a:b", "/" + "x" * 1011)],
    ),
    "ssm parameter name that is reserved": (
        "put_parameter",
        parameter("/my/aws"),
        [parameter(name) for name in ("/aws/x", "ssm-x", "/AWSome/x")],
    ),
    "ssm parameter depth": ("put_parameter", parameter("/a" * 15), [parameter("/a" * 16)]),
    "ssm parameter value": (
        "put_parameter",
        parameter("/a", "x" * 4097, Tier="Advanced"),
        [parameter("/a", "x" * 4097), parameter("/a", "x" * 4097, Tier="Standard")],
    ),
    "ssm tags: no key begins with aws:": (
        "put_parameter",
        parameter("/a", Tags=tags("b")),
        [parameter("/a", Tags=tags("aws:b"))],
    ),
    "glue tags: no key begins with aws:": (
        "create_database",
        {"DatabaseInput": {"Name": "quotes"}, "Tags": {"a": "b"}},
        [{"DatabaseInput": {"Name": "quotes"}, "Tags": {"aws:a": "b"}}],
    ),
    "glue tags: no value begins with aws:": (
        "create_database",
        {"DatabaseInput": {"Name": "quotes"}, "Tags": {"a": "b"}},
        [{"DatabaseInput": {"Name": "quotes"}, "Tags": {"a": "aws:b"}}],
    ),
    "tagging tags: no key begins with aws:": (
        "tag_resources",
        {"ResourceARNList": ["arn:aws:glue:us-east-1:123456789012:database/x"], "Tags": {"a": "aws:b"}},
        [{"ResourceARNList": ["arn:aws:glue:us-east-1:123456789012:database/x"], "Tags": {"AWS:a": "b"}}],
    ),
    "athena tags: no key begins with aws:": (
        "create_work_group",
        WORKGROUP | {"Tags": tags("a")},
        [WORKGROUP | {"Tags": tags("aws:a")}],
    ),
    "athena tags: plain characters": (
        "create_work_group",
        WORKGROUP | {"Tags": tags("Börse", value="a b+-=._:/@")},
        [WORKGROUP | {"Tags": tags("a?")}, WORKGROUP | {"Tags": tags("a", value="(b)")}],
    ),
    "s3 bucket name": (
        "create_bucket",
        {"Bucket": "stock-market.data1"},
        [
            {"Bucket": name}
            for name in (
                *("192.168.5.4", "xn--quotes", "sthree-quotes", "amzn-s3-demo-quotes", "quotes-s3alias"),
                *("quotes--ol-s3", "quotes.mrap", "quotes--table-s3"),
                *("Quotes", "quo_tes", "-quotes", "quotes-", "quo..tes", "a" * 64, "ab"),
            )
        ],
    ),
    "s3 key": ("put_object", put(Key="ö" * 512), [put(Key="ö" * 513)]),
    "s3 metadata": ("put_object", put(Metadata={"abcd": "x" * 2044}), [put(Metadata={"abcd": "x" * 2045})]),
    "s3 tags in a header": (
        "put_object",
        put(Tagging="&".join(f"k{number}=v" for number in range(10))),
        [put(Tagging="&".join(f"k{number}=v" for number in range(11))), put(Tagging="a=b&a=c"), put(Tagging="aws:a=b")],
    ),
    "s3 deletes 1000 objects at a time": ("delete_objects", deleted(1000), [deleted(1001)]),
    "s3 PutBucketTagging: no key begins with aws:": (
        "put_bucket_tagging",
        bucket_tags(tags("a")),
        [bucket_tags(tags("aws:a"))],
    ),
    "s3 PutBucketTagging: plain characters": (
        "put_bucket_tagging",
        bucket_tags(tags("Börse", value="a b+-=._:/@")),
        [bucket_tags(tags("a?"))],
    ),
    "s3 PutBucketTagging: at most 50 tags": ("put_bucket_tagging", bucket_tags(many(50)), [bucket_tags(many(51))]),
    "s3 PutBucketTagging: no key twice": (
        "put_bucket_tagging",
        bucket_tags(tags("a", "A")),
        [bucket_tags(tags("a", "a"))],
    ),
    "s3 PutBucketTagging: keys of 128 characters": (
        "put_bucket_tagging",
        bucket_tags(tags("x" * 128)),
        [bucket_tags(tags("x" * 129))],
    ),
    "s3 PutBucketTagging: values of 256": (
        "put_bucket_tagging",
        bucket_tags(tags("a", value="x" * 256)),
        [bucket_tags(tags("a", value="x" * 257))],
    ),
    "s3 PutObjectTagging: no key begins with aws:": (
        "put_object_tagging",
        object_tags(tags("a")),
        [object_tags(tags("aws:a"))],
    ),
    "s3 PutObjectTagging: plain characters": (
        "put_object_tagging",
        object_tags(tags("a", value="b")),
        [object_tags(tags("a", value="b?"))],
    ),
    "s3 PutObjectTagging: at most 10 tags": ("put_object_tagging", object_tags(many(10)), [object_tags(many(11))]),
    "s3 PutObjectTagging: no key twice": (
        "put_object_tagging",
        object_tags(tags("a", "A")),
        [object_tags(tags("a", "a"))],
    ),
    "s3 PutObjectTagging: keys of 128 characters": (
        "put_object_tagging",
        object_tags(tags("x" * 128)),
        [object_tags(tags("x" * 129))],
    ),
    "s3 PutObjectTagging: values of 256": (
        "put_object_tagging",
        object_tags(tags("a", value="x" * 256)),
        [object_tags(tags("a", value="x" * 257))],
    ),
    "s3 lifecycle rules": (
        "put_bucket_lifecycle_configuration",
        lifecycle(*({"ID": str(number)} for number in range(1000))),
        [lifecycle(*({"ID": str(number)} for number in range(1001)))],
    ),
    "s3 lifecycle rule id": (
        "put_bucket_lifecycle_configuration",
        lifecycle({"ID": "x" * 255}),
        [lifecycle({"ID": "x" * 256})],
    ),
    "s3 lifecycle rule ids are different": (
        "put_bucket_lifecycle_configuration",
        lifecycle({"ID": "a"}, {"ID": "b"}),
        [lifecycle({"ID": "a"}, {"ID": "a"})],
    ),
    "s3 lifecycle days": (
        "put_bucket_lifecycle_configuration",
        lifecycle({"ID": "a", "Expiration": {"Days": 1}}),
        [lifecycle({"ID": "a", "Expiration": {"Days": 0}})],
    ),
}


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    moto_api_backend.reset()
    yield
    moto_api_backend.reset()


def test_every_rule_has_an_example_and_a_source() -> None:
    names = [rule.name for rule in RULES]
    assert sorted(names) == sorted(EXAMPLES)
    assert all(rule.source.startswith("https://") for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_takes_what_aws_takes_and_refuses_what_aws_refuses(rule: Any) -> None:
    call, good, bad = EXAMPLES[rule.name]
    service = MODELS.get(rule.service, rule.service)
    assert refusal(service, call, **good) == ("", "")
    for arguments in bad:
        assert refusal(service, call, **arguments)[0] == rule.code


@pytest.mark.parametrize(
    ("name", "member", "bad"),
    [
        # boto3 encodes user data itself, and sends a name that ends so to another service.
        ("ec2 user data is base64", "UserData", "not base64!"),
        ("s3 bucket name", "Bucket", "quotes--x-s3"),
    ],
)
def test_what_boto3_does_not_send_is_refused(name: str, member: str, bad: str) -> None:
    (rule,) = (one for one in RULES if one.name == name)
    assert rule.wrong({member: bad}) == bad


def test_the_inline_policies_of_a_role_are_counted_together() -> None:
    backend = iam_backends[ACCOUNT_ID]["aws"]
    backend.create_role("node", "{}", "/", "", "", [], "3600")
    role = backend.get_role("node")
    role.policies["other"] = policy(10_000)
    assert refusal("iam", "put_role_policy", **INLINE, PolicyDocument=policy(240)) == ("", "")
    assert refusal("iam", "put_role_policy", **INLINE, PolicyDocument=policy(241))[0] == "LimitExceeded"
    # One that takes the place of another of its name counts alone.
    replaced = INLINE | {"PolicyName": "other"}
    assert refusal("iam", "put_role_policy", **replaced, PolicyDocument=policy(10_240)) == ("", "")

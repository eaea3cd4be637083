"""Who calls, and what policies let him do: as AWS judges it, or refused where the local cloud can't."""

from __future__ import annotations

import datetime
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError
from moto.sts.models import sts_backends
from tests.support.local_cloud.enforcing import ACCOUNT, EC2_TRUST, Enforcing, Session, allow, enforcing_cloud, error_of

from local_cloud.api.authorizer import Authorizer
from local_cloud.ec2 import identities
from local_cloud.ec2.metadata import UntrustedError
from local_cloud.iam.policy import Decision, Request, UnsupportedPolicyError, decide, statements_of

READ = allow("s3:GetObject", "arn:aws:s3:::data/mine/*")


def judge(statement: dict[str, Any], action: str, resource: str = "*", **context: str) -> Decision:
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    keys = {name.replace("_", ":"): (value,) for name, value in context.items()}
    return decide(statements_of(document), Request(action, resource, keys, ("arn:aws:iam::1:user/me", "1")))


@pytest.mark.parametrize(
    ("statement", "action", "resource", "allowed"),
    [
        (allow("s3:Get*"), "s3:GetObject", "arn:aws:s3:::b/k", True),
        (allow("S3:getobject"), "s3:GetObject", "arn:aws:s3:::b/k", True),
        (allow("s3:GetObjec?"), "s3:GetObject", "arn:aws:s3:::b/k", True),
        (allow("s3:GetObject"), "s3:GetObjectAcl", "arn:aws:s3:::b/k", False),
        (allow("*", "arn:aws:s3:::b/q/*"), "s3:GetObject", "arn:aws:s3:::b/q/x/y", True),
        (allow("*", "arn:aws:s3:::b/q/*"), "s3:GetObject", "arn:aws:s3:::B/q/x", False),
        (allow("*", "arn:aws:s3:::b.c"), "s3:ListBucket", "arn:aws:s3:::bXc", False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "s3:GetObject", "x", True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "iam:GetUser", "x", False),
        ({"Effect": "Allow", "Action": "*", "NotResource": "x*"}, "s3:GetObject", "xy", False),
        ({"Effect": "Allow", "Action": "*", "NotResource": "x*"}, "s3:GetObject", "y", True),
    ],
)
def test_actions_and_resources_are_matched_as_iam_matches_them(
    statement: dict[str, Any], action: str, resource: str, allowed: bool
) -> None:
    assert (judge(statement, action, resource) is Decision.ALLOW) is allowed


@pytest.mark.parametrize(
    ("condition", "context", "met"),
    [
        ({"StringEquals": {"s3:prefix": ["a/", "b/"]}}, {"s3_prefix": "b/"}, True),
        ({"StringEquals": {"s3:prefix": "a/"}}, {}, False),
        ({"StringEqualsIfExists": {"s3:prefix": "a/"}}, {}, True),
        ({"StringNotEquals": {"s3:prefix": "a/"}}, {}, True),
        ({"StringNotEquals": {"s3:prefix": ["a/", "b/"]}}, {"s3_prefix": "b/"}, False),
        ({"StringLike": {"S3:Prefix": "a/*"}}, {"s3_prefix": "a/x"}, True),
        ({"StringLike": {"s3:prefix": "[a]"}}, {"s3_prefix": "a"}, False),
        ({"Null": {"s3:prefix": "true"}}, {}, True),
        ({"Null": {"s3:prefix": "true"}}, {"s3_prefix": ""}, False),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws_securetransport": "false"}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws_sourceip": "10.1.2.3"}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws_sourceip": "10.1.2.3"}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:*:role/x"}}, {"aws_principalarn": "arn:aws:iam::1:role/x"}, True),
        ({"ForAnyValue:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}}, {}, False),
        ({"ForAllValues:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}}, {}, True),
    ],
)
def test_conditions_are_judged(condition: dict[str, Any], context: dict[str, str], met: bool) -> None:
    assert (judge(allow("*", Condition=condition), "s3:ListBucket", **context) is Decision.ALLOW) is met


def test_a_deny_wins() -> None:
    both = [allow("*"), {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}]
    statements = statements_of(json.dumps({"Statement": both}))
    assert decide(statements, Request("s3:DeleteObject", "x")) is Decision.DENY
    assert decide(statements, Request("s3:GetObject", "x")) is Decision.ALLOW


@pytest.mark.parametrize(
    "statement",
    [
        allow("*", "arn:aws:s3:::${aws:username}/*"),
        allow("*", Condition={"StringEquals": {"aws:userid": "x"}}),
        allow("*", Condition={"NumericLessThan": {"s3:max-keys": "5"}}),
        allow("*", Condition={"StringEquals": {"aws:CalledVia": "x"}}),
        allow("*", Condition={"StringEquals": {"s3:prefix": "${aws:username}"}}),
        allow("*", Principal={"Federated": "x"}),
    ],
)
def test_a_policy_that_cannot_be_evaluated_is_an_error_and_not_an_allow(statement: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedPolicyError):
        judge(statement, "s3:GetObject")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enforcing]:
    with enforcing_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared: Enforcing) -> Enforcing:
    """An enforcing cloud with a bucket and a user, who may read a folder of it."""
    operator = shared.operator
    if "data" not in [bucket["Name"] for bucket in operator.s3.list_buckets()["Buckets"]]:
        operator.s3.create_bucket(Bucket="data")
        operator.s3.put_object(Bucket="data", Key="mine/a", Body=b"a")
    operator.s3.delete_bucket_policy(Bucket="data")
    return shared


@pytest.fixture
def user(cloud: Enforcing, request: pytest.FixtureRequest) -> Session:
    return cloud.user(f"u{abs(hash(request.node.name))}", READ)


def body(session: Session, key: str = "mine/a") -> bytes:
    return session.s3.get_object(Bucket="data", Key=key)["Body"].read()


def test_a_user_may_do_only_what_the_policy_allows(user: Session) -> None:
    assert body(user) == b"a"
    assert error_of(user.s3.put_object, Bucket="data", Key="mine/a", Body=b"x" * 3_000_000) == ("AccessDenied", 403)
    assert error_of(user.s3.head_object, Bucket="data", Key="yours/a") == ("403", 403)


def test_the_message_names_who_what_and_where(user: Session) -> None:
    with pytest.raises(
        ClientError, match=r"User: arn:aws:iam::\d+:user/\w+ is not authorized to perform: s3:PutObject "
    ):
        user.s3.put_object(Bucket="data", Key="mine/a", Body=b"")


def test_a_caller_without_the_right_to_list_does_not_learn_that_an_object_is_missing(cloud: Enforcing) -> None:
    session = cloud.user("finder", READ)
    assert error_of(session.s3.head_object, Bucket="data", Key="mine/none") == ("403", 403)
    cloud.let("finder", READ, allow("s3:ListBucket", "arn:aws:s3:::data"))
    assert error_of(session.s3.head_object, Bucket="data", Key="mine/none") == ("404", 404)


@pytest.mark.parametrize(
    ("service", "call", "code", "status"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId", 403),
        ("glue", "get_databases", "UnrecognizedClientException", 400),
        ("ec2", "describe_vpcs", "AuthFailure", 401),
        ("iam", "list_users", "InvalidClientTokenId", 403),
    ],
)
def test_an_unknown_key_opens_nothing(cloud: Enforcing, service: str, call: str, code: str, status: int) -> None:
    stranger = cloud.session("AKIAIOSFODNN7EXAMPLE", "secret")
    assert error_of(getattr(stranger.client(service), call)) == (code, status)


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [("s3", "list_buckets", "SignatureDoesNotMatch"), ("glue", "get_databases", "InvalidSignatureException")],
)
def test_the_operators_key_id_without_the_secret_is_refused(
    cloud: Enforcing, service: str, call: str, code: str
) -> None:
    assert error_of(getattr(cloud.session("local-cloud", "guessed").client(service), call))[0] == code


def test_an_unsigned_request_is_refused(cloud: Enforcing) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{cloud.endpoint}/data/mine/a", timeout=5)
    assert refused.value.code == 403


def test_a_presigned_address_is_good_for_what_was_signed_alone(cloud: Enforcing) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=cloud.endpoint,
        region_name="us-east-1",
        aws_access_key_id="local-cloud",
        aws_secret_access_key="local-cloud",
        config=Config(signature_version="s3v4"),
    )
    address = client.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "mine/a"})
    with urllib.request.urlopen(address, timeout=5) as answer:
        assert answer.read() == b"a"
    for forged in (address.replace("mine/a", "mine/b"), address.replace("Expires=3600", "Expires=9999")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(forged, timeout=5)
        assert refused.value.code == 403


def role_session(cloud: Enforcing, name: str, *statements: dict[str, Any]) -> Session:
    iam = cloud.operator.iam
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(EC2_TRUST))
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
    held = identities.assume(f"arn:aws:iam::{ACCOUNT}:role/{name}", "i-1")
    return cloud.session(held.access_key_id, held.secret_access_key, held.session_token)


def test_an_instances_credentials_are_its_roles(cloud: Enforcing) -> None:
    session = role_session(cloud, "node", READ)
    assert body(session) == b"a"
    assert error_of(session.s3.delete_object, Bucket="data", Key="mine/a") == ("AccessDenied", 403)
    assert session.sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/node/i-1"


def test_credentials_without_their_token_or_after_their_end_open_nothing(cloud: Enforcing) -> None:
    role_session(cloud, "brief", READ)
    minted = sts_backends[ACCOUNT]["aws"].assumed_roles[-1]
    minted.expiration = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - datetime.timedelta(seconds=1)
    bare = cloud.session(minted.access_key_id, minted.secret_access_key)
    assert error_of(bare.s3.list_buckets) == ("InvalidToken", 400)
    late = cloud.session(minted.access_key_id, minted.secret_access_key, minted.session_token)
    assert error_of(late.s3.list_buckets) == ("ExpiredToken", 400)


def test_sessions_of_a_deleted_role_get_no_rights_from_a_new_one_of_the_same_name(cloud: Enforcing) -> None:
    session = role_session(cloud, "twice", READ)
    assert body(session) == b"a"
    cloud.operator.iam.delete_role_policy(RoleName="twice", PolicyName="p")
    cloud.operator.iam.delete_role(RoleName="twice")
    role_session(cloud, "twice", allow("*"))
    assert error_of(session.s3.get_object, Bucket="data", Key="mine/a") == ("AccessDenied", 403)


def test_ec2_gets_no_credentials_of_a_role_that_does_not_trust_it(cloud: Enforcing) -> None:
    trust = json.dumps(EC2_TRUST).replace("ec2.", "glue.")
    cloud.operator.iam.create_role(RoleName="not-for-ec2", AssumeRolePolicyDocument=trust)
    with pytest.raises(UntrustedError, match="EC2 cannot assume the role"):
        identities.assume(f"arn:aws:iam::{ACCOUNT}:role/not-for-ec2", "i-1")


def test_a_switched_off_or_deleted_key_opens_nothing(cloud: Enforcing) -> None:
    session = cloud.user("leaver", READ)
    assert body(session) == b"a"
    key = cloud.operator.iam.list_access_keys(UserName="leaver")["AccessKeyMetadata"][0]["AccessKeyId"]
    cloud.operator.iam.update_access_key(UserName="leaver", AccessKeyId=key, Status="Inactive")
    assert error_of(session.s3.get_object, Bucket="data", Key="mine/a") == ("InvalidAccessKeyId", 403)
    cloud.operator.iam.delete_access_key(UserName="leaver", AccessKeyId=key)
    assert error_of(session.s3.get_object, Bucket="data", Key="mine/a") == ("InvalidAccessKeyId", 403)


ONLY_TLS = {
    "Statement": {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
}


def test_a_tls_only_bucket_is_open_through_the_local_clouds_own_endpoint_and_shut_otherwise(tmp_path: Path) -> None:
    with enforcing_cloud(tmp_path) as cloud:
        cloud.operator.s3.create_bucket(Bucket="data")
        cloud.operator.s3.put_bucket_policy(Bucket="data", Policy=json.dumps(ONLY_TLS))
        cloud.operator.s3.put_object(Bucket="data", Key="a", Body=b"a")
    with enforcing_cloud(tmp_path, Authorizer(secure_transport=False)) as cloud:
        cloud.operator.s3.create_bucket(Bucket="data")
        cloud.operator.s3.put_bucket_policy(Bucket="data", Policy=json.dumps(ONLY_TLS))
        assert error_of(cloud.operator.s3.put_object, Bucket="data", Key="a", Body=b"a") == ("AccessDenied", 403)
        cloud.operator.s3.delete_bucket_policy(Bucket="data")
        cloud.operator.s3.put_object(Bucket="data", Key="a", Body=b"a")


def test_a_buckets_policy_allows_the_principals_that_it_names(cloud: Enforcing) -> None:
    session = cloud.user("guest", allow("s3:ListBucket", "arn:aws:s3:::data"))
    guest = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/guest"}
    policy = {"Statement": {**READ, "Principal": guest}}
    assert error_of(session.s3.get_object, Bucket="data", Key="mine/a") == ("AccessDenied", 403)
    cloud.operator.s3.put_bucket_policy(Bucket="data", Policy=json.dumps(policy))
    assert body(session) == b"a"
    policy = {"Statement": {**READ, "Principal": guest, "Effect": "Deny"}}
    cloud.operator.s3.put_bucket_policy(Bucket="data", Policy=json.dumps(policy))
    cloud.let("guest", READ)
    assert error_of(session.s3.get_object, Bucket="data", Key="mine/a") == ("AccessDenied", 403)


@pytest.mark.parametrize(
    "statement",
    [allow("*", "arn:aws:s3:::${aws:username}/*"), allow("*", Condition={"DateLessThan": {"aws:CurrentTime": "x"}})],
)
def test_a_policy_that_cannot_be_judged_is_refused_when_it_comes_in(
    cloud: Enforcing, statement: dict[str, Any]
) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with pytest.raises(
        ClientError, match="The local cloud does not serve iam:CreatePolicy: it can't judge a policy with"
    ):
        cloud.operator.iam.create_policy(PolicyName="p", PolicyDocument=document)


def test_boundaries_and_session_policies_are_refused(cloud: Enforcing) -> None:
    iam, sts = cloud.operator.iam, cloud.operator.sts
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/b"
    assert error_of(iam.create_user, UserName="x", PermissionsBoundary=boundary) == ("NotImplemented", 501)
    arguments = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x", "RoleSessionName": "me", "Policy": "{}"}
    assert error_of(sts.assume_role, **arguments) == ("NotImplemented", 501)


def test_what_is_known_of_the_administrator_alone_is_refused_by_name_to_others(cloud: Enforcing) -> None:
    session = cloud.user("builder", allow(["ec2:DescribeVpcs", "ec2:CreateKeyPair"]))
    assert session.ec2.describe_vpcs()["Vpcs"]
    assert error_of(session.ec2.create_key_pair, KeyName="k") == ("NotImplemented", 501)
    assert error_of(session.ec2.describe_subnets) == ("UnauthorizedOperation", 403)


def test_a_tables_name_is_read_where_glue_reads_it(cloud: Enforcing) -> None:
    arns = [f"arn:aws:glue:us-east-1:{ACCOUNT}:{rest}" for rest in ("catalog", "database/d", "table/d/open")]
    session = cloud.user("reader", allow(["glue:GetTable", "glue:GetPartitions"], arns))
    assert error_of(session.glue.get_table, DatabaseName="d", Name="open")[0] == "EntityNotFoundException"
    assert error_of(session.glue.get_table, DatabaseName="d", Name="shut")[0] == "AccessDeniedException"
    assert error_of(session.glue.get_partitions, DatabaseName="d", TableName="shut")[0] == "AccessDeniedException"


def test_a_user_is_asked_for_all_that_iam_could_have_given_him(cloud: Enforcing) -> None:
    iam = cloud.operator.iam
    iam.create_user(UserName="plain")
    assert iam.list_service_specific_credentials(UserName="plain")["ServiceSpecificCredentials"] == []
    assert error_of(iam.list_service_specific_credentials, UserName="nobody") == ("NoSuchEntity", 404)
    assert iam.list_signing_certificates(UserName="plain")["Certificates"] == []
    assert iam.list_ssh_public_keys(UserName="plain")["SSHPublicKeys"] == []
    assert iam.list_mfa_devices(UserName="plain")["MFADevices"] == []


def test_another_accounts_bucket_is_shut_even_to_the_administrator(cloud: Enforcing) -> None:
    neighbour = cloud.session("local-cloud-neighbour", "local-cloud-neighbour")
    ours, theirs = cloud.operator.s3, neighbour.s3
    theirs.create_bucket(Bucket="theirs")
    theirs.put_object(Bucket="theirs", Key="mine/a", Body=b"a")
    assert error_of(ours.head_bucket, Bucket="theirs") == ("403", 403)
    assert error_of(ours.get_object, Bucket="theirs", Key="mine/a") == ("AccessDenied", 403)
    assert error_of(theirs.get_object, Bucket="data", Key="mine/a") == ("AccessDenied", 403)
    assert error_of(ours.create_bucket, Bucket="theirs")[1] == 409
    assert "theirs" not in [bucket["Name"] for bucket in ours.list_buckets()["Buckets"]]
    policy = {"Statement": {**READ, "Resource": "arn:aws:s3:::theirs/*", "Principal": {"AWS": ACCOUNT}}}
    theirs.put_bucket_policy(Bucket="theirs", Policy=json.dumps(policy))
    assert ours.get_object(Bucket="theirs", Key="mine/a")["Body"].read() == b"a"
    assert error_of(neighbour.iam.list_users) == ("NotImplemented", 501)


def test_no_caller_can_choose_motos_account_by_a_header(cloud: Enforcing) -> None:
    client = cloud.session("local-cloud", "local-cloud").iam

    def choose(request: Any, **_: object) -> None:
        request.headers["x-moto-account-id"] = "210987654321"

    client.meta.events.register("before-send.iam", choose)
    client.create_user(UserName="at-home")
    assert cloud.operator.iam.get_user(UserName="at-home")["User"]["Arn"].split(":")[4] == ACCOUNT


def test_lake_formation_returns_the_settings_of_a_new_account_and_accepts_no_others(cloud: Enforcing) -> None:
    client = cloud.operator.client("lakeformation")
    settings = client.get_data_lake_settings()["DataLakeSettings"]
    everybody = {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}
    for name in ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions"):
        assert settings[name] == [{"Principal": everybody, "Permissions": ["ALL"]}]
    assert error_of(client.put_data_lake_settings, DataLakeSettings=settings) == ("NotImplemented", 501)
    nobody = cloud.user("no-lake")
    assert error_of(nobody.client("lakeformation").get_data_lake_settings)[0] == "AccessDeniedException"

"""The buckets' policies and the roles' trust policies against a cloud that enforces them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.local_cloud.enforcing import ACCOUNT, Enforcing, Session, allow, enforcing_cloud, error_of
from tests.support.local_cloud.policies import DATA, NAME, bucket_policy, render, trust

from local_cloud.ec2 import identities

KEY = "quotes/dt=2026-11-25/hour=12/a.json.gz"
DENIED = ("AccessDenied", 403)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enforcing]:
    with enforcing_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        iam = cloud.operator.iam
        for role in ("instance", "replay"):
            iam.create_role(RoleName=f"{NAME}-{role}", AssumeRolePolicyDocument=json.dumps(trust(role)))
            policy = json.dumps(render("identity", f"{role}_policy.json.j2"))
            iam.put_role_policy(RoleName=f"{NAME}-{role}", PolicyName="stream", PolicyDocument=policy)
        cloud.operator.s3.create_bucket(Bucket=DATA)
        cloud.operator.s3.put_object(Bucket=DATA, Key=KEY, Body=b"true")
        cloud.operator.s3.put_bucket_policy(Bucket=DATA, Policy=json.dumps(bucket_policy(DATA)))
        yield cloud


@pytest.fixture(scope="module")
def admin(cloud: Enforcing) -> Session:
    """A user of the account who may do everything with S3."""
    return cloud.user("admin", allow("s3:*"))


@pytest.fixture(scope="module")
def consumer(cloud: Enforcing) -> Session:
    # The role could do more than the consumer does: only the bucket's policy holds it back here.
    statement = {"Version": "2012-10-17", "Statement": [allow("s3:*")]}
    cloud.operator.iam.put_role_policy(
        RoleName=f"{NAME}-instance", PolicyName="wide", PolicyDocument=json.dumps(statement)
    )
    held = identities.assume(f"arn:aws:iam::{ACCOUNT}:role/{NAME}-instance", "i-1")
    return cloud.session(held.access_key_id, held.secret_access_key, held.session_token)


def replayer(cloud: Enforcing, caller: Session) -> Session:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-replay"
    held = caller.sts.assume_role(RoleArn=arn, RoleSessionName="replay")["Credentials"]
    return cloud.session(held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])


def put(session: Session, key: str, **more: Any) -> None:
    session.s3.put_object(Bucket=DATA, Key=key, Body=b"x", **more)


def test_the_consumer_writes_a_quotes_object_once_and_never_without_saying_so(consumer: Session) -> None:
    put(consumer, "quotes/b", IfNoneMatch="*")
    assert error_of(consumer.s3.put_object, Bucket=DATA, Key="quotes/b", Body=b"y", IfNoneMatch="*")[1] == 412
    assert error_of(consumer.s3.put_object, Bucket=DATA, Key="quotes/b", Body=b"y") == DENIED
    assert error_of(consumer.s3.put_object, Bucket=DATA, Key="quotes/new", Body=b"y") == DENIED
    assert consumer.s3.get_object(Bucket=DATA, Key="quotes/b")["Body"].read() == b"x"


def test_a_copy_has_no_such_header_and_is_refused(consumer: Session) -> None:
    source = {"Bucket": DATA, "Key": KEY}
    assert error_of(consumer.s3.copy_object, Bucket=DATA, Key="quotes/copy", CopySource=source) == DENIED


@pytest.mark.parametrize(("more", "done"), [({"IfNoneMatch": "*"}, True), ({}, False)])
def test_an_upload_in_parts_is_judged_at_its_completion(consumer: Session, more: dict[str, Any], done: bool) -> None:
    upload: Any = {"Bucket": DATA, "Key": f"quotes/parts-{done}"}
    upload["UploadId"] = consumer.s3.create_multipart_upload(**upload)["UploadId"]
    part = consumer.s3.upload_part(**upload, PartNumber=1, Body=b"x")
    parts: Any = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
    if done:
        consumer.s3.complete_multipart_upload(**upload, **parts, **more)
    else:
        assert error_of(consumer.s3.complete_multipart_upload, **upload, **parts) == DENIED


def test_no_other_caller_writes_quotes_not_even_the_account_itself(cloud: Enforcing, admin: Session) -> None:
    for session in (admin, cloud.operator):
        assert error_of(session.s3.put_object, Bucket=DATA, Key="quotes/c", Body=b"x", IfNoneMatch="*") == DENIED


def test_nobody_deletes_quotes(cloud: Enforcing, admin: Session, consumer: Session) -> None:
    for session in (admin, cloud.operator, consumer, replayer(cloud, cloud.operator)):
        assert error_of(session.s3.delete_object, Bucket=DATA, Key=KEY) == DENIED
        several = {"Objects": [{"Key": KEY}]}
        assert error_of(session.s3.delete_objects, Bucket=DATA, Delete=several) == DENIED


TAGS: Any = {"TagSet": [{"Key": "history", "Value": "verified"}]}


def test_nobody_tags_quotes_unless_they_may_expire(cloud: Enforcing, admin: Session, consumer: Session) -> None:
    for session in (admin, cloud.operator, consumer, replayer(cloud, cloud.operator)):
        assert error_of(session.s3.put_object_tagging, Bucket=DATA, Key=KEY, Tagging=TAGS) == DENIED
        assert error_of(session.s3.delete_object_tagging, Bucket=DATA, Key=KEY) == DENIED
    new = {"Bucket": DATA, "Key": "quotes/tagged", "IfNoneMatch": "*", "Tagging": "history=verified"}
    assert error_of(consumer.s3.put_object, Body=b"x", **new) == DENIED
    upload = {"Bucket": DATA, "Key": "quotes/tagged", "Tagging": "history=verified"}
    assert error_of(consumer.s3.create_multipart_upload, **upload) == DENIED


def test_where_quotes_may_expire_the_replays_role_alone_tags_them(
    cloud: Enforcing, admin: Session, consumer: Session
) -> None:
    cloud.operator.s3.put_bucket_policy(Bucket=DATA, Policy=json.dumps(bucket_policy(DATA, storage_raw_days=30)))
    try:
        for session in (admin, cloud.operator, consumer):
            assert error_of(session.s3.put_object_tagging, Bucket=DATA, Key=KEY, Tagging=TAGS) == DENIED
        tagger = replayer(cloud, cloud.operator)
        tagger.s3.put_object_tagging(Bucket=DATA, Key=KEY, Tagging=TAGS)
        assert error_of(tagger.s3.delete_object_tagging, Bucket=DATA, Key=KEY) == DENIED
        assert cloud.operator.s3.get_object_tagging(Bucket=DATA, Key=KEY)["TagSet"] == TAGS["TagSet"]
        put(admin, "backups/tagged.json", Tagging="a=b")
    finally:
        cloud.operator.s3.put_bucket_policy(Bucket=DATA, Policy=json.dumps(bucket_policy(DATA)))


def test_the_other_folders_are_the_operators(admin: Session, consumer: Session) -> None:
    for key in ("backups/a.json", "quarantine/a.json.gz"):
        put(admin, key)
        put(consumer, key)
        admin.s3.delete_object(Bucket=DATA, Key=key)


def test_a_replay_writes_by_its_own_role_once_and_reads_nothing(cloud: Enforcing) -> None:
    operator = cloud.user("operator", allow("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-replay"))
    session = replayer(cloud, operator)
    put(session, "quotes/replayed", IfNoneMatch="*")
    assert error_of(session.s3.put_object, Bucket=DATA, Key="quotes/replayed-2", Body=b"x") == DENIED
    assert error_of(session.s3.get_object, Bucket=DATA, Key="quotes/replayed") == DENIED
    stranger = cloud.user("stranger", allow("s3:*"))
    arguments = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-replay", "RoleSessionName": "stranger"}
    assert error_of(stranger.sts.assume_role, **arguments) == DENIED


def test_a_purge_removes_the_policy_first(admin: Session) -> None:
    admin.s3.delete_bucket_policy(Bucket=DATA)
    try:
        put(admin, "quotes/to-go")
        admin.s3.delete_object(Bucket=DATA, Key="quotes/to-go")
    finally:
        admin.s3.put_bucket_policy(Bucket=DATA, Policy=json.dumps(bucket_policy(DATA)))


@pytest.mark.parametrize(("account", "made"), [(ACCOUNT, True), ("210987654321", False)])
def test_glue_takes_on_a_role_only_for_the_account_that_the_role_trusts(
    cloud: Enforcing, account: str, made: bool
) -> None:
    glue, name = cloud.operator.glue, f"trusts-{account}"
    policy = json.dumps(trust("glue")).replace(ACCOUNT, account)
    cloud.operator.iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)
    crawler: Any = {
        "Name": name,
        "Role": name,
        "DatabaseName": "market",
        "Targets": {"S3Targets": [{"Path": f"s3://{DATA}/quotes/"}]},
    }
    if made:
        glue.create_crawler(**crawler)
    else:
        assert error_of(glue.create_crawler, **crawler)[0] == "InvalidInputException"

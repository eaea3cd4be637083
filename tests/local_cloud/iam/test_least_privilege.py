"""Nothing is granted that is not needed: each action and each resource is taken from each policy, and something fails.

Who has a policy does his work under it against a local cloud that enforces it: the consumer by its own code and with
the credentials that it gets from the metadata service, the crawler, and the analyst. Statements of which only AWS
itself asks for the actions can't be proven here and are left out; docs/iam.md names what speaks for them.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.support.local_cloud import workers
from tests.support.local_cloud.enforcing import Enforcing, Quiet, Session, enforcing_cloud
from tests.support.local_cloud.policies import (
    DATA,
    DATABASE,
    NAME,
    RESULTS,
    WORKGROUP,
    Policy,
    bucket_policy,
    proven,
    render,
    trust,
    without_one,
)
from tests.support.local_cloud.workers import CRAWLER, Refused
from werkzeug.serving import make_server

from local_cloud.ec2 import identities
from local_cloud.ec2.metadata import Identity, MetadataService
from local_cloud.glue import crawler as glue_crawler

INSTANCE = proven(render("identity", "instance_policy.json.j2"))
GLUE = proven(render("identity", "glue_policy.json.j2"))
ANALYST = proven(render("identity", "analyst_policy.json.j2"))
HOST = Identity(
    instance_id="i-1",
    instance_type="t3.small",
    image_id="ami-1",
    account_id="123456789012",
    region="us-east-1",
    zone="us-east-1a",
    private_address="10.0.0.4",
    public_address="127.0.0.1",
    mac="02:00:00:00:00:01",
    hostname="node-1",
    security_groups=(),
    tags={},
    profile_arn=f"arn:aws:iam::123456789012:instance-profile/{NAME}-instance",
    profile_id="AIPA1",
    role_name=f"{NAME}-instance",
    role_arn=f"arn:aws:iam::123456789012:role/{NAME}-instance",
    public_key=None,
    hop_limit=1,
)


class Deployment:
    """The cloud, with all that cloud.yml makes and the policies are about."""

    def __init__(self, cloud: Enforcing, analyst: Session) -> None:
        self.cloud = cloud
        self.analyst = analyst
        self._offsets = itertools.count(0, 2)
        self._is_filled = False

    def give(self, who: str, policy: Policy) -> None:
        """Puts a policy in the place of the one that somebody has."""
        text = json.dumps(policy)
        iam = self.cloud.operator.iam
        if who == "analyst":
            iam.put_user_policy(UserName=f"{NAME}-analyst", PolicyName="stream", PolicyDocument=text)
        else:
            iam.put_role_policy(RoleName=f"{NAME}-{who}", PolicyName="stream", PolicyDocument=text)

    def fill(self) -> None:
        """Sees to data and a table for the analyst."""
        if not self._is_filled:
            workers.empty(self.cloud)
            workers.fill(self.cloud)
            self._is_filled = True

    def work(self, who: str) -> None:
        """Does somebody's work; raises `Refused` where a policy stands in its way."""
        if who == "analyst":
            workers.analyse(self.analyst)
            return
        self._is_filled = False
        workers.empty(self.cloud)
        if who == "instance":
            workers.consume(next(self._offsets))
            workers.take_on_the_historys_role()
        else:
            workers.crawl_through_all_changes(self.cloud)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    patch = pytest.MonkeyPatch()
    with enforcing_cloud(tmp_path_factory.mktemp("cloud")) as cloud, patch.context() as environment:
        environment.setattr(glue_crawler, "STOPPING_SECONDS", 0.0)
        _build(cloud)
        analyst = cloud.user(f"{NAME}-analyst")
        with _metadata() as endpoint:
            _as_on_a_host(environment, cloud.endpoint, endpoint, tmp_path_factory.mktemp("home"))
            yield Deployment(cloud, analyst)


def _build(cloud: Enforcing) -> None:
    operator = cloud.operator
    for bucket in (DATA, RESULTS):
        operator.s3.create_bucket(Bucket=bucket)
        operator.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(bucket_policy(bucket)))
    for role in ("instance", "glue", "history"):
        operator.iam.create_role(RoleName=f"{NAME}-{role}", AssumeRolePolicyDocument=json.dumps(trust(role)))
    operator.glue.create_database(DatabaseInput={"Name": DATABASE})
    operator.glue.create_crawler(
        Name=CRAWLER,
        Role=f"{NAME}-glue",
        DatabaseName=DATABASE,
        Targets={"CatalogTargets": [{"DatabaseName": DATABASE, "Tables": ["quotes"]}]},
        SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"},
        Configuration='{"Version": 1.0, "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}}}',
    )
    for workgroup in (WORKGROUP, "another"):
        configuration: Any = {
            "ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/results/"},
            "EnforceWorkGroupConfiguration": True,
        }
        operator.athena.create_work_group(Name=workgroup, Configuration=configuration)


class _metadata:  # noqa: N801  # a context manager
    """The metadata service of one host, at an address of its own."""

    def __enter__(self) -> str:
        service = MetadataService(lambda _: HOST, identities.assume)
        self._server = make_server("127.0.0.1", 0, service, threaded=True, request_handler=Quiet)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _as_on_a_host(environment: pytest.MonkeyPatch, api: str, metadata: str, home: Path) -> None:
    """The consumer's environment file, and nothing that a person has set."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        environment.delenv(name, raising=False)
    environment.setenv("AWS_CONFIG_FILE", str(home / "config"))
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
    environment.setenv("AWS_ENDPOINT_URL", api)
    environment.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata)
    environment.setenv("AWS_EC2_METADATA_DISABLED", "false")
    environment.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture
def ready(deployment: Deployment) -> Deployment:
    """The deployment with everybody's own policy."""
    for who, policy in (("instance", INSTANCE), ("glue", GLUE), ("analyst", ANALYST)):
        deployment.give(who, policy)
    return deployment


@pytest.fixture
def filled(ready: Deployment) -> Deployment:
    """The same, with data and a table for the analyst."""
    ready.fill()
    return ready


@pytest.mark.parametrize("who", ["instance", "glue", "analyst"])
def test_the_policy_is_enough_for_the_work(ready: Deployment, who: str) -> None:
    if who == "analyst":
        ready.fill()
    ready.work(who)


def _cases() -> Iterator[Any]:
    for who, policy in (("instance", INSTANCE), ("glue", GLUE), ("analyst", ANALYST)):
        for name, less in without_one(policy):
            yield pytest.param(who, less, id=f"{who}-{name}")


@pytest.mark.parametrize(("who", "less"), list(_cases()))
def test_without_any_one_action_or_resource_the_work_fails(ready: Deployment, who: str, less: Policy) -> None:
    if who == "analyst":
        ready.fill()
    ready.give(who, less)
    with pytest.raises(Refused):
        ready.work(who)


CONSUMER_MAY_NOT: list[tuple[str, str, dict[str, Any]]] = [
    ("s3", "delete_object", {"Bucket": DATA, "Key": "quotes/a"}),
    ("s3", "delete_objects", {"Bucket": DATA, "Delete": {"Objects": [{"Key": "quotes/a"}]}}),
    ("s3", "put_object", {"Bucket": DATA, "Key": "elsewhere/a", "Body": b"x"}),
    ("s3", "get_object", {"Bucket": DATA, "Key": "elsewhere/a"}),
    ("s3", "get_object", {"Bucket": RESULTS, "Key": "results/a"}),
    ("s3", "list_objects_v2", {"Bucket": RESULTS}),
    ("s3", "copy_object", {"Bucket": DATA, "Key": "quotes/a", "CopySource": f"{RESULTS}/results/a"}),
    ("s3", "delete_bucket", {"Bucket": DATA}),
    ("s3", "put_bucket_policy", {"Bucket": DATA, "Policy": "{}"}),
    ("s3", "delete_bucket_policy", {"Bucket": DATA}),
    ("s3", "list_buckets", {}),
    ("glue", "get_table", {"DatabaseName": DATABASE, "Name": "quotes"}),
    ("athena", "start_query_execution", {"QueryString": "SELECT 1", "WorkGroup": WORKGROUP}),
    ("iam", "list_users", {}),
    ("ec2", "describe_instances", {}),
    ("ssm", "get_parameter", {"Name": f"/{NAME}/kafka/users/broker", "WithDecryption": True}),
    ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::123456789012:role/{NAME}-glue", "RoleSessionName": "me"}),
]
ANALYST_MAY_NOT: list[tuple[str, str, dict[str, Any]]] = [
    ("s3", "put_object", {"Bucket": RESULTS, "Key": "results/a.csv", "Body": b"a lie"}),
    ("s3", "delete_object", {"Bucket": RESULTS, "Key": "results/a.csv"}),
    ("s3", "put_object", {"Bucket": DATA, "Key": "quotes/a", "Body": b"x"}),
    ("s3", "delete_object", {"Bucket": DATA, "Key": "quotes/a"}),
    ("s3", "get_object", {"Bucket": DATA, "Key": "quarantine/a"}),
    ("s3", "list_objects_v2", {"Bucket": DATA}),
    ("s3", "list_objects_v2", {"Bucket": DATA, "Prefix": "quarantine/"}),
    ("s3", "list_objects_v2", {"Bucket": RESULTS}),
    ("athena", "start_query_execution", {"QueryString": "SELECT 1", "WorkGroup": "another"}),
    ("athena", "delete_work_group", {"WorkGroup": WORKGROUP}),
    ("athena", "update_work_group", {"WorkGroup": WORKGROUP, "State": "DISABLED"}),
    ("glue", "delete_table", {"DatabaseName": DATABASE, "Name": "quotes"}),
    ("glue", "get_table", {"DatabaseName": "another", "Name": "quotes"}),
    ("glue", "start_crawler", {"Name": CRAWLER}),
    ("iam", "create_access_key", {"UserName": f"{NAME}-analyst"}),
    ("ssm", "get_parameters_by_path", {"Path": f"/{NAME}", "Recursive": True, "WithDecryption": True}),
    ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::123456789012:role/{NAME}-instance", "RoleSessionName": "me"}),
]
REFUSALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


def refusal(call: Callable[..., Any], arguments: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Code"])


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(("service", "action", "arguments"), CONSUMER_MAY_NOT)
def test_the_consumer_may_do_nothing_else(service: str, action: str, arguments: dict[str, Any]) -> None:
    client: Any = boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]  # the stubs know clients by literal names only
    assert refusal(getattr(client, action), arguments) in REFUSALS


@pytest.mark.parametrize(("service", "action", "arguments"), ANALYST_MAY_NOT)
def test_the_analyst_may_do_nothing_else(
    filled: Deployment, service: str, action: str, arguments: dict[str, Any]
) -> None:
    assert refusal(getattr(filled.analyst.client(service), action), arguments) in REFUSALS


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE quotes",
        "DROP DATABASE stock_market CASCADE",
        "CREATE DATABASE mine",
        "ALTER TABLE quotes DROP PARTITION (dt = '2026-11-25', hour = '09')",
        "INSERT INTO quotes SELECT * FROM quotes",
        f"CREATE TABLE mine WITH (external_location = 's3://{DATA}/mine/') AS SELECT * FROM quotes",
        "CREATE TABLE mine AS SELECT * FROM quotes",
        f"UNLOAD (SELECT * FROM quotes) TO 's3://{DATA}/mine/' WITH (format = 'PARQUET')",
        "CREATE VIEW mine AS SELECT * FROM quotes",
        f"CREATE EXTERNAL TABLE mine (symbol string) LOCATION 's3://{DATA}/quotes/'",
        f"CREATE TABLE mine (symbol string) LOCATION 's3://{DATA}/mine/' TBLPROPERTIES ('table_type' = 'ICEBERG')",
    ],
)
def test_the_analyst_changes_nothing_by_sql(filled: Deployment, sql: str) -> None:
    objects = filled.cloud.operator.s3.list_objects_v2(Bucket=DATA)["KeyCount"]
    with pytest.raises(Refused):
        workers.run(filled.analyst, sql)
    tables = filled.cloud.operator.glue.get_tables(DatabaseName=DATABASE)["TableList"]
    assert [table["Name"] for table in tables] == ["quotes"]
    assert filled.cloud.operator.s3.list_objects_v2(Bucket=DATA)["KeyCount"] == objects

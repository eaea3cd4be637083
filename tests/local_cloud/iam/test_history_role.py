"""The role of the history: the compactor works under it, needs each of its rights, and can do nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.support.local_cloud import workers
from tests.support.local_cloud.enforcing import ACCOUNT, Enforcing, Session, enforcing_cloud, error_of
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
from tests.support.local_cloud.workers import Refused
from tests.support.stock_market.history import lines
from tests.support.stock_market.lake import NOON, Lake

from local_cloud.iam.callers import WATCHERS, Caller
from local_cloud.iam.policy import Decision, Request, decide, statements_of
from stock_market.history.compactor.athena import Athena
from stock_market.history.compactor.catalog import Catalog
from stock_market.history.compactor.clients import AWS_ERRORS, Clients
from stock_market.history.compactor.engine import Compactor, Options, Outcome
from stock_market.hours import HOUR_MS
from stock_market.service import Stop
from stock_market.settings import HistoryIceberg, HistorySettings

ARN = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-history"
POLICY = proven(render("identity", "history_policy.json.j2"))
SETTINGS = msgspec.convert(
    {
        "s3": {"bucket": DATA},
        "catalog": {"database": DATABASE, "workgroup": WORKGROUP},
        "grace_seconds": 0,
        "attempts": 1,
        "query_seconds": 30,
    },
    HistorySettings,
)
WITH_ICEBERG = proven(render("identity", "history_policy.json.j2", catalog_iceberg=True))
MORE = [(name, less) for name, less in without_one(WITH_ICEBERG) if name not in dict(without_one(POLICY))]
"""What is taken away of the rights that only the Iceberg table needs."""
ORPHAN = "history/dt=2026-01-01/hour=12/20260101T130000Z-00000000/part"
OLD_TABLE = "iceberg/quotes_iceberg-20260101T000000Z-00000000/data/part"
DENIED = {"AccessDenied", "AccessDeniedException"}
REFUSALS = ("nsufficient permissions", "S3 HEAD request failed", "Error accessing metadata file")


class _Bucket:
    """The data bucket, for who writes raw objects while it has no policy."""

    def __init__(self, client: Any) -> None:
        self.client, self.name = client, DATA


class Deployment:
    """The cloud, with tables, raw objects and the role."""

    def __init__(self, cloud: Enforcing) -> None:
        self.cloud = cloud

    def give(self, policy: Policy) -> None:
        """Puts a policy in the place of the role's."""
        document = json.dumps(policy)
        self.cloud.operator.iam.put_role_policy(
            RoleName=f"{NAME}-history", PolicyName="stream", PolicyDocument=document
        )

    def session(self) -> Session:
        """A session of the role."""
        held = self.cloud.operator.sts.assume_role(RoleArn=ARN, RoleSessionName="history")["Credentials"]
        return self.cloud.session(held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])

    def begin(self) -> None:
        """Three hours of raw objects, and tables that know none of them."""
        workers.empty(self.cloud)
        workers.declare(self.cloud)
        for hours in (False, True):
            Catalog(self.cloud.operator.glue, SETTINGS, hours=hours).declare()
        for hour in range(3):
            self.store(10 * hour, hour)

    def store(self, start: int, hour: int, partition: int = 0) -> None:
        """Writes a raw object of ten quotes into an hour, counted from noon."""
        with workers.unguarded(self.cloud) as s3:
            lake = Lake(_Bucket(s3))  # type: ignore[arg-type]  # it has what Lake uses of a bucket
            lake.main(start, lines(range(start, start + 10)), time_ms=NOON + hour * HOUR_MS, partition=partition)

    def work(self) -> None:
        """The compactor's life: two hours, then a late object, whose hour it writes again, and the orphans.

        Raises:
            Refused: a right was missing.
        """
        self.begin()
        assert [hour.hour for hour in self.run().hours] == ["12", "13"]
        self.store(0, 0, partition=1)
        again = self.run()
        assert [hour.hour for hour in again.late] == ["12"]
        assert again.removed > 0
        self.stop_a_query()

    def keep_iceberg(self) -> None:
        """The life of the Iceberg table: it is made and filled, and the files of an earlier one go, and an orphan.

        Raises:
            Refused: a right was missing.
        """
        self.begin()
        with workers.unguarded(self.cloud) as s3:
            for key in (OLD_TABLE, ORPHAN):
                s3.put_object(Bucket=DATA, Key=key, Body=b"x")
        outcome = self.run(iceberg=HistoryIceberg())
        assert [hour.hour for hour in outcome.merged] == ["12", "13"]
        assert outcome.removed == 2

    def stop_a_query(self) -> None:
        """What the compactor does with a query that takes too long."""
        athena, stop = self.session().athena, Stop()
        query = Athena(athena, WORKGROUP, DATABASE, 30, stop).run("SELECT 1", "query")
        try:
            athena.stop_query_execution(QueryExecutionId=query)
        except AWS_ERRORS as error:
            raise Refused(str(error)) from error

    def run(self, **settings: Any) -> Outcome:
        """One run; `settings` replace single ones."""
        session = self.session()
        clients = Clients(session.s3, session.glue, session.athena)
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        options = Options(every_day=True)
        try:
            chosen = msgspec.structs.replace(SETTINGS, **settings)
            outcome = Compactor(chosen, clients, Stop(), options, now=lambda: tomorrow).run()
        except AWS_ERRORS as error:
            if not any(word in str(error) for word in ("not authorized", "Forbidden", "AccessDenied")):
                raise
            raise Refused(str(error)) from error
        for problem in outcome.problems:
            assert any(word in problem for word in REFUSALS), problem
            raise Refused(problem)
        return outcome


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with enforcing_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        operator = cloud.operator
        for bucket in (DATA, RESULTS):
            operator.s3.create_bucket(Bucket=bucket)
            operator.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(bucket_policy(bucket)))
        operator.iam.create_role(RoleName=f"{NAME}-history", AssumeRolePolicyDocument=json.dumps(trust("history")))
        operator.glue.create_database(DatabaseInput={"Name": DATABASE})
        operator.athena.create_work_group(
            Name=WORKGROUP,
            Configuration={
                "ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/results/"},
                "EnforceWorkGroupConfiguration": True,
            },
        )
        yield Deployment(cloud)


def rights_of(deployment: Deployment, policy: Policy, life: Callable[[], None]) -> list[Request]:
    """What the role has to be allowed for a life under a policy, as the cloud notes it; the policy allows all of it."""
    asked: list[Request] = []

    def watch(caller: Caller, one: Request) -> None:
        if f"/{NAME}-history/" in caller.arn:
            asked.append(one)

    deployment.give(policy)
    WATCHERS.append(watch)
    try:
        life()
    finally:
        WATCHERS.remove(watch)
    assert asked
    assert refused(policy, asked) == []
    return asked


def refused(policy: Policy, asked: Iterable[Request]) -> list[Request]:
    """What a policy does not allow of it."""
    statements = statements_of(json.dumps(policy))
    return [one for one in asked if decide(statements, one) is not Decision.ALLOW]


@pytest.fixture(scope="module")
def needed(deployment: Deployment) -> list[Request]:
    """What the compactor has to be allowed; its policy is enough."""
    return rights_of(deployment, POLICY, deployment.work)


@pytest.fixture(scope="module")
def needed_with_iceberg(deployment: Deployment) -> list[Request]:
    """The same with an Iceberg table."""
    return rights_of(deployment, WITH_ICEBERG, deployment.keep_iceberg)


@pytest.mark.parametrize("less", [pytest.param(less, id=name) for name, less in without_one(POLICY)])
def test_the_compactor_needs_each_action_and_resource(needed: list[Request], less: Policy) -> None:
    assert refused(less, needed)


@pytest.mark.parametrize("less", [pytest.param(less, id=name) for name, less in MORE])
def test_the_iceberg_table_needs_each_further_right(needed_with_iceberg: list[Request], less: Policy) -> None:
    assert refused(less, needed_with_iceberg)


# The verdicts above come from what the cloud has noted; these few are asked of the cloud itself.
@pytest.mark.parametrize(
    "case",
    ["QueryInTheWorkgroup-athena:StartQueryExecution", "WriteHistory-s3:PutObject", "PublishTheViews-glue:UpdateTable"],
)
def test_without_the_action_the_compactor_is_refused(deployment: Deployment, case: str) -> None:
    deployment.give(dict(without_one(POLICY))[case])
    with pytest.raises(Refused):
        deployment.work()


MAY_NOT: list[tuple[str, str, dict[str, Any]]] = [
    ("s3", "put_object", {"Bucket": DATA, "Key": "quotes/a", "Body": b"x", "IfNoneMatch": "*"}),
    ("s3", "put_object", {"Bucket": DATA, "Key": "quarantine/a", "Body": b"x"}),
    ("s3", "put_object", {"Bucket": DATA, "Key": "iceberg/a", "Body": b"x"}),
    ("s3", "delete_object", {"Bucket": DATA, "Key": "iceberg/a"}),
    ("glue", "create_table", {"DatabaseName": DATABASE, "TableInput": {"Name": "quotes_iceberg"}}),
    ("s3", "put_object", {"Bucket": RESULTS, "Key": "results/a.csv", "Body": b"a lie"}),
    ("s3", "delete_object", {"Bucket": DATA, "Key": "quotes/a"}),
    ("s3", "get_object", {"Bucket": DATA, "Key": "quarantine/a"}),
    ("s3", "list_objects_v2", {"Bucket": RESULTS}),
    ("s3", "put_bucket_policy", {"Bucket": DATA, "Policy": "{}"}),
    ("glue", "delete_table", {"DatabaseName": DATABASE, "Name": "quotes_all"}),
    ("glue", "update_table", {"DatabaseName": DATABASE, "TableInput": {"Name": "quotes"}}),
    (
        "glue",
        "delete_partition",
        {"DatabaseName": DATABASE, "TableName": "quotes", "PartitionValues": ["2026-01-01", "12"]},
    ),
    ("athena", "delete_work_group", {"WorkGroup": WORKGROUP}),
    ("iam", "list_users", {}),
    ("ssm", "get_parameters_by_path", {"Path": f"/{NAME}", "Recursive": True, "WithDecryption": True}),
    ("sts", "assume_role", {"RoleArn": ARN.replace("-history", "-replay"), "RoleSessionName": "me"}),
]


@pytest.mark.parametrize(("service", "action", "arguments"), MAY_NOT)
def test_the_role_may_do_nothing_else(
    deployment: Deployment, service: str, action: str, arguments: dict[str, Any]
) -> None:
    deployment.give(POLICY)
    client = deployment.session().client(service)
    assert error_of(getattr(client, action), **arguments)[0] in DENIED


@pytest.mark.parametrize("key", [ORPHAN, OLD_TABLE])
def test_nobody_else_writes_or_deletes_history_not_even_the_account_itself(deployment: Deployment, key: str) -> None:
    deployment.give(WITH_ICEBERG)
    deployment.session().s3.put_object(Bucket=DATA, Key=key, Body=b"x")
    operator = deployment.cloud.operator.s3
    assert error_of(operator.put_object, Bucket=DATA, Key=key, Body=b"a lie") == ("AccessDenied", 403)
    assert error_of(operator.delete_object, Bucket=DATA, Key=key) == ("AccessDenied", 403)
    deployment.session().s3.delete_object(Bucket=DATA, Key=key)

"""What operators do, verb by verb, each with the policies of its verb only, against a cloud that enforces them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from tests.cloud.modules import load
from tests.support.hostless_cloud import HostlessCloud
from tests.support.local_cloud.enforcing import ACCOUNT, REGION, Enforcing, Session, error_of
from tests.support.local_cloud.policies import DATA, NAME, RESULTS, Policy, render
from tests.support.local_cloud.workers import empty, put_quotes, unguarded

from local_cloud.iam.policy import Decision, Request, decide, statements_of
from stock_market_ops.common.deployment import ROOT, Deployment
from stock_market_ops.query import command as query
from stock_market_ops.replay import command as replay_quarantine
from stock_market_ops.status import command as status
from stock_market_ops.verify import command as verify

POLICIES = ("plan", "up", "down", "day2")
VERBS: Mapping[str, tuple[str, ...]] = {
    "plan": ("plan",),
    "up": ("plan", "up", "day2"),
    "day2": ("plan", "day2"),
    "down": ("plan", "down"),
    "without analyst": ("plan", "up", "day2", "down"),
}
"""The policies that each verb needs; docs/iam.md says the same."""
TAGS = {"Project": "stock-market-kafka", "Deployment": NAME, "ManagedBy": "ansible"}
ANALYST = ROOT / "tests" / "local_cloud" / "identity.yml"
BUDGET = {"stock_market_monthly_budget_usd": 500, "stock_market_budget_email": "me@example.com"}


def user_of(verb: str) -> str:
    """The verb's IAM user, and its role of the same name."""
    return f"operator-{verb.replace(' ', '-')}"


def operator_policy(name: str, **changes: Any) -> Policy:
    """One of the operator's policies, as the role identity renders it."""
    return render("identity", f"operator_{name}_policy.json.j2", **({"stock_market_database": NAME} | changes))


class Needed:
    """All that the operators had to be allowed, by verb, as the cloud has noted it."""

    def __init__(self, file: Path) -> None:
        self.rights: dict[str, list[Request]] = {verb: [] for verb in VERBS}
        for line in file.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            context = {key: tuple(values) for key, values in told["context"].items()}
            for verb in VERBS:
                if told["caller"].split("/")[1] == user_of(verb):
                    self.rights[verb].append(Request(told["action"], told["resource"], context))

    def refused(self, verb: str, policies: Mapping[str, Policy]) -> list[str]:
        """What a verb's policies do not allow of all that it did, each as action and resource."""
        documents = [json.dumps(policies[name]) for name in VERBS[verb]]
        statements = [statement for document in documents for statement in statements_of(document)]
        found = {
            f"{one.action} on {one.resource}"
            for one in self.rights[verb]
            if decide(statements, one) is not Decision.ALLOW
        }
        return sorted(found)


class Operators:
    """A user for each verb, and the playbooks and programs that they run."""

    def __init__(self, cloud: HostlessCloud, folder: Path, policies: Mapping[str, Policy]) -> None:
        self.cloud = Enforcing(cloud.endpoint)
        self._hostless, self.folder = cloud, folder
        self._keys: dict[str, tuple[str, str]] = {}
        iam = self.cloud.operator.iam
        for name, policy in policies.items():
            iam.create_policy(PolicyName=f"{NAME}-operator-{name}", PolicyDocument=json.dumps(policy))
        for verb, names in VERBS.items():
            iam.create_user(UserName=user_of(verb))
            for name in names:
                arn = f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-operator-{name}"
                iam.attach_user_policy(UserName=user_of(verb), PolicyArn=arn)
            key = iam.create_access_key(UserName=user_of(verb))["AccessKey"]
            self._keys[verb] = (key["AccessKeyId"], key["SecretAccessKey"])

    def session(self, verb: str) -> Session:
        """Clients of the verb's user."""
        return self.cloud.session(*self._keys[verb])

    def play(self, verb: str, playbook: str | Path, **variables: Any) -> str:
        """Runs a playbook with inventory/aws as the verb's user, on this machine only; returns what it said."""
        given = json.dumps(BUDGET | {"identity_analyst": True} | variables)
        key, secret = self._keys[verb]
        done = self._hostless.play(ROOT / "playbooks" / playbook, NAME, "-e", given, key=key, secret=secret)
        assert done.returncode == 0, f"{verb}: {playbook} ended with {done.returncode}:\n{done.stdout[-3000:]}"
        return done.stdout

    def write_deployment(self, verb: str) -> list[str]:
        """Writes the files that the operator's programs read; returns the options that name them."""
        state = self.folder / "programs" / NAME
        config, credentials = state / "config", state / "credentials"
        state.mkdir(parents=True, exist_ok=True)
        key, secret = self._keys[verb]
        endpoint = f"region = {REGION}\nendpoint_url = {self.cloud.endpoint}\n"
        replay = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-replay"
        config.write_text(
            f"[profile {NAME}]\n{endpoint}[profile {NAME}-replay]\n{endpoint}"
            f"role_arn = {replay}\nrole_session_name = replay-quarantine\nsource_profile = {NAME}\n"
        )
        credentials.write_text(f"[{NAME}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
        deployment = Deployment(
            deployment=NAME,
            region=REGION,
            endpoint_url=self.cloud.endpoint,
            aws_profile=NAME,
            aws_config_file=str(config),
            aws_credentials_file=str(credentials),
            data_bucket=DATA,
            results_bucket=RESULTS,
            workgroup=NAME,
            database=NAME,
            table="quotes",
            crawler=NAME,
            bootstrap_servers="127.0.0.1:9",  # nobody listens there
            topic="stock-quotes",
            consumer_group="stock-consumer",
            ssh_config=str(state / "ssh_config"),
            consumers=1,
            flush_seconds=10,
            instances=[],
            replay_profile=f"{NAME}-replay",
        )
        (state / "deployment.json").write_bytes(msgspec.json.encode(deployment))
        return ["--deployment", NAME, "--state-root", str(state.parent)]


def told(program: Callable[[list[str]], int], arguments: Iterable[str]) -> tuple[int, str]:
    """Runs one of the operator's programs; its exit code and all that it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = program([*arguments])
    return code, printed.getvalue()


def do_everything(operators: Operators) -> None:
    """A deployment's life: looked at, made, made again after changes, used, and removed with what was left over."""
    cloud = operators.cloud
    neighbours(cloud)
    operators.play("up", "cloud.yml")
    with ThreadPoolExecutor() as beside:
        written = beside.submit(operators.play, "plan", "policies.yml")
        planned = beside.submit(operators.play, "plan", "plan.yml")
        operators.play("up", "secrets.yml")
        put_quotes(cloud)
        _, name, _, programs = operators.write_deployment("up")
        operators.play("up", "analysis.yml", analyses_names=["freshness"], analyses_state_dir=f"{programs}/{name}")
        use(operators)
        written.result()
        assert "ec2:RunInstances" in planned.result(), "plan.yml does not say that it is denied"
    made_by_an_older_version(cloud)
    another_key(cloud)
    changes = {"stock_market_operator_cidr": "203.0.113.9/32", "instances_elastic_ip": False}
    changes |= {"identity_results_prefix": "answers/"}
    changes |= {"catalog_scan_limit_bytes": 20_000_000_000, "stock_market_monthly_budget_usd": 600}
    operators.play("up", "cloud.yml", **changes)
    # make replace and make scale terminate instances.
    session = operators.session("up")
    code, _ = error_of(session.ec2.terminate_instances, InstanceIds=[instance_of(cloud)], DryRun=True)
    assert code == "DryRunOperation"
    operators.play("without analyst", ANALYST, identity_analyst=False)
    an_analyst(cloud)
    leftovers(cloud)
    operators.play(
        "down", "teardown.yml", teardown_confirm=True, purge_data=True, teardown_lift_termination_protection=True
    )


def neighbours(cloud: Enforcing) -> None:
    """Other people's identities, whose names begin as the deployment's do: the search has to look at each."""
    iam = cloud.operator.iam
    iam.create_user(UserName=f"{NAME}-bob", Path="/staff/")
    iam.create_instance_profile(InstanceProfileName=f"{NAME}-theirs", Path="/staff/")


def made_by_an_older_version(cloud: Enforcing) -> None:
    """Leaves the deployment as another version of this bundle would have made it, with an instance stopped."""
    operator = cloud.operator
    trust: Any = operator.iam.get_role(RoleName=f"{NAME}-glue")["Role"]["AssumeRolePolicyDocument"]
    del trust["Statement"][0]["Condition"]
    operator.iam.update_assume_role_policy(RoleName=f"{NAME}-glue", PolicyDocument=json.dumps(trust))
    operator.glue.update_database(Name=NAME, DatabaseInput={"Name": NAME, "Description": "old"})
    table: Any = operator.glue.get_table(DatabaseName=NAME, Name="quotes")["Table"]
    kept = {key: table[key] for key in ("Name", "TableType", "PartitionKeys", "Parameters", "StorageDescriptor")}
    kept["StorageDescriptor"]["Columns"] = kept["StorageDescriptor"]["Columns"][:3]
    operator.glue.update_table(DatabaseName=NAME, TableInput=kept)  # type: ignore[arg-type]  # wrong or partial on purpose
    instance = instance_of(cloud)
    operator.ec2.modify_instance_credit_specification(
        InstanceCreditSpecifications=[{"InstanceId": instance, "CpuCredits": "unlimited"}]
    )
    (endpoint,) = operator.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    policy = {"Version": "2012-10-17", "Statement": []}
    operator.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=json.dumps(policy))
    (vpc,) = operator.ec2.describe_vpcs(Filters=[{"Name": "tag:Deployment", "Values": [NAME]}])["Vpcs"]
    operator.ec2.create_tags(Resources=[vpc["VpcId"]], Tags=[{"Key": "ManagedBy", "Value": "hand"}])
    operator.ec2.stop_instances(InstanceIds=[instance])


def another_key(cloud: Enforcing) -> None:
    """Gives the analyst a second access key, which nobody keeps."""
    cloud.operator.iam.create_access_key(UserName=f"{NAME}-analyst")


def instance_of(cloud: Enforcing) -> str:
    """The deployment's one instance."""
    wanted: Any = [
        {"Name": "tag:Deployment", "Values": [NAME]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    found = cloud.operator.ec2.describe_instances(Filters=wanted)["Reservations"]
    return found[0]["Instances"][0]["InstanceId"]


def use(operators: Operators) -> None:
    """Day 2: status, queries, verification, a replay, notebooks, a backup, a user's password."""
    own = operators.write_deployment("day2")
    put_quotes(operators.cloud, hour=10)
    for program, more in (
        (status.main, ["--format", "json"]),
        (query.main, ["--sql", "SELECT count(*) FROM quotes"]),
        (query.main, ["--sql", "SHOW TABLES"]),
        (query.main, ["--sql", "SELECT 1", "--timeout", "0.001"]),
        (verify.main, ["--at-rest"]),
        (replay_quarantine.main, []),
    ):
        _, said = told(program, [*own, *more])
        assert "not authorized" not in said, said
    session = operators.session("day2")
    for role in ("replay", "notebook", "history"):
        session.sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{role}", RoleSessionName=role)
    backup: Any = load("s3_backup")
    wanted = {"bucket": DATA, "prefix": "backups/", "name": "20261125T090000Z"}
    backup.run(session.s3, wanted | {"document": {"schema": 1}}, check_mode=False)
    backup.run(session.s3, wanted | {"document": None}, check_mode=False)
    ssm, name = session.client("ssm"), f"/{NAME}/kafka/users/alice"
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    ssm.put_parameter(Name=name, Value="secret", Type="SecureString", Tags=tags)
    ssm.get_parameters_by_path(Path=f"/{NAME}", Recursive=True, WithDecryption=True)
    ssm.delete_parameter(Name=name)


def an_analyst(cloud: Enforcing) -> None:
    """An analyst again, as an earlier run left it."""
    iam, name = cloud.operator.iam, f"{NAME}-analyst"
    tags: Any = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    document = json.dumps(render("identity", "analyst_policy.json.j2"))
    made = iam.create_policy(PolicyName=name, PolicyDocument=document, Tags=tags)["Policy"]
    iam.create_user(UserName=name, Tags=tags)
    iam.attach_user_policy(UserName=name, PolicyArn=made["Arn"])
    iam.create_access_key(UserName=name)


def leftovers(cloud: Enforcing) -> None:
    """What a broken run leaves behind: a volume, an interface, a NAT gateway; and an instance that is protected."""
    ec2 = cloud.operator.ec2

    def tagged(kind: str) -> Any:
        return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()]}]

    wanted: Any = [{"Name": "tag:Deployment", "Values": [NAME]}]
    subnet = ec2.describe_subnets(Filters=wanted)["Subnets"][0]["SubnetId"]
    ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}a", TagSpecifications=tagged("volume"))
    ec2.create_network_interface(SubnetId=subnet, TagSpecifications=tagged("network-interface"))
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, TagSpecifications=tagged("natgateway"))
    ec2.modify_instance_attribute(InstanceId=instance_of(cloud), DisableApiTermination={"Value": True})
    # Somebody has switched versioning on: what is in such a bucket goes version by version.
    empty(cloud, RESULTS)
    cloud.operator.s3.put_bucket_versioning(Bucket=RESULTS, VersioningConfiguration={"Status": "Enabled"})
    with unguarded(cloud, RESULTS) as s3:
        s3.put_object(Bucket=RESULTS, Key="results/left.csv", Body=b"x")

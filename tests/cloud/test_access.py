"""`stock_market_access: ssm`: what cloud.yml makes of it, and what it refuses before it makes anything."""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.cloud.test_deployments import CLOUD, TEARDOWN, resources
from tests.support.hostless_cloud import HostlessCloud, hostless_cloud
from tests.support.local_cloud.enforcing import ACCOUNT
from tests.support.local_cloud.operator_work import VERBS, operator_policy
from tests.support.local_cloud.policies import proven

TOOLS = Path(__file__).parents[1] / "support" / "session_manager"
SSM = ("-e", "stock_market_access=ssm")
WANTED = (("closed", *SSM), ("open",))
CLOSED: Any = {
    "stock_market_deployment": "closed",
    "stock_market_access": "ssm",
    "stock_market_data_bucket": f"closed-data-{ACCOUNT}",
    "stock_market_results_bucket": f"closed-athena-results-{ACCOUNT}",
    "stock_market_database": "closed",
}
# A broker beside the consumer, so that there is an instance of either kind.
PAIR = json.dumps(
    {
        "stock_market_instances": [
            {"name": "kafka-1", "id": 1, "type": "t3.small", "zone": "us-east-1a", "services": ["zookeeper", "kafka"]},
            {"name": "pipeline-1", "id": 2, "type": "t3.small", "zone": "us-east-1a", "services": ["stock_consumer"]},
        ]
    }
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostlessCloud]:
    """A cloud with a deployment that Session Manager reaches, and another that SSH does."""
    with (
        hostless_cloud(tmp_path_factory.mktemp("access"), {}, lag_seconds=0.5) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PATH", f"{TOOLS}:{os.environ['PATH']}")
        keys: dict[str, Any] = {"closed": operator(running, "up", **CLOSED), "open": {}}
        with ThreadPoolExecutor() as pool:
            for done in pool.map(
                lambda given: running.play(CLOUD, given[0], "-e", PAIR, *given[1:], **keys[given[0]]), WANTED
            ):
                assert done.returncode == 0, done.stdout
        yield running


def operator(cloud: HostlessCloud, verb: str, **own: Any) -> dict[str, str]:
    """The key of a user with the verb's policies, without what only AWS can judge, and nothing more."""
    iam, name = cloud.client("iam"), f"operator-{verb}"
    iam.create_user(UserName=name)
    for policy in VERBS[verb]:
        document = json.dumps(proven(operator_policy(policy, **own)))
        made = iam.create_policy(PolicyName=f"{name}-{policy}", PolicyDocument=document)
        iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def instances(cloud: HostlessCloud, deployment: str) -> dict[str, dict[str, Any]]:
    """The deployment's instances by their names."""
    filters = [
        {"Name": "tag:Deployment", "Values": [deployment]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    listed = [
        instance
        for reservation in cloud.client("ec2").describe_instances(Filters=filters)["Reservations"]
        for instance in reservation["Instances"]
    ]
    tags = [{tag["Key"]: tag["Value"] for tag in instance["Tags"]} for instance in listed]
    return {own["InstanceName"]: {**instance, "own": own} for own, instance in zip(tags, listed, strict=True)}


def open_ports(cloud: HostlessCloud, deployment: str) -> set[int]:
    """The ports that any group of the deployment admits."""
    filters = [{"Name": "tag:Deployment", "Values": [deployment]}]
    groups = cloud.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    assert len(groups) == 4
    return {rule["FromPort"] for group in groups for rule in group["IpPermissions"]}


def test_no_group_admits_ssh_and_kafka_stays_as_it_was(cloud: HostlessCloud) -> None:
    assert 22 in open_ports(cloud, "open")
    assert open_ports(cloud, "closed") == open_ports(cloud, "open") - {22}


def test_every_instance_has_a_role_that_may_talk_to_session_manager_and_a_broker_may_do_nothing_else(
    cloud: HostlessCloud,
) -> None:
    found = instances(cloud, "closed")
    profiles = {name: one["IamInstanceProfile"]["Arn"].rpartition("/")[2] for name, one in found.items()}
    assert profiles == {"kafka-1": "closed-access", "pipeline-1": "closed-instance"}
    iam = cloud.client("iam")
    assert iam.list_role_policies(RoleName="closed-access")["PolicyNames"] == ["stream"]
    assert set(iam.list_role_policies(RoleName="closed-instance")["PolicyNames"]) == {"access", "stream"}
    wanted = iam.get_role_policy(RoleName="closed-access", PolicyName="stream")["PolicyDocument"]
    assert iam.get_role_policy(RoleName="closed-instance", PolicyName="access")["PolicyDocument"] == wanted
    assert {one["own"]["Access"] for one in found.values()} == {"ssm"}
    ssm = cloud.client("ssm")
    told = ssm.describe_instance_information()["InstanceInformationList"]
    assert {one["InstanceId"] for one in told} == {one["InstanceId"] for one in found.values()}
    with pytest.raises(ssm.exceptions.ClientError, match="does not serve ssm:StartSession"):
        ssm.start_session(Target=told[0]["InstanceId"])


def test_a_deployment_that_ssh_reaches_has_none_of_it(cloud: HostlessCloud) -> None:
    found = instances(cloud, "open")
    assert {name for name, one in found.items() if "IamInstanceProfile" in one} == {"pipeline-1"}
    assert all("Access" not in one["own"] for one in found.values())
    roles = {role["RoleName"] for role in cloud.client("iam").list_roles()["Roles"]}
    assert "open-access" not in roles
    assert cloud.client("iam").list_role_policies(RoleName="open-instance")["PolicyNames"] == ["stream"]
    endpoints = cloud.client("ec2").describe_vpc_endpoints(Filters=[{"Name": "tag:Deployment", "Values": ["open"]}])[
        "VpcEndpoints"
    ]
    assert "amazon-ssm-" not in endpoints[0]["PolicyDocument"]


def test_the_first_boot_fetches_the_agent_from_the_regions_bucket_and_checks_its_signature(
    cloud: HostlessCloud,
) -> None:
    identifier = instances(cloud, "closed")["kafka-1"]["InstanceId"]
    told = cloud.client("ec2").describe_instance_attribute(InstanceId=identifier, Attribute="userData")
    script = base64.b64decode(told["UserData"]["Value"]).decode()
    package = "https://s3.us-east-1.amazonaws.com/amazon-ssm-us-east-1/3.3.1345.0/debian_amd64/amazon-ssm-agent.deb"
    assert f"\nfetch {package}\nfetch {package}.sig\n" in script
    assert script.index("gpgv --keyring") < script.index("install --yes ./amazon-ssm-agent.deb")
    endpoint = cloud.client("ec2").describe_vpc_endpoints(Filters=[{"Name": "tag:Deployment", "Values": ["closed"]}])[
        "VpcEndpoints"
    ][0]
    assert "arn:aws:s3:::amazon-ssm-us-east-1/*" in endpoint["PolicyDocument"]


def test_ssh_goes_through_session_manager_with_the_host_key_of_the_instance(
    cloud: HostlessCloud, tmp_path: Path
) -> None:
    show, written = tmp_path / "show.yml", tmp_path / "arguments"
    content = {"content": "{{ hostvars['kafka-1'].ansible_ssh_common_args }}", "dest": str(written)}
    task = {"ansible.builtin.copy": content}
    show.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    # The tag decides, whatever the variable says at this moment.
    for deployment, through in (("closed", True), ("open", False)):
        identifier = instances(cloud, deployment)["kafka-1"]["InstanceId"]
        done = cloud.play(show, deployment, "-e", PAIR)
        assert done.returncode == 0, done.stdout
        words = shlex.split(written.read_text())
        proxies = [word for word in words if word.startswith("ProxyCommand=")]
        assert f"HostKeyAlias={identifier}" in words
        command = (
            f"aws ssm start-session --target {identifier} --document-name AWS-StartSSHSession "
            f"--parameters portNumber=%p --region us-east-1 --endpoint-url {cloud.endpoint}"
        )
        assert proxies == ([f"ProxyCommand={command}"] if through else [])


def test_the_operators_policies_let_sessions_of_ssh_start_on_the_deployments_instances_only() -> None:
    statements = [one for policy in VERBS["day2"] for one in operator_policy(policy, **CLOSED)["Statement"]]
    sessions = [one for one in statements if one["Action"] == "ssm:StartSession"]
    instances_, documents = (one["Resource"] for one in sessions)
    assert instances_ == f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/*"
    assert sessions[0]["Condition"] == {
        "StringEquals": {"ssm:resourceTag/Deployment": "closed"},
        "Bool": {"ssm:SessionDocumentAccessCheck": "true"},
    }
    assert documents == "arn:aws:ssm:us-east-1:*:document/AWS-StartSSHSession"
    without = [one for policy in VERBS["day2"] for one in operator_policy(policy)["Statement"]]
    assert "session" not in json.dumps(without).lower()


def test_a_second_run_changes_nothing_and_one_that_forgets_the_access_opens_nothing(cloud: HostlessCloud) -> None:
    done = cloud.play(CLOUD, "closed", "-e", PAIR, *SSM)
    assert done.returncode == 0, done.stdout
    assert "changed=0 " in done.stdout
    for deployment, options, known, given in (("closed", (), "ssm", "ssh"), ("open", SSM, "ssh", "ssm")):
        done = cloud.play(CLOUD, deployment, "-e", PAIR, *options)
        assert done.returncode == 2, done.stdout
        said = " ".join(done.stdout.split())
        assert f"is reached by {known}, but stock_market_access is {given}: set STOCK_MARKET_ACCESS={known}" in said
    assert 22 not in open_ports(cloud, "closed")


def test_a_machine_without_aws_tools_is_told_where_they_come_from_before_anything_is_made(
    cloud: HostlessCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aws").symlink_to(TOOLS / "aws")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    done = cloud.play(CLOUD, "absent", "-e", PAIR, *SSM)
    assert done.returncode == 2, done.stdout
    said = " ".join(done.stdout.split())
    assert "stock_market_access is ssm, and this machine has no session-manager-plugin: aws is Debian's package" in said
    assert resources(cloud, "absent") == []


def test_instances_whose_agent_never_answers_end_the_run_with_what_to_read(cloud: HostlessCloud) -> None:
    nothing_there = "instances_ssm_agent_version=0.0.0.0"
    done = cloud.play(CLOUD, "silent", "-e", PAIR, *SSM, "-e", nothing_there, "-e", "instances_online_seconds=4")
    assert done.returncode == 2, done.stdout
    identifiers = [one["InstanceId"] for one in instances(cloud, "silent").values()]
    said = " ".join(done.stdout.split())
    assert any(f"Session Manager does not reach {one}, " in said for one in identifiers), said
    assert "within 4 s. The first boot installs the agent that it needs" in said


def test_the_teardown_leaves_nothing(cloud: HostlessCloud) -> None:
    assert {one["kind"] for one in resources(cloud, "closed")} >= {"role", "instance-profile", "instance"}
    key = operator(cloud, "down", **CLOSED)
    done = cloud.play(TEARDOWN, "closed", "-e", "teardown_confirm=true", "-e", "purge_data=true", *SSM, **key)
    assert done.returncode == 0, done.stdout
    assert resources(cloud, "closed") == []
    assert "closed-access" not in {role["RoleName"] for role in cloud.client("iam").list_roles()["Roles"]}

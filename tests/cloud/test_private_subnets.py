"""`stock_market_subnets: private`: what cloud.yml makes of it, who reaches it, and what the teardown removes.

All of it as users with the operator's policies, against a cloud that enforces them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cloud.test_access import PAIR, TOOLS, instances, operator
from tests.cloud.test_deployments import CLOUD, TEARDOWN, resources
from tests.support.hostless_cloud import HostlessCloud, hostless_cloud
from tests.support.local_cloud.enforcing import ACCOUNT

from stock_market_ops.common.deployment import ROOT

NAME = "inside"
OWN: Any = {
    "stock_market_deployment": NAME,
    "stock_market_access": "ssm",
    "stock_market_subnets": "private",
    "stock_market_data_bucket": f"{NAME}-data-{ACCOUNT}",
    "stock_market_results_bucket": f"{NAME}-athena-results-{ACCOUNT}",
    "stock_market_database": NAME,
}
# As PAIR, in two zones.
APART = "us-east-1b".join(PAIR.rsplit("us-east-1a", 1))
SETTINGS = {"access": "ssm", "subnets": "private", "operator_cidr": "10.0.0.0/8"}
PRIVATE = ("-e", APART, "-e", json.dumps({f"stock_market_{name}": value for name, value in SETTINGS.items()}))
# cloud.yml's part about the network.
NETWORK = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/stock_market.streaming.aws": "{{ stock_market_aws_connection }}"},
        "pre_tasks": [{"ansible.builtin.import_tasks": str(ROOT / "playbooks" / "tasks" / "caller.yml")}],
        "roles": ["network"],
    }
]
MINE = [{"Name": "tag:Deployment", "Values": [NAME]}]


class Inside:
    """The running cloud, with a deployment in private subnets."""

    def __init__(self, cloud: HostlessCloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        self.ec2 = cloud.client("ec2")
        self.up, self.down = (operator(cloud, verb, **OWN) for verb in ("up", "down"))

    def play(self, *options: str, playbook: Path = CLOUD) -> str:
        """Runs a playbook as the one who makes the deployment, who succeeds."""
        done = self.cloud.play(playbook, NAME, *PRIVATE, *options, **self.up)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def gateways(self) -> dict[str, dict[str, Any]]:
        """The NAT gateways that are there, by their names."""
        there = {"Name": "state", "Values": ["pending", "available", "deleting"]}
        found = self.ec2.describe_nat_gateways(Filter=[*MINE, there])["NatGateways"]
        return {tag["Value"]: one for one in found for tag in one["Tags"] if tag["Key"] == "Name"}

    def ways_out(self) -> dict[str, str]:
        """Where the packets to the internet go from each subnet, by the subnets' names."""
        subnets = self.ec2.describe_subnets(Filters=MINE)["Subnets"]
        names = {one["SubnetId"]: tag["Value"] for one in subnets for tag in one["Tags"] if tag["Key"] == "Name"}
        return {
            names[association["SubnetId"]]: route.get("NatGatewayId") or route["GatewayId"]
            for table in self.ec2.describe_route_tables(Filters=MINE)["RouteTables"]
            for route in table["Routes"]
            if route.get("DestinationCidrBlock") == "0.0.0.0/0"
            for association in table["Associations"]
        }


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    folder = tmp_path_factory.mktemp("private")
    with hostless_cloud(folder, {}, lag_seconds=0.5) as cloud, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{TOOLS}:{os.environ['PATH']}")
        made = Inside(cloud, folder)
        made.play()
        yield made


def test_no_instance_has_a_public_address_and_all_go_out_by_one_nat_gateway(inside: Inside) -> None:
    found = instances(inside.cloud, NAME)
    assert {one["own"]["Subnets"] for one in found.values()} == {"private"}
    assert [one for one in found.values() if "PublicIpAddress" in one] == []
    assert {one["PrivateIpAddress"][:8] for one in found.values()} == {"10.77.0.", "10.77.1."}
    ((name, gateway),) = inside.gateways().items()
    (address,) = inside.ec2.describe_addresses(Filters=MINE)["Addresses"]
    assert (name, gateway["State"]) == (f"{NAME}-us-east-1a", "available")
    assert gateway["NatGatewayAddresses"][0]["AllocationId"] == address["AllocationId"]
    (internet,) = inside.ec2.describe_internet_gateways(Filters=MINE)["InternetGateways"]
    assert inside.ways_out() == {
        f"{NAME}-us-east-1a": gateway["NatGatewayId"],
        f"{NAME}-us-east-1b": gateway["NatGatewayId"],
        f"{NAME}-public-us-east-1a": internet["InternetGatewayId"],
    }


def test_what_goes_to_s3_takes_the_endpoint_from_both_private_subnets(inside: Inside) -> None:
    (endpoint,) = inside.ec2.describe_vpc_endpoints(Filters=MINE)["VpcEndpoints"]
    tables = inside.ec2.describe_route_tables(RouteTableIds=endpoint["RouteTableIds"])["RouteTables"]
    names = {tag["Value"] for table in tables for tag in table["Tags"] if tag["Key"] == "Name"}
    assert names == {f"{NAME}-private-us-east-1a", f"{NAME}-private-us-east-1b"}


def test_kafkas_clients_in_the_vpc_are_admitted_and_told_the_private_addresses(inside: Inside) -> None:
    show, written = inside.folder / "show.yml", inside.folder / "told"
    told = "{{ stock_market_kafka_external_servers }} {{ hostvars['kafka-1'].ansible_host }}"
    task = {"ansible.builtin.copy": {"content": told, "dest": str(written)}}
    show.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    # The tag decides, whatever the variable says at this moment.
    done = inside.cloud.play(show, NAME, "-e", APART)
    assert done.returncode == 0, done.stdout
    address = instances(inside.cloud, NAME)["kafka-1"]["PrivateIpAddress"]
    assert written.read_text() == f"['{address}:9092'] {address}"
    groups = inside.ec2.describe_security_groups(Filters=MINE)["SecurityGroups"]
    rules = [rule for group in groups for rule in group["IpPermissions"]]
    admitted = {(rule["FromPort"], block["CidrIp"]) for rule in rules for block in rule["IpRanges"]}
    assert admitted == {(9092, "10.0.0.0/8")}


def test_a_run_that_says_public_moves_nothing(inside: Inside) -> None:
    done = inside.cloud.play(CLOUD, NAME, "-e", APART, "-e", "stock_market_access=ssm", **inside.up)
    assert done.returncode == 2, done.stdout
    said = " ".join(done.stdout.split())
    assert "is in a private subnet, but stock_market_subnets is public: set STOCK_MARKET_SUBNETS=private" in said
    assert len(inside.gateways()) == 1


def test_a_gateway_per_zone_takes_up_an_address_that_a_broken_run_has_left_and_a_second_run_changes_nothing(
    inside: Inside,
) -> None:
    tags = {"Project": "stock-market-kafka", "Deployment": NAME, "Name": f"{NAME}-nat-us-east-1b"}
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    left = inside.ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": listed}]
    )["AllocationId"]
    network = inside.folder / "network.yml"
    network.write_text(json.dumps(NETWORK))
    inside.play("-e", "network_nat_gateways=per_zone", playbook=network)
    gateways = inside.gateways()
    assert sorted(gateways) == [f"{NAME}-us-east-1a", f"{NAME}-us-east-1b"]
    assert gateways[f"{NAME}-us-east-1b"]["NatGatewayAddresses"][0]["AllocationId"] == left
    assert len(inside.ec2.describe_addresses(Filters=MINE)["Addresses"]) == 2
    ways = inside.ways_out()
    assert {name: ways[name] for name in gateways} == {name: one["NatGatewayId"] for name, one in gateways.items()}
    assert "changed=0 " in inside.play("-e", "network_nat_gateways=per_zone")


def test_one_gateway_again_takes_over_both_zones_and_the_other_is_gone_with_its_address(inside: Inside) -> None:
    network = inside.folder / "network.yml"
    inside.play("-e", "network_nat_gateways=one", playbook=network)
    ways = inside.ways_out()
    (kept,) = [one for one in inside.gateways().values() if one["State"] == "available"]
    assert {ways[f"{NAME}-us-east-1{zone}"] for zone in "ab"} == {kept["NatGatewayId"]}
    (address,) = inside.ec2.describe_addresses(Filters=MINE)["Addresses"]
    assert address["AllocationId"] == kept["NatGatewayAddresses"][0]["AllocationId"]
    assert "changed=0 " in inside.play("-e", "network_nat_gateways=one", playbook=network)
    inside.play("-e", "network_nat_gateways=per_zone", playbook=network)
    assert len(set(inside.ways_out().values())) == 3


def test_a_teardown_goes_on_where_another_one_ended_and_leaves_nothing(inside: Inside) -> None:
    # One of the gateways goes, or is gone already.
    first, *_ = inside.gateways().values()
    inside.ec2.delete_nat_gateway(NatGatewayId=first["NatGatewayId"])
    done = inside.cloud.play(
        TEARDOWN, NAME, "-e", "teardown_confirm=true", "-e", "purge_data=true", *PRIVATE, **inside.down
    )
    assert done.returncode == 0, done.stdout
    assert "FAILED - RETRYING: [localhost]: Release the Elastic IPs" in done.stdout
    assert resources(inside.cloud, NAME) == []
    assert inside.ec2.describe_addresses(Filters=MINE)["Addresses"] == []


def test_each_right_to_nat_gateways_that_the_policies_give_was_needed(inside: Inside) -> None:
    noted = [json.loads(line) for line in (inside.folder / "rights.jsonl").read_text().splitlines()]
    needed = {(one["caller"].rpartition("/")[2], one["action"]) for one in noted}
    for action in ("ec2:CreateNatGateway", "ec2:DeleteNatGateway", "ec2:ReplaceRoute"):
        assert ("operator-up", action) in needed
    assert ("operator-down", "ec2:DeleteNatGateway") in needed

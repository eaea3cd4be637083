"""Every wrong input ends in one sentence that says what is wrong and what to do, before anything is made."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cases import ACCESS, ALERTS, METADATA, MONEY, STORAGE, Case
from conftest import made

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = "molecule/bad_input"
Done = subprocess.CompletedProcess[str]
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def node(**changes: Any) -> dict[str, Any]:
    """An entry of the topology, right except for `changes`."""
    services = ["zookeeper", "kafka", "stock_producer", "stock_consumer", "stock_history"]
    return {"name": "node-1", "id": 1, "type": "t3.small", "zone": "us-east-1a", "services": services} | changes


def topology(*nodes: dict[str, Any]) -> dict[str, Any]:
    """The extra variable that declares these instances."""
    return {"stock_market_instances": list(nodes)}


def on_a_host(name: str, sentence: str, wrong: dict[str, Any], playbook: str, *options: str) -> Case:
    """A case that needs a host in an instance's place."""
    return Case(name, sentence, wrong, playbook=playbook, options=("-i", f"{SCENARIO}/stand_in.ini", *options))


def of_kafka(name: str, sentence: str, **wrong: Any) -> Case:
    """A case of kafka.yml, in check mode."""
    return on_a_host(name, sentence, wrong, "playbooks/kafka.yml", "--check")


def of_an_upgrade(name: str, sentence: str, step: str, **wrong: Any) -> Case:
    """A case of upgrade.yml, in check mode, where a broker of Kafka 3.8.1 is."""
    wrong |= {"upgrade": step, "__kafka_unit_file": "{files}/kafka.service"}
    return on_a_host(name, sentence, wrong, "playbooks/upgrade.yml", "--check")


def of_services(name: str, sentence: str, **wrong: Any) -> Case:
    """A case of the producer or the consumer, in check mode."""
    return on_a_host(name, sentence, wrong, f"{SCENARIO}/services.yml", "--check")


CALLER = [
    Case(
        "unknown region",
        "AWS has no region 'us-moon-1': set stock_market_region (or AWS_REGION) to one such as us-east-1.",
        {"stock_market_region": "us-moon-1"},
    ),
    Case(
        "unreachable endpoint",
        "The AWS API does not answer at http://127.77.133.1:9: "
        "check the network, stock_market_region and stock_market_endpoint_url.",
        {"stock_market_endpoint_url": "http://127.77.133.1:9"},
        {"AWS_ENDPOINT_URL": "http://127.77.133.1:9"},
    ),
    Case(
        "no credentials",
        "No AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        environment={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
    ),
    Case(
        "size that is not at hand",
        "stock_market_size is 'huge': it is single or cluster (STOCK_MARKET_SIZE=...); any other topology stands in",
        environment={"STOCK_MARKET_SIZE": "huge"},
    ),
    Case(
        "deployment's name with capitals and an underscore",
        "The deployment's name 'Bad_Name' can't be used: it is 3 to 24 lower-case letters, digits and hyphens",
        environment={"STOCK_MARKET_DEPLOYMENT": "Bad_Name"},
        # The block of addresses follows from the name; the name is what this is about.
        wrong={"local_cloud_block": 133},
    ),
    Case(
        "deployment's name that AWS reserves",
        "The deployment's name 'sg-quotes' can't be used: AWS reserves names that begin with aws, ssm, sg-,",
        environment={"STOCK_MARKET_DEPLOYMENT": "sg-quotes"},
        wrong={"local_cloud_block": 133},
    ),
    Case(
        "deployment named by an extra variable, which the inventory does not see",
        "is given in the environment (STOCK_MARKET_DEPLOYMENT=...), where the inventory sees it too.",
        {"stock_market_deployment": "another-one", "local_cloud_block": 133},
    ),
]

NETWORK = [
    Case(
        "open CIDR",
        "stock_market_operator_cidr is '0.0.0.0/0', which would open SSH and Kafka to the whole internet: "
        "give your own address (203.0.113.7/32), or set network_allow_the_whole_internet=true if that is really meant.",
        {"stock_market_operator_cidr": "0.0.0.0/0"},
        playbook="playbooks/site.yml",
    ),
    Case(
        "no CIDR",
        "stock_market_operator_cidr is '', which is no CIDR block of IPv4: give your own public address",
        environment={"STOCK_MARKET_OPERATOR_CIDR": ""},
    ),
    Case(
        "CIDR without a prefix length",
        "stock_market_operator_cidr is '203.0.113.7', which is no CIDR block of IPv4",
        environment={"STOCK_MARKET_OPERATOR_CIDR": "203.0.113.7"},
    ),
    *(
        Case(
            f"CIDR that never reaches the internet: {cidr}",
            f"stock_market_operator_cidr is '{cidr}', an address that is never seen in the internet",
            environment={"STOCK_MARKET_OPERATOR_CIDR": cidr},
        )
        for cidr in ("192.168.1.7/32", "100.64.0.1/32", "127.0.0.1/8", "169.254.1.1/16")
    ),
    Case(
        "CIDR of IPv6",
        "stock_market_operator_cidr is '2001:db8::7/128', which is no CIDR block of IPv4",
        environment={"STOCK_MARKET_OPERATOR_CIDR": "2001:db8::7/128"},
    ),
    Case(
        "VPC with public addresses",
        "network_cidr is '8.8.0.0/16': give a private block between /16 and /20, such as 10.77.0.0/16.",
        {"network_cidr": "8.8.0.0/16"},
    ),
]

TOPOLOGY = [
    Case(
        "instance type that does not exist",
        "The instance node-1 is declared with the type 't3.tiny', which EC2 does not know: "
        "choose one such as t3.small.",
        topology(node(type="t3.tiny")),
    ),
    Case(
        "zone of another region",
        "The instance node-1 is declared in the zone 'eu-west-1a', which the region us-east-1 does not have: "
        "choose one of us-east-1a",
        topology(node(zone="eu-west-1a")),
    ),
    Case(
        "unsupported Debian",
        "stock_market_debian_release is '11': the instances run Debian 12 or 13.",
        {"stock_market_debian_release": "11"},
    ),
    Case(
        "two instances with one id",
        "stock_market_instances has the ids 1, 1: every instance needs an id of its own between 1 and 255.",
        topology(node(), node(name="node-2")),
    ),
    Case(
        "id that is too large",
        "stock_market_instances has the ids 256: every instance needs an id of its own between 1 and 255.",
        topology(node(id=256)),
    ),
    Case(
        "unknown service",
        "value of services must be one or more of: zookeeper, kafka_controller, kafka, stock_producer, stock_consumer, "
        "stock_history, monitoring. Got no match for: kafak",
        topology(node(services=["zookeeper", "kafak"])),
    ),
    Case(
        "no broker",
        "stock_market_instances carries zookeeper, stock_producer: at least one instance needs the service kafka",
        topology(node(services=["zookeeper", "stock_producer"])),
    ),
    Case(
        "an even number of ZooKeepers",
        "stock_market_instances gives the service zookeeper to node-1, node-2: more than half of them have to be "
        "there, so 2 survive no more losses than 1; declare an odd number, 1, 3 or 5.",
        topology(node(), node(name="node-2", id=2)),
    ),
    Case(
        "instance named as a group",
        "stock_market_instances names kafka: every instance needs a name of its own",
        topology(node(name="kafka")),
    ),
]

KAFKA = [
    of_kafka(
        "misspelt option",
        "The role kafka has no option kafka_heap_mbs (did you mean kafka_heap_mb?). Correct the name, or remove it",
        kafka_heap_mbs=512,
    ),
    of_kafka(
        "threshold that nothing is multiplied by",
        "kafka_c2_threshold_factor is 0; it has to be a whole number from 1 to 1000.",
        kafka_c2_threshold_factor=0,
    ),
    of_kafka(
        "checksum that is none",
        "kafka_archive_checksum its pin as sha512:<128 hex digits> or sha256:<64 hex digits>",
        kafka_archive_checksum="sha512:beef",
    ),
    on_a_host(
        "checksum of another tarball",
        "No source has the pinned file kafka_2.13-3.9.2.tgz: ",
        {
            "kafka_archive_urls": ["file://{files}/kafka.tgz"],
            "kafka_archive_checksum": "sha256:" + "0" * 64,
            "kafka_archive_cache_dir": "{files}/cache",
            "kafka_install_dir": "{files}/opt",
            "__kafka_launcher": "{files}/libexec/kafka-tool",
        },
        f"{SCENARIO}/unpack.yml",
    ),
    of_kafka(
        "broker's id that disagrees with meta.properties",
        "node-1 is to be broker 1 (tag BrokerId), but {files}/data/meta.properties says that its data belong to "
        "broker 7. Nothing was written. Give the instance its old id back, or move the data away.",
        kafka_data_dir="{files}/data",
    ),
    of_kafka(
        "override of what the role decides",
        "kafka_config_overrides must not set broker.id: the role decides that itself, by kafka_broker_id.",
        kafka_config_overrides={"broker.id": 2},
    ),
    of_kafka(
        "level of security that there is not",
        "stock_market_security is 'medium': say secure, or plain for a lab that nobody else reaches.",
        stock_market_security="medium",
    ),
    of_kafka(
        "user with the name of a service's",
        "stock_market_kafka_users has a user 'producer'; a name is 1 to 64 lower-case letters, digits, dots",
        stock_market_kafka_users=[{"name": "producer", "read": ["stock-quotes"]}],
    ),
    of_kafka(
        "topic without partitions",
        "kafka_topics_definitions has a topic 'stock-quotes' with 0 partitions; a name is 1 to 249 letters",
        kafka_topics_definitions=[{"name": "stock-quotes", "partitions": 0}],
    ),
    of_kafka(
        "version without ZooKeeper",
        "kafka_version is 4.3.1, which has no ZooKeeper, and the cluster keeps its metadata there: set kafka_version "
        "to 3.9.2, and say make migrate STEP=plan;",
        kafka_version="4.3.1",
    ),
    of_kafka(
        "another minor version than the brokers run",
        "node-1 runs Kafka 3.8.1, and kafka_version is 3.9.2: say make upgrade STEP=software for that, "
        "or set kafka_version to 3.8.1.",
        __kafka_unit_file="{files}/kafka.service",
    ),
]

UPGRADE = [
    of_an_upgrade(
        "step of an upgrade that there is not",
        "An upgrade with ZooKeeper has no step 'everything': say -e upgrade=software, then -e upgrade=protocol, "
        "or between them -e upgrade=rollback with the old kafka_version.",
        "everything",
    ),
    of_an_upgrade(
        "new protocol before the new software",
        "node-1 runs Kafka 3.8.1, and kafka_version is 3.9.2: the protocol changes only where every broker runs that. "
        "Say make upgrade STEP=software first.",
        "protocol",
    ),
    of_an_upgrade(
        "rollback to something newer",
        "node-1 runs Kafka 3.8.1, so Kafka 3.9.2 is no way back: say make upgrade STEP=software.",
        "rollback",
    ),
]

SERVICES = [
    of_services(
        "CSV file without the columns",
        "the CSV file {files}/trades.csv has no column for open, high, low: its first line has",
        stock_producer_mode="replay",
        stock_producer_csv_path="{files}/trades.csv",
    ),
    of_services(
        "CSV file that is not there",
        "cannot read the CSV file {files}/none.csv: there is no such file or directory",
        stock_producer_mode="replay",
        stock_producer_csv_path="{files}/none.csv",
    ),
    of_services(
        "rate of nothing",
        "the producer's settings: rate: Expected `float` > 0.0. "
        "Correct the option stock_producer_* that it comes from.",
        stock_producer_rate=0,
    ),
    of_services(
        "more symbols than there are",
        "the producer's settings: simulate.symbols: Expected `int` <= 5000. Correct the option stock_producer_*",
        stock_producer_symbols=5001,
    ),
    of_services(
        "unknown mode",
        "value of stock_producer_mode must be one of: simulate, replay, got: broadcast",
        stock_producer_mode="broadcast",
    ),
    of_services(
        "no consumer at all",
        "stock_consumer_processes is 0: a host runs 1 to 64 consumers.",
        stock_consumer_processes=0,
    ),
    of_services(
        "flush interval of nothing",
        "the consumer's settings: cut.seconds: Expected `float` >= 0.1. "
        "Correct the option stock_consumer_* that it comes from.",
        stock_consumer_flush_seconds=0,
    ),
    of_services(
        "minute that no hour has",
        "stock_history_minute is 60: it is a minute of the hour, 0 to 59.",
        stock_history_minute=60,
    ),
    of_services(
        "history within the quotes",
        "the history's settings: s3: prefix and history_prefix must not lie within each other. "
        "Correct the option stock_history_* that it comes from.",
        stock_history_prefix="quotes/history/",
    ),
]

CASES = [*CALLER, *METADATA, *NETWORK, *MONEY, *ACCESS, *ALERTS, *STORAGE, *TOPOLOGY, *KAFKA, *UPGRADE, *SERVICES]


def run(case: Case, files: Path) -> Done:
    """Runs the case's playbook as the scenarios do, with the wrong input laid over good one."""
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory/aws"]
    command += [f"-e@inventory/local/group_vars/all/{name}.yml" for name in ("endpoint", "kafka_archive")]
    command += [*case.options, "-e", json.dumps(case.wrong).replace("{files}", str(files)), case.playbook]
    environment = os.environ | {
        # Only what a case gives: no profile of the person who runs the tests, and no metadata of the machine's.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment | case.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, wrong_files: Path) -> Iterator[dict[str, Future[Done]]]:
    """What the playbooks of the chosen cases print, by the case's name; two run at a time."""
    chosen: list[Any] = request.session.items
    cases = [item.callspec.params["case"] for item in chosen]
    pool = ThreadPoolExecutor(max_workers=2)
    yield {case.name: pool.submit(run, case, wrong_files) for case in cases}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_wrong_input_ends_in_one_sentence_before_anything_is_made(
    case: Case, runs: dict[str, Future[Done]], wrong_files: Path
) -> None:
    done = runs[case.name].result()
    said = " ".join(ANSI.sub("", done.stdout + done.stderr).split())
    assert done.returncode != 0, said
    assert case.sentence.replace("{files}", str(wrong_files)) in said
    assert "Traceback" not in said
    assert made() == []
    kept = {"data", "kafka.service", "kafka.tgz", "trades.csv"}
    assert {path.name for path in wrong_files.iterdir()} - {"cache"} == kept

"""The events of a day at 5,000 records/s: nothing is lost or duplicated, and writes pause only briefly."""

from __future__ import annotations

import json
import os
import time

import boto3
from kafka import KafkaAdminClient
from tests.support.day.events import MOST_AT_A_KILL, MOST_AT_A_RESTART, told
from tests.support.day.pauses import Pauses
from tests.support.day.running import (
    BROKERS,
    cut,
    declared,
    eventually,
    facts,
    has_fired,
    host,
    instance,
    kill,
    login,
    members,
    play,
    power_off,
    prometheus,
    query,
    versions,
    watched,
    well_within,
)

from stock_market_ops.common import quorum

KRAFT = os.environ.get("STOCK_MARKET_METADATA") == "kraft"
YESTERDAY, TODAY, LAST_STEP = ("3.9.2", "4.3.1", "features") if KRAFT else ("3.8.1", "3.9.2", "protocol")
CURL_TIMED_OUT, CURL_CUT_OFF = 28, {55, 56}  # while it sends, while it receives
HIGHEST_EXPOSURE = 2.0
MOST_AT_A_TAKEOVER = 15.0
SESSION_ALERT_SECONDS = 300  # the alert about a lost session fires this long


def controller() -> str:
    """The name of the instance whose broker controls, or whose controller leads the others."""
    with KafkaAdminClient(**login()) as admin:
        found = quorum.look(admin)
        number = found["leader_id"] - 1000 if found else admin.describe_cluster()["controller_id"]
    return str(next(each["name"] for each in declared() if each["id"] == number))


def metadatas_leader() -> tuple[str, str]:
    """The name of the instance whose server leads those that keep the metadata, and its unit."""
    if KRAFT:
        return controller(), "kafka-controller"
    said = r"grep -ohE 'LEADING|FOLLOWING' /var/log/zookeeper/zookeeper.log | tail -1"
    return next(name for name in BROKERS if host(name).check_output(said) == "LEADING"), "zookeeper"


def move(name: str) -> None:
    """Gives an instance another public address."""
    ec2, moved = boto3.client("ec2", region_name=facts()["region"]), instance(name)
    (old,) = ec2.describe_addresses(PublicIps=[moved["PublicIpAddress"]])["Addresses"]
    new = ec2.allocate_address(Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": old["Tags"]}])
    ec2.disassociate_address(AssociationId=old["AssociationId"])
    ec2.release_address(AllocationId=old["AllocationId"])
    ec2.associate_address(AllocationId=new["AllocationId"], InstanceId=moved["InstanceId"])


def processes() -> dict[str, str]:
    return {name: host(name).check_output("systemctl show -p MainPID --value kafka") for name in BROKERS}


def replicas(broker: int) -> int:
    """How many replicas of partitions a broker carries."""
    with KafkaAdminClient(**login()) as admin:
        topics = admin.describe_topics()
    return sum(broker in each["replica_nodes"] for topic in topics for each in topic["partitions"])


def test_0_each_producer_has_symbols_of_its_own() -> None:
    """Comes before any restart, which gives a producer another id."""
    sql = "select producer_id, count(distinct symbol) as mine from quotes group by producer_id"
    everything = query("select count(distinct symbol) as symbols, count(distinct producer_id) as producers from quotes")
    assert everything == [{"symbols": 100, "producers": 2}]
    assert [each["mine"] for each in query(sql)] == [50, 50]


def test_0_prometheus_reads_every_service_and_no_alert_fires() -> None:
    def counted(of: str) -> dict[str, int]:
        return {each["metric"].get("service", ""): int(each["value"][1]) for each in prometheus(of)}

    keeper = "kafka_controller" if KRAFT else "zookeeper"
    wanted = {"node": 5, "kafka": 3, keeper: 3, "stock_producer": 2, "stock_consumer": 2}
    wanted |= {"prometheus": 1, "alertmanager": 1}
    eventually(lambda: counted("count by (service) (up == 1)") == wanted, 60, "every target up")
    # A server of an ensemble has other beans than a single one.
    ensemble = ("zookeeper_quorumsize == 3", "zookeeper_outstandingrequests", "zookeeper_inmemorydatatree_nodecount")
    controllers = (
        "kafka_server_raftmetrics_currentleader > 1000",
        "kafka_controller_kafkacontroller_activebrokercount == 3",
    )
    for metric in controllers if KRAFT else ensemble:
        assert counted(f"count({metric})") == {"": 3}, metric
    well_within(120, "all is well")


def test_0_metrics_leave_their_host_over_mutual_tls_only() -> None:
    """pipeline-2 carries Prometheus: its own services answer on loopback, others at their private addresses."""
    read = {(target["labels"]["instance"], target["scrapeUrl"].rpartition(":")[0]) for target in watched()}
    others = [each["name"] for each in declared() if "monitoring" not in each["services"]]
    private = {name: instance(name)["PrivateIpAddress"] for name in others}
    assert read == {("pipeline-2", "http://127.0.0.1"), *((name, f"https://{private[name]}") for name in others)}
    watching, address = host("pipeline-2"), f"{private['kafka-1']}:9404/metrics"
    ask = "curl -sS --fail --max-time 5"
    trusting, own = "--cacert /etc/prometheus-tls/ca.pem", "--cert /etc/prometheus-tls/client.pem"
    assert watching.run(f"{ask} http://{address}").rc != 0
    # With TLS 1.3 a client may send before it is told that its certificate is missing.
    assert watching.run(f"{ask} {trusting} https://{address}").rc in CURL_CUT_OFF
    assert "\nkafka_" in watching.check_output(f"{ask} {trusting} {own} https://{address}")
    # Another instance is not admitted, whatever it has.
    assert host("pipeline-1").run(f"{ask} --insecure https://{address}").rc == CURL_TIMED_OUT
    told = host("kafka-1").check_output("systemd-analyze security --no-pager metrics-tls").splitlines()[-1]
    assert float(told.partition("exposure level for")[2].partition(": ")[2].split()[0]) <= HIGHEST_EXPOSURE, told


def test_1_an_upgrade_does_not_pause_the_stream_and_can_be_rolled_back(pauses: Pauses) -> None:
    """Comes early: the scenario sets up yesterday's version. Judges last, so that the day goes on with today's."""
    assert versions() == {YESTERDAY}
    play("upgrade.yml", "-e", "upgrade=software")
    assert versions() == {TODAY}
    found = [told(pauses, "new software")]
    play("upgrade.yml", "-e", "upgrade=rollback", "-e", f"kafka_version={YESTERDAY}")
    assert versions() == {YESTERDAY}
    found.append(told(pauses, "the old software again"))
    play("upgrade.yml", "-e", "upgrade=software")
    play("upgrade.yml", "-e", f"upgrade={LAST_STEP}")
    assert versions() == {TODAY}
    found.append(told(pauses, f"new software and its {LAST_STEP}"))
    assert max(found) <= MOST_AT_A_RESTART


def test_2_a_rolling_restart_does_not_pause_the_stream(pauses: Pauses) -> None:
    before = processes()
    play("restart.yml")
    after = processes()
    assert all(before[name] != after[name] for name in BROKERS)
    assert told(pauses, "rolling restart") <= MOST_AT_A_RESTART


def test_2_new_certificates_do_not_pause_the_stream(pauses: Pauses) -> None:
    before = processes()
    play("rotate.yml", "-e", "rotate=certificates")
    after = processes()
    assert all(before[name] != after[name] for name in BROKERS)
    assert told(pauses, "each certificate rotated") <= MOST_AT_A_RESTART


def test_2_new_passwords_and_another_authority_lose_nothing(pauses: Pauses) -> None:
    """A program outside has to be given them, and cannot go on before; the services go on by themselves."""
    for what in ("passwords", "authority"):
        play("rotate.yml", "-e", f"rotate={what}")
        pauses.log_in(login())
        eventually(lambda: pauses.longest() < 1, 30, f"writes with the new {what}")


def test_3_a_killed_broker_is_stood_in_for(pauses: Pauses) -> None:
    began = time.monotonic()
    kill(next(name for name in BROKERS if name != controller()), "kafka")
    has_fired("ServiceCrashed", began)
    well_within(120, "the killed broker back in sync")
    assert told(pauses, "a broker killed with -9") <= MOST_AT_A_KILL


def test_3_a_killed_controller_is_stood_in_for(pauses: Pauses) -> None:
    began = time.monotonic()
    name = controller()
    for unit in ("kafka-controller", "kafka") if KRAFT else ("kafka",):
        kill(name, unit)
    has_fired("ServiceCrashed", began)
    well_within(120, "the killed controller back in sync")
    assert told(pauses, "the controller killed with -9") <= MOST_AT_A_KILL


def test_3_the_leader_of_those_that_keep_the_metadata_is_stood_in_for(pauses: Pauses) -> None:
    began = time.monotonic()
    name, unit = metadatas_leader()
    kill(name, unit)
    has_fired("ServiceCrashed", began)
    assert told(pauses, f"the leading {unit} killed with -9") <= MOST_AT_A_KILL


def test_3_a_host_without_network_is_stood_in_for(pauses: Pauses) -> None:
    """Its broker believes in itself for a while; what it takes alone is never acknowledged."""
    began = time.monotonic()
    with cut(next(n for n in BROKERS if n != controller())):
        time.sleep(60)
    for alert in ("InstanceDown", "UnderReplicated", *(() if KRAFT else ("ZooKeeperSessionsExpire",))):
        has_fired(alert, began)
    well_within(SESSION_ALERT_SECONDS + 120, "the host back in sync")
    assert told(pauses, "a host without network for a minute") <= MOST_AT_A_KILL


def test_4_a_broker_whose_host_is_gone_is_replaced(pauses: Pauses) -> None:
    began, old = time.monotonic(), instance("kafka-2")["InstanceId"]
    power_off("kafka-2")
    time.sleep(20)
    assert told(pauses, "a host powered off") <= MOST_AT_A_KILL
    has_fired("InstanceDown", began)
    play("replace.yml", "-e", "instance=kafka-2")
    assert instance("kafka-2")["InstanceId"] != old
    assert replicas(2) > 0
    assert told(pauses, "a host replaced") <= MOST_AT_A_RESTART


def test_4_a_lost_pipeline_host_is_taken_over(pauses: Pauses) -> None:
    """The other one carries Prometheus."""
    lost = instance("pipeline-1")["PrivateIpAddress"]
    everything = sum(members().values())
    assert members()[lost] > 0
    power_off("pipeline-1")
    began = time.monotonic()
    eventually(lambda: sum(n for host, n in members().items() if host != lost) == everything, 60, "all taken over")
    took = time.monotonic() - began
    print(f"\na pipeline host powered off: its partitions taken over after {took:.1f} s")
    assert took <= MOST_AT_A_TAKEOVER
    has_fired("InstanceDown", began)
    play("replace.yml", "-e", "instance=pipeline-1")
    eventually(lambda: len(members()) == facts()["consumers"], 60, "both hosts have partitions again")
    told(pauses, "a pipeline host replaced")


def test_4_a_controller_with_another_public_address_passes_the_gate(pauses: Pauses) -> None:
    """Whoever wrote through the old address waits until it is told the new one; the services inside go on."""
    name, before = controller(), processes()
    move(name)
    play("site.yml")
    assert [each for each in BROKERS if processes()[each] != before[each]] == [name]
    told(pauses, "the controller's public address changed")


def test_5_a_broker_comes_and_goes(pauses: Pauses) -> None:
    four = [*declared(), {**declared()[0], "name": "kafka-4", "id": 4, "services": ["kafka"]}]
    play("scale.yml", "-e", json.dumps({"stock_market_instances": four}))
    assert replicas(4) > 0
    assert told(pauses, "a broker added") <= MOST_AT_A_RESTART
    well_within(60, "all is well with four brokers")
    play("scale.yml", "-e", '{"scale_remove": ["kafka-4"]}')
    assert replicas(4) == 0
    assert {each["name"] for each in facts()["instances"] if "kafka" in each["services"]} == set(BROKERS)
    assert told(pauses, "a broker removed") <= MOST_AT_A_RESTART

"""Metrics and alerts: every target is read, a fault fires its alert, and no port is open that is not documented."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import testinfra
from conftest import KEEPER, KRAFT, ROOT, STATE, Deployment, eventually, make, play

UNITS = {
    "prometheus-node-exporter": "prometheus",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "alertmanager",
}
HIGHEST_EXPOSURE = 2.0
# Tries to connect to every port of an address, for 2 s or longer each, and prints those that answer. The kernel
# connects, whatever this process does meanwhile: a busy machine makes the scan longer and hides no port.
SCAN = """
import errno, json, resource, select, socket, sys, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
at_once, found = min(16500, hard - 100), []
for first in range(1, 65536, at_once):
    trials = {}
    for port in range(first, min(first + at_once, 65536)):
        trial = socket.socket()
        trial.setblocking(False)
        code = trial.connect_ex((sys.argv[1], port))
        if code in (0, errno.EINPROGRESS):
            trials[port] = trial
        elif code != errno.ECONNREFUSED:
            raise OSError(code, port)
    time.sleep(2)
    looked = select.poll()
    for trial in trials.values():
        looked.register(trial, select.POLLOUT)
    ended = {number for number, _ in looked.poll(0)}
    found += [
        port
        for port, trial in trials.items()
        if trial.fileno() in ended
        and trial.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNRESET)
    ]
    for trial in trials.values():
        trial.close()
print(json.dumps(found))
"""


def asked(host: Any, path: str, port: int = 9090) -> Any:
    """What Prometheus' API says."""
    return json.loads(host.check_output(f"curl -sS --fail http://127.0.0.1:{port}{path}"))


def firing(host: Any) -> set[str]:
    """The names of the alerts that fire."""
    alerts = asked(host, "/api/v1/alerts")["data"]["alerts"]
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def down(host: Any) -> set[str]:
    """The services whose alert ServiceDown fires."""
    alerts = asked(host, "/api/v1/alerts")["data"]["alerts"]
    fire = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
    return {labels["service"] for labels in fire if labels["alertname"] == "ServiceDown"}


def quiet(host: Any) -> bool:
    """No alert fires; `eventually` shows which ones do."""
    assert firing(host) == set()
    return True


def documented() -> dict[int, tuple[str, str]]:
    """Each port in the table of docs/security.md, with the address that it listens on and who is admitted."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| (every|private|loopback) \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    other = "ZooKeeper" if KRAFT else "controller"
    return {
        int(port) + (100_000 if address == "loopback" else 0): (address, admitted)
        for ports, address, what, admitted in rows
        if other not in what
        for port in ports.split(", ")
        if port != ("9405" if KRAFT else "9406")
    }


def well() -> bool:
    """`make status` finds nothing; `eventually` shows what it prints otherwise."""
    done = make("status")
    assert done.returncode == 0, done.stdout + done.stderr
    return True


def shown(sentences: list[str]) -> bool:
    """`make status` says all of these, and fails; on a busy machine Prometheus may not answer it in time."""
    done = make("status")
    assert all(each in done.stdout for each in sentences), done.stdout + done.stderr
    return bool(done.returncode)


def sent(host: Any) -> set[str]:
    """The alerts that Prometheus has sent to Alertmanager."""
    return {alert["labels"]["alertname"] for alert in asked(host, "/api/v2/alerts", 9093)}


def ports_of(admitted: str) -> set[int]:
    """The documented ports to which these are admitted."""
    return {port for port, (_, who) in documented().items() if who == admitted}


def test_status_is_well_with_one_consumer_again_after_one_of_two_was_killed() -> None:
    eventually(well, seconds=180, what="make status with exit code 0")


def test_every_target_is_up_and_no_alert_fires(host: Any) -> None:
    def targets() -> dict[str, str]:
        found = asked(host, "/api/v1/targets?state=active")["data"]["activeTargets"]
        return {target["labels"]["service"]: target["health"] for target in found}

    wanted = [
        "node",
        "kafka",
        KEEPER.replace("-", "_"),
        "stock_producer",
        "stock_consumer",
        "prometheus",
        "alertmanager",
    ]
    eventually(lambda: targets() == dict.fromkeys(wanted, "up"), seconds=180, what="every target up")
    eventually(lambda: quiet(host), seconds=120, what="no alert")
    known = asked(host, "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    assert [each["url"] for each in known] == ["http://127.0.0.1:9093/api/v2/alerts"]


def test_every_metric_that_an_alert_asks_for_is_there(host: Any) -> None:
    """A misspelt one would never fire. Those of failures are there, too, with 0."""
    groups = asked(host, "/api/v1/rules?type=alert")["data"]["groups"]
    expressions = " ".join(rule["query"] for group in groups for rule in group["rules"])
    used = set(re.findall(r'(?<!")\b(?:kafka|node|jvm|stock)_[a-z_]+\b', expressions))
    assert len(used) > 20
    known = set(asked(host, "/api/v1/label/__name__/values")["data"])
    # Has a series only once something was quarantined.
    of_zookeeper = {"kafka_server_sessionexpirelistener_zookeeperexpires_total"} if KRAFT else set()
    assert used - known <= {"stock_consumer_quarantined_records_total"} | of_zookeeper
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}


@pytest.mark.parametrize(("unit", "user"), UNITS.items())
def test_a_unit_runs_with_little_exposure_and_bounded_memory(host: Any, unit: str, user: str) -> None:
    little_exposed(host, unit, user)


def little_exposed(host: Any, unit: str, user: str) -> None:
    """The unit runs as that user, with little exposure and bounded memory."""
    assert host.service(unit).is_enabled
    pid = int(host.check_output(f"systemctl show --property MainPID --value {unit}"))
    assert host.process.get(pid=pid).user == user
    told = host.check_output(f"systemd-analyze security --no-pager {unit}").splitlines()[-1]
    exposure = float(told.partition("exposure level for")[2].partition(": ")[2].split()[0])
    assert 0 < exposure <= HIGHEST_EXPOSURE, told
    bound = int(host.check_output(f"systemctl show --property MemoryMax --value {unit}"))
    assert 0 < bound <= 384 * 2**20
    resident = host.check_output(f"grep VmHWM /proc/{pid}/status").split()
    assert int(resident[1]) * 1024 < bound


def test_all_of_it_fits_a_machine_of_2_gb(host: Any) -> None:
    """Half a GB stays for the page cache, from which Kafka's consumers read."""
    fields = dict(line.split(":") for line in host.check_output("cat /proc/meminfo").splitlines())
    total, available = (int(fields[name].split()[0]) // 1024 for name in ("MemTotal", "MemAvailable"))
    assert total <= 2048
    assert available >= 512, f"{available} of {total} MiB are available"


@pytest.fixture
def webhook(host: Any) -> Iterator[None]:
    """Alerts go to a webhook, which writes them to /tmp/sent."""
    receiver = "import http.server as h\nclass R(h.BaseHTTPRequestHandler):\n def do_POST(s):\n"
    receiver += "  open('/tmp/sent', 'ab').write(s.rfile.read(int(s.headers['Content-Length'])) + b'\\n')\n"
    receiver += "  s.send_response(200); s.end_headers()\n"
    receiver += "h.HTTPServer(('127.0.0.1', 8099), R).serve_forever()\n"
    host.run_expect([0], f"cat >/tmp/receiver.py <<'END'\n{receiver}END")
    host.run_expect([0], "systemd-run --unit webhook-receiver python3 /tmp/receiver.py")
    try:
        play("monitoring.yml", "-e", "monitoring_notify=http://127.0.0.1:8099/secret-path")
        yield
    finally:
        host.run_expect([0], "systemctl stop webhook-receiver; rm -f /tmp/sent /tmp/receiver.py")
        play("monitoring.yml")
    assert "secret-path" not in host.check_output("cat /etc/prometheus/alertmanager.yml")
    eventually(lambda: quiet(host), seconds=120, what="no alert")


@pytest.mark.usefixtures("webhook")
def test_a_stopped_service_fires_its_alert_which_status_shows_and_the_webhook_gets_and_clears_it(host: Any) -> None:
    """The webhook's address can be read by Alertmanager alone."""
    assert "secret-path" in host.check_output("cat /etc/prometheus/alertmanager.yml")
    modes = host.check_output("stat -c '%a %U %G' /etc/prometheus/alertmanager.yml")
    assert modes == "640 root alertmanager"
    host.run_expect([0], "systemctl stop stock-consumer stock-producer")
    try:
        both = {"stock_consumer", "stock_producer"}
        eventually(lambda: both <= down(host), seconds=90, what="the alert of each stopped service")
        said = [f"Alert ServiceDown: {service} on node-1 does not answer" for service in both]
        eventually(lambda: shown(said), seconds=90, what="make status with both alerts")
        eventually(lambda: "ServiceDown" in sent(host), seconds=90, what="the alert at Alertmanager")
        eventually(
            lambda: "ServiceDown" in host.run("cat /tmp/sent").stdout, seconds=120, what="the alert at the webhook"
        )
    finally:
        host.run_expect([0], "systemctl start stock-producer stock-consumer")
    eventually(lambda: quiet(host), seconds=120, what="no alert")
    eventually(well, seconds=180, what="make status with exit code 0")


def test_a_host_listens_on_the_documented_ports_only(host: Any, deployment: Deployment) -> None:
    private = deployment.node["private_address"]
    listening = set()
    for line in host.check_output("ss -Hltn").splitlines():
        address, _, port = line.split()[3].rpartition(":")
        plain = address.strip("[]").removeprefix("::ffff:")
        where = {"127.0.0.1": "loopback", "::1": "loopback", private: "private"}.get(plain, "every")
        listening.add((int(port) + (100_000 if where == "loopback" else 0), where))
    known = {(port, address) for port, (address, _) in documented().items()}
    # A single ZooKeeper has no peers, and its Prometheus reads every exporter on loopback.
    assert listening == known - {(port, "private") for port in {2888, 3888} | ports_of("monitoring")}


def scanned(output: str) -> set[int]:
    return set(json.loads(output.splitlines()[-1]))


def test_from_outside_only_the_documented_ports_are_open(deployment: Deployment) -> None:
    command = ["python3", "-c", SCAN, deployment.node["public_address"]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert scanned(done.stdout) == {port for port, (_, admitted) in documented().items() if "operator" in admitted}


@contextmanager
def second_host(deployment: Deployment) -> Iterator[tuple[Any, str, dict[str, str]]]:
    """Another instance of the deployment's network, as testinfra reaches it; its id; and the groups' ids by name."""
    ec2 = deployment.client("ec2")
    (first,) = ec2.describe_instances(InstanceIds=[deployment.node["instance_id"]])["Reservations"][0]["Instances"]
    found = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [first["VpcId"]]}])["SecurityGroups"]
    prefix = f"{deployment.facts['deployment']}-"
    groups = {group["GroupName"].removeprefix(prefix): group["GroupId"] for group in found}
    made = ec2.run_instances(
        ImageId=first["ImageId"],
        InstanceType="t3.small",
        KeyName=first["KeyName"],
        SubnetId=first["SubnetId"],
        SecurityGroupIds=[groups["instances"]],
        MinCount=1,
        MaxCount=1,
    )["Instances"][0]["InstanceId"]
    try:
        ec2.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        told = ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]
        settings = STATE / "second_host"
        key = f'IdentityFile "{STATE}/ssh/id_ed25519"'
        settings.write_text(
            f"Host second\n HostName {told['PublicIpAddress']}\n User admin\n {key}\n IdentitiesOnly yes\n"
            " UserKnownHostsFile /dev/null\n StrictHostKeyChecking no\n LogLevel ERROR\n",
            encoding="utf-8",
        )
        other = testinfra.get_host("ssh://second", ssh_config=str(settings), sudo=True)
        eventually(lambda: other.run("true").rc == 0, seconds=180, what="the second host")
        yield other, made, groups
        settings.unlink()
    finally:
        ec2.terminate_instances(InstanceIds=[made])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def over_tls(deployment: Deployment) -> str:
    """Variables with which Prometheus reads its own host as it reads others: over TLS, at the private address."""
    private, name = deployment.node["private_address"], deployment.node["name"]
    jobs = {
        "node": 9100,
        "kafka": 9404,
        KEEPER.replace("-", "_"): 9406 if KRAFT else 9405,
        "stock_producer": 9410,
        "stock_consumer": 9430,
    }
    targets = [
        {"job": job, "instance": name, "address": f"{private}:{port}", "tls": True} for job, port in jobs.items()
    ]
    return json.dumps({"stock_market_metrics_remote": True, "monitoring_targets": targets})


@pytest.mark.long
def test_from_a_second_host_only_the_documented_ports_are_open(host: Any, deployment: Deployment) -> None:
    """Metrics stay on loopback, also for a host that carries monitoring; where one needs them, TLS offers them."""
    private, everyone, metrics = deployment.node["private_address"], ports_of("every instance"), ports_of("monitoring")
    assert len(metrics) == 5
    with second_host(deployment) as (other, instance, groups):
        scan = f"python3 -c '{SCAN}' {private}"
        both = [groups["instances"], groups["monitoring"]]
        deployment.client("ec2").modify_instance_attribute(InstanceId=instance, Groups=both)
        time.sleep(3)
        assert scanned(other.check_output(scan)) == everyone
        try:
            play("monitoring.yml", "-e", over_tls(deployment))
            assert scanned(other.check_output(scan)) == everyone | metrics
            metrics_need_prometheus_certificate(host, other, private)
            eventually(lambda: up(host) == dict.fromkeys(metrics, 1), seconds=180, what="all metrics over TLS")
            little_exposed(host, "metrics-tls", "metrics-tls")
            alone = [groups["instances"]]
            deployment.client("ec2").modify_instance_attribute(InstanceId=instance, Groups=alone)
            time.sleep(3)
            assert scanned(other.check_output(scan)) == everyone
        finally:
            play("monitoring.yml")
    assert not host.file("/etc/systemd/system/metrics-tls.service").exists
    assert not host.file("/etc/metrics-tls").exists
    assert not host.file("/etc/prometheus-tls").exists
    assert host.run("nft list table inet metadata-guard-metrics-tls").rc != 0
    test_a_host_listens_on_the_documented_ports_only(host, deployment)
    test_every_target_is_up_and_no_alert_fires(host)


def up(host: Any) -> dict[int, int]:
    """Whether Prometheus reads the metrics of each port over TLS."""
    found = asked(host, "/api/v1/targets?state=active")["data"]["activeTargets"]
    over = [target for target in found if target["scrapeUrl"].startswith("https://")]
    return {int(target["scrapeUrl"].split(":")[2].split("/")[0]): int(target["health"] == "up") for target in over}


def metrics_need_prometheus_certificate(host: Any, other: Any, private: str) -> None:
    """The other host reads metrics with Prometheus' certificate, and neither without one nor over plain HTTP."""
    for name in ("ca", "client"):
        content = host.check_output(f"cat /etc/prometheus-tls/{name}.pem")
        other.run_expect([0], f"cat >/tmp/{name}.pem <<'END'\n{content}\nEND")
    keeper = {9406: "kafka_controller_"} if KRAFT else {9405: "zookeeper_"}
    for port, metric in ({9100: "node_", 9404: "kafka_"} | keeper).items():
        ask, address = "curl -sS --fail --max-time 20", f"{private}:{port}/metrics"
        assert other.run(f"{ask} http://{address}").rc != 0
        without = other.run(f"{ask} --cacert /tmp/ca.pem https://{address}")
        # Refused in or, as TLS 1.3 does it, after the handshake: curl reads the alert, or finds the connection closed.
        assert without.rc in (35, 55, 56), without.stderr
        assert f"\n{metric}" in other.check_output(
            f"{ask} --cacert /tmp/ca.pem --cert /tmp/client.pem https://{address}"
        )

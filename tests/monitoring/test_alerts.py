"""The alerts: each fires at its fault and clears, and says what to do and where that is explained."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".venv" / "prometheus" / "usr" / "bin"
RULES = ROOT / "roles" / "monitoring" / "files" / "stock_market_rules.yml"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}
# A sample each 15 s: ten minutes without the fault, forty with it, twenty without it again.
STEP_SECONDS, WELL, FAULT, WELL_AGAIN = 15, 40, 160, 80
GIB = 1 << 30
DAY = 86400


def gauge(well: int | str, fault: float | str) -> str:
    return f"{well}x{WELL - 1} {fault}x{FAULT - 1} {well}x{WELL_AGAIN - 1}"


def counter(step: float = 1) -> str:
    """A counter that rises only during the fault."""
    return f"0x{WELL - 1} {step}+{step}x{FAULT - 1} {step * FAULT}x{WELL_AGAIN - 1}"


def clock() -> str:
    """A time that is always now, but stands still during the fault."""
    stopped, again = WELL * STEP_SECONDS, (WELL + FAULT) * STEP_SECONDS
    return f"0+{STEP_SECONDS}x{WELL - 1} {stopped}x{FAULT - 1} {again}+{STEP_SECONDS}x{WELL_AGAIN - 1}"


def kafka(metric: str, instance: str = "kafka-1", **labels: str) -> str:
    more = "".join(f',{key}="{value}"' for key, value in labels.items())
    return f'{metric}{{job="kafka",service="kafka",instance="{instance}"{more}}}'


def node(metric: str, instance: str = "kafka-1", **labels: str) -> str:
    return kafka(metric, instance, **labels).replace('"kafka"', '"node"')


CONTROLLER = "kafka_controller_kafkacontroller_activecontrollercount"
ZOOKEEPER = 'up{job="zookeeper",service="zookeeper",instance="kafka-1"}'
WAITING = {ZOOKEEPER: gauge(1, 1), kafka(CONTROLLER).replace('="kafka"', '="kafka_controller"'): gauge(1, 1)}
DISK = node("node_filesystem_size_bytes", mountpoint="/"), gauge(20 * GIB, 20 * GIB)
FREE = node("node_filesystem_avail_bytes", mountpoint="/")
HEAP = kafka("jvm_memory_max_bytes", area="heap"), gauge(100, 100)
UNCLEAN = kafka("kafka_controller_controllerstats_uncleanleaderelections_total")
BROKERS = {kafka("up", name): gauge(1, 1) for name in ("kafka-1", "kafka-2")}
CASES: dict[str, list[dict[str, str]]] = {
    "InstanceDown": [{node("up"): gauge(1, 0)}],
    "ServiceDown": [{kafka("up"): gauge(1, 0)}, {'up{job="stock_consumer",instance="node-1"}': gauge(1, 0)}],
    "ServiceCrashed": [{node("node_systemd_service_restart_total", name="kafka.service"): counter()}],
    "DiskNearlyFull": [dict([DISK, (FREE, gauge(10 * GIB, GIB // 2))])],
    "DiskFullSoon": [
        dict([DISK, (FREE, f"{10 * GIB}x{WELL - 1} {3 * GIB}-2000000x{FAULT - 1} {10 * GIB}x{WELL_AGAIN - 1}")])
    ],
    "OfflinePartitions": [{kafka("kafka_controller_kafkacontroller_offlinepartitionscount"): gauge(0, 3)}],
    "UnderMinIsr": [{kafka("kafka_server_replicamanager_underminisrpartitioncount"): gauge(0, 3)}],
    "UnderReplicated": [{kafka("kafka_server_replicamanager_underreplicatedpartitions"): gauge(0, 3)}],
    "NotOneController": [
        {kafka(CONTROLLER): gauge(1, 0), kafka(CONTROLLER, "kafka-2"): gauge(0, 0)},
        {kafka(CONTROLLER): gauge(1, 1), kafka(CONTROLLER, "kafka-2"): gauge(0, 1)},
        {kafka(CONTROLLER): gauge(1, "stale _")},
        # In a migration a broker and the controllers' leader are both right, and more than one of a kind is not.
        {**WAITING, kafka(CONTROLLER): gauge(1, 1), kafka(CONTROLLER, "kafka-2"): gauge(0, 1)},
        {**WAITING, kafka(CONTROLLER): gauge(1, 1), ZOOKEEPER: gauge(1, "stale _")},
    ],
    "UncleanLeaderElection": [{UNCLEAN: counter(), **BROKERS}],
    "OfflineLogDirectory": [{kafka("kafka_log_logmanager_offlinelogdirectorycount"): gauge(0, 1)}],
    "RequestHandlersBusy": [
        {kafka("kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent"): gauge(1, 0.1)}
    ],
    "NetworkThreadsBusy": [{kafka("kafka_network_socketserver_networkprocessoravgidlepercent"): gauge(1, 0.1)}],
    "HeapNearlyFull": [dict([HEAP, (kafka("jvm_memory_used_bytes", area="heap"), gauge(50, 95))])],
    "ZooKeeperSessionsExpire": [{kafka("kafka_server_sessionexpirelistener_zookeeperexpires_total"): counter()}],
    "CertificateExpires": [
        {node("stock_market_certificate_expiry_timestamp_seconds", certificate="kafka"): gauge(90 * DAY, 10 * DAY)}
    ],
    "ProducerStopped": [
        {'stock_producer_last_acknowledged_timestamp_seconds{job="stock_producer"}': clock()},
        # One that started at the fault, and has never had an acknowledgement.
        {
            'process_start_time_seconds{job="stock_producer"}': clock(),
            'stock_producer_last_acknowledged_timestamp_seconds{job="stock_producer"}': (
                f"0+{STEP_SECONDS}x{WELL - 1} stale _x{FAULT - 2} "
                f"{(WELL + FAULT) * STEP_SECONDS}+{STEP_SECONDS}x{WELL_AGAIN - 1}"
            ),
        },
    ],
    "ConsumerLagGrows": [
        {
            'stock_producer_records_total{instance="node-1"}': f"0+1500x{WELL + FAULT + WELL_AGAIN}",
            'stock_consumer_lag_records{instance="node-1",topic="t",partition="0"}': (
                f"50x{WELL - 1} 0+1000x{FAULT - 1} 50x{WELL_AGAIN - 1}"
            ),
        }
    ],
    "NothingStored": [
        {
            'stock_consumer_held_oldest_seconds{instance="node-1"}': gauge(30, 95),
            'stock_consumer_flush_interval_seconds{instance="node-1"}': gauge(30, 30),
        }
    ],
    "CredentialsFail": [{'stock_consumer_credential_failures_total{instance="node-1"}': counter()}],
    "QuarantineRises": [{'stock_consumer_quarantined_records_total{instance="node-1",reason="json"}': counter()}],
    "HistoryFails": [{node("node_systemd_unit_state", name="stock-history.service", state="failed"): gauge(0, 1)}],
    "HistoryOverdue": [
        {
            # One that has never run has the time 0, and is not overdue.
            node("node_systemd_timer_last_trigger_seconds", "kafka-2", name="stock-history.timer"): gauge(0, 0),
            node("node_systemd_timer_last_trigger_seconds", name="stock-history.timer"): gauge(600, -9999),
        }
    ],
}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAMS / "promtool", *arguments], capture_output=True, text=True, check=False, timeout=120)


def test_prometheus_takes_the_alerts() -> None:
    done = promtool("check", "rules", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case() -> None:
    assert CASES.keys() == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_at_its_fault_and_clears(name: str, tmp_path: Path) -> None:
    judge(name, [(case, (("9m", False), ("48m", True), ("69m", False))) for case in CASES[name]], tmp_path)


def test_a_single_broker_that_leads_its_own_replicas_again_is_no_unclean_election(tmp_path: Path) -> None:
    alone = {UNCLEAN: counter(), kafka("up"): gauge(1, 1)}
    judge("UncleanLeaderElection", [(alone, (("9m", False), ("48m", False), ("69m", False)))], tmp_path)


def judge(name: str, cases: list[tuple[dict[str, str], tuple[tuple[str, bool], ...]]], tmp_path: Path) -> None:
    """Lets promtool judge whether an alert fires at these times, of each case's series."""
    expression = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
    tests = [
        {
            "interval": f"{STEP_SECONDS}s",
            "input_series": [{"series": series, "values": values} for series, values in case.items()],
            "promql_expr_test": [
                {"expr": expression, "eval_time": at, "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}
                for at, fires in times
            ],
        }
        for case, times in cases
    ]
    file = tmp_path / "case.yml"
    file.write_text(
        yaml.safe_dump(
            {"rule_files": [str(RULES)], "evaluation_interval": f"{STEP_SECONDS}s", "tests": tests}, width=10**6
        ),
        encoding="utf-8",
    )
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_to_do_and_links_to_where_that_is_explained(name: str) -> None:
    rule: dict[str, Any] = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert anchor == f"alert-{name.lower()}"
    assert anchor in anchors(ROOT / page)

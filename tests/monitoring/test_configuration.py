"""The configurations that the role writes: Prometheus and Alertmanager take them, and they name what there is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import playbook

from stock_market_ops.common.deployment import ROOT

PROGRAMS = ROOT / ".venv" / "prometheus" / "usr" / "bin"
ROLE = ROOT / "roles" / "monitoring"
TARGETS = "{{ lookup('ansible.builtin.template', '" + str(ROOT / "inventory/targets.yml.j2") + "') | from_yaml or [] }}"
PORTS = {"node": 9100, "kafka": 9404, "zookeeper": 9405, "stock_producer": 9410, "stock_consumer": 9430}
COMMON = yaml.safe_load((ROOT / "inventory" / "common.yml").read_text(encoding="utf-8"))
KAFKA, PIPELINE = {"stock_market_private_address": "10.0.0.1"}, {"stock_market_private_address": "10.0.1.1"}


NOTIFIED: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "none": ({}, {}),
    "webhook": (
        {"monitoring_notify": "https://hooks.example.org/a?b=c"},
        {"webhook_configs": [{"url": "https://hooks.example.org/a?b=c"}]},
    ),
    "email": (
        {
            "monitoring_notify": "mailto:ops@example.org",
            "monitoring_smtp_host": "mail.example.org:587",
            "monitoring_smtp_from": "alerts@example.org",
            "monitoring_smtp_user": "alerts",
            "monitoring_smtp_password": 'a "b: #c',
        },
        {"email_configs": [{"to": "ops@example.org", "send_resolved": True}]},
    ),
    "sns": (
        {"monitoring_notify": "arn:aws:sns:eu-north-1:123456789012:alerts"},
        {
            "sns_configs": [
                {"topic_arn": "arn:aws:sns:eu-north-1:123456789012:alerts", "sigv4": {"region": "eu-north-1"}}
            ]
        },
    ),
}
"""Where alerts are sent, by a name: the role's options, and the receiver in Alertmanager's file."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the files that the role writes."""
    notified = {name: options for name, (options, _) in NOTIFIED.items()}
    return write_configurations(tmp_path_factory.mktemp("written"), notified)


def write_configurations(folder: Path, notified: Mapping[str, Mapping[str, str]]) -> Path:
    """Writes the role's files, for a broker and a host with two consumers and Prometheus, into a folder; returns it.

    They are prometheus.yml, plain.yml of a deployment without certificates, and <name>.yml for each way of
    notifications, whose options are given by its name.
    """
    shared = {key: COMMON[key] for key in ("stock_market_metrics_remote", "stock_market_metrics_address")}
    given = {"stock_market_metrics_ports": PORTS, "monitoring_targets": TARGETS, "stock_market_deployment": "shop"}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = playbook.local_inventory(
        {**shared, **given, "stock_market_secure": True},
        stock_market={"kafka-1": KAFKA, "pipeline-1": {**PIPELINE, **local, "stock_consumer_processes": 2}},
        kafka={"kafka-1": {}},
        zookeeper={"kafka-1": {}},
        stock_producer={"pipeline-1": {}},
        stock_consumer={"pipeline-1": {}},
        monitoring={"pipeline-1": {}},
    )
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    inventory["all"]["vars"] = defaults | inventory["all"]["vars"]
    files: list[tuple[str, str, Mapping[str, Any]]] = [("prometheus.yml", "prometheus.yml", {})]
    files += [("prometheus.yml", "plain.yml", {"stock_market_secure": False})]
    files += [("alertmanager.yml", f"{name}.yml", options) for name, options in notified.items()]
    plays = [
        {
            "hosts": "monitoring",
            "gather_facts": False,
            "vars_files": [str(ROLE / "vars" / "main.yml")],
            "vars": options,
            "tasks": [
                {
                    "ansible.builtin.template": {
                        "src": str(ROLE / "templates" / f"{source}.j2"),
                        "dest": str(folder / to),
                    }
                }
            ],
        }
        for source, to, options in files
    ]
    done = playbook.run(folder / "play", plays, inventory)
    assert done.code == 0, done.output
    return folder


def checked(check: list[str], file: Path) -> Any:
    """What stands in the file, which a program has taken."""
    done = subprocess.run([*check, file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return yaml.safe_load(file.read_text(encoding="utf-8"))


CHECK = [str(PROGRAMS / "promtool"), "check", "config", "--syntax-only"]


def watched(configuration: Any) -> dict[tuple[str, str], dict[str, str]]:
    """The labels of each target, by job and address."""
    return {
        (job["job_name"], group["targets"][0]): group["labels"]
        for job in configuration["scrape_configs"]
        for group in job["static_configs"]
        if job["job_name"] not in {"prometheus", "alertmanager"}
    }


def test_prometheus_watches_its_own_host_on_loopback_and_others_over_tls_by_their_names(written: Path) -> None:
    found = checked(CHECK, written / "prometheus.yml")
    consumer = {"instance": "pipeline-1", "service": "stock_consumer"}
    assert watched(found) == {
        ("node", "10.0.0.1:9100"): {"instance": "kafka-1", "service": "node", "__scheme__": "https"},
        ("node", "127.0.0.1:9100"): {"instance": "pipeline-1", "service": "node"},
        ("kafka", "10.0.0.1:9404"): {"instance": "kafka-1", "service": "kafka", "__scheme__": "https"},
        ("zookeeper", "10.0.0.1:9405"): {"instance": "kafka-1", "service": "zookeeper", "__scheme__": "https"},
        ("stock_producer", "127.0.0.1:9410"): {"instance": "pipeline-1", "service": "stock_producer"},
        ("stock_consumer", "127.0.0.1:9430"): {**consumer, "process": "1"},
        ("stock_consumer", "127.0.0.1:9431"): {**consumer, "process": "2"},
    }
    mutual = {
        "ca_file": "/etc/prometheus-tls/ca.pem",
        "cert_file": "/etc/prometheus-tls/client.pem",
        "key_file": "/etc/prometheus-tls/client.pem",
        "min_version": "TLS13",
    }
    with_tls = {job["job_name"]: job["tls_config"] for job in found["scrape_configs"] if "tls_config" in job}
    assert with_tls == dict.fromkeys(["node", "kafka", "zookeeper"], mutual)
    intervals = {job["job_name"]: job.get("scrape_interval", "5s") for job in found["scrape_configs"]}
    assert intervals["kafka"] == "5s"
    assert intervals["stock_consumer"] == "2s"
    assert found["global"]["external_labels"] == {"deployment": "shop"}


def test_a_plain_deployment_without_certificates_is_watched_on_the_private_addresses(written: Path) -> None:
    found = checked(CHECK, written / "plain.yml")
    assert {address for _, address in watched(found)} == {
        *("10.0.0.1:9100", "10.0.0.1:9404", "10.0.0.1:9405"),
        *("127.0.0.1:9100", "127.0.0.1:9410", "127.0.0.1:9430", "127.0.0.1:9431"),
    }
    assert not [job for job in found["scrape_configs"] if "tls_config" in job]


@pytest.mark.parametrize("name", NOTIFIED)
def test_alertmanager_sends_to_where_one_variable_says(written: Path, name: str) -> None:
    options, receiver = NOTIFIED[name]
    found = checked([str(PROGRAMS / "amtool"), "check-config"], written / f"{name}.yml")
    assert found["receivers"] == [{"name": "operator", **receiver}]
    if password := options.get("monitoring_smtp_password"):
        assert found["global"]["smtp_auth_password"] == password

"""`make status` and alerts: firing ones are shown and not well; pending ones, and no monitoring, are no fault."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
from tests.stock_market_ops.test_status_rules import DEPLOYMENT, NODE, report

from stock_market_ops.common.deployment import Deployment
from stock_market_ops.status import probe_alerts, screen, verdict
from stock_market_ops.status.report import AlertView, Outcome

FIRING = {
    "state": "firing",
    "labels": {"alertname": "ServiceDown", "severity": "critical", "instance": "node-1"},
    "annotations": {
        "summary": "kafka on node-1 does not answer",
        "runbook_url": "docs/operations.md#alert-servicedown",
    },
    "activeAt": "2026-11-29T09:00:00Z",
    "value": "0e+00",
}
ALERT = AlertView(
    "ServiceDown", "critical", "kafka on node-1 does not answer", "", "docs/operations.md#alert-servicedown"
)


def watched(**changes: object) -> Deployment:
    """A deployment whose instance carries monitoring, too."""
    node = msgspec.structs.replace(NODE, services=[*NODE.services, "monitoring"])
    return msgspec.structs.replace(DEPLOYMENT, instances=[node], **changes)


def answer(*alerts: object) -> str:
    return json.dumps({"status": "success", "data": {"alerts": alerts}})


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `ssh` that runs the script of the returned path."""
    script = tmp_path / "ssh"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return script


def says(script: Path, text: str, code: int = 0) -> None:
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {code}\n", encoding="utf-8")
    script.chmod(0o755)


def test_only_firing_alerts_are_told(ssh: Path) -> None:
    says(ssh, answer(FIRING, {**FIRING, "state": "pending"}))
    assert probe_alerts.look(watched()) == [ALERT]


def test_without_monitoring_nobody_is_asked(ssh: Path) -> None:
    says(ssh, "no answer of Prometheus")
    assert probe_alerts.look(DEPLOYMENT) == []
    assert "alerts" not in screen.render(DEPLOYMENT, report(), [])


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", 7, "Prometheus on node-1 does not answer (curl said nothing): see prometheus.service there."),
        ("<html>", 0, "Prometheus' answer about its alerts cannot be read"),
    ],
)
def test_a_prometheus_that_does_not_answer_is_said_in_a_sentence(ssh: Path, text: str, code: int, words: str) -> None:
    says(ssh, text, code)
    with pytest.raises(probe_alerts.AlertsProbeError) as refused:
        probe_alerts.look(watched())
    assert words in str(refused.value)


def test_a_firing_alert_is_not_well_and_is_shown() -> None:
    seen = msgspec.structs.replace(report(), alerts=Outcome([ALERT], None, 0.1))
    assert verdict.problems(watched(), seen) == [
        "Alert ServiceDown: kafka on node-1 does not answer; docs/operations.md#alert-servicedown says what to do."
    ]
    assert "alerts     1 firing: ServiceDown; Prometheus on node-1" in screen.render(watched(), seen, [])
    assert "alerts     none firing; Prometheus on node-1" in screen.render(watched(), report(), [])


def test_alerts_that_nobody_could_tell_are_not_well() -> None:
    seen = msgspec.structs.replace(report(), alerts=Outcome(None, "Prometheus does not answer.", 0.1))
    assert verdict.problems(watched(), seen) == ["Prometheus does not answer."]
    assert "alerts     unknown" in screen.render(watched(), seen, [])

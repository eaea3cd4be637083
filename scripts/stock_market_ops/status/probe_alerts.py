"""Prometheus' firing alerts, asked over SSH: it listens on its instance's loopback only."""

from __future__ import annotations

import msgspec

from stock_market_ops.common.deployment import Deployment, Instance
from stock_market_ops.status import hosts
from stock_market_ops.status.report import AlertView

_COMMAND = "curl --silent --show-error --max-time 3 http://127.0.0.1:9090/api/v1/alerts"


class AlertsProbeError(Exception):
    """Prometheus did not answer; the message is one sentence."""


class _Alert(msgspec.Struct):
    state: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}


class _Alerts(msgspec.Struct):
    alerts: list[_Alert]


class _Answer(msgspec.Struct):
    data: _Alerts


def questions(deployment: Deployment) -> list[tuple[Instance, str]]:
    """Return the instances that `look` asks, each with its command."""
    return [(instance, _COMMAND) for instance in deployment.carrying("monitoring")]


def look(deployment: Deployment, ask: hosts.Ask = hosts.run) -> list[AlertView]:
    """Return the alerts that fire, by severity and name; none where no instance carries monitoring.

    Raises:
        AlertsProbeError: an instance carries it, and it does not answer.
    """
    return sorted(
        (alert for question in questions(deployment) for alert in _ask(deployment, *question, ask)),
        key=lambda alert: (alert.severity, alert.name, alert.summary),
    )


def _ask(deployment: Deployment, instance: Instance, command: str, ask: hosts.Ask) -> list[AlertView]:
    done, name = ask(deployment, instance, command), instance.name
    if isinstance(done, str):
        raise AlertsProbeError(f"The alerts cannot be told, {name} gives {done}.")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["curl said nothing"])[-1]
        raise AlertsProbeError(f"Prometheus on {name} does not answer ({reason}): see prometheus.service there.")
    return parse(done.stdout)


def parse(answer: str) -> list[AlertView]:
    """Return the firing ones of the alerts in Prometheus' answer to /api/v1/alerts; pending ones do not fire yet.

    Raises:
        AlertsProbeError: it is no such answer.
    """
    try:
        alerts = msgspec.json.decode(answer, type=_Answer).data.alerts
    except msgspec.DecodeError as error:
        raise AlertsProbeError(f"Prometheus' answer about its alerts cannot be read: {error}.") from error
    return [
        AlertView(
            name=alert.labels.get("alertname", ""),
            severity=alert.labels.get("severity", ""),
            summary=alert.annotations.get("summary", ""),
            description=alert.annotations.get("description", ""),
            runbook=alert.annotations.get("runbook_url", ""),
        )
        for alert in alerts
        if alert.state == "firing"
    ]

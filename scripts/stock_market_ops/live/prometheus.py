"""What Prometheus knows of producers, consumers and alerts, in three questions."""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import msgspec

SECONDS: Final = 0.5
"""Between two looks: producers and consumers are scraped every 2 s, and a stopped one is to be seen in 3 s."""
TIMEOUT_SECONDS: Final = 2.0
_GAUGES: Final = (
    "stock_producer_target_records_per_second",
    "stock_producer_buffered_records",
    "stock_consumer_lag_records",
    "stock_consumer_held_records",
    "stock_consumer_held_oldest_seconds",
    "stock_consumer_assigned_partitions",
)
_TO_OBJECT: Final = "sum by (le) (rate(stock_consumer_record_to_object_seconds_bucket[5m]))"
_WORKED_OUT: Final = {
    "produced": "sum by (instance, job, process) (rate(stock_producer_records_total[15s]))",
    "refused": "sum by (instance, job, process) (increase(stock_producer_errors_total[5m]))",
    "consumed": "sum by (instance, job, process) (rate(stock_consumer_records_total[15s]))",
    "objects": "sum by (instance, job, process) (stock_consumer_objects_total)",
    "quarantined": "sum by (instance, job, process) (increase(stock_consumer_quarantined_records_total[5m]))",
    "to_object_median": f"histogram_quantile(0.5, {_TO_OBJECT})",
    "to_object_99": f"histogram_quantile(0.99, {_TO_OBJECT})",
}
_NAMES: Final = "|".join(("up", *_GAUGES))
_RAW: Final = (
    f'sum by (__name__, instance, job, process) ({{__name__=~"{_NAMES}", job=~"stock_producer|stock_consumer"}})'
)
# `or` keeps of samples that differ in nothing but their names only the first, hence a label that tells them apart.
_ASKED: Final = " or ".join(
    [f'label_replace({_RAW}, "what", "$1", "__name__", "(.+)")']
    + [f'label_replace({expression}, "what", "{name}", "", "")' for name, expression in _WORKED_OUT.items()]
)


class PrometheusError(Exception):
    """Prometheus gave no answer; the message is one sentence."""


class Service(msgspec.Struct, frozen=True):
    """A producer or a consumer: its instance, whether Prometheus reaches it, and its numbers by name."""

    instance: str
    up: bool
    numbers: dict[str, float]


class Alert(msgspec.Struct, frozen=True):
    """An alert that fires: its name, severity, what it says, and since when (ISO 8601)."""

    name: str
    severity: str
    text: str
    since: str


class PrometheusView(msgspec.Struct, frozen=True):
    """Producers, consumers, alerts; `numbers` are those of no instance."""

    producers: list[Service]
    consumers: list[Service]
    numbers: dict[str, float]
    alerts: list[Alert]


class Prometheus:
    """Asks one Prometheus."""

    def __init__(self, connect: Callable[[], http.client.HTTPConnection]) -> None:
        self._connect = connect
        self._connection: http.client.HTTPConnection | None = None

    def look(self) -> PrometheusView:
        """Return the newest state.

        Raises:
            PrometheusError: it does not answer, or not as Prometheus does.
        """
        try:
            samples = self._get("/api/v1/query?query=" + quote(_ASKED))["result"]
            alerts = self._get("/api/v1/alerts")["alerts"]
            return read(samples, alerts)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise PrometheusError(f"Prometheus does not answer: {error or type(error).__name__}.") from error
        except (ValueError, KeyError, TypeError) as error:
            self._drop()
            raise PrometheusError(f"The answer is not Prometheus': {error}.") from error

    def _get(self, path: str) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if answer["status"] != "success":
            raise PrometheusError(f"Prometheus refuses the question: {answer.get('error', response.status)}.")
        return answer["data"]

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def read(samples: list[Any], alerts: list[Any]) -> PrometheusView:
    """Sort Prometheus' samples (https://prometheus.io/docs/prometheus/latest/querying/api/#instant-vectors)."""
    services: dict[tuple[str, str], dict[str, float]] = {}
    numbers = {}
    for sample in samples:
        labels, value = sample["metric"], float(sample["value"][1])
        if not math.isfinite(value):
            continue
        if "instance" in labels:
            # Several consumers of an instance are told apart by their number.
            name = " ".join(filter(None, (labels["instance"], labels.get("process", ""))))
            services.setdefault((labels.get("job", ""), name), {})[labels["what"]] = value
        else:
            numbers[labels["what"]] = value
    return PrometheusView(
        _services(services, "stock_producer"),
        _services(services, "stock_consumer"),
        numbers,
        sorted(
            (
                Alert(
                    str(alert["labels"].get("alertname", "")),
                    str(alert["labels"].get("severity", "")),
                    _text(alert["annotations"]),
                    str(alert.get("activeAt", "")),
                )
                for alert in alerts
                if alert["state"] == "firing"
            ),
            key=lambda alert: (alert.severity, alert.name, alert.text),
        ),
    )


def _text(annotations: dict[str, str]) -> str:
    """Return what an alert says, as sentences."""
    parts = (str(annotations.get(name, "")).strip() for name in ("summary", "description"))
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)


def _services(found: dict[tuple[str, str], dict[str, float]], job: str) -> list[Service]:
    return [
        Service(
            instance, numbers.get("up", 0.0) > 0, {name: number for name, number in numbers.items() if name != "up"}
        )
        for (its_job, instance), numbers in sorted(found.items())
        if its_job == job
    ]

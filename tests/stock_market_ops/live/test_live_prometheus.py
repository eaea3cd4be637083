"""Prometheus behind a socket: its numbers by service, its alerts, and one sentence where it does not answer."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from stock_market_ops.live.prometheus import Prometheus, PrometheusError
from stock_market_ops.live.tunnel import SocketConnection

SAMPLES = [
    ({"job": "stock_consumer", "instance": "node-1", "what": "up"}, "1"),
    ({"job": "stock_consumer", "instance": "node-1", "what": "consumed"}, "49.5"),
    ({"job": "stock_consumer", "instance": "node-1", "process": "2", "what": "up"}, "0"),
    ({"job": "stock_producer", "instance": "node-1", "what": "up"}, "1"),
    ({"job": "stock_producer", "instance": "node-1", "what": "produced"}, "50"),
    ({"what": "to_object_median"}, "12.5"),
    ({"what": "to_object_99"}, "NaN"),
]
ALERTS = [
    {
        "labels": {"alertname": "BrokerDown", "severity": "critical"},
        "annotations": {"summary": "A broker is down.", "description": "Start it."},
        "state": "firing",
        "activeAt": "2026-11-29T10:00:00Z",
    },
    {"labels": {"alertname": "Later"}, "annotations": {}, "state": "pending"},
]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/api/v1/alerts":
            data: Any = {"alerts": ALERTS}
        else:
            self.asked.append(parse_qs(parts.query)["query"][0])
            data = {"result": [{"metric": labels, "value": [0, text]} for labels, text in SAMPLES]}
        body = json.dumps({"status": "success", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return ""

    def log_message(self, *_: object) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """The path of a Prometheus' socket, and what it was asked."""
    asked: list[str] = []
    path = tmp_path / "socket"
    with _Server(str(path), type("Handler", (_Handler,), {"asked": asked})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield path, asked
        server.shutdown()


def test_services_have_their_numbers_and_whether_they_run(served: tuple[Path, list[str]]) -> None:
    path, asked = served
    prometheus = Prometheus(lambda: SocketConnection(path, 2))
    found = prometheus.look()
    assert prometheus.look() == found
    assert [(one.instance, one.up, one.numbers) for one in found.consumers] == [
        ("node-1", True, {"consumed": 49.5}),
        ("node-1 2", False, {}),
    ]
    assert [(one.instance, one.up, one.numbers) for one in found.producers] == [("node-1", True, {"produced": 50.0})]
    assert found.numbers == {"to_object_median": 12.5}
    [alert] = found.alerts
    assert (alert.name, alert.severity, alert.text) == ("BrokerDown", "critical", "A broker is down. Start it.")
    assert "stock_consumer_lag_records" in asked[0]


def test_a_prometheus_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    prometheus = Prometheus(lambda: SocketConnection(tmp_path / "none", 1))
    with pytest.raises(PrometheusError, match=r"^Prometheus does not answer: .*\.$"):
        prometheus.look()


def test_it_is_asked_again_after_it_was_gone(served: tuple[Path, list[str]]) -> None:
    path, _ = served
    places = [path.with_name("none"), path]
    prometheus = Prometheus(lambda: SocketConnection(places.pop(0), 1))
    with pytest.raises(PrometheusError):
        prometheus.look()
    assert prometheus.look().consumers

"""Metrics on their way to another host: TLS 1.3 only, and for the holder of Prometheus' certificate only."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from tests.support import playbook
from tests.support.stock_market.authority import Authority
from tests.support.stock_market.broker import free_port

from stock_market_ops.common.deployment import ROOT

VENV = ROOT / ".venv"
ROLE = ROOT / "roles" / "metrics_tls"
HERE, PRIVATE = "127.0.0.1", "127.0.0.2"


class Exporter(BaseHTTPRequestHandler):
    """Shows one metric."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"answer 42\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Nothing."""


@dataclass(frozen=True)
class Offered:
    """An exporter on loopback whose metrics stunnel offers at the same port of another address."""

    folder: Path
    port: int
    authority: Authority
    client: Path

    def trusting(self, certificate: Path | None = None) -> ssl.SSLContext:
        """What a client knows that trusts the authority and has that certificate."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if certificate:
            context.load_cert_chain(certificate)
        return context

    def read(self, context: ssl.SSLContext) -> str:
        """The metrics, as a client reads them.

        Raises:
            OSError: the client or the server refuses the connection.
        """
        return asked(HTTPSConnection(PRIVATE, self.port, timeout=60, context=context))


def asked(connection: HTTPConnection) -> str:
    """What the exporter answers."""
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def rendered(folder: Path, role: str, name: str, options: dict[str, Any]) -> Path:
    """A template of a role, as Ansible writes it."""
    template = {"src": str(ROOT / "roles" / role / "templates" / f"{name}.j2"), "dest": str(folder / name)}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.template": template}]}
    files = [ROOT / "roles" / role / part / "main.yml" for part in ("defaults", "vars")]
    defaults, internal = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in files)
    given = json.dumps({**internal, **options})
    done = playbook.run(folder / "play", [play], playbook.local_inventory(defaults), "--extra-vars", given)
    assert done.code == 0, done.output
    return folder / name


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offered]:
    folder = tmp_path_factory.mktemp("metrics_tls")
    authority, port = Authority(folder), free_port()
    authority.issue("node-1", [PRIVATE]).rename(folder / "server.pem")
    options = {"__metrics_tls_dir": str(folder), "metrics_tls_address": PRIVATE, "metrics_tls_ports": [port]}
    configuration = rendered(folder, "metrics_tls", "stunnel.conf", options)
    with ThreadingHTTPServer((HERE, port), Exporter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        libraries = next((VENV / "stunnel").rglob("libwrap.so.0")).parent
        program = [str(VENV / "stunnel/usr/bin/stunnel4"), str(configuration)]
        with subprocess.Popen(program, env=os.environ | {"LD_LIBRARY_PATH": str(libraries)}) as stunnel:
            try:
                found = Offered(folder, port, authority, authority.issue("prometheus", [PRIVATE]))
                until(lambda: found.read(found.trusting(found.client)) == "answer 42\n", stunnel)
                yield found
            finally:
                stunnel.terminate()
                server.shutdown()


def until(ask: Any, program: subprocess.Popen[Any], seconds: float = 90) -> None:
    """Wait for a true answer of a program that runs; no connection is none."""
    deadline = time.monotonic() + seconds
    while True:
        assert program.poll() is None, f"it ended with {program.returncode}"
        try:
            if ask():
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, "no answer in time"
        time.sleep(0.1)


def test_plain_http_is_refused(offered: Offered) -> None:
    with pytest.raises((OSError, HTTPException)):
        asked(HTTPConnection(PRIVATE, offered.port, timeout=60))


def test_a_client_without_a_certificate_is_refused(offered: Offered) -> None:
    with pytest.raises(OSError, match=r"(?i)certificate|reset|EOF|closed"):
        offered.read(offered.trusting())


def test_another_services_certificate_is_refused(offered: Offered) -> None:
    """Each service has a certificate of the authority; only Prometheus' reads metrics."""
    other = offered.authority.issue("kafka", [PRIVATE])
    with pytest.raises(OSError, match=r"(?i)certificate|reset|EOF|closed|alert"):
        offered.read(offered.trusting(other))


def test_a_certificate_of_another_authority_is_refused(offered: Offered, tmp_path: Path) -> None:
    forged = Authority(tmp_path).issue("prometheus", [PRIVATE])
    with pytest.raises(OSError, match=r"(?i)certificate|reset|EOF|closed|alert"):
        offered.read(offered.trusting(forged))


def test_an_older_tls_is_refused(offered: Offered) -> None:
    context = offered.trusting(offered.client)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        offered.read(context)


def test_prometheus_reads_it_with_the_configuration_of_its_role(offered: Offered, tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_bytes(offered.client.read_bytes())
    (tmp_path / "ca.pem").write_bytes(offered.authority.file.read_bytes())
    target = {"job": "node", "instance": "node-1", "address": f"{PRIVATE}:{offered.port}", "tls": True}
    options = {"monitoring_targets": [target], "monitoring_tls_dir": str(tmp_path), "monitoring_scrape_seconds": 1}
    configuration = rendered(tmp_path, "monitoring", "prometheus.yml", options)
    text = configuration.read_text(encoding="utf-8").replace("rule_files:", "# rule_files:")
    configuration.write_text(text, encoding="utf-8")
    port = free_port()
    program = [str(VENV / "prometheus/usr/bin/prometheus"), f"--config.file={configuration}", "--log.level=warn"]
    program += [f"--storage.tsdb.path={tmp_path / 'metrics'}", f"--web.listen-address={HERE}:{port}"]

    def found() -> list[dict[str, Any]]:
        with urlopen(f"http://{HERE}:{port}/api/v1/query?query=answer", timeout=60) as answer:
            return list(json.load(answer)["data"]["result"])

    with subprocess.Popen(program) as prometheus:
        try:
            until(found, prometheus)
            (sample,) = found()
        finally:
            prometheus.terminate()
    assert sample["metric"] == {"__name__": "answer", "job": "node", "instance": "node-1", "service": "node"}
    assert sample["value"][1] == "42"

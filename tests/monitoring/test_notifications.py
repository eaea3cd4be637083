"""Alertmanager, with the role's configuration, delivers an alert by each of the ways that one variable chooses."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from moto.server import ThreadedMotoServer
from moto.sns.models import sns_backends
from tests.monitoring.test_configuration import NOTIFIED, PROGRAMS, write_configurations
from tests.support.stock_market.authority import Authority
from tests.support.stock_market.broker import free_port
from tests.support.stock_market.instance_metadata import InstanceMetadata

REGION = "eu-north-1"
PASSWORD = 'a "b: #c'
# Debian's Alertmanager finds its templates there, and the test's one is not installed.
SHARED = 'mount --bind "$1" /usr/share && shift && exec "$@"'
ALERT = {
    "labels": {"alertname": "InstanceDown", "instance": "kafka-1", "severity": "critical"},
    "annotations": {"summary": "kafka-1 does not answer.", "description": "See docs/operations.md."},
}


class Webhook(ThreadingHTTPServer):
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        super().__init__(("127.0.0.1", 0), WebhookRequest)


class WebhookRequest(BaseHTTPRequestHandler):
    """One notification."""

    server: Webhook

    def do_POST(self) -> None:
        """Take it."""
        self.server.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


class Mailbox(Message):
    """Keeps every mail, with the sender and the recipients that the server was told."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[tuple[str, list[str], str]] = []

    def prepare_message(self, _session: Session, envelope: Envelope) -> Any:
        """Take the mail."""
        mail = message_from_bytes(envelope.original_content or b"")
        text = "".join(str(part.get_payload()) for part in mail.walk() if not part.is_multipart())
        self.received.append((envelope.mail_from or "", envelope.rcpt_tos, f"{mail['Subject']}\n{text}"))
        return mail

    def handle_message(self, message: Any) -> None:
        """Nothing more is done with it."""


def mail_server(box: Mailbox, authority: Authority) -> Controller:
    """A mail server that takes mail over TLS, from the one user that it knows."""

    def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"alerts", PASSWORD.encode()))

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority.issue("mail", ["127.0.0.1"]))
    return Controller(
        box,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=tls,
        require_starttls=True,
        auth_required=True,
        authenticator=login,
        auth_exclude_mechanism=["LOGIN"],  # Its questions are aiosmtpd's own, and Alertmanager knows the usual ones.
    )


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Callable[[], list[Any]]]]:
    """What has come by each way, a while after one alert was given to an Alertmanager for each."""
    folder = tmp_path_factory.mktemp("notified")
    authority = Authority(folder)
    box, hook = Mailbox(), Webhook()
    mail = mail_server(box, authority)
    metadata = InstanceMetadata(900)
    cloud = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with ExitStack() as stack:
        stack.callback(metadata.go)
        cloud.start()
        stack.callback(cloud.stop)
        mail.start()
        stack.callback(mail.stop)
        threading.Thread(target=hook.serve_forever, args=(0.05,), daemon=True).start()
        stack.callback(hook.shutdown)
        endpoint = "http://{}:{}".format(*cloud.get_host_and_port())
        session = boto3.Session("test", "test", region_name=REGION)
        topic: str = session.client("sns", endpoint_url=endpoint).create_topic(Name="alerts")["TopicArn"]
        options = {
            "webhook": {"monitoring_notify": f"http://127.0.0.1:{hook.server_port}/a?b=c"},
            "email": NOTIFIED["email"][0] | {"monitoring_smtp_host": f"127.0.0.1:{mail.port}"},
            "sns": {"monitoring_notify": topic, "monitoring_endpoint_url": endpoint},
        }
        written = write_configurations(folder, options)
        environment = {**metadata.variables(folder), "SSL_CERT_FILE": str(authority.file), "PATH": os.environ["PATH"]}
        for name in options:
            stack.callback(alerted(folder, written / f"{name}.yml", environment))
        yield {
            "webhook": lambda: hook.received,
            "email": lambda: box.received,
            "sns": lambda: published(topic),
        }


def alerted(folder: Path, configuration: Path, environment: dict[str, str]) -> Callable[[], None]:
    """Starts an Alertmanager and gives it the alert; returns what ends it."""
    port, name = free_port(), configuration.stem
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("unshare", "--mount", "sh", "-c", SHARED, "sh", str(PROGRAMS.parent / "share")),
                str(PROGRAMS / "prometheus-alertmanager"),
                f"--config.file={configuration}",
                f"--storage.path={folder / name}",
                "--cluster.listen-address=",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )

    def end() -> None:
        process.terminate()
        process.wait(60)

    until = time.monotonic() + 120
    while True:
        try:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/v2/alerts",
                json.dumps([ALERT]).encode(),
                {"Content-Type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=60).close()
        except OSError:
            if time.monotonic() > until or process.poll() is not None:
                end()
                raise
            time.sleep(0.1)
        else:
            return end


def published(topic: str) -> list[Any]:
    """The subject and the text of each message that the topic has got."""
    account, region = topic.split(":")[4], topic.split(":")[3]
    sent = sns_backends[account][region].topics[topic].sent_notifications
    return [(subject, message) for _, message, subject, *_ in sent]


def first(received: Callable[[], list[Any]]) -> Any:
    """The first of what comes; Alertmanager waits 10 s for more of a group."""
    until = time.monotonic() + 120
    while not (found := received()):
        assert time.monotonic() < until, "nothing has come"
        time.sleep(0.1)
    return found[0]


def test_a_webhook_gets_the_alert(received: dict[str, Callable[[], list[Any]]]) -> None:
    (alert,) = first(received["webhook"])["alerts"]
    assert (alert["status"], alert["labels"]) == ("firing", ALERT["labels"])
    assert alert["annotations"] == ALERT["annotations"]


def test_a_mail_server_gets_the_alert_over_tls_with_user_and_password(
    received: dict[str, Callable[[], list[Any]]],
) -> None:
    sender, recipients, text = first(received["email"])
    assert (sender, recipients) == ("alerts@example.org", ["ops@example.org"])
    assert "[FIRING:1] InstanceDown" in text
    assert "kafka-1 does not answer." in text


def test_an_sns_topic_gets_the_alert_with_the_instances_role(received: dict[str, Callable[[], list[Any]]]) -> None:
    subject, text = first(received["sns"])
    assert subject == "[FIRING:1] InstanceDown (kafka-1 critical)"
    assert "kafka-1 does not answer." in text

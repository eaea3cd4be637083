"""Attacks from outside: each is refused, logged once in clear words, and does not affect the stream."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from conftest import KEEPER, KRAFT, STATE, Deployment, assert_the_stream_goes_on, eventually, read_deployment
from cryptography.hazmat.primitives import serialization
from forgery import authority, client_pem
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

CLIENTS = STATE / "clients"
CURL_COULD_NOT_CONNECT = 7
CURL_TIMED_OUT = 28
ENGINE_PORT = 8080
LOG = "/var/log/kafka/server.log"
Said = Callable[[str], list[str]]


@pytest.fixture
def said(host: Any) -> Said:
    """What the broker's log says since the test began, of a pattern. KRaft writes operations in capitals."""
    begin = int(host.check_output(f"stat -c %s {LOG}"))

    def lines(pattern: str) -> list[str]:
        written = host.check_output(f"tail -c +{begin + 1} {LOG}").splitlines()
        return [line for line in written if re.search(pattern, line, re.IGNORECASE)]

    return lines


@pytest.fixture(autouse=True, scope="module")
def _unharmed() -> Iterator[None]:
    """Whatever is tried, newer rows come to Athena, and none is lost or doubled."""
    yield
    assert_the_stream_goes_on()


def login(deployment: Deployment, user: str, **changes: Any) -> dict[str, Any]:
    """kafka-python's options for a user of the deployment."""
    secret = deployment.client("ssm").get_parameter(
        Name=f"/{deployment.facts['deployment']}/kafka/users/{user}", WithDecryption=True
    )["Parameter"]["Value"]
    return {
        "bootstrap_servers": deployment.facts["bootstrap_servers"],
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(CLIENTS / "ca.pem"),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": user,
        "sasl_plain_password": secret,
        "bootstrap_timeout_ms": 8000,
        "request_timeout_ms": 8000,
        **changes,
    }


def read(consumer: KafkaConsumer) -> None:
    for _ in range(60):
        consumer.poll(timeout_ms=1000)


def external(deployment: Deployment) -> socket.socket:
    return socket.create_connection((deployment.node["public_address"], 9092), timeout=60)


def test_plain_text_gets_no_answer(deployment: Deployment, said: Said) -> None:
    with pytest.raises(KafkaError):
        KafkaConsumer(bootstrap_servers=deployment.facts["bootstrap_servers"], bootstrap_timeout_ms=4000)
    eventually(lambda: said(r"Failed authentication with .*SSL handshake failed"), seconds=60, what="a line in the log")


def test_a_wrong_password_is_refused(deployment: Deployment, said: Said) -> None:
    with pytest.raises(KafkaError):
        KafkaConsumer(**login(deployment, "consumer", sasl_plain_password="x" * 32))
    eventually(lambda: said(r"Failed authentication with .*SCRAM-SHA-512"), seconds=60, what="a line in the log")


def test_no_user_can_use_the_rights_of_another(deployment: Deployment, said: Said) -> None:
    topic = deployment.facts["topic"]
    with KafkaProducer(**login(deployment, "consumer"), enable_idempotence=False) as consumer:
        sent = consumer.send(topic, b"{}")
        with pytest.raises(TopicAuthorizationFailedError):
            sent.get(timeout=60)
    for user, group in (("producer", deployment.facts["consumer_group"]), ("consumer", "another-group")):
        stranger = KafkaConsumer(topic, **login(deployment, user), group_id=group)
        with stranger, pytest.raises(GroupAuthorizationFailedError):
            read(stranger)
        denied = rf"Principal = User:{user} is Denied Operation = Describe .* Group:LITERAL:{group} "
        eventually(lambda words=denied: said(words), seconds=60, what="a line in the log")
    denied = rf"Principal = User:consumer is Denied Operation = Write .* Topic:LITERAL:{topic} "
    eventually(lambda: said(denied), seconds=60, what="a line in the log")


def test_a_broker_that_another_authority_vouches_for_hears_no_password(deployment: Deployment, tmp_path: Path) -> None:
    foreign = tmp_path / "ca.pem"
    foreign.write_bytes(authority("foreign")[1].public_bytes(serialization.Encoding.PEM))
    with pytest.raises(KafkaError):
        KafkaConsumer(**login(deployment, "consumer", ssl_cafile=str(foreign), bootstrap_timeout_ms=4000))


@pytest.mark.parametrize("kind", ["none", "foreign", "expired"])
def test_who_keeps_the_metadata_refuses_clients_without_a_valid_certificate(
    host: Any, deployment: Deployment, kind: str
) -> None:
    forged = "/run/forged.pem"
    if kind != "none":
        host.run_expect([0], f"cat > {forged} <<'END'\n{client_pem(deployment, expired=kind == 'expired')}END")
    ask = ask_a_controller if KRAFT else ask_zookeeper
    assert not ask(host, deployment, "" if kind == "none" else forged)
    host.run_expect([0], f"rm -f {forged}")
    assert ask(host, deployment, f"/etc/kafka/private/{'controller' if KRAFT else 'zookeeper'}.pem")


def ask_zookeeper(host: Any, deployment: Deployment, pem: str) -> bool:
    """Whether ZooKeeper answers `srvr` on the broker's own host; from anywhere else nobody reaches its port at all."""
    return "Zookeeper version" in asked_over_tls(host, f"{deployment.node['private_address']}:2182", pem, "printf srvr")


def ask_a_controller(host: Any, deployment: Deployment, pem: str) -> bool:
    """Whether a controller answers the request ApiVersions (18), version 0, with the number that was sent along."""
    request = r"printf '\0\0\0\12\0\22\0\0SEEN\377\377'"
    return "SEEN" in asked_over_tls(host, f"{deployment.node['private_address']}:9094", pem, request)


def asked_over_tls(host: Any, address: str, pem: str, request: str) -> str:
    connect = f"timeout 10 openssl s_client -quiet -connect {address}"
    options = f"-CAfile /etc/kafka/ca.pem {f'-cert {pem} -key {pem}' if pem else ''}"
    return str(host.run(f"(sleep 1; {request}; sleep 1) | {connect} {options} | tr -d '\\0'").stdout)


def test_an_oversized_request_is_not_read(deployment: Deployment, said: Said) -> None:
    context = ssl.create_default_context(cafile=str(CLIENTS / "ca.pem"))
    with (
        external(deployment) as plain,
        context.wrap_socket(plain, server_hostname=deployment.node["public_address"]) as tls,
    ):
        tls.sendall(struct.pack(">i", 2_000_000_000) + bytes(4096))
        assert tls.recv(1) == b"", "the broker has to hang up"
    eventually(lambda: said("invalid receive size"), seconds=60, what="a line in the log")


def test_hundreds_of_open_connections_do_not_block_others(deployment: Deployment) -> None:
    with ExitStack() as held:
        for _ in range(500):
            held.enter_context(external(deployment))
        with KafkaConsumer(**login(deployment, "consumer")) as another:
            assert deployment.facts["topic"] in another.topics()
        assert_the_stream_goes_on()


@pytest.mark.parametrize("user", ["kafka", KEEPER, "stock-producer"])
def test_the_instance_metadata_is_denied_to_who_needs_none(host: Any, user: str) -> None:
    before = denied(host, user)
    refused = ask_metadata(host, user)
    assert refused.rc == CURL_COULD_NOT_CONNECT, refused.stderr
    assert denied(host, user) > before, "an operator has to see that somebody tried"
    seen = denied(host, user)
    assert ask_metadata(host, "stock-consumer").rc == 0
    assert denied(host, user) == seen, "what the consumer sends is none of this filter's business"


def ask_metadata(host: Any, user: str) -> Any:
    """Asks the instance metadata for a token as a service's process would, in a namespace of users of its own."""
    address = host.check_output("sed -n s/^AWS_EC2_METADATA_SERVICE_ENDPOINT=//p /etc/stock-market/consumer.env")
    service = f"systemd-run --quiet --collect --wait --pipe --property=User={user} --property=PrivateUsers=true"
    header = "X-aws-ec2-metadata-token-ttl-seconds: 60"
    return host.run(f"{service} curl -sS --fail --max-time 5 -X PUT -H '{header}' {address}/latest/api/token")


def denied(host: Any, service: str) -> int:
    """How many packets to the instance metadata the host has rejected of a service."""
    table = json.loads(host.check_output(f"nft --json list table inet metadata-guard-{service}"))["nftables"]
    expressions = [expression for entry in table for expression in entry.get("rule", {}).get("expr", [])]
    (packets,) = (expression["counter"]["packets"] for expression in expressions if "counter" in expression)
    return int(packets)


def test_the_consumers_role_can_neither_delete_nor_look_elsewhere(host: Any, deployment: Deployment) -> None:
    bucket, results = (deployment.facts[name] for name in ("data_bucket", "results_bucket"))
    key = deployment.client("s3").list_objects_v2(Bucket=bucket, Prefix="quotes/", MaxKeys=1)["Contents"][0]["Key"]
    for call in (
        f"delete_object(Bucket='{bucket}', Key='{key}')",
        f"put_object(Bucket='{bucket}', Key='elsewhere/x', Body=b'x')",
        f"get_object(Bucket='{bucket}', Key='elsewhere/x')",
        f"list_objects_v2(Bucket='{results}')",
        f"delete_bucket(Bucket='{bucket}')",
    ):
        answer = as_the_consumer(host, call)
        assert "AccessDenied" in answer or "Forbidden" in answer, f"{call}: {answer}"


def test_no_host_reaches_the_engine_behind_athena(host: Any, deployment: Deployment) -> None:
    """Trino listens on 127.77.X.1, which only this machine has."""
    machine = str(deployment.facts["endpoint_url"]).split("//")[1].split(":")[0]
    with socket.create_connection((machine, ENGINE_PORT), timeout=5):
        pass  # it is there
    gateway = host.check_output("ip -4 route show default").split()[2]
    for address in {gateway, machine, machine.replace("127.77", "198.18")}:
        refused = host.run(f"curl -sS --max-time 3 http://{address}:{ENGINE_PORT}/v1/info")
        assert refused.rc in {CURL_COULD_NOT_CONNECT, CURL_TIMED_OUT}, f"{address}: {refused.stdout}"


def as_the_consumer(host: Any, call: str) -> str:
    """What S3 answers to a call with the credentials that the consumer's service gets from the instance's metadata."""
    s3 = "botocore.session.get_session().create_client('s3')"
    program = f"import botocore.session\ntry:\n    print({s3}.{call})\nexcept Exception as error:\n    print(error)"
    python = host.check_output(
        "systemctl show --property ExecStart --value stock-consumer | grep -o '/opt[^ ]*/python'"
    )
    environment = f"set -a; . /etc/stock-market/consumer.env; AWS_DEFAULT_REGION={read_deployment().facts['region']}"
    run = f'runuser --user=stock-consumer --preserve-environment -- {python.split()[0]} -c "{program}"'
    return str(host.check_output(f"{environment}; {run}"))

"""Promises of the modules on a broker that requires a password, and of their own TLS and SCRAM."""

from __future__ import annotations

import secrets
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_wire, scram
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_wire import Connection, Security
from kafka import KafkaAdminClient
from tests.kafka.conftest import Run
from tests.support.stock_market.authority import Authority
from tests.support.stock_market.broker import Broker
from tests.support.stock_market.secured import Secured
from tests.support.stock_market.services import eventually

Options = dict[str, Any]


def secured_by(broker: Broker) -> Secured:
    assert broker.secured is not None
    return broker.secured


def as_user(broker: Broker, user: str = "operator", password: str = "", **changes: Any) -> Options:
    """A module's options for a user."""
    secured = secured_by(broker)
    return {
        "bootstrap_servers": [broker.address],
        "security_protocol": "SASL_SSL",
        "ca_file": str(secured.authority.file),
        "sasl_username": user,
        "sasl_password": password or secured.passwords[user],
        "timeout": 60,
    } | changes


def logs_in(broker: Broker, user: str, password: str) -> bool:
    try:
        with Connection("127.0.0.1", broker.port, 60, Security(str(secured_by(broker).authority.file), user, password)):
            return True
    except kafka_wire.RefusedLoginError:
        return False


def test_the_exchange_is_the_one_of_rfc_7677() -> None:
    client = scram.ScramClient("user", "pencil", "rOprNGfwEbeRWgbNEkqO", "sha256")
    assert client.first() == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    final = client.final(f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert final == f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    ("first", "final", "words"),
    [
        ("r=other,s=AAAA,i=4096", "", "answers another client's"),
        ("r=mine,s=AAAA,i=4096", "", "answers another client's"),
        ("r=mine2,i=4096", "", "first SCRAM message is none"),
        ("r=mine2,s=AAAA,i=2000000", "", "asks for 2000000 iterations"),
        ("r=mine2,s=AAAA,i=4096", "e=other-error", "final SCRAM message is none"),
        ("r=mine2,s=AAAA,i=4096", "v=AAAA", "could not prove"),
    ],
)
def test_a_server_that_is_not_a_broker_is_recognized(first: str, final: str, words: str) -> None:
    client = scram.ScramClient("user", "pencil", "mine")
    with pytest.raises(scram.ScramError, match=words):
        client.verify(client.final(first) and final)


def test_a_name_with_scrams_own_signs_is_written_as_the_rfc_says() -> None:
    assert scram.ScramClient("a=b,c", "x", "n").first() == "n,,n=a=3Db=2Cc,r=n"


def test_a_secret_is_in_no_text_of_a_connections_security() -> None:
    assert "pencil" not in repr(Security("ca.pem", "user", "pencil"))


def test_a_record_goes_round_through_tls_as_a_user_who_may(secured_kafka: Broker, run: Run) -> None:
    login = as_user(secured_kafka, "broker")
    del login["bootstrap_servers"]
    where = {"host": "127.0.0.1", "port": secured_kafka.port, "broker_id": 1}
    found = run("kafka_ready", **where, **login)
    assert (found.get("msg"), found["changed"]) == (None, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sasl_password": "not-the-password"}, "refuses the user broker with the given password"),
        ({"sasl_username": "nobody"}, "refuses the user nobody with the given password"),
        ({"security_protocol": "PLAINTEXT"}, "closed the connection"),
        ({"host": "localhost"}, "its certificate is not to be trusted: Hostname mismatch"),
    ],
)
def test_readiness_says_in_words_why_it_is_not_let_in(
    secured_kafka: Broker, run: Run, changes: Options, words: str
) -> None:
    login = as_user(secured_kafka, "broker", timeout=1)
    del login["bootstrap_servers"]
    where = {"host": "127.0.0.1", "port": secured_kafka.port, "broker_id": 1}
    answer = run("kafka_ready", **(where | login | changes))
    assert answer["failed"]
    assert words in answer["msg"]
    assert "not-the-password" not in str(answer)


def test_a_brokers_certificate_of_a_foreign_authority_is_not_trusted(secured_kafka: Broker, tmp_path: Path) -> None:
    foreign = Security(str(Authority(tmp_path).file), "broker", "x")
    with pytest.raises(kafka_wire.KafkaError, match="its certificate is not to be trusted"):
        Connection("127.0.0.1", secured_kafka.port, 5, foreign)


def test_a_certificate_that_has_expired_is_not_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("expired", ["127.0.0.1"], timedelta(hours=-1)))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as threads:
        served = threads.submit(serve)
        with pytest.raises(kafka_wire.KafkaError, match="not to be trusted: certificate has expired"):
            Connection("127.0.0.1", server.getsockname()[1], 60, Security(str(authority.file), "user", "pencil"))
        served.result(60)


def test_zookeeper_answers_only_a_client_with_a_certificate(secured_kafka: Broker, run: Run, tmp_path: Path) -> None:
    folder = secured_by(secured_kafka).authority.file.parent
    ask = partial(run, "zookeeper_ready", host="127.0.0.1", port=secured_kafka.zookeeper_port, timeout=1)
    known = ask(ca_file=str(folder / "ca.pem"), certificate_file=str(folder / "kafka.pem"))
    assert known["mode"] == "standalone"
    assert ask()["failed"]
    stranger = Authority(tmp_path).issue("stranger", [])
    foreign = ask(ca_file=str(folder / "ca.pem"), certificate_file=str(stranger))
    assert foreign["failed"]
    assert "not with this client" in foreign["msg"]
    missing = ask(ca_file=str(folder / "ca.pem"), certificate_file=str(tmp_path / "none.pem"))
    assert "can't be used for TLS" in missing["msg"]


class User:
    """The module kafka_user on a user of the test's own, as the operator."""

    def __init__(self, broker: Broker, run: Run) -> None:
        self._broker = broker
        self._run = run
        self.name = f"user-{secrets.token_hex(4)}"

    def apply(self, **options: Any) -> dict[str, Any]:
        check = options.pop("_check", False)
        return self._run("kafka_user", users=[{"name": self.name, **options}], _check=check, **as_user(self._broker))

    def logs_in(self, password: str) -> bool:
        return logs_in(self._broker, self.name, password)


@pytest.fixture
def user(secured_kafka: Broker, run: Run) -> User:
    return User(secured_kafka, run)


def test_a_user_gets_a_password_once_and_a_new_one_when_it_differs(user: User) -> None:
    first, second = secrets.token_hex(16), secrets.token_hex(16)
    planned = user.apply(password=first, _check=True)
    assert planned["changed"]
    assert not user.logs_in(first)
    made = user.apply(password=first)
    assert made["changed"]
    assert made["diff"] == planned["diff"]
    assert user.logs_in(first)
    assert not user.apply(password=first)["changed"]
    other = user.apply(password=second)
    assert other["changed"]
    assert not user.logs_in(first)
    assert user.logs_in(second)
    assert user.apply(password=second, iterations=8192)["changed"]
    assert not user.apply(password=second, iterations=8192)["changed"]
    shown = str([planned["diff"], made["diff"], other["diff"]])
    assert first not in shown
    assert second not in shown


def test_a_user_is_taken_away_once(user: User) -> None:
    password = secrets.token_hex(16)
    user.apply(password=password)
    assert user.apply(state="absent", _check=True)["changed"]
    assert user.logs_in(password)
    assert user.apply(state="absent")["changed"]
    eventually(lambda: not user.logs_in(password), "the brokers to hear of it")
    assert not user.apply(state="absent")["changed"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iterations": 100}, "4096 to 16384 iterations, not 100"),
        ({"security_protocol": "PLAINTEXT"}, "Nobody logs in over PLAINTEXT"),
        (
            {"sasl_username": "producer", "sasl_password": "another-one"},
            "refuses the user producer with the given password",
        ),
        ({"ca_file": "/nowhere/ca.pem"}, "/nowhere/ca.pem can't be used"),
        ({"bootstrap_servers": ["127.0.0.1"]}, "'127.0.0.1' is no address"),
    ],
)
def test_what_is_wrong_with_a_users_options_is_said_in_a_sentence(
    secured_kafka: Broker, run: Run, changes: Options, words: str
) -> None:
    user = {"name": "x", "password": "a-password"} | {key: changes[key] for key in changes.keys() & {"iterations"}}
    others = {key: changes[key] for key in changes.keys() - {"iterations"}}
    answer = run("kafka_user", users=[user], **(as_user(secured_kafka) | {"timeout": 1} | others))
    assert answer["failed"]
    assert words in answer["msg"]


def test_only_the_operator_creates_users(secured_kafka: Broker, run: Run) -> None:
    answer = run("kafka_user", users=[{"name": "x", "password": "a-password"}], **as_user(secured_kafka, "producer"))
    assert "the user producer may not do this on the cluster" in answer["msg"]


def test_brokers_change_while_they_run_for_their_own_user_and_not_for_a_producer(
    secured_kafka: Broker, run: Run
) -> None:
    wanted = {"config": {"log.segment.bytes": 2000000}, "managed": ["log.segment.bytes"]}
    assert run("kafka_broker_config", **wanted, **as_user(secured_kafka, "broker"))["changed"]
    answer = run("kafka_broker_config", **wanted, **as_user(secured_kafka, "producer"))
    assert "the user producer may not do this on the cluster" in answer["msg"]


READ = {"resource_type": "topic", "resource_name": "quotes", "operations": ["read", "describe"]}
GROUP = {"resource_type": "group", "resource_name": "app-", "pattern": "prefixed", "operations": ["read"]}


def test_a_principal_has_exactly_the_bindings_that_are_declared(secured_kafka: Broker, run: Run) -> None:
    def acl(bindings: list[Options], name: str = "User:reader", **options: Any) -> dict[str, Any]:
        principals = [{"principal": name, "bindings": bindings}]
        return run("kafka_acl", principals=principals, **as_user(secured_kafka), **options)

    planned = acl(bindings=[READ, GROUP], _check=True)
    assert planned["created"] == [
        "allow describe on topic quotes",
        "allow read on group app-*",
        "allow read on topic quotes",
    ]
    made = acl(bindings=[READ, GROUP])
    assert made["changed"]
    assert made["diff"] == planned["diff"]
    assert not acl(bindings=[READ, GROUP])["changed"]
    acl([READ], "User:other")
    less = acl(bindings=[READ | {"operations": ["read"]}])
    assert less["deleted"] == ["allow describe on topic quotes", "allow read on group app-*"]
    assert less["created"] == []
    assert not acl([READ], "User:other")["changed"]
    assert acl(bindings=[])["deleted"] == ["allow read on topic quotes"]
    assert not acl(bindings=[])["changed"]


def test_many_users_and_principals_are_changed_at_once(secured_kafka: Broker, run: Run) -> None:
    names = [f"user-{secrets.token_hex(4)}" for _ in range(2)]
    users = [{"name": name, "password": secrets.token_hex(16)} for name in names]
    made = run("kafka_user", users=users, **as_user(secured_kafka))
    assert made["changed"]
    assert [diff["before"] for diff in made["diff"]] == ["", ""]
    users[1]["password"] = secrets.token_hex(16)
    assert run("kafka_user", users=users, **as_user(secured_kafka))["changed"]
    assert not run("kafka_user", users=users, **as_user(secured_kafka))["changed"]
    assert all(logs_in(secured_kafka, user["name"], user["password"]) for user in users)
    principals = [{"principal": f"User:{name}", "bindings": [READ]} for name in names]
    assert len(run("kafka_acl", principals=principals, **as_user(secured_kafka))["created"]) == 4
    assert not run("kafka_acl", principals=principals, **as_user(secured_kafka))["changed"]


def test_a_principal_without_bindings_may_nothing(secured_kafka: Broker, run: Run) -> None:
    name = "quotes-of-the-operator"
    assert run("kafka_topic", name=name, **as_user(secured_kafka))["changed"]
    refused = run("kafka_topic", name="topic-of-the-producer", **as_user(secured_kafka, "producer"))
    assert refused["failed"]
    with KafkaAdminClient(**secured_kafka.client | secured_by(secured_kafka).client("producer")) as admin:
        assert name not in admin.list_topics()


def test_brokers_without_an_authorizer_are_recognized(kafka: Broker, run: Run) -> None:
    answer = run("kafka_acl", principals=[{"principal": "User:x", "bindings": []}], bootstrap_servers=[kafka.address])
    assert "no authorizer" in answer["msg"]


def test_a_principal_is_named_by_its_type(kafka: Broker, run: Run) -> None:
    answer = run("kafka_acl", principals=[{"principal": "x", "bindings": []}], bootstrap_servers=[kafka.address])
    assert "say User:name" in answer["msg"]

"""Producer and consumer on a broker that takes nobody without a password, and nobody on what is not theirs."""

from __future__ import annotations

import re
import secrets
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACLOperation, ResourceType
from tests.stock_market.producer.test_publisher import complete_and_in_order, lose_the_network_thread, numbered
from tests.support.stock_market.authority import Authority
from tests.support.stock_market.broker import Broker
from tests.support.stock_market.secured import Secured
from tests.support.stock_market.services import Service, Workbench, eventually

from stock_market.producer import publisher
from stock_market.service import Stop, Systemd
from stock_market.settings import KafkaSecurity, ProducerKafka


def secured_by(bench: Workbench) -> Secured:
    assert bench.broker.secured is not None
    return bench.broker.secured


def pauses(service: Service) -> list[float]:
    """The pauses between attempts that the log tells of."""
    return [float(found) for found in re.findall(r"event=kafka_retry .*?pause=([0-9.]+)", service.log())]


@pytest.mark.parametrize("way", ["batches", "records"])
def test_every_record_goes_through_tls_once(secured_workbench: Workbench, way: str) -> None:
    bench = secured_workbench
    bench.reader = way
    bench.create_topic(partitions=3)
    consumer, producer = bench.consumer(), bench.producer(rate=3000, writer=way)
    eventually(lambda: len(bench.bucket.keys()) >= 6, "two objects a partition")
    assert producer.finish() == 0
    expected = bench.record_count()
    eventually(lambda: sum(bench.bucket.check_chain().values()) == expected, f"{expected} records in the bucket")
    assert consumer.finish() == 0
    assert bench.bucket.check_exactly_once() == expected
    assert "whole_batches_not_used" not in consumer.log()
    assert "whole_batches_not_used" not in producer.log()


def test_a_changed_password_and_a_restarted_broker_are_got_over(secured_workbench: Workbench) -> None:
    bench, secured = secured_workbench, secured_by(secured_workbench)
    bench.create_topic(partitions=2)
    consumer, producer = bench.consumer(), bench.producer()
    eventually(lambda: len(bench.bucket.keys()) >= 2, "the first objects")
    before = dict(secured.passwords)
    with KafkaAdminClient(**bench.broker.client) as admin:
        for user in ("producer", "consumer"):
            secured.passwords[user] = secrets.token_hex(16)
            secured.set_passwords(admin, {user: secured.passwords[user]})
    bench.broker.kill()
    bench.broker.start()
    for user, service in (("producer", producer), ("consumer", consumer)):
        service.logged(f"the broker {bench.broker.address} refuses the user {user}: Kafka has no such user, or another")
    stored = bench.record_count()
    for user in ("producer", "consumer"):
        secured.write_password(user)
    eventually(lambda: bench.record_count() > stored + 2000, "records with the new password")
    assert producer.finish() == 0
    expected = bench.record_count()
    eventually(lambda: sum(bench.bucket.check_chain().values()) == expected, f"{expected} records in the bucket")
    assert consumer.finish() == 0
    assert bench.bucket.check_exactly_once() == expected
    for password in (*before.values(), *secured.passwords.values()):
        assert password not in producer.log() + consumer.log()


def told(service: Service, words: str, times: int) -> bool:
    """Whether the log has so many lines with these words."""
    return len(re.findall(words, service.log())) >= times


@pytest.mark.parametrize("may_read", [True, False])
def test_a_producer_looks_into_its_topic_after_an_error_or_says_that_it_may_not(
    secured_workbench: Workbench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, may_read: bool
) -> None:
    monkeypatch.setattr(publisher, "_QUIET_SECONDS", 0.2)
    monkeypatch.setattr(publisher, "_GRACE_SECONDS", 0.2)
    bench, secured = secured_workbench, secured_by(secured_workbench)
    user = "producer"
    bench.create_topic(partitions=2)
    if not may_read:
        user = "writer"
        secured.passwords[user] = secrets.token_hex(16)
        secured.write_password(user)
        with KafkaAdminClient(**bench.broker.client) as admin:
            secured.set_passwords(admin, {user: secured.passwords[user]})
            secured.allow(admin, user, ResourceType.TOPIC, bench.topic, ACLOperation.WRITE)
    table = msgspec.toml.decode(secured.table(user))["kafka"]["security"]
    settings = ProducerKafka(
        bootstrap_servers=[bench.broker.address], topic=bench.topic, security=KafkaSecurity(**table)
    )
    stop = Stop(grace_seconds=60 if may_read else 6)  # The one that may not uses all of it.
    sender = publisher.Publisher(settings, stop, Systemd({}))
    assert sender.open()
    if not may_read:
        for partition in range(2):
            bench.send([(b"another's", b"record")], partition)  # So there is something to look at.
    with bench.broker.paused():
        sender.send(numbered(0, 4000))
        lose_the_network_thread(sender)
    stop.request()
    unsent = sender.close()
    assert (unsent == 0) == may_read
    if may_read:
        complete_and_in_order(bench.records_in_topic(), 4000)
    else:
        told = [getattr(record, "event_fields", {}).get("error") for record in caplog.records]
        assert any(f"the user writer may not read the topic {bench.topic}, and has to" in str(line) for line in told)


class Fault(NamedTuple):
    """Settings of the producer that the broker does not take, and what has to be said of them."""

    server: str
    table: str
    words: str


def faults(bench: Workbench, plain: Broker, folder: Path) -> list[Fault]:
    secured, server = secured_by(bench), bench.broker.address
    table = secured.table("producer")
    (folder / "wrong.password").write_text("not-the-password\n")
    files = {name: re.escape(str(path)) for name, path in {"ca": secured.authority.file}.items()}
    foreign = Authority(folder, "foreign").file
    localhost = f"localhost:{bench.broker.port}"
    return [
        Fault(
            server,
            re.sub(r'password_file = ".*"', f'password_file = "{folder}/wrong.password"', table),
            f"the broker {server} refuses the user producer: Kafka has no such user, or another password",
        ),
        Fault(
            server,
            re.sub(files["ca"], str(foreign), table),
            f"the broker {server} has a certificate that is not to be trusted: .*those in {foreign}",
        ),
        Fault(
            localhost, table, f"the broker {localhost} has a certificate that is not to be trusted: Hostname mismatch"
        ),
        Fault(plain.address, table, f"the broker {plain.address} does not speak TLS .*plain listener"),
        Fault(server, "", rf"the broker {server} speaks TLS, but the settings have no table \[kafka.security\]"),
    ]


def test_whoever_is_not_taken_says_why_in_one_sentence_and_tries_again_less_and_less_often(
    secured_workbench: Workbench, broker: Broker, tmp_path: Path
) -> None:
    bench = secured_workbench
    bench.create_topic()
    wanted = faults(bench, broker, tmp_path)
    services = [
        bench.start("producer", f'[kafka]\nbootstrap_servers = ["{server}"]\ntopic = "{bench.topic}"\n{table}')
        for server, table, _ in wanted
    ]
    for service, (_, _, words) in zip(services, wanted, strict=True):
        eventually(partial(told, service, words, times=2), f"two attempts: {words}")
        lines = service.log().splitlines()
        # Five beside each other on a busy machine may not even get an answer in time at first, and say that.
        assert all(re.search(f"{words}|timed out|Timeout during", line) for line in lines), f"{words} in {lines}"
        first, second, *_ = pauses(service)
        assert second > first
        assert "not-the-password" not in service.log()
    assert [service.finish() for service in services] == [0] * len(services)


@pytest.mark.parametrize(
    ("user", "program", "words"),
    [
        ("consumer", "producer", "the user consumer may not write the topic {topic}: Kafka's ACLs"),
        ("producer", "consumer", "the user producer may not read in the group {group}: Kafka's ACLs"),
        ("half", "consumer", "the user half may not read the topic {topic}: Kafka's ACLs"),
        ("stranger", "producer", "the user stranger may not write the topic {topic}: Kafka's ACLs"),
        ("stranger", "consumer", "the user stranger may not read the topic {topic}: Kafka's ACLs"),
    ],
)
def test_what_a_user_may_not_do_is_said_by_name(
    secured_workbench: Workbench, user: str, program: str, words: str
) -> None:
    bench, secured = secured_workbench, secured_by(secured_workbench)
    bench.create_topic()
    if user not in secured.passwords:
        secured.passwords[user] = secrets.token_hex(16)
        secured.write_password(user)
    with KafkaAdminClient(**bench.broker.client) as admin:
        secured.set_passwords(admin, {user: secured.passwords[user]})
        if user == "half":
            secured.allow(admin, user, ResourceType.TOPIC, bench.topic, ACLOperation.DESCRIBE)
            secured.allow(admin, user, ResourceType.GROUP, bench.group, ACLOperation.READ)
    settings = f'[kafka]\nbootstrap_servers = ["{bench.broker.address}"]\ntopic = "{bench.topic}"\n'
    if program == "consumer":
        settings += f'group_id = "{bench.group}"\n{secured.table(user)}[s3]\nbucket = "{bench.bucket.name}"\n'
    else:
        settings += secured.table(user)
    service = bench.start(program, settings)
    service.logged(words.format(topic=bench.topic, group=bench.group))
    assert service.process.poll() is None
    service.process.kill()
    assert "Traceback" not in service.log()


def test_a_member_that_will_not_come_back_leaves_a_secured_group(secured_workbench: Workbench) -> None:
    bench = secured_workbench
    bench.create_topic()
    settings = (
        f'[kafka]\nbootstrap_servers = ["{bench.broker.address}"]\ntopic = "{bench.topic}"\n'
        f'group_id = "{bench.group}"\ninstance_id = "one"\nsession_timeout_seconds = 60\n'
        f'{secured_by(bench).table("consumer")}[s3]\nbucket = "{bench.bucket.name}"\n'
    )
    consumer = bench.start("consumer", settings)
    consumer.logged("event=partitions_assigned")
    assert consumer.finish() == 0
    leaving = bench.start("consumer.remove_member", settings)
    assert leaving.ended() == 0
    assert "event=left" in leaving.log()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("password", None, "cannot read the password of Kafka's user producer, .*: No such file"),
        ("password", "", "has to be one line, and has 0"),
        ("password", "\n", "has to be one line, and has 1 empty"),
        ("password", "one\ntwo\n", "has to be one line, and has 2"),
        ("ca", None, "cannot read the CA's certificates, .*: No such file"),
        ("ca", "no PEM", "are none in PEM"),
    ],
)
def test_a_file_that_cannot_be_used_ends_the_service_with_a_sentence(
    secured_workbench: Workbench, tmp_path: Path, name: str, content: str | None, words: str
) -> None:
    files = {"password": tmp_path / "password", "ca": tmp_path / "ca.pem"}
    files["password"].write_text("a-password\n")
    files["ca"].write_bytes(secured_by(secured_workbench).authority.file.read_bytes())
    files[name].unlink()
    if content is not None:
        files[name].write_text(content)
    service = secured_workbench.start(
        "producer",
        '[kafka]\nbootstrap_servers = ["127.0.0.1:1"]\n[kafka.security]\nusername = "producer"\n'
        f'ca_file = "{files["ca"]}"\npassword_file = "{files["password"]}"\n',
    )
    assert service.ended() == 2
    (line,) = service.log().splitlines()
    assert re.search(words, line)

"""What is collected, backed up and restored, on the running deployment."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import JAVA, KEEPER, KRAFT, STATE, Deployment, changes, eventually, login, play, read_deployment, secrets
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from kafka.structs import OffsetAndMetadata


def newest_archive() -> dict[str, bytes]:
    """The files of the newest archive, by their names below its folder."""
    path = max((STATE / "logs").glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    with tarfile.open(path) as tar:
        members = {member.name.split("/", 1)[1]: tar.extractfile(member) for member in tar.getmembers()}
        return {name: stream.read() for name, stream in members.items() if stream is not None}


@pytest.fixture(scope="module")
def logs() -> tuple[dict[str, Any], dict[str, bytes]]:
    """A run of collect_logs.yml, and what it wrote."""
    return play("collect_logs.yml"), newest_archive()


def test_logs_are_collected_from_every_service_and_nothing_changes_on_the_host(
    logs: tuple[dict[str, Any], dict[str, bytes]],
) -> None:
    run, files = logs
    assert [host for host, _ in changes(run)] == ["localhost"]
    for unit in ("kafka", KEEPER, "stock-producer", "stock-consumer"):
        assert f"node-1/journal/{unit}.service.log" in files
        assert b"active (running)" in files[f"node-1/status/{unit}.service.txt"]
    assert (b"node.id=1" if KRAFT else b"broker.id=1") in files["node-1/config/etc/kafka/server.properties"]
    assert f"{JAVA}.".encode() in files["node-1/versions/java.txt"]
    assert b'"stock-consumer"' in files["cluster.json"]
    assert files["problems.txt"] == b""


def test_no_secret_is_in_the_archive(deployment: Deployment, logs: tuple[dict[str, Any], dict[str, bytes]]) -> None:
    everything = b"\n".join(logs[1].values())
    assert b"PRIVATE KEY" not in everything
    assert [name for name, value in secrets(deployment).items() if value.encode() in everything] == []


def test_a_host_that_does_not_answer_is_reported_and_the_others_are_collected() -> None:
    play("collect_logs.yml", "-e", "ansible_port=9", "-e", "ansible_control_path=none", "-e", "ansible_timeout=3")
    files = newest_archive()
    assert files["problems.txt"] == b"node-1: the host does not answer over SSH, so nothing of it was collected."
    assert b'"stock-quotes"' in files["cluster.json"]


KEPT = "kept"
PASSWORD = "a-password-of-the-tests-own-32-long"
READS = ACL(
    f"User:{KEPT}",
    "*",
    ACLOperation.READ,
    ACLPermissionType.ALLOW,
    ResourcePattern(ResourceType.TOPIC, KEPT, ACLResourcePatternType.LITERAL),
)


def users(admin: KafkaAdminClient) -> set[str]:
    return set(admin.describe_user_scram_credentials())


def topics(admin: KafkaAdminClient) -> set[str]:
    return set(admin.list_topics())


@pytest.fixture(scope="module")
def admin() -> Iterator[KafkaAdminClient]:
    """The operator, in whose cluster a topic, a user, an ACL and a group's offset are of the test's own."""
    deployment = read_deployment()
    ssm, parameter = deployment.client("ssm"), f"/{deployment.facts['deployment']}/kafka/users/{KEPT}"
    ssm.put_parameter(Name=parameter, Value=PASSWORD, Type="SecureString")
    with KafkaAdminClient(**login(deployment)) as client:
        client.create_topics({KEPT: {"num_partitions": 2, "configs": {"retention.ms": "3600000"}}})
        client.wait_for_topics([KEPT])
        client.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(KEPT, ScramMechanism.SCRAM_SHA_512, PASSWORD)]
        )
        client.create_acls([READS])
        client.alter_group_offsets(KEPT, {TopicPartition(KEPT, 1): OffsetAndMetadata(0, "", -1)})
        yield client
        forget(client)
    ssm.delete_parameter(Name=parameter)


def forget(client: KafkaAdminClient) -> None:
    """Take away all that the test's own fixture has made."""
    client.delete_groups([KEPT])
    client.delete_topics([KEPT])
    client.delete_acls([READS])
    client.alter_user_scram_credentials([UserScramCredentialDeletion(KEPT, ScramMechanism.SCRAM_SHA_512)])
    eventually(lambda: KEPT not in users(client) | topics(client), seconds=120, what="all is forgotten")


def names(deployment: Deployment) -> set[str]:
    """Keys of the backups that are there."""
    found = deployment.client("s3").list_objects_v2(Bucket=deployment.facts["data_bucket"], Prefix="backups/")
    return {entry["Key"] for entry in found.get("Contents", [])}


def test_what_is_lost_comes_back_from_the_backup_and_the_second_run_changes_nothing(
    deployment: Deployment, admin: KafkaAdminClient
) -> None:
    before = names(deployment)
    assert [host for host, _ in changes(play("backup.yml"))] == ["localhost"]
    (name,) = names(deployment) - before
    told = deployment.client("s3").get_object(Bucket=deployment.facts["data_bucket"], Key=name)["Body"].read().decode()
    assert [secret for secret, value in secrets(deployment).items() if value in told] == []

    forget(admin)
    restored = changes(play("restore.yml", "-e", "backup=latest"))
    assert [task for _, task in restored] == ["Create what the cluster lacks", "Create the missing users"]
    own = login(deployment) | {"sasl_plain_username": KEPT, "sasl_plain_password": PASSWORD}
    with KafkaConsumer(**own) as consumer:
        assert consumer.partitions_for_topic(KEPT) == {0, 1}
    committed = admin.list_group_offsets([KEPT])[KEPT]
    assert committed[TopicPartition(KEPT, 1)].offset == 0
    assert changes(play("restore.yml", "-e", "backup=latest")) == []

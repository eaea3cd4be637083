"""Sets up Kafka on a bare host with a playbook of five lines and the installed collection: `make test-collection`."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kafka import KafkaAdminClient
from tests.support.collection import ALONE, PLAYBOOK, ROOT, install
from tests.support.local_cloud.one_host import Cloud

from kafka_distribution.build import LATEST
from local_cloud import supervisor

BLOCK = 251


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A local cloud whose directory holds the installed collection."""
    cloud = Cloud(tmp_path, "bare-host-test", BLOCK)
    install(tmp_path)
    supervisor.start(cloud.settings)
    yield cloud
    supervisor.stop(cloud.settings)


def wait_for_ssh(address: str) -> None:
    """Wait until a new host answers."""
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((address, 22), 5).close()
        except OSError:
            assert time.monotonic() < end
            time.sleep(1)
        else:
            return


def test_a_playbook_of_five_lines_sets_up_kafka_on_a_bare_host(cloud: Cloud) -> None:
    archive = yaml.safe_load((ROOT / "inventory/local/group_vars/all/kafka_archive.yml").read_text())
    checksum = archive["stock_market_kafka_checksums"][LATEST]
    tarball = Path.home() / f".cache/stock-market/kafka-{checksum[7:23]}/kafka_2.13-{LATEST}.tgz"
    variables = {
        "kafka_archive_urls": [tarball.as_uri()],
        "kafka_archive_checksum": checksum,
        # A lab: without it, both roles need an authority's key and certificates, and Kafka the password of a user.
        "stock_market_secure": False,
    }
    address = cloud.launch("12", kind="t3.small", ports=(22, 9092))
    wait_for_ssh(address)
    for changed in (True, False):
        played = cloud.play(address, PLAYBOOK, ALONE, **variables)
        assert played.returncode == 0, played.stdout + played.stderr
        assert ("changed=0 " not in played.stdout) == changed, played.stdout
    with KafkaAdminClient(bootstrap_servers=f"{address}:9092") as admin:
        admin.create_topics({"orders": {"num_partitions": 2, "replication_factor": 1}})
        assert "orders" in admin.list_topics()

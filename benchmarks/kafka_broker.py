"""A broker from the project's own distribution, with the memory of a small production host, and looks into it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from tests.support.stock_market.broker import distribution, free_port, wait_for_port
from tests.support.stock_market.secured import Secured

_SETTINGS = """\
broker.id=1
listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{secured_port}
super.users=User:ANONYMOUS
log.dirs={data}
zookeeper.connect=127.0.0.1:{zookeeper}
zookeeper.connection.timeout.ms=20000
num.network.threads=2
num.io.threads=2
log.cleaner.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
"""
_HEAPS = {"org.apache.zookeeper.server.quorum.QuorumPeerMain": "64m", "kafka.Kafka": "1g"}


class BenchBroker:
    """Kafka and ZooKeeper on loopback, with a plain listener and a secured one.

    Args:
        folder: for data, settings and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.home = distribution()
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        zookeeper, port, secured_port = free_port(), free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        self.secured_address = f"127.0.0.1:{secured_port}"
        secrets = folder / "secrets"
        secrets.mkdir()
        self.secured = Secured(secrets)
        (folder / "zookeeper.properties").write_text(
            f"dataDir={folder}/zookeeper\nclientPort={zookeeper}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\n"
        )
        (folder / "kafka.properties").write_text(
            _SETTINGS.format(port=port, secured_port=secured_port, zookeeper=zookeeper, data=folder / "kafka-data")
            + self.secured.listener_settings()
        )
        self._ports = (zookeeper, port)

    def __enter__(self) -> BenchBroker:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def _start(self) -> None:
        names = ("zookeeper.properties", "kafka.properties")
        for (main, heap), settings, port in zip(_HEAPS.items(), names, self._ports, strict=True):
            with (self._folder / f"{settings}.log").open("wb") as log:
                command = ["java", f"-Xms{heap}", f"-Xmx{heap}", "-cp", f"{self.home}/libs/*", main]
                self._processes.append(
                    subprocess.Popen([*command, str(self._folder / settings)], stdout=log, stderr=log)
                )
            wait_for_port(port, 90)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.admin = KafkaAdminClient(bootstrap_servers=self.address)
                self.admin.list_topics()
            except KafkaError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                self.secured.set_passwords(self.admin, self.secured.passwords)
                return

    def __exit__(self, *_: object) -> None:
        self.admin.close()
        self._end()

    def _end(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(60)

    def create(self, topic: str, partitions: int) -> None:
        """Makes a topic as the deployment has it: LogAppendTime, the codec that the producer chose."""
        configs = {"message.timestamp.type": "LogAppendTime"}
        options = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
        self.admin.create_topics({topic: options}, wait_for_metadata=True)

    def kafka_settings(self, topic: str, *, secured: bool) -> str:
        """The lines of a service's table [kafka] that say where the broker and the topic are."""
        address = self.secured_address if secured else self.address
        return f'bootstrap_servers = ["{address}"]\ntopic = "{topic}"\n'

    def security_settings(self, user: str, topic: str, group: str, *, secured: bool) -> str:
        """The table [kafka.security] of a service's settings, none where it is plain; the user may do its work."""
        if not secured:
            return ""
        self.secured.allow_pipeline(self.admin, topic, group)
        return self.secured.table(user)

    def reader(self) -> KafkaConsumer:
        """A consumer in no group."""
        return KafkaConsumer(bootstrap_servers=self.address, group_id=None, enable_auto_commit=False)

    def count(self, topic: str, reader: KafkaConsumer) -> int:
        """Records in a topic."""
        places = [TopicPartition(topic, number) for number in reader.partitions_for_topic(topic) or ()]
        return sum(reader.end_offsets(places).values()) if places else 0

    def segments(self, topic: str) -> list[Path]:
        """The files of a topic's record batches."""
        return sorted((self._folder / "kafka-data").glob(f"{topic}-*/*.log"))

    def bytes_on_disk(self, topic: str) -> int:
        """What a topic's segments hold, compressed as they went over the wire."""
        return sum(path.stat().st_size for path in self.segments(topic))

    def members(self, group: str) -> int:
        """How many members of a group have partitions."""
        try:
            found = self.admin.describe_groups([group])[group]["members"]
        except KafkaError:
            return 0
        assigned = [each["member_assignment"] for each in found]
        return sum(bool(each and each["assigned_partitions"]) for each in assigned)

    def committed(self, group: str) -> int:
        """The sum of a group's committed offsets."""
        try:
            found = self.admin.list_group_offsets({group: None})[group]
        except KafkaError:
            return 0
        return sum(offset.offset for offset in found.values() if offset.offset > 0)

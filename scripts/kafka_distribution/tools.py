"""The official launchers' names and the classes behind them, as of Kafka 3.9 and 4.3, and what else differs."""

from __future__ import annotations

from dataclasses import dataclass

TOOLS = {
    "connect-distributed": "org.apache.kafka.connect.cli.ConnectDistributed",
    "connect-plugin-path": "org.apache.kafka.tools.ConnectPluginPath",
    "connect-standalone": "org.apache.kafka.connect.cli.ConnectStandalone",
    "kafka-client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-delegation-tokens": "org.apache.kafka.tools.DelegationTokenCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-jmx": "org.apache.kafka.tools.JmxTool",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-metadata-shell": "org.apache.kafka.shell.MetadataShell",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-replica-verification": "org.apache.kafka.tools.ReplicaVerificationTool",
    "kafka-storage": "kafka.tools.StorageTool",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}

# The last line with ZooKeeper, which writes its logs by reload4j.
ZOOKEEPER_TOOLS = {
    "kafka-acls": "kafka.admin.AclCommand",
    "kafka-broker-api-versions": "kafka.admin.BrokerApiVersionsCommand",
    "kafka-console-producer": "kafka.tools.ConsoleProducer",
    "kafka-dump-log": "kafka.tools.DumpLogSegments",
    "zookeeper-security-migration": "kafka.admin.ZkSecurityMigrator",
    "zookeeper-shell": "org.apache.zookeeper.ZooKeeperMainWithTlsSupportForKafka",
}

# Kafka 4, which writes its logs by Log4j 2.
KRAFT_TOOLS = {
    "kafka-acls": "org.apache.kafka.tools.AclCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-share-consumer": "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-share-consumer-perf-test": "org.apache.kafka.tools.ShareConsumerPerformance",
    "kafka-share-groups": "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
    "kafka-streams-groups": "org.apache.kafka.tools.streams.StreamsGroupCommand",
    "kafka-verifiable-share-consumer": "org.apache.kafka.tools.VerifiableShareConsumer",
}

BROKER = "kafka.Kafka"
ZOOKEEPER = "org.apache.zookeeper.server.quorum.QuorumPeerMain"

# Tools whose work wants more than kafka-run-class.sh's 256 MB.
HEAP = {
    "connect-distributed": "-Xms256M -Xmx2G",
    "connect-standalone": "-Xms256M -Xmx2G",
    "kafka-console-consumer": "-Xmx512M",
    "kafka-console-producer": "-Xmx512M",
    "kafka-console-share-consumer": "-Xmx512M",
    "kafka-consumer-perf-test": "-Xmx512M",
    "kafka-producer-perf-test": "-Xmx512M",
    "kafka-share-consumer-perf-test": "-Xmx512M",
    "kafka-verifiable-consumer": "-Xmx512M",
    "kafka-verifiable-producer": "-Xmx512M",
}

# Words of its own that a launcher puts before the caller's.
FIRST_ARGUMENTS = {
    "zookeeper-shell": "-server",
}


@dataclass(frozen=True)
class Launcher:
    """A launcher's file name and its text."""

    name: str
    text: str


def has_zookeeper(version: str) -> bool:
    """Say whether this version of Kafka, such as 3.9.2, comes with ZooKeeper, and so with reload4j."""
    return int(version.partition(".")[0]) < 4


def tools(version: str) -> dict[str, str]:
    """Return the main class of each tool of this version of Kafka, by its name."""
    return TOOLS | (ZOOKEEPER_TOOLS if has_zookeeper(version) else KRAFT_TOOLS)


def servers(version: str) -> list[str]:
    """Return the main classes of this version's servers."""
    return [BROKER, ZOOKEEPER] if has_zookeeper(version) else [BROKER]


def for_version(script: str, version: str) -> str:
    """Return a script as this version needs it: Log4j 2 has an option and files of other names than reload4j."""
    if has_zookeeper(version):
        return script
    return script.replace("-Dlog4j.configuration=", "-Dlog4j2.configurationFile=").replace(
        "log4j.properties", "log4j2.yaml"
    )


def launchers(version: str) -> list[Launcher]:
    """Return the launchers of all tools of this version of Kafka, by name."""
    return [
        Launcher(f"{tool}.sh", for_version(_launcher(tool, main_class), version))
        for tool, main_class in sorted(tools(version).items())
    ]


def _launcher(tool: str, main_class: str) -> str:
    lines = ["#!/bin/bash", "set -eu"]
    if tool in HEAP:
        lines.append(f'export KAFKA_HEAP_OPTS="${{KAFKA_HEAP_OPTS:-{HEAP[tool]}}}"')
    if tool.startswith("connect-") and tool != "connect-plugin-path":
        lines.append('base_dir=$(dirname "$(dirname "$(readlink -f "$0")")")')
        lines.append(
            "export KAFKA_LOG4J_OPTS="
            '"${KAFKA_LOG4J_OPTS:--Dlog4j.configuration=file:$base_dir/config/connect-log4j.properties}"'
        )
    words = [main_class]
    if tool in FIRST_ARGUMENTS:
        words.append(FIRST_ARGUMENTS[tool])
    lines.append(f'exec "$(dirname "$(readlink -f "$0")")/kafka-run-class.sh" {" ".join(words)} "$@"')
    return "\n".join(lines) + "\n"

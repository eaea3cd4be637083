"""Promises of the roles' files for each line of Kafka: the same but for what that line has otherwise."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.support import playbook

from stock_market_ops.common.deployment import ROOT

ROLE = ROOT / "roles" / "kafka"
VERSIONS = ("3.9.2", "4.3.1")
FILES = ("server.properties", "kafka-tool", "kafka.service")
KNOWN: dict[str, Any] = {
    "kafka_metadata": "kraft",
    "kafka_controller_servers": {1001: "10.0.0.1:9094"},
    "kafka_private_address": "10.0.0.1",
    "kafka_broker_password": "secret",
    "kafka_heap_mb": 512,
    "__kafka_certificate": "",
    "ansible_managed": "",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """By version, what the role writes for a broker, by the file's name; `logging` is the file for its logs."""
    folder = tmp_path_factory.mktemp("lines")
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    files = [str(path) for path in sorted((ROLE / "vars").rglob("*.yml"))]
    sources = {**dict.fromkeys(FILES), "logging": "{{ __kafka_line.logging.file }}"}
    plays = [
        {
            "hosts": "kafka",
            "gather_facts": False,
            "vars_files": files,
            "vars": {"kafka_version": version, "role_path": str(ROLE)},
            "tasks": [
                {
                    "ansible.builtin.template": {
                        "src": f"{ROLE}/templates/{source or name}.j2",
                        "dest": str(folder / f"{version}-{name}"),
                    }
                }
                for name, source in sources.items()
            ],
        }
        for version in VERSIONS
    ]
    done = playbook.run(folder, plays, playbook.local_inventory(defaults | KNOWN, kafka={"localhost": {}}))
    assert done.code == 0, done.output
    return {
        version: {name: (folder / f"{version}-{name}").read_text(encoding="utf-8") for name in sources}
        for version in VERSIONS
    }


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def test_a_broker_of_kafka_4_leaves_to_the_controllers_what_they_decide(written: dict[str, dict[str, str]]) -> None:
    old, new = (properties(written[version]["server.properties"]) for version in VERSIONS)
    assert old.keys() - new.keys() == {"num.partitions", "default.replication.factor"}
    assert new == {name: value for name, value in old.items() if name in new}


def test_the_unit_names_the_file_for_the_logs_that_its_version_reads(written: dict[str, dict[str, str]]) -> None:
    old, new = (written[version]["kafka.service"] for version in VERSIONS)
    assert '"KAFKA_LOG4J_OPTS=-Dlog4j.configuration=file:/etc/kafka/log4j.properties"' in old
    assert '"KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=file:/etc/kafka/log4j2.yaml"' in new
    for version in VERSIONS:
        file = "log4j.properties" if version < "4" else "log4j2.yaml"
        assert f" /etc/kafka/server.properties /etc/kafka/{file} " in written[version]["kafka.service"]
        assert f"/opt/kafka_2.13-{version}/bin/kafka-server-start.sh" in written[version]["kafka.service"]


def test_log4j_2_is_told_the_same_as_its_predecessor(written: dict[str, dict[str, str]]) -> None:
    told = yaml.safe_load(written["4.3.1"]["logging"])["Configuration"]
    files = {each["name"]: each for each in told["Appenders"]["RollingFile"]}
    for name, each in files.items():
        assert f"log4j.appender.{name}.MaxFileSize=20MB" in written["3.9.2"]["logging"]
        assert f"log4j.appender.{name}.MaxBackupIndex=5" in written["3.9.2"]["logging"]
        assert each["SizeBasedTriggeringPolicy"] == {"size": "20MB"}
        assert each["DefaultRolloverStrategy"]["max"] == 5
    referred = [told["Loggers"]["Root"], *told["Loggers"]["Logger"]]
    wanted = [each.get("AppenderRef", []) for each in referred]
    names = {ref["ref"] for refs in wanted for ref in (refs if isinstance(refs, list) else [refs])}
    assert names == files.keys() | {told["Appenders"]["Console"]["name"]}


def test_a_tool_gets_the_brokers_login_by_the_option_that_its_version_has(written: dict[str, dict[str, str]]) -> None:
    old, new = (written[version]["kafka-tool"] for version in VERSIONS)
    assert "kafka-console-consumer.sh) option=--consumer.config ;;" in old
    assert "kafka-producer-perf-test.sh) option=--producer.config ;;" in old
    assert "--consumer.config" not in new
    for text in (old, new):
        assert "*) option=--command-config ;;" in text

"""Promises of Kafka's local distribution: the same bytes from the same content, and nothing that is not pinned."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from kafka_distribution import build as building
from kafka_distribution.archive import write_archive
from kafka_distribution.tools import tools

MEMBERS = [("bin/run.sh", b"#!/bin/sh\n", 0o755), ("libs/a.jar", bytes(200_000), 0o644), ("LICENSE", b"", 0o644)]


def archive_of(members: list[tuple[str, bytes, int]]) -> bytes:
    target = io.BytesIO()
    write_archive(target, "kafka", members)
    return target.getvalue()


def test_the_bytes_do_not_depend_on_the_order_of_the_members() -> None:
    assert archive_of(MEMBERS) == archive_of(MEMBERS[::-1])


def test_the_archive_unpacks_to_what_went_in() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive_of(MEMBERS)), mode="r:gz") as tar:
        assert [entry.name for entry in tar if entry.isdir()] == ["kafka", "kafka/bin", "kafka/libs"]
        for path, content, mode in MEMBERS:
            entry = tar.getmember(f"kafka/{path}")
            stream = tar.extractfile(entry)
            assert stream is not None
            assert stream.read() == content
            assert (entry.mode, entry.uid, entry.uname, entry.mtime) == (mode, 0, "", 946_684_800)


def test_the_gzip_ends_with_the_right_checksum_at_every_block_boundary() -> None:
    for size in (0, 65535 - 512, 65535, 65536, 131070):
        assert len(gzip.decompress(archive_of([("file", bytes(size), 0o644)]))) >= size


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "bin/run.sh"])
def test_a_path_that_leads_out_or_comes_twice_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="occurs twice or leads out"):
        archive_of([*MEMBERS, (path, b"", 0o644)])


def test_an_artifact_that_is_not_the_pinned_one_stops_the_build(tmp_path: Path) -> None:
    for name in ("good.jar", "tampered.jar", "stranger.jar"):
        (tmp_path / name).write_text(name)
    pins = {name: building.checksum(tmp_path / name) for name in ("good.jar", "tampered.jar")} | {"gone.jar": "00"}
    (tmp_path / "tampered.jar").write_text("other")
    with pytest.raises(building.BuildError) as error:
        building.check_pins(tmp_path, pins)
    complaint = str(error.value)
    assert "gone.jar is missing, stranger.jar is not pinned, tampered.jar has another SHA-512" in complaint
    assert "good.jar" not in complaint


def test_a_launcher_without_its_class_stops_the_build(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.jar", "w") as jar:
        jar.writestr("kafka/Kafka.class", b"")
    for version, other in (("3.9.2", "kafka.admin.AclCommand"), ("4.3.1", "org.apache.kafka.tools.AclCommand")):
        with pytest.raises(building.BuildError, match=r"No jar has the launchers' classes .*TopicCommand") as error:
            building.check_main_classes(tmp_path, version)
        assert f" {other}," in str(error.value)
        assert ("zookeeper" in str(error.value)) == (version == "3.9.2")


def test_a_file_with_the_wanted_checksum_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "kafka.tgz"
    output.write_bytes(b"built before")
    monkeypatch.setattr(building, "fetch", lambda *_: pytest.fail("fetched although the file is there"))
    assert building.build(output, building.checksum(output)) is False
    assert output.read_bytes() == b"built before"


def test_every_version_that_can_be_built_is_pinned_and_has_its_checksum_in_both_inventories() -> None:
    root = building.HERE.parents[1]
    for path in building.VERSIONS.iterdir():
        assert building.distribution_name(path.name) == f"kafka_2.13-{path.name}"
        assert any(f"kafka_2.13-{path.name}.jar" in name for name in building.read_pins(path / building.PINS))
        for inventory in ("local/group_vars/all/kafka_archive.yml", "aws/group_vars/all/main.yml"):
            checksums = yaml.safe_load((root / "inventory" / inventory).read_text())["stock_market_kafka_checksums"]
            assert re.fullmatch("sha512:[0-9a-f]{128}|sha256:[0-9a-f]{64}", checksums[path.name])


def test_the_jmx_exporter_that_maven_fetches_is_the_one_that_the_role_takes_and_is_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = building.HERE.parents[1]
    role = yaml.safe_load((root / "roles/jmx_exporter/defaults/main.yml").read_text())
    ((path, pin),) = building.read_pins(building.JMX_EXPORTER / building.PINS).items()
    version = role["jmx_exporter_version"]
    assert role["jmx_exporter_checksum"] == f"sha512:{pin}"
    assert path.endswith(f"/{version}/jmx_prometheus_javaagent-{version}.jar")
    local = yaml.safe_load((root / "inventory/local/group_vars/all/kafka_archive.yml").read_text())
    assert local["local_cloud_jmx_exporter"].endswith(f"/{Path(path).name}")

    def fetched(libs: Path, pinned: Path) -> None:
        assert pinned == building.JMX_EXPORTER
        libs.mkdir()
        (libs / Path(path).name).write_bytes(b"the jar")

    monkeypatch.setattr(building, "read_pins", lambda _: {path: hashlib.sha512(b"the jar").hexdigest()})
    monkeypatch.setattr(building, "fetch", fetched)
    output = tmp_path / "cache" / "agent.jar"
    assert building.fetch_jmx_exporter(output) is True
    assert output.read_bytes() == b"the jar"
    assert building.fetch_jmx_exporter(output) is False
    output.write_bytes(b"something else")
    assert building.fetch_jmx_exporter(output) is True
    assert output.read_bytes() == b"the jar"


def test_a_version_that_is_not_pinned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        building.BuildError, match=r"Kafka 3\.7\.0 can't be built here; .* has 3\.8\.1, 3\.9\.2, 4\.3\.1"
    ):
        building.build(tmp_path / "kafka.tgz", None, "3.7.0")
    assert list(tmp_path.iterdir()) == []


def test_without_maven_the_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(building.BuildError, match="install Debian's packages maven"):
        building.build(tmp_path / "kafka.tgz", None)
    assert not (tmp_path / "kafka.tgz").exists()


@pytest.mark.parametrize("version", ["3.8.1", "3.9.2", "4.3.1"])
def test_the_official_tools_have_launchers(version: str) -> None:
    official = {"kafka-topics", "kafka-console-producer", "kafka-console-consumer", "kafka-configs", "kafka-acls"}
    official |= {"kafka-consumer-groups", "kafka-broker-api-versions", "kafka-get-offsets", "kafka-dump-log"}
    official |= {"kafka-producer-perf-test", "kafka-reassign-partitions", "kafka-leader-election", "kafka-storage"}
    assert official <= tools(version).keys()
    assert ("zookeeper-shell" in tools(version)) == (version < "4")


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A distribution without jars of 3.9.2, or of the parameter, and a `java` that says how it was called."""
    libs = tmp_path / "no-libs"
    libs.mkdir()
    with zipfile.ZipFile(libs / "kafka-clients-0.jar", "w") as jar:
        jar.writestr("LICENSE", b"")
        jar.writestr("NOTICE", b"")
    for name, content, mode in building.members(libs, getattr(request, "param", "3.9.2")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    (tmp_path / "java").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "java").chmod(0o755)
    return tmp_path


def called(home: Path, tool: str, *arguments: str, **environment: str) -> list[str]:
    """Run a launcher and return the words that Java was given."""
    settings = {"PATH": f"{home}:{os.environ['PATH']}", **environment}
    command = [str(home / "bin" / f"{tool}.sh"), *arguments]
    return subprocess.run(command, env=settings, check=True, capture_output=True, text=True).stdout.splitlines()


def test_a_launcher_passes_on_its_class_and_every_argument_unchanged(home: Path) -> None:
    words = called(home, "kafka-topics", "--topic", "a b", "*")
    assert words[-4:] == ["org.apache.kafka.tools.TopicCommand", "--topic", "a b", "*"]
    assert words[words.index("-cp") + 1] == f"{home}/libs/*"
    assert "-Xmx256M" in words


def test_the_official_environment_variables_are_honoured(home: Path) -> None:
    words = called(
        home,
        "kafka-server-start",
        "server.properties",
        CLASSPATH="/extra/*",
        JMX_PORT="9999",
        KAFKA_HEAP_OPTS="-Xms7m -Xmx8m",
        KAFKA_JVM_PERFORMANCE_OPTS="-XX:+UseSerialGC",
        KAFKA_LOG4J_OPTS="-Dlog4j.configuration=file:/log4j",
        KAFKA_GC_LOG_OPTS="-Xlog:gc:file=/gc.log",
        KAFKA_OPTS="-Done=1 -Dtwo=2",
        LOG_DIR=str(home / "logs-here"),
    )
    assert words[-2:] == ["kafka.Kafka", "server.properties"]
    assert words[words.index("-cp") + 1] == f"/extra/*:{home}/libs/*"
    assert {"-Xms7m", "-Xmx8m", "-XX:+UseSerialGC", "-Done=1", "-Dtwo=2", "-Xlog:gc:file=/gc.log"} <= set(words)
    assert {"-Dlog4j.configuration=file:/log4j", f"-Dkafka.logs.dir={home}/logs-here"} <= set(words)
    assert "-Dcom.sun.management.jmxremote.port=9999" in words
    assert "-XX:+UseG1GC" not in words
    assert (home / "logs-here").is_dir()


@pytest.mark.parametrize("home", ["4.3.1"], indirect=True)
def test_kafka_4_logs_by_log4j_2_and_has_no_zookeeper(home: Path) -> None:
    words = called(home, "kafka-topics", "--list")
    assert f"-Dlog4j2.configurationFile=file:{home}/config/tools-log4j2.yaml" in words
    assert called(home, "kafka-acls")[-1] == "org.apache.kafka.tools.AclCommand"
    started = called(home, "kafka-server-start", "server.properties", LOG_DIR=str(home / "logs-here"))
    assert f"-Dlog4j2.configurationFile=file:{home}/config/log4j2.yaml" in started
    names = {path.name for folder in ("bin", "config") for path in (home / folder).iterdir()}
    assert not {name for name in names if "zookeeper" in name or "log4j.properties" in name}
    for path in (home / "config").glob("*.yaml"):
        assert yaml.safe_load(path.read_text())["Configuration"]["Loggers"]["Root"]["level"] in ("INFO", "WARN")
    assert "process.roles=broker,controller" in (home / "config" / "server.properties").read_text()


def test_mavens_plugin_is_of_the_version_that_debians_package_has(tmp_path: Path) -> None:
    for version, file in (("2.8", "maven-dependency-plugin-2.8.pom"), ("3.8.1", "maven-dependency-plugin-3.8.1.jar")):
        (tmp_path / "maven-dependency-plugin" / version).mkdir(parents=True)
        (tmp_path / "maven-dependency-plugin" / version / file).touch()
    assert building.dependency_plugin(tmp_path) == "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
    with pytest.raises(building.BuildError, match="install Debian's packages maven, junit4,"):
        building.dependency_plugin(tmp_path / "nothing")

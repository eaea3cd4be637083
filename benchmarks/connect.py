"""Kafka Connect's sinks for the benchmark: fetched by Maven, pinned, compiled, and their settings."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.stage import FLUSH_SECONDS, OBJECT_BYTES, Stage

from kafka_distribution.build import BuildError, fetch

_SOURCES: Final = Path(__file__).resolve().parent / "connect_sink"


@dataclass(frozen=True)
class Sink:
    """A sink and how it is run.

    Attributes:
        settings: the connector's own, where `{name}` and the like are filled in.
        heap: of the virtual machine.
    """

    settings: str
    heap: str


S3_LINES: Final = Sink(
    "connector.class=stockmarket.S3LinesSink\ns3.endpoint={endpoint}\ns3.bucket={bucket}\ns3.prefix={name}/\n"
    "gzip.level=1\nobject.bytes={object_bytes}\n"
    "key.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n"
    "value.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n",
    "-Xms256m -Xmx512m",
)
"""The stand-in for Aiven's and Camel's sinks: connect_sink/S3LinesSink.java says what it leaves out."""

FILE: Final = Sink(
    "connector.class=org.apache.kafka.connect.file.FileStreamSinkConnector\nfile={folder}/{name}.out\n"
    "key.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n"
    "value.converter=org.apache.kafka.connect.storage.StringConverter\n",
    "-Xms256m -Xmx512m",
)
"""Kafka's own sink, plain lines into a file: what the runtime alone costs. It prints objects, so they are strings."""

_WORKER = """\
bootstrap.servers={address}
listeners=http://127.0.0.1:0
plugin.path={plugins}
plugin.discovery=only_scan
key.converter=org.apache.kafka.connect.converters.ByteArrayConverter
value.converter=org.apache.kafka.connect.converters.ByteArrayConverter
offset.storage.file.filename={folder}/{name}.offsets
offset.flush.interval.ms={flush_ms}
consumer.auto.offset.reset=earliest
consumer.isolation.level=read_committed
consumer.max.poll.records=20000
consumer.fetch.min.bytes=1048576
consumer.fetch.max.bytes=52428800
consumer.max.partition.fetch.bytes=8388608
consumer.receive.buffer.bytes=1048576
"""


def connect_settings(stage: Stage, name: str, topic: str, sink: Sink) -> tuple[Path, Path]:
    """Writes the worker's and the connector's settings; the group will be `connect-` and the name."""
    worker = stage.folder / f"{name}-worker.properties"
    worker.write_text(
        _WORKER.format(
            address=stage.broker.address,
            plugins=plugins(stage.broker.home),
            folder=stage.folder,
            name=name,
            flush_ms=FLUSH_SECONDS * 1000,
        )
    )
    connector = stage.folder / f"{name}.properties"
    connector.write_text(
        f"name={name}\ntopics={topic}\ntasks.max=1\n"
        + sink.settings.format(
            name=name,
            endpoint=stage.store.endpoint,
            bucket=stage.store.bucket,
            object_bytes=OBJECT_BYTES,
            folder=stage.folder,
        )
    )
    return worker, connector


def plugins(kafka: Path) -> Path:
    """The folder of plugins in the machine's cache, made when its sources have changed.

    Args:
        kafka: the distribution, whose jars the sinks are compiled against.

    Raises:
        BuildError: Maven failed, a jar is not the pinned one, or javac refuses the sources.
    """
    key = hashlib.sha256()
    for path in sorted(_SOURCES.iterdir()):
        key.update(path.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "stock-market"
    made = cache / f"connect-sinks-{key.hexdigest()[:16]}"
    if made.is_dir():
        return made
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        libs = Path(scratch) / "plugins" / "sinks"
        libs.parent.mkdir()
        fetch(libs, _SOURCES)
        classes = Path(scratch) / "classes"
        _run("javac", "-d", str(classes), "-cp", f"{kafka}/libs/*:{libs}/*", *map(str, _SOURCES.glob("*.java")))
        _run("jar", "--create", "--file", str(libs / "sinks.jar"), "-C", str(classes), ".")
        libs.parent.rename(made)
    return made


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

"""Kafka Connect's sinks for the benchmark, and their settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.java_program import compiled
from benchmarks.stage import FLUSH_SECONDS, OBJECT_BYTES, Stage

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
    """Writes the worker's and the connector's settings; the group will be `connect-` and the name.

    Raises:
        BuildError: the sinks' jars can't be fetched, or not be compiled against the distribution's.
    """
    worker = stage.folder / f"{name}-worker.properties"
    worker.write_text(
        _WORKER.format(
            address=stage.broker.address,
            plugins=compiled(_SOURCES, f"{stage.broker.home}/libs/*"),
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

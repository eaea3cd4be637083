"""Quix Streams' file sink for S3: JSON lines and gzip, one object for each partition and checkpoint.

It runs in .venv/quix and is at least once, as its documentation says. It parses each value, and writes it with the
record's key and timestamp.
"""

from __future__ import annotations

import json
import sys

import orjson
from quixstreams import Application
from quixstreams.sinks.community.file.formats import JSONFormat
from quixstreams.sinks.community.file.s3 import S3FileSink


def main(*, address: str, topic: str, group: str, bucket: str, folder: str, endpoint: str, seconds: float) -> None:
    """Drains the topic until SIGTERM.

    Args:
        address: the broker's.
        topic: what it reads, from the beginning.
        group: whose offsets it commits.
        bucket: where the objects go.
        folder: what their keys start with, without a `-`, which the sink refuses.
        endpoint: URL of S3.
        seconds: between two checkpoints, each of which uploads and commits.
    """
    application = Application(
        broker_address=address,
        consumer_group=group,
        auto_offset_reset="earliest",
        commit_interval=seconds,
        consumer_extra_config={
            "fetch.min.bytes": 1 << 20,
            "fetch.max.bytes": 50 << 20,
            "fetch.message.max.bytes": 8 << 20,
            "socket.receive.buffer.bytes": 1 << 20,
        },
    )
    sink = S3FileSink(
        bucket=bucket,
        directory=folder,
        endpoint_url=endpoint,
        format=JSONFormat(compress=True, dumps=orjson.dumps),
    )
    application.dataframe(application.topic(topic, value_deserializer="json")).sink(sink)
    application.run()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))

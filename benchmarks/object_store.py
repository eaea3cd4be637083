"""The local cloud's S3, moto, in a process of its own, and looks into it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
from isal import isal_zlib
from tests.support.stock_market.broker import free_port, wait_for_port

_PUT = re.compile(rb'"(?:PUT|POST) /bench/\S')
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


class ObjectStore:
    """moto with one bucket, `bench`.

    Args:
        folder: for its log, which has one line for each request.
    """

    bucket = "bench"

    def __init__(self, folder: Path) -> None:
        self._log = folder / "s3.log"
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> ObjectStore:
        moto = str(Path(sys.executable).with_name("moto_server"))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([moto, "-H", "127.0.0.1", "-p", str(self._port)], stdout=log, stderr=log)
        wait_for_port(self._port)
        time.sleep(0.2)
        self._client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=CREDENTIALS["AWS_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        self._client.create_bucket(Bucket=self.bucket)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def writes(self) -> int:
        """PUT and POST requests for objects since the start, as S3 has logged them."""
        return len(_PUT.findall(self._log.read_bytes()))

    def keys(self, prefix: str) -> list[str]:
        """The keys under a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def lines(self, prefix: str) -> tuple[int, int]:
        """Lines in the objects `*.gz` under a prefix, read and counted, and the objects' size in bytes."""
        lines = size = 0
        for _, packed, body in self.contents(prefix):
            size += packed
            lines += body.count(b"\n")
        return lines, size

    def contents(self, prefix: str) -> Iterator[tuple[str, int, bytes]]:
        """Key, size and unpacked content of each object `*.gz` under a prefix."""
        for key in self.keys(prefix):
            if key.endswith(".gz"):
                body = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                unpack = isal_zlib.decompressobj(31)
                yield key, len(body), unpack.decompress(body) + unpack.flush()

    def clear(self, prefix: str) -> None:
        """Takes away what is under a prefix."""
        for key in self.keys(prefix):
            self._client.delete_object(Bucket=self.bucket, Key=key)

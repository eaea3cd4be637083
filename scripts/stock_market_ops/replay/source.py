"""Reads a quarantine object and the replays that were made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from botocore.exceptions import ClientError
from pyroaring import BitMap64

from stock_market.chain.replays import parse_replay, read_offsets
from stock_market.chain.s3_connection import status
from stock_market.chain.segment import Poison
from stock_market.chain.store import metadata_of, new_object
from stock_market.history.manifest import Replay
from stock_market_ops.verify.bucket import Place, opened, take_listing
from stock_market_ops.verify.reading import FlawError, summed, unpacked

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SLICE = 5000
_PACKED_BYTES = 256 << 10
_POISON = msgspec.json.Decoder(Poison)


class DamagedError(Exception):
    """An object cannot be trusted; the message is one sentence."""


class Done(NamedTuple):
    """The offsets that have been replayed of a quarantine object, and the number of the next replay."""

    offsets: BitMap64
    number: int


def replayed(client: S3Client, place: Place, main_key: str, history: Iterable[Replay] = ()) -> Done:
    """Looks which replays there are of a main object's quarantined records.

    `history` are the replays that are in the history of its hour, whose objects may be gone.

    Raises:
        DamagedError: one of them does not say what it replays.
        botocore's errors.
    """
    offsets, number = BitMap64(), 0
    for one in history:
        found = parse_replay(one.key)
        if found is not None and found.main_key == main_key:
            number = max(number, found.number + 1)
            for first, last in read_offsets({"replayed-offsets": one.offsets}):
                offsets.add_range(first, last + 1)
    prefix = f"{main_key.removesuffix('.json.gz')}+replay-"
    for entry in take_listing(client, place.bucket, prefix).entries:
        found = parse_replay(entry.key)
        if found is None:
            continue
        number = max(number, found.number + 1)
        try:
            for first, last in read_offsets(metadata_of(client, place.bucket, entry.key) or {}):
                offsets.add_range(first, last + 1)
        except ValueError as error:
            raise DamagedError(f"{entry.key} does not say in its metadata which offsets it replays") from error
    return Done(offsets, number)


class Quarantined:
    """A quarantine object."""

    def __init__(self, client: S3Client, place: Place, key: str) -> None:
        self.key = key
        self.main_key = place.main_key(key)
        self.metadata: dict[str, str] = {}
        self._client = client
        self._place = place

    def slices(self) -> Iterator[list[Poison]]:
        """Its records, some at a time; only when the last has been given out is it known that all were true.

        Raises:
            DamagedError: it is no gzip file, or holds other lines than it promises.
            botocore's errors.
        """
        self.metadata, _, packed = opened(self._client, self._place.bucket, self.key, _PACKED_BYTES)
        checksum, rest, count = hashlib.sha256(), b"", 0
        waiting: list[Poison] = []
        try:
            for piece in unpacked(summed(packed, checksum)):
                *whole, rest = (rest + piece).split(b"\n")
                waiting += [_POISON.decode(line) for line in whole]
                count += len(whole)
                while len(waiting) >= _SLICE:
                    yield waiting[:_SLICE]
                    del waiting[:_SLICE]
        except (FlawError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DamagedError(f"{self.key} is damaged and is left alone: it {error}") from error
        if checksum.hexdigest() != self.metadata.get("sha256") or str(count) != self.metadata.get("record-count"):
            raise DamagedError(f"{self.key} is left alone: it does not hold what its metadata promises")
        if waiting:
            yield waiting


def put_new(client: S3Client, bucket: str, key: str, body: bytes | bytearray, metadata: dict[str, str]) -> bool:
    """Writes an object where none is; False when there is one, perhaps by an attempt of our own.

    Raises:
        botocore's errors.
    """
    try:
        client.put_object(Bucket=bucket, Key=key, Body=bytes(body), **new_object(metadata))
    except ClientError as error:
        # 409: another conditional write is under way; who looks again afterwards sees what came of it.
        if status(error) in (409, 412):
            return False
        raise
    return True

"""A batch that cannot be read goes to the quarantine, offset by offset, and the stream goes on, in both readers."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Callable

import pytest
from kafka import codec as kafka_codec
from kafka.consumer.fetcher import Fetcher
from kafka.record import default_records, legacy_records
from kafka.record.util import calc_crc32, calc_crc32c
from tests.stock_market.kafka.test_batch_unpacking import lz4_java, xerial, zstd_stream
from tests.support.stock_market.fetched import Case, batch, read
from tests.support.stock_market.services import quote

from stock_market.chain.segment import Segment
from stock_market.kafka import single_records
from stock_market.kafka.batch_reader import HEADER
from stock_market.kafka.raw_fetches import BatchPartitionRecords
from stock_market.kafka.record_block import RecordBlock

_LIMIT = 1 << 20
_TIME_MS = 1_767_225_600_000
Pairs = list[tuple[bytes | None, bytes | None]]


@pytest.fixture(params=["batches", "records"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to read, with a limit of a mebibyte; kafka-python is as it was afterwards."""
    for name in ("gzip_decode", "snappy_decode", "lz4_decode", "lz4_decode_old_kafka"):
        monkeypatch.setattr(legacy_records, name, getattr(legacy_records, name))
    monkeypatch.setattr(default_records.DefaultRecordBatch, "__iter__", default_records.DefaultRecordBatch.__iter__)
    monkeypatch.setattr(BatchPartitionRecords, "unpacked_limit", _LIMIT)
    if request.param == "records":
        single_records.bound(_LIMIT)
    else:
        single_records.bound_old_format(_LIMIT)
    return str(request.param)


def read_with(reader: str, data: bytes, fetch_offset: int = 0) -> tuple[list[RecordBlock], int]:
    """The blocks of a fetched record set, and the offset to read on from."""
    if reader == "batches":
        return read(BatchPartitionRecords, Case(data, fetch_offset))
    records, position = read(Fetcher.PartitionRecords, Case(data, fetch_offset))
    return single_records.blocks(records), position


def found_in(blocks: list[RecordBlock]) -> list[tuple[int, int, bytes | None, bytes | None, str]]:
    """Offset, timestamp, key, value and flaw of each record."""
    return [(*one.record(index)[:4], one.flaw) for one in blocks for index in range(len(one))]


def with_records(sound: bytes, records: bytes, *, codec: int, count: int | None = None) -> bytes:
    """A batch with the head of another, these packed records, and a checksum that holds."""
    data = bytearray(sound[: HEADER.size]) + records
    struct.pack_into(">i", data, 8, len(data) - 12)
    struct.pack_into(">h", data, 21, codec)
    if count is not None:
        struct.pack_into(">i", data, 57, count)
    struct.pack_into(">I", data, 17, calc_crc32c(memoryview(data)[21:]))
    return bytes(data)


def plain_records(pairs: Pairs) -> bytes:
    """Records as they are before they are packed."""
    return batch(0, pairs)[HEADER.size :]


QUOTES: Pairs = [quote(number) for number in range(5)]
ODD: Pairs = [
    (b"\0", b"x"),
    (None, b"no key"),
    (b"tombstone", None),
    (None, None),
    (b"", b""),
    (b"k", b"\0" * 90),
    (b"huge", b"v" * 300_000),
]
PACKERS: dict[int, Callable[[bytes], bytes]] = {
    1: gzip.compress,
    2: xerial,
    3: lz4_java,
    4: zstd_stream,
}


@pytest.mark.parametrize("codec", PACKERS)
@pytest.mark.parametrize("pairs", [QUOTES, ODD], ids=["quotes", "odd"])
def test_batches_as_java_packs_them_are_read(reader: str, codec: int, pairs: Pairs) -> None:
    packed = PACKERS[codec](plain_records(pairs))
    data = with_records(batch(0, pairs), packed, codec=codec)
    blocks, position = read_with(reader, data + batch(len(pairs), QUOTES))
    assert [one[2:] for one in found_in(blocks)] == [(*pair, "") for pair in (*pairs, *QUOTES)]
    assert [one[0] for one in found_in(blocks)] == list(range(len(pairs) + 5))
    assert position == len(pairs) + 5


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2, 3])
def test_the_formats_before_2_are_read_in_every_codec(reader: str, magic: int, codec: int) -> None:
    data = batch(0, QUOTES, magic=magic, compression=codec) + batch(5, QUOTES)
    blocks, position = read_with(reader, data, 2)
    times = [-1 if magic == 0 else _TIME_MS + 7 * number for number in range(2, 5)]
    assert found_in(blocks)[:3] == [
        (number, time_ms, *QUOTES[number], "") for number, time_ms in zip(range(2, 5), times, strict=True)
    ]
    assert position == 10


def test_headers_of_any_bytes_do_no_harm(reader: str) -> None:
    data = bytearray(batch(0, QUOTES, headers=(("header", b"\xff"), ("null", None))))
    data = bytearray(data.replace(b"header", b"\xff\xfeader"))
    struct.pack_into(">I", data, 17, calc_crc32c(memoryview(data)[21:]))
    blocks, _ = read_with(reader, bytes(data))
    assert [one[2:] for one in found_in(blocks)] == [(*pair, "") for pair in QUOTES]


SOUND = batch(7, QUOTES)
_RECORDS = plain_records(QUOTES)
UNREADABLE = {
    "damaged gzip": (with_records(SOUND, b"\x1f\x8b\x08 no gzip at all", codec=1), "the gzip data is damaged"),
    "damaged snappy": (with_records(SOUND, b"\x20\xff\xff\xff\xff", codec=2), "the snappy data is damaged"),
    "damaged lz4": (with_records(SOUND, b"\x04\x22\x4d\x18 no lz4", codec=3), "the lz4 data is damaged"),
    "damaged zstd": (with_records(SOUND, b"(\xb5/\xfd\xff\xff\xff", codec=4), "the zstd data is damaged"),
    "a codec that nobody knows": (with_records(SOUND, b"x", codec=6), "no compression of the number 6"),
    "zstd cut off": (with_records(SOUND, zstd_stream(_RECORDS)[:-30], codec=4), ""),
    "a bomb": (with_records(SOUND, gzip.compress(bytes(9 << 20)), codec=1), "larger than 1048576 bytes"),
    "too few records": (with_records(SOUND, _RECORDS, codec=0, count=4), "bytes follow the last record"),
    "too many records": (with_records(SOUND, _RECORDS, codec=0, count=6), "reaches beyond its batch"),
    "millions of records": (with_records(SOUND, _RECORDS, codec=0, count=9_000_000), "holds 9000000 records"),
    "no records, so to say": (with_records(SOUND, _RECORDS, codec=0, count=-5), "holds -5 records"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_batch_is_reported_offset_by_offset_and_the_next_batch_is_read(reader: str, name: str) -> None:
    data, reason = UNREADABLE[name]
    before, after = batch(0, [*QUOTES, *QUOTES[:2]]), batch(12, QUOTES)
    blocks, position = read_with(reader, before + data + after)
    found = found_in(blocks)
    assert [one[0] for one in found] == list(range(17))
    assert position == 17
    assert [one[4] == "" for one in found] == [True] * 7 + [False] * 5 + [True] * 5
    assert [one[2:4] for one in found[12:]] == QUOTES
    assert [one[1:4] for one in found[7:12]] == [(_TIME_MS, None, data), *[(_TIME_MS, None, None)] * 4]
    text = found[7][4]
    assert text.startswith("the record batch of the offsets 7 to 11 (compression ")
    assert reason in text
    # What starts within it: the same lines for the same offsets.
    again, _ = read_with(reader, data + after, 9)
    assert found_in(again) == found[9:]


def test_both_readers_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchPartitionRecords, "unpacked_limit", _LIMIT)
    data = b"".join(one for one, _ in UNREADABLE.values())
    batches = found_in(read_with("batches", data)[0])
    for name in ("gzip_decode", "snappy_decode", "lz4_decode", "lz4_decode_old_kafka"):
        monkeypatch.setattr(legacy_records, name, getattr(legacy_records, name))
    monkeypatch.setattr(default_records.DefaultRecordBatch, "__iter__", default_records.DefaultRecordBatch.__iter__)
    single_records.bound(_LIMIT)
    assert found_in(read_with("records", data)[0])[:5] == batches[:5]


def test_the_quarantine_gets_the_reason_and_the_whole_batch() -> None:
    data, _ = UNREADABLE["damaged zstd"]
    (block,) = read_with("batches", data)[0]
    segment = Segment("t", 3, 7)
    segment.add(block)
    lines = [json.loads(line) for line in gzip.decompress(segment.bad.finish()).splitlines()]
    assert segment.good.count == 0
    assert [line["offset"] for line in lines] == [7, 8, 9, 10, 11]
    assert {line["reason"] for line in lines} == {block.flaw}
    assert base64.b64decode(lines[0]["value"]) == data
    assert lines[0]["encoding"] == "base64"
    assert [line["value"] for line in lines[1:]] == [None] * 4


def test_a_damaged_message_of_an_old_format_is_reported_and_the_next_is_read() -> None:
    data = bytearray(batch(0, QUOTES, magic=1, compression=1))
    data[-40:-30] = b"\xff" * 10
    struct.pack_into(">q", data, 0, 4)  # As a broker does: the offset of its last record.
    struct.pack_into(">I", data, 12, calc_crc32(memoryview(data)[16:]))
    blocks, position = read_with("batches", bytes(data) + batch(5, QUOTES))
    found = found_in(blocks)
    assert [one[0] for one in found] == list(range(10))
    assert found[0][3] == bytes(data)
    assert all("(compression gzip) cannot be read" in one[4] for one in found[:5])
    assert [one[2:] for one in found[5:]] == [(*pair, "") for pair in QUOTES]
    assert position == 10


def test_a_custom_header_of_a_producer_is_accepted() -> None:
    assert kafka_codec.has_zstd()
    data = batch(0, QUOTES, headers=((single_records._FLAW, b"made up"),))
    records, _ = read(Fetcher.PartitionRecords, Case(data))
    assert [one.flaw for one in single_records.blocks(records)] == [""]


def test_small_batches_are_not_gathered_beyond_a_bound() -> None:
    one = with_records(SOUND, zstd_stream(plain_records([(b"k", b"x" * 900_000)])), codec=4, count=1)
    data = bytearray()
    for number in range(40):
        copy = bytearray(one)
        struct.pack_into(">q", copy, 0, number)
        struct.pack_into(">i", copy, 23, 0)
        struct.pack_into(">I", copy, 17, calc_crc32c(memoryview(copy)[21:]))
        data += copy
    blocks, position = read_with("batches", bytes(data))
    assert position == 40
    assert len(found_in(blocks)) == 40
    assert max(len(block.buffer) for block in blocks) < 10 << 20

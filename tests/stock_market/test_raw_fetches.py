"""Whole batches give what single records give; where they would not, the public way is kept, with a warning."""

from __future__ import annotations

import gzip
import logging
import struct
from types import SimpleNamespace

import pytest
import zstandard
from kafka import codec
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords
from kafka.record.util import calc_crc32c
from tests.stock_market.services import quote

from stock_market import batch_reading, raw_fetches, raw_fetches_check
from stock_market.decompression import unpack
from stock_market.raw_fetches import BatchPartitionRecords
from stock_market.raw_fetches_check import Case, batch, cases, difference, read, use_batches
from stock_market.stretch import Stretch


def quotes(first: int, last: int) -> list[tuple[bytes | None, bytes | None]]:
    """Valid records with these sequence numbers."""
    return [quote(number) for number in range(first, last)]


def test_whole_batches_give_what_single_records_give() -> None:
    assert difference() == ""
    names = [name for name, _ in cases()]
    assert len(set(names)) == len(names) > 18
    assert all([codec.has_gzip(), codec.has_snappy(), codec.has_lz4(), codec.has_zstd()])
    assert sum(name.startswith("compression") for name in names) == 2 * 5


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("_is_read", lambda *_: True),
        ("_is_read", lambda _, batch: not batch.control),
        ("_old_format", lambda *_: iter(())),
    ],
)
def test_each_difference_is_found(monkeypatch: pytest.MonkeyPatch, name: str, broken: object) -> None:
    monkeypatch.setattr(BatchPartitionRecords, name, broken)
    assert difference() != ""


def test_a_reader_that_starts_in_the_middle_of_a_batch_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stretch, "before", lambda *_: 0)
    assert "from the middle" in difference()


@pytest.mark.parametrize("reason", ["other records", None])
def test_where_they_differ_the_public_way_is_kept_with_a_warning(
    caplog: pytest.LogCaptureFixture, reason: str | None
) -> None:
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords))

    def compare() -> str:
        if reason is None:
            raise AttributeError("no _completed_fetches")
        return reason

    with caplog.at_level(logging.WARNING):
        assert not use_batches(consumer, compare)
    assert caplog.text.count("batches_not_read_whole") == 1
    assert consumer._fetcher.PartitionRecords is Fetcher.PartitionRecords
    assert use_batches(consumer)
    assert consumer._fetcher.PartitionRecords is BatchPartitionRecords


def test_most_quotes_are_taken_to_pieces_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_reading, "_walk", lambda *_: pytest.fail("walked"))
    data = b"".join(batch(first, quotes(first, first + 300), compression=3) for first in range(0, 3000, 300))
    found, position = read(BatchPartitionRecords, Case(data))
    assert sum(map(len, found)) == position == 3000


@pytest.mark.parametrize("compression", [0, 3])
def test_a_damaged_batch_stops_after_those_before_it_and_loses_nothing(compression: int) -> None:
    data = bytearray(batch(0, quotes(0, 50)) + batch(50, quotes(50, 90), compression=compression))
    data[-5] ^= 0x40
    part = BatchPartitionRecords(0, raw_fetches_check._PLACE, MemoryRecords(bytes(data)))
    assert [len(each) for each in part.take(1)] == [50]
    assert part.next_fetch_offset == 50
    with pytest.raises(CorruptRecordError):
        part.take(1)
    assert part.next_fetch_offset == 50
    assert not part


def flaws(data: bytes) -> list[tuple[int, int, str]]:
    """Start, end and flaw of each stretch."""
    return [(each.start, each.end, each.flaw) for each in read(BatchPartitionRecords, Case(data))[0]]


def test_a_batch_that_unpacks_to_too_much_stands_between_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_fetches, "_MOST_BYTES", 100_000)
    for compression in range(5):
        bomb = batch(3, [(None, b"0" * 60_000), (None, b"0" * 60_000)], compression=compression)
        assert flaws(batch(0, quotes(0, 3)) + bomb + batch(5, quotes(3, 9), compression=compression)) == [
            (0, 3, ""),
            (3, 5, "the batch of the offsets 3 to 4 unpacks to more than 100000 bytes"),
            (5, 11, ""),
        ]


def test_a_batch_of_too_many_records_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_fetches, "_MOST_RECORDS", 4)
    monkeypatch.setattr(raw_fetches, "_UNREADABLE_RECORDS", 4)
    why = "the batch of the offsets 3 to 8 holds 6 records, more than 4"
    assert flaws(batch(0, quotes(0, 3)) + batch(3, quotes(3, 9)) + batch(9, quotes(9, 11))) == [
        (0, 3, ""),
        (3, 7, why),
        (7, 9, why),
        (9, 11, ""),
    ]


def sealed(body: bytes, **changes: int) -> bytes:
    """A batch with another attribute byte (`codec`) or other bytes, and a checksum that fits."""
    data = bytearray(body)
    if "codec" in changes:
        data[22] = changes["codec"]
    data[-3] ^= changes.get("flip", 0)
    struct.pack_into(">I", data, 17, calc_crc32c(memoryview(data)[21:]))
    return bytes(data)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (sealed(batch(3, quotes(3, 9)), codec=5), "is compressed by a codec of the number 5, which is unknown here"),
        (sealed(batch(3, quotes(3, 9)), codec=1), "does not unpack as gzip: "),
        (sealed(batch(3, quotes(3, 9)), codec=2), "does not unpack as snappy: "),
        (sealed(batch(3, quotes(3, 9)), codec=3), "does not unpack as lz4: "),
        (sealed(batch(3, quotes(3, 9)), codec=4), "does not unpack as zstd: "),
        (sealed(batch(3, quotes(3, 9), compression=4)[:-9] + bytes(9), codec=4), "does not unpack as zstd: "),
        (sealed(batch(3, [(b"k", b"v")] * 6), flip=0x80), "is not as the format says: "),
    ],
)
def test_a_batch_that_can_not_be_read_stops_nobody(wrong: bytes, why: str) -> None:
    found = flaws(batch(0, quotes(0, 3)) + wrong + batch(9, quotes(9, 12)))
    assert [(start, end) for start, end, _ in found] == [(0, 3), (3, 9), (9, 12)]
    assert found[1][2].startswith(f"the batch of the offsets 3 to 8 {why}")
    assert (found[0][2], found[2][2]) == ("", "")


def test_frames_that_follow_each_other_are_one_content() -> None:
    text = b"x" * 100
    twice = {1: gzip.compress(text) * 2, 4: zstandard.ZstdCompressor().compress(text) * 2}
    for number, data in twice.items():
        assert unpack(number, memoryview(data), 1000) == text * 2

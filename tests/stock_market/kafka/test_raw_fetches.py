"""Whole batches give what single records give; where they would not, the public way is kept, with a warning."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import kafka
import pytest
from kafka import codec
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords
from tests.support.stock_market.fetched import PLACE, Case, batch, cases, difference, read
from tests.support.stock_market.services import quote

from stock_market.kafka import batch_reader, compared
from stock_market.kafka.raw_fetches import BatchPartitionRecords, use_batches
from stock_market.kafka.record_block import RecordBlock
from stock_market.kafka.unpacking import CODECS


def quotes(first: int, last: int) -> list[tuple[bytes | None, bytes | None]]:
    """Valid records with these sequence numbers."""
    return [quote(number) for number in range(first, last)]


def test_whole_batches_give_what_single_records_give() -> None:
    assert difference() == ""
    names = [name for name, _ in cases()]
    assert len(set(names)) == len(names) > 18
    assert codec.has_snappy()
    assert codec.has_zstd()
    assert sum(name.startswith("compression") for name in names) == 2 * len(CODECS)


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
    monkeypatch.setattr(RecordBlock, "before", lambda *_: 0)
    assert "from the middle" in difference()


def test_the_version_that_is_compared_here_is_the_one_that_the_services_use() -> None:
    assert kafka.__version__ == compared.VERSION
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords))
    assert use_batches(consumer)
    assert consumer._fetcher.PartitionRecords is BatchPartitionRecords


def test_with_another_version_the_public_way_is_kept_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords))
    monkeypatch.setattr(compared, "__version__", "3.0.99")
    compared.fits.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert not use_batches(consumer)
        assert not use_batches(consumer)
    compared.fits.cache_clear()
    assert caplog.text.count("whole_batches_not_used") == 1
    assert consumer._fetcher.PartitionRecords is Fetcher.PartitionRecords


def test_most_quotes_are_taken_to_pieces_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_reader, "_walk", lambda *_: pytest.fail("walked"))
    data = b"".join(batch(first, quotes(first, first + 300), compression=3) for first in range(0, 3000, 300))
    found, position = read(BatchPartitionRecords, Case(data))
    assert sum(map(len, found)) == position == 3000


@pytest.mark.parametrize("compression", [0, 3])
def test_a_damaged_batch_stops_after_those_before_it_and_loses_nothing(compression: int) -> None:
    data = bytearray(batch(0, quotes(0, 50)) + batch(50, quotes(50, 90), compression=compression))
    data[-5] ^= 0x40
    part = BatchPartitionRecords(0, PLACE, MemoryRecords(bytes(data)))
    assert [len(each) for each in part.take(1)] == [50]
    assert part.next_fetch_offset == 50
    with pytest.raises(CorruptRecordError):
        part.take(1)
    assert part.next_fetch_offset == 50
    assert not part

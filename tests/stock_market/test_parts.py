"""The small parts: settings, pace, pauses, names of objects, validation of batches."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.stock_market.services import SCRIPTS, quote

from stock_market.chain.naming import ObjectName, object_key, parse_key
from stock_market.chain.segment import Lines, Segment
from stock_market.consumer import service as consumer
from stock_market.errors import ServiceError
from stock_market.kafka import client
from stock_market.kafka.identity import topic_id_text
from stock_market.kafka.record_block import Record, RecordBlock
from stock_market.producer import service as producer
from stock_market.producer.service import Pace
from stock_market.quotes import validation as quotes
from stock_market.quotes.validation import flaw, valid_lines
from stock_market.service import Backoff, Systemd

CONSUMER = '[kafka]\nbootstrap_servers = ["10.0.0.1:9093"]\n[s3]\nbucket = "stock-market-data-123456789012"\n'
PRODUCER = '[kafka]\nbootstrap_servers = ["10.0.0.1:9093"]\n'


def record_block(records: Sequence[tuple[bytes | None, bytes | None]]) -> RecordBlock:
    """Records with these keys and values, at the offsets from 0 on."""
    return RecordBlock.of_records(
        [Record(index, 1_767_225_600_000, key, value) for index, (key, value) in enumerate(records)]
    )


@pytest.mark.parametrize(
    ("program", "text", "words"),
    [
        (producer, PRODUCER, ""),
        (consumer, CONSUMER, ""),
        (producer, "", "missing required field `kafka`"),
        (producer, "rate = 0\n" + PRODUCER, "rate: Expected `float` > 0"),
        (producer, "rtae = 5\n" + PRODUCER, "unknown field `rtae`"),
        (producer, 'mode = "replay"\n' + PRODUCER, "the table [replay] with the file's path is missing"),
        (producer, PRODUCER + '[replay]\npath = "/none.csv"\n', ""),
        (
            producer,
            'mode = "replay"\n' + PRODUCER + '[replay]\npath = "/none.csv"\n',
            "cannot read the file to replay, /none.csv",
        ),
        (producer, PRODUCER.replace(":9093", ""), "kafka.bootstrap_servers"),
        (consumer, CONSUMER + "[cut]\nseconds = -1\n", "cut.seconds"),
        (consumer, CONSUMER + 'quarantine_prefix = "quotes/bad/"\n', "must not lie within each other"),
        (consumer, CONSUMER.replace("stock-market-data", "Not_A_Bucket"), "s3.bucket"),
        (consumer, "[kafka", "settings file"),
    ],
)
def test_wrong_settings_end_with_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], program: SimpleNamespace, text: str, words: str
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    code = program.main(["--config", str(path), "--check-config"])
    error = capsys.readouterr().err
    assert code == (2 if words else 0), error
    assert words in error
    assert error.count("\n") == (1 if words else 0)


def test_without_the_c_checksum_the_services_refuse_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    client.require_accelerators()
    monkeypatch.setitem(sys.modules, "crc32c", None)
    with pytest.raises(ServiceError, match="crc32c is missing"):
        client.require_accelerators()
    monkeypatch.setitem(sys.modules, "crc32c", SimpleNamespace(crc32c=quote))
    with pytest.raises(ServiceError, match="crc32c is here, but not its part in C"):
        client.require_accelerators()


def test_an_objects_name_contains_hour_partition_and_start() -> None:
    name = ObjectName("stock-quotes", "_B11x7ONRViS0Y89BB1XwA", 7, 1234)
    key = object_key("quotes/", name, 1_767_225_599_999)
    assert key == "quotes/dt=2025-12-31/hour=23/stock-quotes+_B11x7ONRViS0Y89BB1XwA+7+00000000000000001234.json.gz"
    assert parse_key(key) == name
    assert parse_key(key.replace("+_B11x7ONRViS0Y89BB1XwA", "")) is None
    assert topic_id_text(uuid.UUID("fc1d75c7-b38d-4558-92d1-8f3d041d57c0")) == name.log
    assert parse_key("quotes/dt=2025-12-31/readme.txt") is None


def test_lines_become_one_gzip_file_with_a_checksum() -> None:
    lines = Lines()
    lines.add(b"one\n", 1)
    lines.add(b"two\n", 1)
    packed = bytes(lines.finish())
    assert (gzip.decompress(packed), lines.count, lines.plain_bytes) == (b"one\ntwo\n", 2, 8)
    assert lines.sha256 == hashlib.sha256(packed).hexdigest()
    assert lines.finish() == packed
    again = Lines()
    again.add(b"one\n", 1)
    again.add(b"two\n", 1)
    assert again.sha256 == lines.sha256
    assert packed[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize(
    "bad",
    [
        (b"HSI", b""),
        (b"HSI", b" "),
        (b"HSI", quote(1)[1] + b"\0" + b"x" * 80),
        (b"HSI", quote(1)[1] + b"\r"),
        (b"HSI", quote(1)[1].replace(b'"open": 1.5', b'"open": 1.5, "open": 1.5')),
        (b"HSI\0", quote(1)[1]),
        (b"HS", quote(1)[1]),
        (b"N225", quote(1)[1].replace(b"HSI", b"N225", 1).replace(b"N225", b"\\u004e225")[:-1] + b',"symbol":"N224"}'),
        quote(1, symbol="\u00e9" * 70),
        quote(2**63),
        quote(1, event_time="2026-02-29T09:30:00.000Z"),
        quote(1, event_time="\u0662026-01-31T09:30:00.000Z"),
        (b"HSI", quote(1)[1] + b"\n"),
        (b"HSI", quote(1)[1] + b"\n" + quote(1)[1]),
        (b"HSI", quote(1)[1].replace(b"HSI", b"H\xc3I")),
        (None, quote(1)[1]),
        (b"HSI", None),
        quote(-1),
        quote(1, volume=1.5),
        quote(1, event_time="2026-01-31 09:30:00.000Z"),
        quote(1, event_time="2026-01-31T09:30:00.000+00:00"),
        quote(1, extra=1),
        (b"HSI", quote(1)[1].replace(b"1.5", b"NaN")),
        (b"HSI", quote(1)[1].replace(b"1.5", b"1e999")),
    ],
)
def test_a_batch_is_judged_as_its_records_are_one_by_one(bad: tuple[bytes | None, bytes | None]) -> None:
    good = [quote(number) for number in range(3)]
    assert flaw(*bad) is not None
    for records in ([bad], [good[0], bad], [bad, *good], [good[0], bad, good[1]], [*good * 20, bad, *good * 20]):
        segment = Segment("t", 0, 0)
        segment.add(record_block(records))
        assert (segment.good.count, segment.bad.count) == (len(records) - 1, 1)
    assert valid_lines(record_block(good)) == b"".join(value + b"\n" for _, value in good)


@pytest.mark.parametrize(
    "symbol", ["A", "HSI", "12345678", "123456789", "1234567890123456", "1" * 17, "\u00e9t\u00e9", 'a"b', "a\\b"]
)
@pytest.mark.parametrize("compact", [True, False])
def test_good_quotes_are_good_however_they_are_written(symbol: str, compact: bool) -> None:
    records = [quote(number, symbol=symbol) for number in range(40)]
    if compact:
        records = [(key, value.replace(b": ", b":").replace(b", ", b",")) for key, value in records]
    assert {flaw(*record) for record in records} == {None}
    segment = Segment("t", 0, 0)
    segment.add(record_block(records))
    assert (segment.good.count, segment.bad.count) == (40, 0)
    assert gzip.decompress(segment.good.finish()) == b"".join(value + b"\n" for _, value in records)


def test_two_objects_on_a_line_are_no_quote_though_another_spans_two_lines() -> None:
    whole = quote(1)[1]
    records: list[tuple[bytes | None, bytes | None]] = [
        (b"HSI", whole + whole),
        (b"HSI", whole[:60]),
        (b"HSI", whole[60:]),
        *(quote(number) for number in range(30)),
    ]
    segment = Segment("t", 0, 0)
    segment.add(record_block(records))
    assert (segment.good.count, segment.bad.count) == (30, 3)


def test_one_bad_record_among_thousands_costs_no_second_look_at_each(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[bytes | None] = []

    def counted(key: bytes | None, value: bytes | None) -> str | None:
        judged.append(value)
        return flaw(key, value)

    monkeypatch.setattr(quotes, "flaw", counted)
    records: list[tuple[bytes | None, bytes | None]] = [quote(number) for number in range(4000)]
    records[1234] = (b"HSI", None)
    segment = Segment("t", 0, 0)
    segment.add(record_block(records))
    assert (segment.good.count, segment.bad.count) == (3999, 1)
    assert len(judged) <= 16


def test_after_a_pause_only_one_second_is_caught_up() -> None:
    pace = Pace(100, 0.0)
    assert pace.due(0.5) == 50
    pace.sent(50)
    assert pace.due(60.0) == 100
    pace.sent(100)
    assert pace.due(60.5) == 50


def test_pauses_grow_up_to_their_limit_and_start_again_after_success() -> None:
    pauses = Backoff(first=1, limit=8)
    bounds = [1, 2, 4, 8, 8]
    assert all(bound * 0.75 <= pauses.pause() <= bound for bound in bounds)
    pauses.reset()
    assert pauses.pause() <= 1


def test_systemd_hears_readiness_once_and_the_watchdog_is_fed(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(60)
        systemd = Systemd({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000000"})
        systemd.ready()
        systemd.ready()
        systemd.status("5 records/s")
        systemd.alive()
        systemd.alive()
        heard = [listener.recv(100) for _ in range(3)]
        listener.settimeout(0.05)
        with pytest.raises(TimeoutError):
            listener.recv(100)
    assert heard == [b"READY=1", b"STATUS=5 records/s", b"WATCHDOG=1"]


def test_a_signal_that_meets_the_main_thread_with_the_lock_of_its_wait_ends_the_service() -> None:
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", MEETING]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=90)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


# What Event.wait() does, drawn out: the main thread has the event's lock when the signal comes.
MEETING = """
import os, signal, time
from stock_market.service import Stop

stop = Stop()
stop.install()
with stop._event._cond:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.05)
assert stop.wait(60)
assert 0 < stop.remaining() <= 25
print("ended")
"""

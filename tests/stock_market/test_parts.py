"""The small parts: settings, pace, pauses, names of objects, validation of batches."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.stock_market.services import quote

from stock_market import consumer, kafka_client, producer
from stock_market.chain import object_key, parse_key
from stock_market.errors import ServiceError
from stock_market.producer import Pace
from stock_market.quotes import all_valid, flaw
from stock_market.segment import Lines, Segment
from stock_market.service import Backoff, Systemd

CONSUMER = '[kafka]\nbootstrap_servers = ["10.0.0.1:9093"]\n[s3]\nbucket = "stock-market-data-123456789012"\n'
PRODUCER = '[kafka]\nbootstrap_servers = ["10.0.0.1:9093"]\n'


@pytest.mark.parametrize(
    ("program", "text", "words"),
    [
        (producer, PRODUCER, ""),
        (consumer, CONSUMER, ""),
        (producer, "", "missing required field `kafka`"),
        (producer, "rate = 0\n" + PRODUCER, "rate: Expected `float` > 0"),
        (producer, "rtae = 5\n" + PRODUCER, "unknown field `rtae`"),
        (producer, 'mode = "replay"\n' + PRODUCER, "the table [replay] with the CSV's path is missing"),
        (producer, PRODUCER + '[replay]\npath = "/none.csv"\n', ""),
        (
            producer,
            'mode = "replay"\n' + PRODUCER + '[replay]\npath = "/none.csv"\n',
            "cannot read the CSV file /none.csv",
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
    kafka_client.require_accelerators()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "crc32c" else object())
    with pytest.raises(ServiceError, match="crc32c is missing"):
        kafka_client.require_accelerators()


def test_an_objects_name_tells_hour_partition_and_start() -> None:
    key = object_key("quotes/", "stock-quotes", 7, 1234, 1_767_225_599_999)
    assert key == "quotes/dt=2025-12-31/hour=23/stock-quotes+7+00000000000000001234.json.gz"
    assert parse_key(key) == ("stock-quotes", 7, 1234)
    assert parse_key("quotes/dt=2025-12-31/readme.txt") is None


def test_the_same_lines_give_the_same_object_however_they_come() -> None:
    whole, halves = Lines(), Lines()
    whole.add(b"one\ntwo\n", 2)
    halves.add(b"one\n", 1)
    halves.add(b"two\n", 1)
    assert (whole.sha256, whole.count) == (halves.sha256, halves.count)
    again = Lines()
    again.add(b"one\ntwo\n", 2)
    assert whole.finish() == again.finish() == whole.finish()
    assert whole.finish()[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize(
    "bad",
    [
        (b"HSI", b""),
        (b"HSI", b" "),
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
    for records in ([bad], [good[0], bad], [bad, *good], [good[0], bad, good[1]]):
        segment = Segment("t", 0, 0)
        segment.add([SimpleNamespace(offset=n, timestamp=5, key=k, value=v) for n, (k, v) in enumerate(records)])
        assert (segment.good.count, segment.bad.count) == (len(records) - 1, 1)
    joined = b"\n".join(value for _, value in good) + b"\n"
    assert all_valid([key for key, _ in good], [value for _, value in good], joined)


def test_after_a_standstill_only_a_second_is_made_up_for() -> None:
    pace = Pace(100, 0.0)
    assert pace.due(0.5) == 50
    pace.sent(50)
    assert pace.due(60.0) == 100
    pace.sent(100)
    assert pace.due(60.5) == 50


def test_pauses_grow_up_to_their_limit_and_start_anew_after_success() -> None:
    pauses = Backoff(first=1, limit=8)
    bounds = [1, 2, 4, 8, 8]
    assert all(bound * 0.75 <= pauses.pause() <= bound for bound in bounds)
    pauses.reset()
    assert pauses.pause() <= 1


def test_systemd_hears_readiness_once_and_the_watchdog_is_fed(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(2)
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

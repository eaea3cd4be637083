"""The metrics' listener: bounded, harmless where it can't listen, and complete where the unit hides /proc/stat."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.stock_market.broker import free_port
from tests.support.stock_market.scraping import scrape, table, undefined
from tests.support.stock_market.services import SCRIPTS, eventually

from stock_market.errors import SettingsError
from stock_market.metrics import listener, process
from stock_market.metrics.definition import Definitions
from stock_market.metrics.histogram import Histogram
from stock_market.metrics.start import listen as start_listener
from stock_market.service import Stop
from stock_market.settings import MetricsListener, ProducerSettings, decode

_defined = Definitions("try_")
_COUNT = _defined.counter("records_total", "records", "Records.", reason=("a", "b"))
_TIMES = _defined.histogram("seconds", "seconds", "Times.", (1.0, 2.5))
_INFO = _defined.info("info", "What it is.", mode=("x",))
KNOWN = (*_defined.metrics, *process.PROCESS, *process.COLLECTOR)


@pytest.fixture
def stop() -> Iterator[Stop]:
    """Ends the attempts to listen."""
    stop = Stop()
    yield stop
    stop.request()


def start(port: int, stop: Stop) -> Histogram:
    """A listener with three metrics."""
    times = Histogram(_TIMES.bounds)
    listener.listen(
        MetricsListener(address="127.0.0.1", port=port),
        lambda: {_COUNT: {("a",): 3, ("b",): 0}, _TIMES: times.snapshot(), _INFO: {("x",): 1}},
        stop,
    )
    return times


def wait_for(port: int) -> None:
    """Waits until somebody listens there."""

    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    eventually(listens, "a listener")


def test_a_scrape_has_each_defined_metric_with_its_type_and_value(stop: Stop) -> None:
    port = free_port()
    times = start(port, stop)
    times.add(0.5, 10)
    times.add(2.5)
    times.add(7.0, 2)
    wait_for(port)
    found = scrape(port)
    assert undefined(found, KNOWN) == set()
    assert {metric.name for metric in KNOWN if not found.has(metric.name) and metric.kind != "histogram"} == set()
    assert found.value("try_records_total", reason="a") == 3
    assert found.types["try_records"] == "counter"
    assert [found.value("try_seconds_bucket", le=bound) for bound in ("1.0", "2.5", "+Inf")] == [10, 11, 13]
    assert found.value("try_seconds_count") == 13
    assert found.value("try_seconds_sum") == 0.5 * 10 + 2.5 + 14
    assert found.value("try_info", mode="x") == 1
    assert found.value("process_resident_memory_bytes") > 1 << 20
    assert abs(found.value("process_start_time_seconds") - time.time()) < 3600
    assert found.value("process_cpu_seconds_total") > 0
    assert 0 < found.value("process_open_fds") < found.value("process_max_fds")


def test_a_port_in_use_costs_one_sentence_and_is_taken_once_it_is_free(
    stop: Stop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_AGAIN_SECONDS", 0.1)
    tried: list[object] = []
    bind = listener._Server.server_bind
    monkeypatch.setattr(listener._Server, "server_bind", lambda self: tried.append(self) or bind(self))  # type: ignore[func-returns-value]  # its None is meant
    caplog.set_level(logging.INFO)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        start(port, stop)
        eventually(lambda: len(tried) > 3, "some attempts")
        said = [record for record in caplog.records if record.getMessage() == "metrics_unavailable"]
        assert len(said) == 1
        fields = vars(said[0])["event_fields"]
        assert fields["port"] == port
        assert fields["error"] == "Address already in use"
    eventually(lambda: "metrics_listening" in caplog.messages, "the listener")
    assert scrape(port).has("try_records_total")


def test_an_address_of_another_host_ends_nothing(stop: Stop, caplog: pytest.LogCaptureFixture) -> None:
    listener.listen(MetricsListener(address="192.0.2.1", port=free_port()), dict, stop)
    eventually(lambda: "metrics_unavailable" in caplog.messages, "the sentence")


def test_clients_that_say_nothing_or_trickle_hold_the_listener_for_a_bounded_time(
    stop: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_REQUEST_SECONDS", 1.0)
    port = free_port()
    start(port, stop)
    wait_for(port)
    before = threading.active_count()
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"GET /metrics HTTP/1.0\r\n")
        began = time.monotonic()
        closed = False
        while not closed and time.monotonic() - began < 5:
            try:
                slow.sendall(b"X: y\r\n")
                slow.settimeout(0.2)
                closed = slow.recv(4096) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
        assert closed
        assert time.monotonic() - began < 3
    assert scrape(port).has("try_records_total")
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    assert scrape(port).has("try_records_total")
    assert threading.active_count() <= before + 2
    for one in silent:
        one.close()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('address = "nowhere"\nport = 9410', "metrics: the address 'nowhere' is not an IP address of this host"),
        ('address = "10.0.0.1"\nport = 0', "metrics.port: Expected `int` >= 1"),
        ('address = "10.0.0.1"\nport = 70000', "metrics.port: Expected `int` <= 65535"),
    ],
)
def test_a_wrong_listener_is_refused_in_one_sentence(lines: str, sentence: str) -> None:
    text = f'[kafka]\nbootstrap_servers = ["a:1"]\n[metrics]\n{lines}\n'
    with pytest.raises(SettingsError) as refused:
        decode(text.encode(), "the settings", ProducerSettings)
    assert str(refused.value) == f"the settings: {sentence}"


def test_without_the_table_nobody_listens(stop: Stop) -> None:
    before = threading.active_count()
    start_listener(None, dict, stop)
    assert threading.active_count() == before


def test_without_a_port_a_service_loads_nothing_of_it() -> None:
    services = "stock_market.producer.service, stock_market.consumer.service"
    code = f"import sys, {services}; print('prometheus_client' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("program", ["producer", "consumer"])
def test_a_service_that_waits_for_its_broker_is_read_already(program: str, tmp_path: Path) -> None:
    port, nobody = free_port(), free_port()
    settings = tmp_path / "settings.toml"
    storage = '[s3]\nbucket = "bucket"\n' if program == "consumer" else ""
    settings.write_text(f'[kafka]\nbootstrap_servers = ["127.0.0.1:{nobody}"]\n{storage}{table(port)}')
    command = [sys.executable, "-m", f"stock_market.{program}", "--config", str(settings)]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(SCRIPTS)}, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            found = scrape(port)
        finally:
            process.kill()
    assert found.value(f"stock_{program}_records_total") == 0
    assert found.value("process_cpu_seconds_total") > 0

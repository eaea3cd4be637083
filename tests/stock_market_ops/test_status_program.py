"""`make status` against an incomplete deployment: a report in time, never a hang."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import CredentialRetrievalError
from tests.support.small_cloud import SmallCloud

from stock_market.history import folders
from stock_market_ops.common import athena, aws
from stock_market_ops.common.deployment import Deployment
from stock_market_ops.status import command as status
from stock_market_ops.status import probe_cloud, probe_kafka
from stock_market_ops.status.report import KafkaView

QUOTE = {"symbol": "AAA", "event_time": "2026-03-02T09:30:00.000Z", "volume": 1, "sequence": 0, "producer_id": "p"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCloud]:
    """Data and a table, but neither instances nor brokers."""
    running = SmallCloud(tmp_path_factory.mktemp("cloud"))
    running.make_table()
    running.store([QUOTE] * 3, partition=0, start_offset=40)
    running.store([QUOTE] * 2, partition=0, start_offset=43)
    running.store([QUOTE] * 4, partition=1, start_offset=7)
    athena.run(running.athena, running.deployment, "SELECT 1", 180)  # Until Trino has started.
    yield running
    running.close()


def test_dead_brokers_make_a_report_and_exit_code_1(cloud: SmallCloud, capsys: pytest.CaptureFixture[str]) -> None:
    own = ["--deployment", cloud.deployment.deployment, "--state-root", str(cloud.state_root)]
    assert status.main([*own, "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["well"] is False
    assert any("No full answer from the brokers at 127.0.0.1:9" in problem for problem in document["problems"])
    assert document["parts"]["rows"]["value"]["rows"] == 9
    assert document["parts"]["storage"]["value"]["end_offsets"] == {"0": 45, "1": 11}


def test_no_deployment_is_exit_code_3(cloud: SmallCloud, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="3"):
        status.main(["--deployment", "elsewhere", "--state-root", str(cloud.state_root)])
    assert "run `make up` first" in capsys.readouterr().err


def test_storage_knows_how_far_each_partition_has_come(cloud: SmallCloud) -> None:
    view = probe_cloud.look_at_storage(aws.session(cloud.deployment), cloud.deployment)
    assert view.end_offsets == {0: 45, 1: 11}
    assert view.newest_key.startswith("quotes/dt=2026-03-02/hour=09/stock-quotes+")


@pytest.mark.parametrize(
    ("most", "objects", "rows"), [((1 << 20, 2), 2, 6), ((1, 100), 1, 4), ((1 << 20, 100), None, 9)]
)
def test_of_a_large_hour_the_rows_of_the_newest_objects_are_counted(
    cloud: SmallCloud, monkeypatch: pytest.MonkeyPatch, most: tuple[int, int], objects: int | None, rows: int
) -> None:
    monkeypatch.setattr(probe_cloud, "_COUNTED_BYTES", most[0])
    monkeypatch.setattr(probe_cloud, "_COUNTED_OBJECTS", most[1])
    seen = probe_cloud.look_at_rows(aws.session(cloud.deployment), cloud.deployment)
    assert (seen.objects, seen.rows, seen.newest_event_time) == (objects, rows, QUOTE["event_time"])


def test_an_empty_bucket_is_said_in_a_sentence(cloud: SmallCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "days", lambda *_: [])
    with pytest.raises(probe_cloud.NothingStoredError, match=r"stock-consumer\.service"):
        probe_cloud.look_at_storage(aws.session(cloud.deployment), cloud.deployment)


def test_a_part_that_hangs_is_reported_and_does_not_delay_the_others(
    cloud: SmallCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def hang(_: Deployment) -> KafkaView:
        ended.wait(300)
        raise probe_kafka.KafkaProbeError("too late")

    monkeypatch.setattr(probe_kafka, "look", hang)
    begin = time.monotonic()
    report = status.look(cloud.deployment, limit_seconds=6.0)
    ended.set()
    assert time.monotonic() - begin < 10
    assert report.kafka.value is None
    assert report.kafka.failure is not None
    assert report.kafka.failure.startswith("No answer about the brokers in ")
    assert report.storage.value is not None


def test_missing_credentials_are_asked_for(cloud: SmallCloud) -> None:
    error = CredentialRetrievalError(provider="custom-process", error_msg="no AWS credentials")
    assert "give your own" in aws.sentence(error, cloud.deployment)

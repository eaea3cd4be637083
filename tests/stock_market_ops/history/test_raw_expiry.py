"""Raw objects expire only where the role storage says so, only when their history was found true, and harmlessly."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.s3.models import S3Backend, s3_backends
from tests.support.small_cloud import make_deployment
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.history_lake import HistoryLake
from tests.support.stock_market.lake import IDENTITY, NOON, TOPIC, Lake, line, lines, poison

from local_cloud.s3 import lifecycle
from stock_market.chain.objects import Objects
from stock_market.chain.s3_connection import S3Connection
from stock_market.chain.store import Store
from stock_market.history import tables, view
from stock_market.history.naming import Hour, TryFolder
from stock_market.hours import HOUR_MS
from stock_market.service import Stop
from stock_market.settings import Storage
from stock_market_ops.common.deployment import Deployment
from stock_market_ops.replay import command as replay_quarantine
from stock_market_ops.verify import command as verify
from stock_market_ops.verify.history import expiry

ACCOUNT = "123456789012"
RULE: Any = {
    "ID": "quotes-with-history-expire",
    "Status": "Enabled",
    "Filter": {"And": {"Prefix": "quotes/", "Tags": [{"Key": "history", "Value": "verified"}]}},
    "Expiration": {"Days": 30},
}


class Deployed:
    """A deployment with S3 and Glue, and no more."""

    def __init__(self, deployment: Deployment, state_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.deployment = deployment
        self.bucket = Bucket(deployment.endpoint_url, deployment.data_bucket)
        self.lake = Lake(self.bucket)
        self.history = HistoryLake(self.lake)
        self._own = ["--deployment", deployment.deployment, "--state-root", str(state_root), "--format", "json"]
        self._capsys = capsys
        self.glue = boto3.client("glue", "us-east-1", endpoint_url=deployment.endpoint_url, aws_access_key_id="test",
                                 aws_secret_access_key="test")  # fmt: skip
        self._names = view.Names(deployment.database)
        self._read = view.History()
        table: Any = tables.history_table(self._names.history, self.bucket.name, "history/")
        self.glue.create_database(DatabaseInput={"Name": deployment.database})
        self.glue.create_table(DatabaseName=deployment.database, TableInput=table)
        declared: Any = view.table_input(self._names, self._read)
        self.glue.create_table(DatabaseName=deployment.database, TableInput=declared)

    def publish(self, hour: str, dt: str = "2026-01-01", folder: str = "", revision: str = "1", **how: Any) -> str:
        """Makes history of an hour; returns the try's folder."""
        folder = folder or self.history.hour(hour, dt, **how)
        attempt = folder.rstrip("/").rpartition("/")[2]
        lies: Any = tables.history_partition(TryFolder(Hour(dt, hour), attempt), revision, self.bucket.name, "history/")
        database = self.deployment.database
        self.glue.create_partition(DatabaseName=database, TableName=self._names.history, PartitionInput=lies)
        self._read = self._read.published(Hour(dt, hour), revision)
        replaced: Any = view.table_input(self._names, self._read)
        self.glue.update_table(DatabaseName=database, TableInput=replaced)
        return folder

    def verify(self, *arguments: str) -> dict[str, Any]:
        """What `make verify` says at rest, with its exit code as `code`."""
        return self._ask(verify.main, "--at-rest", *arguments)

    def replay(self, *arguments: str) -> dict[str, Any]:
        """What `make replay-quarantine` says."""
        return self._ask(replay_quarantine.main, *arguments)

    def _ask(self, program: Callable[[list[str]], int], *arguments: str) -> dict[str, Any]:
        code = program([*self._own, *arguments])
        out, error = self._capsys.readouterr()
        return {**json.loads(out or "{}"), "code": code, "error": error}

    def let_expire(self) -> None:
        """Makes the rule, as role storage does."""
        self.bucket.client.put_bucket_lifecycle_configuration(
            Bucket=self.bucket.name, LifecycleConfiguration={"Rules": [RULE]}
        )

    def pass_days(self, days: int) -> int:
        """Lets time pass for the bucket's rules; returns how many objects expired."""
        backend: S3Backend = s3_backends[ACCOUNT]["aws"]
        return lifecycle.carry_out(backend, datetime.now(UTC) + timedelta(days=days))

    def tagged(self) -> set[str]:
        """The objects with the tag."""
        client, found = self.bucket.client, set()
        for key in self.bucket.keys(""):
            if client.get_object_tagging(Bucket=self.bucket.name, Key=key)["TagSet"]:
                found.add(key)
        return found

    def raw(self, hour: str) -> list[str]:
        """The raw objects of an hour."""
        return self.bucket.keys(f"quotes/dt=2026-01-01/hour={hour}/")


@pytest.fixture
def deployed(s3_endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Deployed]:
    """A chain over five hours and two partitions, the second of them idle since noon."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    found = Deployed(make_deployment(name, tmp_path / "state" / name, s3_endpoint), tmp_path / "state", capsys)
    found.lake.three()  # 12 and 13 o'clock
    for number, offset in enumerate((26, 31, 36), 2):
        numbers = range(offset - 1, offset + 4)
        found.lake.main(offset, lines(numbers), time_ms=NOON + number * HOUR_MS)
    found.lake.main(0, lines(range(40, 46)), partition=1)
    found.lake.main(6, lines(range(46, 50)), partition=1)
    yield found
    found.glue.delete_database(Name=found.deployment.database)


def test_without_the_option_nothing_is_tagged_and_nothing_expires(deployed: Deployed) -> None:
    deployed.publish("12")
    answer = deployed.verify()
    assert (answer["code"], answer["findings"]) == (0, [])
    assert (answer["history"]["source"], answer["history"]["hours"], answer["history"]["tagged"]) == ("glue", 1, 0)
    assert deployed.tagged() == set()
    assert deployed.pass_days(1000) == 0


def test_objects_expire_whose_history_is_true_but_not_the_chains_end(deployed: Deployed) -> None:
    for hour in ("12", "13", "14"):
        deployed.publish(hour)
    deployed.let_expire()
    before = deployed.verify()
    # Partition 1 ends in the hour 12, partition 0 in the hour 16: the hour before it and later ones stay.
    expected = {key for hour in ("12", "13", "14") for key in deployed.raw(hour) if "+1+" not in key}
    assert deployed.tagged() == expected
    assert (before["history"]["expire_days"], before["history"]["tagged"]) == (30, len(expected))
    assert deployed.verify()["history"]["tagged"] == 0
    assert deployed.pass_days(29) == 0
    assert deployed.pass_days(31) == len(expected)
    after = deployed.verify()
    assert (after["code"], after["findings"]) == (0, [])
    for name in ("records", "missing", "doubles", "producers"):
        assert after[name] == before[name], name
    assert after["history"]["only_here"] == sum(1 for _ in range(30))


def test_nothing_is_tagged_while_something_is_untrue(deployed: Deployed) -> None:
    deployed.publish("12")
    folder = deployed.publish("13")
    deployed.let_expire()
    deployed.lake.put(folder + "part-0", b"rubbish", {})
    assert deployed.verify()["code"] == 1
    assert deployed.tagged() == set()


def test_what_cannot_be_tagged_is_told_beside_the_verdict(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed.publish("12")
    deployed.publish("13")
    deployed.let_expire()

    def refused(*_: object) -> int:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "PutObjectTagging")

    monkeypatch.setattr(expiry, "tag", refused)
    answer = deployed.verify()
    assert (answer["code"], answer["true"]) == (4, True)
    assert "Raw objects were not tagged so that they expire" in answer["error"]
    assert "AccessDenied" in answer["error"]


def test_an_object_that_records_a_loss_stays(deployed: Deployed) -> None:
    deployed.lake.main(41, lines(range(50, 52)), time_ms=NOON + 5 * HOUR_MS, gap_end=43, end=45)
    deployed.lake.main(45, lines([52]), time_ms=NOON + 9 * HOUR_MS)
    for hour in ("12", "13", "14", "15", "16", "17"):
        if deployed.raw(hour):
            deployed.publish(hour)
    deployed.let_expire()
    assert deployed.verify("--accept-gaps")["code"] == 0
    gap = deployed.raw("17")
    assert gap
    assert deployed.tagged()
    assert not deployed.tagged() & set(gap)
    deployed.pass_days(31)
    answer = deployed.verify("--accept-gaps")
    assert (answer["code"], answer["missing"]) == (0, 0)
    assert [finding["kind"] for finding in answer["accepted"]] == ["gap"]


def test_a_consumer_that_starts_finds_the_chains_end_and_no_hole(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for hour in ("12", "13", "14", "15"):
        deployed.publish(hour)
    deployed.let_expire()
    deployed.verify()
    deployed.pass_days(31)
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.bucket.endpoint)
    storage = Storage(bucket=deployed.bucket.name)
    stop = Stop()
    objects = Objects(Store(S3Connection(storage.region, 2), storage.bucket, stop), storage, TOPIC, IDENTITY)
    ends = {}
    for partition in (0, 1):
        found = objects.resume(partition, None, "").info
        assert found is not None
        objects.report_holes(partition, found)
        ends[partition] = found.end
    assert ends == {0: 41, 1: 10}
    assert "committed_offset_wrong" not in caplog.text
    assert "chain_hole" not in caplog.text


def test_a_record_that_only_the_history_has_is_not_replayed(deployed: Deployed) -> None:
    # Number 20 is in the hour 13, number 50 nowhere.
    bad = [poison(41, line(20).decode().strip()), poison(42, line(50).decode().strip())]
    deployed.lake.main(41, lines([]), poisons=bad, time_ms=NOON + 4 * HOUR_MS)
    for hour in ("12", "13"):
        deployed.publish(hour)
    deployed.history.expire(*deployed.raw("12"), *deployed.raw("13"))
    done = deployed.replay()
    assert (done["code"], done["already_in_quotes"], done["replayed"]) == (0, 1, 1)
    assert done["objects_in_history"] == 0
    assert deployed.verify()["doubles"] == 0


def test_a_replay_into_an_hour_that_is_history_waits_for_the_next_compaction(deployed: Deployed) -> None:
    bad = [poison(10, line(50).decode().strip(), partition=1), poison(11, line(51).decode().strip(), partition=1)]
    deployed.lake.main(10, b"", poisons=bad, partition=1)
    folder = deployed.publish("12")
    deployed.publish("13")
    deployed.history.expire(*deployed.raw("12"))
    done = deployed.replay()
    assert (done["replayed"], done["objects_in_history"]) == (2, 1)
    waiting = deployed.verify()
    assert (waiting["code"], waiting["history"]["pending"]) == (0, 1)
    newer = deployed.history.hour("12", before=deployed.history.read(folder))
    deployed.publish("12", folder=newer, revision=newer.rstrip("/").rpartition("/")[2])
    answer = deployed.verify()
    assert (answer["code"], answer["findings"], answer["missing"]) == (0, [], 0)
    assert (answer["history"]["pending"], answer["history"]["orphans"]) == (0, 1)
    # Should its object be gone, too, the manifest knows what was replayed.
    deployed.history.expire(*(key for key in deployed.raw("12") if "replay" in key))
    again = deployed.replay()
    assert (again["replayed"], again["replayed_before"], again["objects"]) == (0, 2, [])
    assert deployed.verify()["code"] == 0


def test_what_the_view_names_and_nobody_has_is_missing(deployed: Deployed) -> None:
    deployed.publish("12")
    deployed.publish("13")
    name = deployed.deployment.database
    deployed.glue.delete_partition(
        DatabaseName=name, TableName="quotes_history", PartitionValues=["2026-01-01", "12", "1"]
    )
    answer = deployed.verify()
    assert (answer["code"], answer["findings"][0]["kind"]) == (1, "history-missing")
    assert "no partition of that revision has its files" in answer["findings"][0]["sentence"]


def test_a_view_that_somebody_replaced_is_told(deployed: Deployed) -> None:
    deployed.publish("12")
    declared: Any = view.table_input(view.Names(deployed.deployment.database), view.History())
    other: Any = declared | {"Parameters": declared["Parameters"] | {"history-watermark": "2026-01-01 15"}}
    deployed.glue.update_table(DatabaseName=deployed.deployment.database, TableInput=other)
    answer = deployed.verify()
    assert (answer["code"], [finding["kind"] for finding in answer["findings"]]) == (1, ["history-view"])

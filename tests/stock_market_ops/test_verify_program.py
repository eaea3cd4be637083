"""How `make verify` judges a pipeline that runs, how it reads, and what it says when it cannot."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import IncompleteReadError
from tests.support.small_cloud import SmallCloud
from tests.support.stock_market.lake import NOON, Lake, lines
from tests.support.stock_market.services import Workbench, eventually
from tests.support.stock_market.verifying import Answer, Ask

from stock_market_ops.verify import bucket as place
from stock_market_ops.verify import command as verify
from stock_market_ops.verify import parallel_reader as crew
from stock_market_ops.verify import reading

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from tests.support.stock_market.bucket import Bucket

pytestmark = pytest.mark.usefixtures("operator")


def test_while_it_runs_only_what_must_be_there_can_be_missing(lake: Lake, ask: Ask) -> None:
    lake.main(0, lines([0, 2, 4, 6]))
    lake.main(0, lines([1, 3]), partition=1)
    answer = _settled(ask)
    assert (answer.code, answer.document["missing"], answer.document["pending"]) == (0, 0, 1)
    answer = ask()
    assert (answer.code, answer.sentences) == (1, ["producer p lacks 1 of its records 0 to 6: sequence 5"])
    assert ask("--unfinished", "p").code == 0


def test_a_killed_producers_hole_below_what_has_arrived_is_missing_all_the_same(lake: Lake, ask: Ask) -> None:
    lake.main(0, lines([0, 4, 6]))
    lake.main(0, lines([1, 3, 5]), partition=1)
    answer = ask("--unfinished", "p")
    assert answer.sentences == ["producer p lacks 1 of its records 0 to 5: sequence 2"]


def test_a_partition_that_was_not_written_yet_holds_the_judgement_back(lake: Lake, ask: Ask) -> None:
    lake.main(0, lines([0, 1], "older"), partition=1)
    lake.main(0, lines([0, 2, 4]), time_ms=NOON + 10_000, last_timestamp=NOON + 12_000)
    answer = _settled(ask)
    assert (answer.code, answer.document["pending"]) == (0, 2)
    # Another's records carry partition 1's clock past these: what p sent by then would be there.
    lake.main(2, lines([2], "older"), partition=1, time_ms=NOON + 80_000, last_timestamp=NOON + 90_000)
    answer = _settled(ask)
    assert answer.sentences == ["producer p lacks 2 of its records 0 to 4: sequence 1, 3"]


def test_a_partition_of_which_nothing_is_there_yet_holds_the_judgement_back(lake: Lake, ask: Ask) -> None:
    lake.main(0, lines([0, 3, 4]))
    answer = _settled(ask)
    assert (answer.code, answer.document["pending"]) == (0, 2)
    lake.main(3, lines([5]), time_ms=NOON + 61_000)
    answer = _settled(ask)
    assert answer.sentences == ["producer p lacks 2 of its records 0 to 4: sequence 1 to 2"]


def _settled(ask: Ask) -> Answer:
    """What is said of a running pipeline once S3's clock has left the moments in which the objects were written."""
    answers: list[Answer] = []

    def of_the_past() -> bool:
        answers.append(ask(running=True))
        return not answers[-1].document["left_out"]

    eventually(of_the_past, "objects of the past")
    return answers[-1]


def test_the_first_lie_is_enough_when_no_more_is_asked_for(lake: Lake, ask: Ask) -> None:
    lake.change(lake.three()[0], record_count="9")
    answer = ask("--first")
    assert (answer.code, answer.kinds, answer.document["true"]) == (1, ["count"], False)


def test_processes_come_to_the_same_as_threads(lake: Lake, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.change(lake.three()[0], gzip.compress(lines(range(10)).replace(b'"volume": 7', b'"volume": 8', 1)))
    alone = ask("--jobs", "1").document
    monkeypatch.setattr(crew, "_WORTH_A_PROCESS_BYTES", 0)
    assert ask("--jobs", "2").document == alone


def test_a_connection_that_breaks_within_a_body_is_not_a_violation(
    lake: Lake, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.three()
    broken: list[str] = []

    def opened(client: S3Client, bucket: str, key: str, size: int) -> place.Opened:
        found = place.opened(client, bucket, key, size)
        if key in broken:
            return found
        broken.append(key)
        return found._replace(pieces=_broken(next(found.pieces)))

    monkeypatch.setattr(reading, "opened", opened)
    assert (ask().code, len(broken)) == (0, 4)


def _broken(first: bytes) -> Iterator[bytes]:
    yield first[:20]
    raise IncompleteReadError(actual_bytes=20, expected_bytes=len(first))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--bucket", "no-such-bucket"], 4, "on no-such-bucket was refused: NoSuchBucket"),
        (["--bucket", "{bucket}"], 4, "holds no object to verify"),
        (
            ["--bucket", "{bucket}", "--endpoint-url", "http://127.0.0.1:1"],
            4,
            "S3 could not be read: Could not connect",
        ),
    ],
)
def test_what_cannot_be_verified_is_not_called_true(
    lake: Lake, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    endpoint = [] if "--endpoint-url" in arguments else ["--endpoint-url", lake.bucket.endpoint]
    assert verify.main([*(word.format(bucket=lake.bucket.name) for word in arguments), *endpoint]) == code
    out, error = capsys.readouterr()
    assert out == ""
    assert words in error
    assert error.count("\n") == 1


def test_no_deployment_is_exit_code_3_and_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="3"):
        verify.main(["--deployment", "none", "--state-root", "/nonexistent"])
    out, error = capsys.readouterr()
    assert (out, error.count("\n"), "There is no deployment 'none'" in error) == ("", 1, True)


def test_the_table_ends_with_the_verdict(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    keys = lake.three()
    own = ["--bucket", lake.bucket.name, "--endpoint-url", lake.bucket.endpoint, "--at-rest"]
    assert verify.main(own) == 0
    assert capsys.readouterr().out.endswith("All is true: 25 records in 4 objects, 0 missing, 0 doubled.\n")
    lake.delete(keys[1])
    assert verify.main(own) == 1
    assert "Not true (3):\n  - quotes/dt=2026-01-01/hour=12/stock-quotes+topic-id+0+0" in capsys.readouterr().out


def test_a_deployments_bucket_is_read_with_its_own_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    cloud = SmallCloud(tmp_path)
    try:
        bucket = SimpleNamespace(client=cloud.s3, name=cloud.deployment.data_bucket)
        Lake(cast("Bucket", bucket)).three()
        own = ["--deployment", cloud.deployment.deployment, "--state-root", str(cloud.state_root)]
        assert verify.main([*own, "--at-rest"]) == 0
        assert "All is true: 25 records" in capsys.readouterr().out
    finally:
        cloud.close()


def test_a_running_pipeline_is_true_at_every_moment(workbench: Workbench, ask: Ask) -> None:
    workbench.create_topic(partitions=3)
    consumer = workbench.consumer(seconds=0.3)
    producer = workbench.producer(rate=3000)
    # Code 4 asks to ask again: all objects are a moment old.
    eventually(lambda: ask(running=True).code != 4, "some objects that are older than a moment")
    for _ in range(4):
        answer = ask(running=True)
        assert (answer.code, answer.sentences) == (0, [])
    # A killed producer's last records may never have been sent; nothing of what Kafka has is missing all the same.
    producer.process.kill()
    producer.process.wait()
    assert consumer.finish() == 0
    (killed,) = ask(running=True).document["producers"]
    assert ask("--unfinished", killed["producer_id"]).code == 0
    assert killed["records"] > 100

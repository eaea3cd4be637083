"""Credentials that come late, stay away or end: the consumer waits, says so, and goes on as soon as there are some."""

from __future__ import annotations

import datetime
import logging
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.faulty_s3 import FaultyS3
from tests.support.stock_market.instance_metadata import InstanceMetadata
from tests.support.stock_market.services import Service, Workbench, eventually

from stock_market.chain import s3_connection
from stock_market.chain.s3_connection import S3Connection, explain, lacks_credentials, may_be_cured
from stock_market.chain.store import Store, UnfinishedError
from stock_market.service import Backoff, Stop

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def metadata() -> Iterator[InstanceMetadata]:
    """Credentials for an hour."""
    service = InstanceMetadata(3600.0)
    yield service
    service.go()


@pytest.fixture
def store(
    metadata: InstanceMetadata, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Store]:
    """A store that finds its credentials in the metadata, before an S3 that judges them."""
    gateway = FaultyS3(bucket.endpoint, metadata.refusal)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in metadata.variables(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", gateway.endpoint)
    yield Store(S3Connection("us-east-1", 2), bucket.name, Stop(), lambda: Backoff(first=0.05, limit=0.2))
    gateway.close()


def put(store: Store, key: str) -> bool:
    """Writes a new object that is empty."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return store.put_new(key, b"", {"sha256": empty})


def put_beside(store: Store, key: str) -> threading.Thread:
    """The same in a thread of its own."""
    thread = threading.Thread(target=put, args=(store, key), daemon=True)
    thread.start()
    return thread


def test_credentials_that_come_late_are_taken(
    store: Store, metadata: InstanceMetadata, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    metadata.go()
    thread = put_beside(store, "quotes/late")
    eventually(lambda: "no credentials that S3 takes" in store.trouble.text, "what the store waits for")
    assert thread.is_alive()
    metadata.come()
    thread.join(60)
    assert bucket.keys() == ["quotes/late"]
    assert store.trouble.text == ""
    assert caplog.messages.count("credentials_missing") == 1
    assert caplog.messages.count("credentials_found") == 1


def test_credentials_that_end_while_the_metadata_is_away_are_asked_for_again(
    store: Store, metadata: InstanceMetadata, bucket: Bucket
) -> None:
    metadata.life_seconds = 2.0
    assert put(store, "quotes/1")
    with metadata.absent():
        metadata.wait_for_end()
        thread = put_beside(store, "quotes/2")
        eventually(lambda: bool(store.trouble.text), "what the store waits for")
        assert metadata.refused >= 1
        assert bucket.keys() == ["quotes/1"]
        metadata.life_seconds = 3600.0
    thread.join(60)
    assert bucket.keys() == ["quotes/1", "quotes/2"]
    assert store.trouble.text == ""


def test_a_question_without_an_answer_in_words_asks_for_credentials_too(
    store: Store, metadata: InstanceMetadata
) -> None:
    metadata.life_seconds = 1.0
    assert put(store, "quotes/1")
    metadata.wait_for_end()
    metadata.life_seconds = 3600.0
    # The answer to a HEAD has no body: 400 and nothing else.
    assert store.metadata("quotes/2") is None
    assert metadata.refused > 0


def test_credentials_that_still_hold_are_used_to_their_end_though_the_metadata_is_away(
    store: Store, metadata: InstanceMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    # botocore asks a quarter of an hour before the end, and every call fails where the metadata is silent then.
    metadata.life_seconds = 3600.0
    assert put(store, "quotes/1")
    client = store._connection.client()
    credentials = client._request_signer._credentials  # type: ignore[attr-defined]  # no stub has private or made-up parts
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    monkeypatch.setattr(credentials, "_expiry_time", soon)
    with metadata.absent():
        assert put(store, "quotes/2")
        assert put(store, "quotes/3")
    assert store._connection.client() is client
    assert store.trouble.text == ""


def test_while_the_metadata_is_away_not_every_call_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    now = [1000.0]
    monkeypatch.setattr("stock_market.chain.s3_connection.time.monotonic", lambda: now[0])
    refresh = s3_connection._Refresh(lambda: asked.append(1) or {})  # type: ignore[func-returns-value]  # its None is meant
    for _ in range(5):
        with pytest.raises(Exception, match="metadata gives none"):
            refresh()
    assert len(asked) == 1
    now[0] += 11
    with pytest.raises(Exception, match="metadata gives none"):
        refresh()
    assert len(asked) == 2


def test_a_service_that_has_to_end_does_not_wait_for_credentials(store: Store, metadata: InstanceMetadata) -> None:
    metadata.go()
    stop = Stop(grace_seconds=0.0)
    stop.request()
    store._stop = stop
    with pytest.raises(UnfinishedError, match="credentials"):
        put(store, "quotes/1")


def refusal(code: str, status: int, seconds: float | None = 0.0) -> ClientError:
    """An answer of S3 whose clock differs by so much from this one."""
    theirs = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds or 0.0)
    headers = {} if seconds is None else {"date": theirs.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers}}
    return ClientError(answer, "PutObject")  # type: ignore[arg-type]  # an answer as botocore makes it, not whole


@pytest.mark.parametrize(
    ("error", "lacks", "curable", "words"),
    [
        (NoCredentialsError(), True, True, "no credentials that S3 takes"),
        (refusal("ExpiredToken", 400), True, True, "no credentials that S3 takes"),
        (refusal("InvalidToken", 400), True, True, "no credentials that S3 takes"),
        (refusal("InvalidAccessKeyId", 403), True, True, "no credentials that S3 takes"),
        (refusal("400", 400), True, True, "no credentials that S3 takes"),
        (RuntimeError(s3_connection._STILL_EXPIRED), True, True, "no credentials that S3 takes"),
        (RuntimeError("another"), False, False, "another"),
        (refusal("AccessDenied", 403), False, False, "AccessDenied"),
        (("403", 0.0), False, True, "403"),
        (refusal("SlowDown", 503), False, False, "SlowDown"),
        (("RequestTimeTooSkewed", 3600.0), False, False, r"this host's clock is (359[0-9]|3600) s behind S3's"),
        (refusal("RequestTimeTooSkewed", 403, None), False, False, "this host's clock is not S3's"),
        (("403", -7200.0), False, True, r"this host's clock is 72[01][0-9] s ahead of S3's"),
    ],
)
def test_answers_of_s3_are_classified(
    error: Exception | tuple[str, float], *, lacks: bool, curable: bool, words: str
) -> None:
    if isinstance(error, tuple):  # Made now, for it carries the time.
        error = refusal(error[0], 403, error[1])
    assert lacks_credentials(error) is lacks
    assert may_be_cured(error) is curable
    told = explain(error)
    assert re.search(words, told)
    assert ("set the clock" in told) is ("clock" in words)


def lacks_credentials_now(consumer: Service) -> bool:
    """Whether it has said so, and not yet that it has found some."""
    log = consumer.log()
    return log.count("event=credentials_missing") > log.count("event=credentials_found")


def test_the_consumer_waits_for_late_credentials_says_so_and_outlives_their_end(
    workbench: Workbench, tmp_path: Path
) -> None:
    metadata = InstanceMetadata(3.0, away=True)
    gateway = FaultyS3(workbench.bucket.endpoint, metadata.refusal)
    words: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(tmp_path / "notify"))
        notices.setblocking(False)

        def told(what: str) -> bool:
            try:
                while True:
                    words.append(notices.recv(4096).decode())
            except BlockingIOError:
                return any(what in word for word in words)

        workbench.create_topic()
        producer = workbench.producer(rate=200)
        variables = metadata.variables(tmp_path) | {
            "AWS_ENDPOINT_URL": gateway.endpoint,
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
        }
        settings = workbench.consumer_settings(seconds=0.3)
        consumer = workbench.start("consumer", settings, **variables)
        eventually(lambda: told("STATUS=waiting for S3: no credentials that S3 takes"), "the status")
        assert not told("READY=1")
        metadata.come()
        eventually(lambda: told("READY=1"), "the consumer to be ready")
        eventually(lambda: len(workbench.bucket.keys()) >= 2, "objects")
        with metadata.absent():
            metadata.wait_for_end()
            eventually(lambda: lacks_credentials_now(consumer), "the end of the credentials")
            held = len(workbench.bucket.keys())
        eventually(lambda: len(workbench.bucket.keys()) > held, "more objects")
        assert producer.finish() == 0
        sent = workbench.record_count()
        eventually(lambda: sum(workbench.bucket.check_chain().values()) == sent, "all that was sent")
        assert consumer.finish() == 0
        workbench.bucket.check_exactly_once(sent)
        assert told("STATUS=S3 answers again")
    metadata.go()
    gateway.close()


def test_a_client_is_given_up_once() -> None:
    connection = S3Connection("us-east-1", 2)
    first, second = cast("S3Client", SimpleNamespace()), cast("S3Client", SimpleNamespace())
    connection._client = first
    connection.give_up(second)
    assert connection.client() is first
    connection.give_up(first)
    assert connection._client is None

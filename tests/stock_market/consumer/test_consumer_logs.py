"""Two logs of one topic's name share a bucket: each has a chain of its own, and the consumer goes on by itself."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError
from tests.support.stock_market.broker import Broker, distribution, free_port
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.scraping import table, wait_until_held
from tests.support.stock_market.services import Workbench, eventually, quote
from tests.support.stock_market.verifying import Ask

from stock_market_ops.verify import command as verify

pytestmark = pytest.mark.usefixtures("operator")

Records = list[tuple[bytes | None, bytes | None]]


def quotes(first: int, last: int, producer_id: str = "p") -> Records:
    """Valid records of a producer, with these sequence numbers."""
    return [quote(number, producer_id) for number in range(first, last)]


def topic_id(bench: Workbench) -> str:
    """The topic's id as Kafka's own tools show it."""
    with KafkaAdminClient(**bench.broker.client) as admin:
        (described,) = admin.describe_topics([bench.topic])
    return base64.urlsafe_b64encode(uuid.UUID(str(described["topic_id"])).bytes).decode().rstrip("=")


def recreate(bench: Workbench, records: Records) -> str:
    """Deletes the topic, creates it again, sends records and returns its new id."""
    with KafkaAdminClient(**bench.broker.client) as admin:
        admin.delete_topics([bench.topic])
        eventually(lambda: bench.topic not in admin.list_topics(), "the topic is gone")

    def created() -> bool:
        # A topic that is listed no more can still be marked for deletion.
        try:
            bench.create_topic()
        except TopicAlreadyExistsError:
            return False
        return True

    eventually(created, "the topic is there again")
    bench.send(records)
    return topic_id(bench)


def test_names_and_metadata_have_the_topics_id_as_kafka_shows_it(workbench: Workbench) -> None:
    workbench.create_topic()
    workbench.send([*quotes(0, 5), (b"HSI", b"no quote")])
    with KafkaAdminClient(**workbench.broker.client) as admin:
        epoch = admin.describe_topics([workbench.topic])[0]["partitions"][0]["leader_epoch"]
    consumer = workbench.consumer(seconds=0.2)
    eventually(lambda: workbench.bucket.keys("quarantine/") != [], "objects")
    assert consumer.finish() == 0
    log = topic_id(workbench)
    (one,) = workbench.bucket.objects()
    assert one.key.rpartition("/")[2] == f"{workbench.topic}+{log}+0+{0:020d}.json.gz"
    assert (one.log, one.metadata["topic-id"], one.metadata["leader-epoch"]) == (log, log, str(epoch))
    assert workbench.bucket.keys("quarantine/") == [one.key.replace("quotes/", "quarantine/", 1)]


def test_a_topic_created_again_while_the_consumer_is_stopped_continues(workbench: Workbench, ask: Ask) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 50))
    old = topic_id(workbench)
    first = workbench.consumer(seconds=0.2)
    eventually(lambda: workbench.bucket.check_chain() == {0: 50}, "objects")
    assert first.finish() == 0
    new = recreate(workbench, quotes(0, 80, "q"))
    second = workbench.consumer(seconds=0.2)
    eventually(lambda: workbench.bucket.check_chain(log=new) == {0: 80}, "the new log")
    assert second.finish() == 0
    assert workbench.bucket.check_chain(log=old) == {0: 50}
    workbench.bucket.check_exactly_once(130)
    answer = ask()
    assert (answer.code, answer.sentences) == (0, [])
    rows = {
        row["log"]["topic_id"]: (row["first"], row["end"], row["violations"]) for row in answer.document["partitions"]
    }
    assert rows == {old: (0, 50, 0), new: (0, 80, 0)}


@pytest.mark.parametrize(
    ("workbench", "count"), [("batches", 80), ("records", 30)], indirect=["workbench"], ids=["longer", "shorter"]
)
def test_a_topic_created_again_while_it_is_read_never_mixes_two_logs(
    workbench: Workbench, ask: Ask, count: int
) -> None:
    workbench.create_topic()
    old = topic_id(workbench)
    workbench.send(quotes(0, 50))
    # What is held of the old log, which Kafka has no more, is stored, too.
    port = free_port()
    consumer = workbench.consumer(seconds=600, extra=table(port))
    wait_until_held(consumer, port, 50)
    assert workbench.bucket.keys() == []
    new = recreate(workbench, quotes(0, count, "q"))
    consumer.logged("topic_recreated")
    eventually(lambda: workbench.bucket.check_chain(log=old) == {0: 50}, "what was held of the old log")
    eventually(lambda: consumer.log().count("partition_started") == 2, "the new log")
    consumer.logged(f"topic_id={new}")
    wait_until_held(consumer, port, count)
    assert consumer.finish() == 0
    assert (workbench.bucket.check_chain(log=old), workbench.bucket.check_chain(log=new)) == ({0: 50}, {0: count})
    # Which log a record is of, by its producer.
    assert {(one.log, line["producer_id"]) for one in workbench.bucket.objects() for line in one.lines} == {
        (old, "p"),
        (new, "q"),
    }
    workbench.bucket.check_exactly_once(50 + count)
    assert ask().code == 0


def test_a_rebuilt_cluster_over_a_kept_bucket_continues(workbench: Workbench, ask: Ask, tmp_path: Path) -> None:
    workbench.create_topic()
    workbench.send(quotes(0, 40))
    old = topic_id(workbench)
    first = workbench.consumer(seconds=0.2)
    eventually(lambda: workbench.bucket.check_chain() == {0: 40}, "objects")
    assert first.finish() == 0
    folder = tmp_path / "rebuilt"
    folder.mkdir()
    broker = Broker(distribution(), folder)
    rebuilt = Workbench(broker, workbench.bucket, folder)
    rebuilt.topic, rebuilt.group = workbench.topic, workbench.group
    try:
        broker.start()
        rebuilt.create_topic()
        rebuilt.send(quotes(0, 60, "q"))
        new = topic_id(rebuilt)
        second = rebuilt.consumer(seconds=0.2)
        eventually(lambda: rebuilt.bucket.check_chain(log=new) == {0: 60}, "the new log")
        assert second.finish() == 0
    finally:
        rebuilt.end()
        broker.stop()
    assert workbench.bucket.check_chain(log=old) == {0: 40}
    workbench.bucket.check_exactly_once(100)
    answer = ask()
    assert answer.code == 0
    clusters = {row["log"]["cluster_id"] for row in answer.document["partitions"]}
    assert len(clusters) == 2


def rename_as_before(bucket: Bucket) -> None:
    """Gives every object the name and the metadata that earlier versions wrote."""
    for one in [*bucket.objects(), *bucket.objects("quarantine/")]:
        log = uuid.UUID(bytes=base64.urlsafe_b64decode(f"{one.log}=="))
        metadata = {name: value for name, value in one.metadata.items() if name != "leader-epoch"}
        metadata["topic-id"] = str(log)
        if "main-object" in metadata:
            metadata["main-object"] = metadata["main-object"].replace(f"+{one.log}+", "+")
        body = bucket.client.get_object(Bucket=bucket.name, Key=one.key)["Body"].read()
        key = one.key.replace(f"+{one.log}+", "+")
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body, Metadata=metadata)
        bucket.client.delete_object(Bucket=bucket.name, Key=one.key)


def test_a_chain_with_names_of_the_old_form_is_continued(
    workbench: Workbench, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    workbench.create_topic()
    workbench.send([*quotes(0, 45), (b"HSI", b"no quote"), *quotes(45, 50)])
    log = topic_id(workbench)
    first = workbench.consumer(seconds=0.2, records=20)
    eventually(lambda: workbench.bucket.check_chain() == {0: 51}, "objects")
    assert first.finish() == 0
    count = len(workbench.bucket.keys())
    rename_as_before(workbench.bucket)
    workbench.send(quotes(50, 70))
    second = workbench.consumer(seconds=0.2, group="another")
    second.logged(" end=71")
    assert second.finish() == 0
    assert "partition_started partition=0 offset=51" in second.log()
    (newer,) = (key for key in workbench.bucket.keys("quotes/") if f"+{log}+" in key)
    assert newer.endswith(f"+0+{51:020d}.json.gz")
    answer = ask()
    assert (answer.code, answer.sentences) == (0, [])
    (row,) = answer.document["partitions"]
    assert (row["log"]["topic_id"], row["end"], row["records"], row["old_names"]) == (log, 71, 70, count)
    place = ["--bucket", workbench.bucket.name, "--endpoint-url", workbench.bucket.endpoint]
    assert verify.main([*place, "--at-rest"]) == 0
    assert f"Names of the old form, without the topic's id: {count} objects" in capsys.readouterr().out

"""Promises about what goes wrong: two at once, zombies, kills at every step, Athena and S3 that fail, orphans."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ClientError
from tests.support.stock_market.history import NOON_HOUR, Deployment, hour_at, line
from tests.support.stock_market.lake import poison

from stock_market.chain.replays import replay_key
from stock_market.history.compactor import athena, clients
from stock_market.history.compactor.catalog import OvertakenError
from stock_market.history.manifest import decode
from stock_market.history.naming import Hour, TryFolder, new_try
from stock_market.service import Stop

STEPS = ("over", "list", "unload", "partition", "check", "manifest", "relist", "publish", "published")
STEPS_OF_SUMS = ("unload_sums", "partition_sums", "check_sums", "publish_sums")
DAYS_LATER = datetime.now(UTC) + timedelta(days=2)


class KilledError(BaseException):
    """The process is gone: nothing of it is done any more."""


@pytest.fixture
def hours(deployment: Deployment) -> Deployment:
    """Two hours that are over, and a third."""
    deployment.main(0, range(10))
    deployment.main(10, range(10, 20), hour=1)
    deployment.main(20, range(20, 21), hour=2)
    return deployment


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for growing pauses; the first is that between questions to Athena."""
    monkeypatch.setattr(Stop, "wait", lambda self, seconds: self.requested or self._event.wait(min(seconds, 0.1)))


def at(step: str, act: Callable[[], Any], hour: Hour = NOON_HOUR) -> Callable[[str, Hour], None]:
    """A hook that acts once, before this step of this hour."""
    once = iter([act])

    def hook(name: str, of: Hour) -> None:
        if (name, of) == (step, hour):
            next(once, lambda: None)()

    return hook


def kill() -> None:
    """Ends the compactor as kill -9 does."""
    raise KilledError


def check_clean(deployment: Deployment, numbers: list[int]) -> None:
    """All is read once, and after the grace nothing is there that is not read."""
    assert deployment.numbers() == numbers
    assert deployment.run(now=DAYS_LATER, every_day=True).problems == []
    for catalog in (deployment.catalog, deployment.sums):
        history = catalog.state().history
        partitions = catalog.partitions()
        read = {hour: folder for (hour, name), folder in partitions.items() if history.revision(hour) == name}
        assert len(partitions) == len(read)
        prefixes = tuple(folder.prefix(catalog.prefix) for folder in read.values() if folder is not None)
        stored = deployment.stored(f"{catalog.prefix}dt=")
        assert [key for key in stored if not key.startswith(prefixes)] == []
    assert deployment.sums.state().history.watermark == deployment.history.watermark
    assert deployment.numbers() == numbers
    assert deployment.summed() == len(numbers)


@pytest.mark.parametrize("step", STEPS + STEPS_OF_SUMS)
def test_killed_before_any_step_the_next_run_completes(hours: Deployment, step: str) -> None:
    with pytest.raises(KilledError):
        hours.run(at(step, kill))
    assert hours.numbers() == list(range(21))
    assert hours.run().problems == []
    assert hours.history.watermark == "2026-01-01 14"
    check_clean(hours, list(range(21)))


@pytest.mark.parametrize("step", STEPS[:-1] + STEPS_OF_SUMS)
def test_a_zombie_that_goes_on_after_others_have_published_and_cleaned_changes_nothing(
    hours: Deployment, step: str
) -> None:
    def others() -> None:
        done = hours.run()
        assert step in STEPS_OF_SUMS or sorted([*done.hours, *done.adopted]) == [NOON_HOUR, hour_at(1)]
        hours.run(now=DAYS_LATER, every_day=True)
        assert hours.numbers() == list(range(21))

    outcome = hours.run(at(step, others))
    assert outcome.problems == []
    # Unless it was its own try that the others have adopted.
    assert step in {"relist", "publish", *STEPS_OF_SUMS} or outcome.hours == []
    check_clean(hours, list(range(21)))


@pytest.mark.parametrize("step", ["fence", "remove_partition", "remove"])
def test_a_stalled_cleaner_removes_nothing_that_others_have_published(hours: Deployment, step: str) -> None:
    with pytest.raises(KilledError):
        hours.run(at("manifest", kill))
    hours.run()
    stray = TryFolder(hour_at(2), new_try())
    hours.lake.put(stray.prefix("history/") + "file", b"x", {})

    def others() -> None:
        hours.run(now=DAYS_LATER, every_day=True)
        hours.main(21, range(21, 22), hour=3)
        hours.main(0, range(50, 52), partition=1)
        hours.run()

    for hour in (NOON_HOUR, hour_at(1), hour_at(2)):
        hours.run(at(step, others, hour), now=DAYS_LATER, every_day=True)
    check_clean(hours, [*range(22), 50, 51])


def test_two_at_once_write_each_hour_once(hours: Deployment) -> None:
    hours.main(21, range(21, 30), hour=3)
    hours.main(30, range(30, 31), hour=4)
    both = threading.Barrier(2)
    found: list[Any] = []

    def run() -> None:
        waits = iter([both])

        def hook(name: str, _hour: Hour) -> None:
            if name == "relist":
                for barrier in waits:
                    barrier.wait(120)

        found.append(hours.run(hook))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [outcome.problems for outcome in found] == [[], []]
    assert {hour for outcome in found for hour in (*outcome.hours, *outcome.adopted)} == {
        hour_at(hour) for hour in range(4)
    }
    check_clean(hours, list(range(31)))


def test_an_object_that_comes_while_the_hour_is_written_is_in_it(hours: Deployment) -> None:
    def late() -> None:
        hours.main(0, range(100, 103), partition=1)

    outcome = hours.run(at("check", late))
    assert outcome.problems == []
    assert hours.numbers() == [*range(21), 100, 101, 102]
    assert hours.manifest().rows == 13


def test_an_object_that_comes_just_before_the_view_is_replaced_is_read_by_the_end_of_the_run(
    hours: Deployment,
) -> None:
    outcome = hours.run(at("publish", lambda: hours.main(0, range(100, 103), partition=1)))
    assert outcome.late == [NOON_HOUR]
    check_clean(hours, [*range(21), 100, 101, 102])


def test_an_update_whose_answer_got_lost_is_known_for_one_s_own(
    hours: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    compactor = hours.compactor()
    publish = compactor._catalog.publish

    def lose(*arguments: Any) -> None:
        publish(*arguments)
        raise OvertakenError("the answer got lost, and a second attempt was refused")

    monkeypatch.setattr(compactor._catalog, "publish", lose)
    outcome = compactor.run()
    assert (outcome.problems, outcome.hours) == ([], [NOON_HOUR, hour_at(1)])
    check_clean(hours, list(range(21)))


def test_orphans_stay_for_the_grace_and_go_only_behind_the_fence(hours: Deployment) -> None:
    with pytest.raises(KilledError):
        hours.run(at("manifest", kill))
    hours.run()
    orphans = set(hours.stored())
    hours.run(now=DAYS_LATER, every_day=True, grace_seconds=30 * 86_400)
    assert orphans <= set(hours.stored())
    before = hours.catalog.state()
    removed = hours.run(now=DAYS_LATER, every_day=True).removed
    # The other hour of the two that were tried together was whole, and is adopted.
    assert removed in (1, 2)
    # Whoever read the view before cannot publish any more.
    with pytest.raises(OvertakenError):
        hours.catalog.publish(before, before.history.published(hour_at(2), "1"))
    check_clean(hours, list(range(21)))


def test_a_superseded_revision_stays_for_the_grace(hours: Deployment) -> None:
    hours.run()
    old, sums = hours.folder(), hours.sums.partitions()[NOON_HOUR, "1"]
    assert sums is not None
    hours.main(0, range(100, 103), partition=1)
    assert hours.run().late == [NOON_HOUR]

    def kept() -> list[str]:
        prefixes = (old.prefix("history/"), sums.prefix("history/by-hour/"))
        return [key for key in hours.stored("history/") if key.startswith(prefixes)]

    # Of the quotes a file and the manifest, of the sums a file.
    assert len(kept()) == 3
    assert hours.run(now=DAYS_LATER, every_day=True).removed == 3
    assert kept() == []
    check_clean(hours, [*range(21), 100, 101, 102])


class Failing:
    """Athena's client; queries that begin with a word are given to Athena as ones that fail."""

    def __init__(self, client: Any, word: str, times: int) -> None:
        self._client = client
        self._word = word
        self._left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def start_query_execution(self, **request: Any) -> Any:
        """Athena's."""
        if self._left and request["QueryString"].startswith(self._word):
            self._left -= 1
            request["QueryString"] = "SELECT 1 / 0"
        return self._client.start_query_execution(**request)


@pytest.mark.parametrize("word", ["UNLOAD", "SELECT side"])
def test_a_query_that_fails_is_tried_again(hours: Deployment, word: str) -> None:
    failing: Any = Failing(hours.clients.athena, word, 1)
    outcome = hours.run(clients=hours.clients._replace(athena=failing))
    # What was tried together with the hour that failed is whole, and is adopted.
    assert (outcome.problems, sorted([*outcome.hours, *outcome.adopted])) == ([], [NOON_HOUR, hour_at(1)])
    check_clean(hours, list(range(21)))


def test_queries_that_go_on_failing_end_with_a_sentence(hours: Deployment) -> None:
    failing: Any = Failing(hours.clients.athena, "UNLOAD", 100)
    outcome = hours.run(clients=hours.clients._replace(athena=failing))
    assert outcome.hours == []
    (problem,) = outcome.problems
    assert problem.startswith("Athena ended the UNLOAD of 2026-01-01 12 as FAILED: ")
    assert hours.stored() == []
    check_clean(hours, list(range(21)))


def test_a_query_that_is_cancelled_is_tried_again(hours: Deployment) -> None:
    class Cancelling(Failing):
        def start_query_execution(self, **request: Any) -> Any:
            started = self._client.start_query_execution(**request)
            if self._left and request["QueryString"].startswith(self._word):
                self._left -= 1
                self._client.stop_query_execution(QueryExecutionId=started["QueryExecutionId"])
            return started

    cancelling: Any = Cancelling(hours.clients.athena, "UNLOAD", 1)
    outcome = hours.run(clients=hours.clients._replace(athena=cancelling))
    assert (outcome.problems, sorted([*outcome.hours, *outcome.adopted])) == ([], [NOON_HOUR, hour_at(1)])
    check_clean(hours, list(range(21)))


@pytest.fixture
def throttled(hours: Deployment, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The compactor's own clients, with a switch: how many of the next calls of which service are throttled."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", hours.bucket.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda _self, _context: 0.0)
    made = clients.connect(hours.settings)
    left = {"athena": 0, "s3": 0, "glue": 0}

    class Answer(AWSResponse):
        content = b'{"__type":"ThrottlingException","message":"Rate exceeded"}'

    def answer(service: str) -> AWSResponse | None:
        if not left[service]:
            return None
        left[service] -= 1
        status = 503 if service == "s3" else 400
        headers: Any = HeadersDict()
        return Answer(hours.bucket.endpoint, status, headers, None)

    for service, client in zip(left, (made.athena, made.s3, made.glue), strict=True):
        events: Any = client.meta.events
        events.register("before-send", lambda service=service, **_more: answer(service))
    return made, left


def test_throttled_calls_are_repeated(hours: Deployment, throttled: Any) -> None:
    made, left = throttled
    left.update(athena=3, s3=3, glue=3)
    assert hours.run(clients=made).hours == [NOON_HOUR, hour_at(1)]
    assert set(left.values()) == {0}
    check_clean(hours, list(range(21)))


@pytest.mark.parametrize("service", ["athena", "s3", "glue"])
def test_a_service_that_goes_on_refusing_ends_the_run_with_a_sentence(
    hours: Deployment, throttled: Any, service: str
) -> None:
    made, left = throttled
    left[service] = 1000
    with pytest.raises(ClientError) as refused:
        hours.run(clients=made)
    assert "was refused" in clients.sentence(refused.value)
    check_clean(hours, list(range(21)))


def test_a_run_that_is_asked_to_end_stops_its_query_and_leaves_all_as_it_was(hours: Deployment) -> None:
    stop = Stop()
    with pytest.raises(athena.StoppedError) as stopped:
        hours.run(at("unload", stop.request), stop=stop)
    assert stopped.value.exit_code == 0
    assert hours.history.watermark == ""
    assert hours.run().problems == []
    check_clean(hours, list(range(21)))


def test_a_zombie_of_late_objects_changes_nothing(hours: Deployment) -> None:
    key = hours.main(21, range(30, 32), poisons=[poison(23), poison(24)], hour=2)
    hours.main(25, range(32, 33), hour=3)
    hours.run()

    def replay(number: int) -> None:
        content = gzip.compress(line(40 + number))
        fields = {"replayed-offsets": str(23 + number), "record-count": "1", "sha256": "00"}
        hours.lake.put(replay_key(key, number), content, fields | {"cluster-id": "cluster", "topic-id": "topic-id"})

    replay(0)

    def others() -> None:
        replay(1)
        hours.run()
        hours.run(now=DAYS_LATER, every_day=True)

    assert hours.run(at("publish", others, hour_at(2))).problems == []
    check_clean(hours, [*range(21), 30, 31, 32, 40, 41])


def test_a_try_that_others_have_adopted_is_not_taken_away_by_its_maker(hours: Deployment) -> None:
    def others() -> None:
        assert hours.run().adopted == [NOON_HOUR, hour_at(1)]
        hours.main(0, range(100, 103), partition=1)

    # The objects that came meanwhile make it try again, but what it has written is read by now.
    assert hours.run(at("relist", others)).problems == []
    check_clean(hours, [*range(21), 100, 101, 102])


def test_a_manifest_that_is_written_after_others_have_removed_its_try_is_read_by_nobody(hours: Deployment) -> None:
    def others() -> None:
        hours.run()
        hours.run(now=DAYS_LATER, every_day=True)

    acts = {"manifest": others, "relist": kill}
    with pytest.raises(KilledError):
        hours.run(lambda name, of: acts.pop(name)() if of == NOON_HOUR and name in acts else None)
    tries = hours.bucket.keys(NOON_HOUR.folder("history/"))
    (left,) = [key for key in tries if key.endswith("_manifest.json") and hours.folder().attempt not in key]
    named = decode(hours.bucket.client.get_object(Bucket=hours.bucket.name, Key=left)["Body"].read(), left).files
    assert named
    assert not {one.key for one in named} & {*tries}
    hours.clients.glue.delete_table(DatabaseName=hours.database, Name="quotes_all")
    hours.catalog.declare()
    assert hours.run().problems == []
    assert hours.numbers() == list(range(21))

"""`make replay-quarantine` brings quarantined records into quotes/ once, however often and by however many."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.lake import Lake, line, lines, poison
from tests.support.stock_market.services import Workbench, eventually, quote

from stock_market.chain.replays import OffsetText, read_offsets
from stock_market_ops.replay import command as replay_quarantine
from stock_market_ops.replay import replayer, source
from stock_market_ops.replay.transform import as_they_are
from stock_market_ops.verify import command as verify
from stock_market_ops.verify.bucket import Place

pytestmark = pytest.mark.usefixtures("operator")
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> Run:
    """The program on that bucket; gives its document, its exit code as `code` and its complaint as `error`."""

    def main(*arguments: str, program: Callable[[list[str]], int] = replay_quarantine.main) -> dict[str, Any]:
        own = ["--bucket", bucket.name, "--endpoint-url", bucket.endpoint, "--format", "json"]
        code = program([*own, *arguments])
        out, error = capsys.readouterr()
        return {**json.loads(out or "{}"), "code": code, "error": error}

    return main


def verified(run: Run) -> dict[str, Any]:
    """What the verifier says of the bucket, at rest."""
    return run("--at-rest", program=verify.main)


def replays(lake: Lake) -> list[str]:
    """The replay objects."""
    return [key for key in lake.bucket.keys("quotes/") if "+replay-" in key]


def python(text: str) -> str:
    """A filter in Python: `line` is the quarantine's line as an object, `answer` the quote that it becomes."""
    body = f"for text in sys.stdin:\n line=json.loads(text); answer=None\n {text}\n print(json.dumps(answer))"
    return f"{sys.executable} -c {shlex.quote(f'import json,sys{chr(10)}{body}')}"


MEND_PRICES = python("answer=json.loads(line['value']); answer['open']=1.5")


def test_corrected_records_reach_quotes_once_and_the_stream_continues(workbench: Workbench, run: Run) -> None:
    workbench.create_topic()
    dear = [quote(number, open="dear") for number in (1, 4, 5)]
    workbench.send([quote(0), dear[0], quote(2), quote(3), dear[1], dear[2], (b"k", b"rubbish"), quote(6)])
    first = workbench.consumer(seconds=0.3)
    eventually(lambda: workbench.bucket.check_chain() == {0: 8}, "the object")
    assert first.finish() == 0
    (producer,) = verified(run)["producers"]
    assert (producer["records"], producer["missing"], producer["quarantined"]) == (4, 0, 3)
    told = run("--filter", MEND_PRICES, "--reason", "the field open", "--dry-run")
    assert (told["can_be_replayed"], told["replayed"], told["objects"]) == (3, 0, [])
    assert verified(run)["records"] == 4
    done = run("--filter", MEND_PRICES, "--reason", "the field open")
    assert (done["code"], done["replayed"], done["stay"]) == (0, 3, 0)
    again = run("--filter", MEND_PRICES, "--reason", "the field open")
    assert (again["replayed"], again["replayed_before"], again["objects"]) == (0, 3, [])
    # A consumer that has lost its committed offset finds the chain's end all the same.
    workbench.send([quote(7)])
    second = workbench.consumer(seconds=0.3, group="another")
    eventually(lambda: verified(run)["records"] == 8, "the record after them")
    assert second.finish() == 0
    answer = verified(run)
    assert (answer["code"], answer["missing"], answer["doubles"]) == (0, 0, 0)
    (producer,) = answer["producers"]
    assert (producer["records"], producer["newest"], producer["quarantined"]) == (8, 7, 0)
    stay = run()
    assert (stay["stay"], stay["replayed_before"]) == (1, 3)
    assert [kind["now"] for kind in stay["kinds"] if kind["records"] == 1 and "invalid" in kind["now"]]


def test_what_is_valid_by_todays_rules_needs_no_filter(lake: Lake, run: Run) -> None:
    lake.main(0, lines([0, 2]), poisons=[poison(2, line(1).decode().strip(), reason="the rule of yesterday")])
    assert run()["kinds"] == [{"reason": "the rule of yesterday", "now": "replayed", "records": 1}]
    assert verified(run)["code"] == 0


def test_a_record_that_quotes_has_already_is_not_replayed(lake: Lake, run: Run) -> None:
    twice = [poison(2, line(1).decode().strip()), poison(3, line(5).decode().strip())]
    lake.main(0, lines([0, 1]), poisons=[*twice, poison(4, line(5).decode().strip())])
    lake.main(5, lines([2, 3, 4]))
    done = run()
    assert (done["already_in_quotes"], done["replayed"]) == (2, 1)
    assert verified(run)["code"] == 0


def test_many_at_once_replay_each_record_once(lake: Lake, run: Run) -> None:
    # Every other offset, so that one object's metadata cannot name them all.
    bad = [poison(offset, line(offset).decode().strip()) for offset in range(1, 2000, 2)]
    lake.main(0, lines(range(0, 2000, 2)), poisons=bad)
    place = Place(lake.bucket.name, endpoint_url=lake.bucket.endpoint)
    runs = [replayer.Replayer(place, as_they_are) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: one.run(dry=False), runs))
    assert len(replays(lake)) > 3
    answer = verified(run)
    assert (answer["code"], answer["records"], answer["missing"], answer["doubles"]) == (0, 2000, 0, 0)


def test_who_comes_second_looks_again_and_replays_nothing(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.main(0, lines([0]), poisons=[poison(1, line(1).decode().strip())])
    rival = replayer.Replayer(Place(lake.bucket.name, endpoint_url=lake.bucket.endpoint), as_they_are)
    really = source.put_new

    def rival_first(*arguments: Any) -> bool:
        monkeypatch.setattr(replayer, "put_new", really)
        assert len(rival.run(dry=False).written) == 1
        return really(*arguments)

    monkeypatch.setattr(replayer, "put_new", rival_first)
    assert run()["replayed"] == 0
    assert verified(run)["records"] == 2


def test_a_run_that_is_cut_off_is_finished_by_the_next(lake: Lake, run: Run) -> None:
    for start in (0, 10, 20):
        bad = [poison(start + 9, line(start + 9).decode().strip())]
        lake.main(start, lines(range(start, start + 9)), poisons=bad)
    once = python("answer=json.loads(line['value']); line['offset']==19 and sys.exit('no')")
    failed = run("--filter", once)
    assert (failed["code"], failed["error"].count("\n")) == (1, 1)
    assert "ended with exit code 1: no" in failed["error"]
    assert run("--reason", "no quote")["replayed"] == 3
    assert verified(run)["code"] == 0


def test_a_lost_answer_causes_no_second_replay(lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.main(0, lines([0]), poisons=[poison(1, line(1).decode().strip())])
    really = source.put_new

    def stored_but_refused(*arguments: Any) -> bool:
        assert really(*arguments)
        return really(*arguments)

    monkeypatch.setattr(replayer, "put_new", stored_but_refused)
    assert run()["replayed"] == 1
    assert verified(run)["records"] == 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (python("continue"), "wrote 1 lines for 2 records: it has to write one for each, `null` for"),
        ("false", "the filter false ended with exit code 1"),
        ("/no/such/program", "cannot be run: No such file or directory"),
    ],
)
def test_a_filter_that_fails_changes_nothing(lake: Lake, run: Run, command: str, words: str) -> None:
    lake.main(0, lines([0]), poisons=[poison(1), poison(2)])
    before = lake.bucket.keys("")
    answer = run("--filter", command)
    assert (answer["code"], lake.bucket.keys("")) == (1, before)
    assert words in answer["error"]


def test_a_record_that_the_filter_cannot_correct_stays(lake: Lake, run: Run) -> None:
    lake.main(0, lines([0]), poisons=[poison(1), poison(2)])
    answer = run("--filter", python("answer={'symbol':'HSI'} if line['offset']==1 else None"))
    assert (answer["stay"], answer["replayed"]) == (2, 0)
    assert [kind["now"] for kind in answer["kinds"]] == [
        "the field event_time is missing",
        "the filter cannot mend it",
    ]


def test_a_damaged_quarantine_object_is_left_alone_and_named(lake: Lake, run: Run) -> None:
    key = lake.main(0, lines([0]), poisons=[poison(1, line(1).decode().strip())])
    lake.main(2, lines([2]), poisons=[poison(3, line(3).decode().strip())])
    damaged = key.replace("quotes/", "quarantine/")
    lake.change(damaged, record_count="2")
    answer = run()
    assert (answer["code"], answer["replayed"]) == (1, 1)
    assert f"{damaged} is left alone" in answer["error"]


@pytest.mark.parametrize(
    ("offsets", "number", "kind"),
    [("1", 0, ""), ("1-2", 0, "replay-range"), ("1", 1, "replay-hole"), ("3", 0, "replay-range"), ("", 0, "metadata")],
)
def test_the_verifier_holds_replays_to_what_was_quarantined(
    lake: Lake, run: Run, offsets: str, number: int, kind: str
) -> None:
    lake.main(0, lines([0]), poisons=[poison(1, line(1).decode().strip())])
    run()
    (key,) = replays(lake)
    answer = lake.bucket.client.get_object(Bucket=lake.bucket.name, Key=key)
    lake.delete(key)
    metadata = answer["Metadata"] | {"replayed-offsets": offsets}
    lake.put(key.replace("replay-0", f"replay-{number}"), answer["Body"].read(), metadata)
    found = verified(run)
    assert ([finding["kind"] for finding in found["findings"]] or [""])[-1] == kind
    assert found["code"] == bool(kind)


def test_the_verifier_finds_an_offset_that_is_replayed_twice(lake: Lake, run: Run) -> None:
    key = lake.main(0, lines([0]), poisons=[poison(1, line(1).decode().strip())])
    run()
    (first,) = replays(lake)
    answer = lake.bucket.client.get_object(Bucket=lake.bucket.name, Key=first)
    lake.put(first.replace("replay-0", "replay-1"), answer["Body"].read(), answer["Metadata"])
    assert {finding["kind"] for finding in verified(run)["findings"]} == {"double", "replay-double"}
    lake.delete(key)
    assert "replay-orphan" in {finding["kind"] for finding in verified(run)["findings"]}


def test_offsets_are_written_as_blocks_and_read_back() -> None:
    text = OffsetText()
    taken = [offset for offset in (3, 4, 5, 9, 11, 12) if text.add(offset)]
    assert (text.text, taken) == ("3-5,9,11-12", [3, 4, 5, 9, 11, 12])
    assert read_offsets({"replayed-offsets": text.text}) == [(3, 5), (9, 9), (11, 12)]
    while text.add(taken[-1] + 2):
        taken.append(taken[-1] + 2)
    assert len(text.text) <= 1400
    assert read_offsets({"replayed-offsets": text.text})[-1] == (taken[-1], taken[-1])

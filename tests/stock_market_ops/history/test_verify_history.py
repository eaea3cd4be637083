"""`make verify` judges the history: true history is found true, whatever is gone, and each untrue one is named."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.stock_market.history_lake import HistoryLake, checksum, parquet
from tests.support.stock_market.lake import NOON, Lake, line, lines, poison
from tests.support.stock_market.verifying import Answer, Ask

from stock_market.hours import HOUR_MS
from stock_market_ops.verify import command as verify
from stock_market_ops.verify.history import hours as judged

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def history(lake: Lake) -> HistoryLake:
    """A true chain over four hours and two partitions, of which nothing is history yet."""
    lake.three()  # 12 and 13 o'clock
    lake.main(26, lines(range(25, 30)), time_ms=NOON + 2 * HOUR_MS)
    lake.main(31, lines(range(30, 34)), time_ms=NOON + 3 * HOUR_MS)
    lake.main(0, lines(range(34, 40)), partition=1)
    lake.main(6, lines(range(40, 44)), partition=1, time_ms=NOON + 3 * HOUR_MS)
    return HistoryLake(lake)


def raw(history: HistoryLake, hour: str) -> list[str]:
    return history.lake.bucket.keys(f"quotes/dt=2026-01-01/hour={hour}/")


def said(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = answer.document["history"]
    return found


def test_true_history_beside_its_raw_objects_counts_once(history: HistoryLake, ask: Ask) -> None:
    for hour in ("12", "13"):
        history.hour(hour)
    answer = ask()
    assert (answer.code, answer.sentences) == (0, [])
    assert (answer.document["records"], answer.document["doubles"]) == (44, 0)
    assert said(answer)["source"] == "s3"
    assert (said(answer)["watermark"], said(answer)["hours"], said(answer)["records"]) == ("2026-01-01 14", 2, 31)
    assert (said(answer)["only_here"], said(answer)["pending"], said(answer)["orphans"]) == (0, 0, 0)


@pytest.mark.parametrize("gone", [["12"], ["13"], ["12", "13"], ["12", "13", "14"]])
def test_a_chain_whose_raw_objects_are_gone_is_closed_by_the_history(
    history: HistoryLake, ask: Ask, gone: list[str]
) -> None:
    for hour in ("12", "13", "14"):
        history.hour(hour)
    whole = ask().document
    for hour in gone:
        history.expire(*raw(history, hour))
    answer = ask()
    assert (answer.code, answer.sentences) == (0, [])
    for name in ("records", "missing", "doubles", "pending"):
        assert answer.document[name] == whole[name], name
    assert answer.document["producers"] == whole["producers"]
    rows = answer.document["partitions"]
    assert [row["records"] for row in rows] == [row["records"] for row in whole["partitions"]]
    assert [row["quarantined"] for row in rows] == [1, 0]
    assert sum(row["gone"] for row in rows) == whole["objects"] - answer.document["objects"]
    assert said(answer)["only_here"] == sum({"12": 24, "13": 7, "14": 5}[hour] for hour in gone)


def test_an_hour_of_which_only_some_raw_objects_are_gone_is_true(history: HistoryLake, ask: Ask) -> None:
    history.hour("12")
    history.expire(raw(history, "12")[1])
    answer = ask()
    assert (answer.code, answer.sentences) == (0, [])
    assert (answer.document["records"], answer.document["missing"]) == (44, 0)


def test_a_raw_object_that_no_history_holds_is_missed_all_the_same(history: HistoryLake, ask: Ask) -> None:
    history.hour("12")
    history.hour("13")
    history.expire(*raw(history, "14"))
    answer = ask()
    assert answer.kinds == ["hole", "missing"]


def test_a_replay_belongs_to_a_main_object_that_is_gone(history: HistoryLake, ask: Ask) -> None:
    main = raw(history, "12")[1]
    _replay(history.lake, main, lines([44]), 0, "13")
    folder = history.hour("12")
    history.expire(*(key for key in raw(history, "12") if "replay" not in key))
    answer = ask()
    assert (answer.code, answer.sentences) == (0, [])
    history.expire(folder + "_manifest.json")
    assert "replay-orphan" in ask().kinds


def _replay(lake: Lake, main: str, content: bytes, number: int, offsets: str) -> str:
    packed = gzip.compress(content)
    metadata = {
        "replayed-offsets": offsets,
        "record-count": str(content.count(b"\n")),
        "sha256": hashlib.sha256(packed).hexdigest(),
        "cluster-id": "cluster",
        "topic-id": "topic-id",
    }
    return lake.put(main.replace(".json.gz", f"+replay-{number}.json.gz"), packed, metadata)


def test_a_late_replay_is_pending_and_a_day_later_a_violation(
    history: HistoryLake, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.hour("12")
    main = raw(history, "12")[1]
    _replay(history.lake, main, lines([44]), 0, "13")
    answer = ask()
    assert (answer.code, said(answer)["pending"]) == (0, 1)
    monkeypatch.setattr(judged, "LATE_SECONDS", -1)
    answer = ask()
    assert answer.kinds == ["history-late"]
    assert "replay-0.json.gz is 0 hours old and not in the history of 2026-01-01 12" in answer.sentences[0]
    history.hour("12", before=history.read(_folders(history)[0]))
    answer = ask()
    assert (answer.code, said(answer)["orphans"]) == (0, 1)


def _folders(history: HistoryLake) -> list[str]:
    return [key.removesuffix("_manifest.json") for key in history.lake.bucket.keys("history/") if "_manifest" in key]


def test_a_late_main_object_is_pending_also_where_the_hour_had_none(history: HistoryLake, ask: Ask) -> None:
    history.hour("12")
    history.hour("14")
    answer = ask()
    assert (answer.code, said(answer)["pending"]) == (0, 1)
    history.lake.main(6, lines(range(44, 46)), partition=1)
    answer = ask()
    assert said(answer)["pending"] == 2


def test_a_folder_without_a_manifest_is_an_orphan_and_not_read(history: HistoryLake, ask: Ask) -> None:
    history.hour("12")
    history.lake.put("history/dt=2026-01-01/hour=12/20260201T000000Z-0000000a/part-0", b"half a file", {})
    answer = ask()
    assert (answer.code, said(answer)["orphans"], said(answer)["orphan_bytes"]) == (0, 1, 11)


def test_a_newer_try_that_has_only_its_manifest_left_is_an_orphan(history: HistoryLake, ask: Ask) -> None:
    history.hour("12")
    removed = history.hour("12")
    history.expire(removed + "part-0")
    answer = ask()
    assert (answer.code, said(answer)["orphans"]) == (0, 1)


Damage = Callable[[HistoryLake], Any]


def _quotes(history: HistoryLake, hour: str) -> list[dict[str, Any]]:
    return [quote for _, _, held in history.raw("2026-01-01", hour) for quote in held]


def _lost(history: HistoryLake) -> None:
    history.hour("12", files=[_quotes(history, "12")[:-1]])


def _doubled(history: HistoryLake) -> None:
    quotes = _quotes(history, "12")
    history.hour("12", files=[quotes[1:], quotes[:2]])


def _another_price(history: HistoryLake) -> None:
    quotes = _quotes(history, "12")
    history.hour("12", files=[[quotes[0] | {"close_usd": 0.2276}, *quotes[1:]]])


def _manifest_and_files_agree_on_less(history: HistoryLake) -> None:
    quotes = _quotes(history, "12")
    numbers = [quote["sequence"] for quote in quotes[1:]]
    producer = {"producer_id": "p", "records": 23, "min": min(numbers), "max": max(numbers), "sum": str(sum(numbers))}
    history.hour("12", files=[quotes[1:]], rows=23, producers=[producer])


def _manifest_and_files_agree_on_another_price(history: HistoryLake) -> None:
    quotes = _quotes(history, "12")
    quotes[0] |= {"volume": 8}
    history.hour("12", files=[quotes], checksum=f"{checksum(quotes):016x}")


def _other_producer(history: HistoryLake) -> None:
    quotes = _quotes(history, "12")
    history.hour("12", files=[[quotes[0] | {"producer_id": "q"}, *quotes[1:]]])


def _file_gone(history: HistoryLake) -> None:
    folder = history.hour("12")
    history.expire(folder + "part-0")


def _file_more(history: HistoryLake) -> None:
    folder = history.hour("12")
    history.lake.put(folder + "part-1", parquet([]), {})


def _file_damaged(history: HistoryLake) -> None:
    folder = history.hour("12")
    body = history.lake.bucket.client.get_object(Bucket=history.lake.bucket.name, Key=folder + "part-0")["Body"].read()
    history.lake.put(folder + "part-0", body[:200] + b"\0" * 100 + body[300:], {})


def _no_parquet(history: HistoryLake) -> None:
    folder = history.hour("12")
    history.lake.put(folder + "part-0", b"rubbish", {})


def _manifest_broken(history: HistoryLake) -> None:
    folder = history.hour("12")
    history.lake.put(folder + "_manifest.json", b"{}", {})


def _manifest_of_another_hour(history: HistoryLake) -> None:
    manifest = history.read(history.hour("12"))["manifest"]
    history.lake.put(
        f"history/dt=2026-01-01/hour=13/{manifest['try']}/_manifest.json", json.dumps(manifest).encode(), {}
    )


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_lost, ({"history-count"}, "the history of 2026-01-01 12 holds 23 records, its manifest 24")),
        (_doubled, ({"history-count", "history-double"}, "holds 1 records of producer p twice: sequence 1")),
        (_another_price, ({"history-checksum"}, "holds other records than its manifest: their checksum is")),
        (_manifest_and_files_agree_on_less, ({"history-manifest", "history-late"}, "its raw objects hold 24 records")),
        (
            _manifest_and_files_agree_on_another_price,
            ({"history-checksum"}, "holds other records than the raw objects"),
        ),
        (_other_producer, ({"history-count", "history-checksum"}, "of producer q as its manifest says (none), but 1")),
        (_file_gone, ({"history-files", "history-count"}, "part-0 is not there, but the manifest of the hour")),
        (
            _file_more,
            ({"history-files"}, "part-1 is read as part of the hour 2026-01-01 12, but its manifest does not"),
        ),
        (_no_parquet, ({"history-files", "history-count"}, "part-0 is no sound Parquet file")),
        (_manifest_broken, ({"history-manifest", "history-late"}, "_manifest.json is none")),
        (_manifest_of_another_hour, ({"history-manifest", "history-late"}, "is of the hour 2026-01-01 12, try")),
    ],
)
def test_untrue_history_is_found_out(
    history: HistoryLake, ask: Ask, monkeypatch: pytest.MonkeyPatch, damage: Damage, said: tuple[set[str], str]
) -> None:
    kinds, words = said
    history.hour("13")
    monkeypatch.setattr(judged, "LATE_SECONDS", -1)
    damage(history)
    answer = ask()
    assert answer.code == 1
    assert {kind for kind in answer.kinds if kind.startswith("history")} == kinds
    assert any(words in sentence for sentence in answer.sentences), answer.sentences
    assert all(finding["hour"].startswith("2026-01-01 1") for finding in answer.document["findings"])


def test_a_damaged_file_does_not_pass(history: HistoryLake, ask: Ask) -> None:
    _file_damaged(history)
    answer = ask()
    assert answer.code == 1
    assert all(kind.startswith("history") for kind in answer.kinds)


def test_a_record_of_an_hour_that_is_gone_is_a_double_in_another(history: HistoryLake, ask: Ask) -> None:
    history.hour("12")
    history.lake.main(35, lines([3]), time_ms=NOON + 3 * HOUR_MS)
    history.expire(*raw(history, "12"))
    answer = ask()
    assert answer.kinds == ["double"]
    assert "3" in answer.sentences[0]


def test_a_quarantine_object_of_a_main_object_that_is_gone_is_compared_with_the_manifest(
    history: HistoryLake, ask: Ask
) -> None:
    history.hour("12")
    history.expire(*raw(history, "12"))
    (key,) = history.lake.bucket.keys("quarantine/")
    history.lake.change(key, gzip.compress(poison(13) + poison(14)))
    assert "quarantine-count" in ask().kinds
    history.expire(key)
    answer = ask()
    assert answer.kinds == ["quarantine-missing"]
    assert "the history of 2026-01-01 12 names 1 quarantined records of partition 0" in answer.sentences[0]


def test_a_topic_among_others_in_the_history_cannot_be_judged_alone(
    history: HistoryLake, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    history.hour("12")
    assert ask("--topic", "stock-quotes").code == 0
    bucket = history.lake.bucket
    own = ["--bucket", bucket.name, "--endpoint-url", bucket.endpoint]
    assert verify.main([*own, "--topic", "another"]) == 4
    assert "holds records of stock-quotes side by side: ask without --topic." in capsys.readouterr().err


def test_a_producer_that_only_the_history_knows_is_judged(history: HistoryLake, ask: Ask) -> None:
    lake = history.lake
    lake.main(10, line(0, "old") + line(1, "old") + line(3, "old"), partition=1, time_ms=NOON + 4 * HOUR_MS)
    lake.main(13, lines([44]), partition=1, time_ms=NOON + 5 * HOUR_MS)
    lake.main(35, lines([45]), time_ms=NOON + 5 * HOUR_MS)
    history.hour("16")
    history.expire(*raw(history, "16"))
    answer = ask()
    assert answer.sentences == ["producer old lacks 1 of its records 0 to 3: sequence 2"]


def test_a_running_pipeline_beside_history_is_true(history: HistoryLake, ask: Ask) -> None:
    for hour in ("12", "13", "14"):
        history.hour(hour)
    history.expire(*raw(history, "13"))
    while (answer := ask(running=True)).document["left_out"]:
        pass
    assert (answer.code, answer.sentences) == (0, [])

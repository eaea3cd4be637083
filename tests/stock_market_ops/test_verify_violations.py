"""`make verify` tells the truth about true objects, and names each violation with its object and range."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from pyroaring import BitMap64
from tests.support.stock_market.lake import NOON, TOPIC, Lake, line, lines, poison
from tests.support.stock_market.verifying import Ask

from stock_market.chain.naming import ObjectName, object_key
from stock_market.hours import HOUR_MS
from stock_market.kafka.identity import Identity
from stock_market_ops.verify import numbers

pytestmark = pytest.mark.usefixtures("operator")


def test_a_true_bucket_is_found_true_and_counted(lake: Lake, ask: Ask) -> None:
    lake.three()
    lake.main(0, lines(range(25, 40)), partition=1)
    answer = ask()
    assert (answer.code, answer.sentences) == (0, [])
    assert answer.document["records"] == 40
    first, second = answer.document["partitions"]
    assert (first["objects"], first["records"], first["quarantined"], first["end"]) == (3, 25, 1, 26)
    assert (second["objects"], second["records"], second["end"]) == (1, 15, 15)
    (producer,) = answer.document["producers"]
    assert (producer["records"], producer["newest"], producer["missing"], producer["doubles"]) == (40, 39, 0, 0)


def _delete_middle(lake: Lake, keys: list[str]) -> None:
    lake.delete(keys[1])


def _other_start(lake: Lake, _keys: list[str]) -> None:
    lake.main(5, lines(range(5, 10)))


def _truncate(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[0], gzip.compress(lines(range(10)))[:-20])


def _not_gzip(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[0], lines(range(10)))


def _change_line(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[0], gzip.compress(lines(range(10)).replace(b'"volume": 7', b'"volume": 8', 1)))


def _no_line_end(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[0], gzip.compress(lines(range(10))[:-1]))


def _drop_line(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[0], gzip.compress(lines(range(9))))


def _rubbish_line(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[0], gzip.compress(lines(range(9)) + b"[]\n"))


def _two_on_a_line(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[0], gzip.compress(lines(range(9)) + line(9)[:-1] + line(10) + b" \n"))


def _count(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[0], record_count="9")


def _quarantined_count(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[1], quarantined_count="2")


def _end(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[2], end_offset="19")


def _start(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[2], start_offset="18")


def _no_metadata(lake: Lake, keys: list[str]) -> None:
    lake.put(keys[2], gzip.compress(lines(range(18, 25))), {})


def _drop_quarantine(lake: Lake, keys: list[str]) -> None:
    lake.delete(keys[1].replace("quotes/", "quarantine/"))


def _orphan(lake: Lake, keys: list[str]) -> None:
    _delete_middle(lake, keys)
    lake.main(10, lines(range(10, 19)), time_ms=NOON + HOUR_MS)


def _quarantine_lines(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[1].replace("quotes/", "quarantine/"), gzip.compress(poison(13) + poison(14)))


def _quarantine_range(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[1].replace("quotes/", "quarantine/"), gzip.compress(poison(19)))


def _wrong_hour(lake: Lake, keys: list[str]) -> None:
    moved = lake.main(10, lines(range(10, 18)), poisons=[poison(13)], time_ms=NOON + 5 * HOUR_MS)
    lake.change(moved, first_timestamp=str(NOON))
    _delete_middle(lake, keys)
    _drop_quarantine(lake, keys)


def _two_hours(lake: Lake, keys: list[str]) -> None:
    lake.change(keys[0], last_timestamp=str(NOON + HOUR_MS))


def _stranger(lake: Lake, keys: list[str]) -> None:
    lake.put(keys[0].replace(TOPIC, "copy-of-" + TOPIC + "+x"), gzip.compress(line(3)), {})


@pytest.mark.parametrize(
    ("corrupt", "kind", "words"),
    [
        (
            _delete_middle,
            "hole",
            "ends at offset 10 and quotes/dt=2026-01-01/hour=13/stock-quotes+topic-id+0+00000000000000000019",
        ),
        (_other_start, "overlap", "+0+00000000000000000005.json.gz starts at offset 5, but quotes/"),
        (_other_start, "double", "holds 5 records of producer p that are in an object read before it: sequence 5 to 9"),
        (_truncate, "content", "ends in the middle of its gzip file (offsets 0 to 9)"),
        (_not_gzip, "content", "is no sound gzip file"),
        (_change_line, "checksum", "does not hold the bytes that its checksum was made of (offsets 0 to 9)"),
        (_no_line_end, "content", "ends without the end of its last line"),
        (_drop_line, "count", "holds 9 records (offsets 0 to 9), but its metadata promises 10"),
        (_drop_line, "missing", "producer p lacks 1 of its records 0 to 24: sequence 9"),
        (_rubbish_line, "content", "holds no quote on line 10"),
        (_two_on_a_line, "content", "holds no quote on line 10: JSON is malformed: trailing characters"),
        (_count, "count", "holds 10 records (offsets 0 to 9), but its metadata promises 9"),
        (_count, "holes", "accounts for all but 1 of the offsets 0 to 9"),
        (_quarantined_count, "quarantine-count", "holds 1 records of the offsets 10 to 18, but quotes/"),
        (_quarantined_count, "range", "promises 8 records and 2 quarantined in the offsets 10 to 18, which are fewer"),
        (_end, "range", "says that it ends at offset 19, not after its start"),
        (_start, "key", "says in its metadata that it starts at offset 18"),
        (_no_metadata, "metadata", "does not say in its metadata which offsets it holds"),
        (
            _drop_quarantine,
            "quarantine-missing",
            "names 1 quarantined records of the offsets 10 to 18, but quarantine/",
        ),
        (_orphan, "quarantine-orphan", "(offsets 10 to 18) belongs to quotes/dt=2026-01-01/hour=12/"),
        (_quarantine_lines, "quarantine-count", "holds 2 records of the offsets 10 to 18"),
        (_quarantine_range, "quarantine-range", "holds offsets 19 to 19, outside of 10 to 18"),
        (_wrong_hour, "hour", "begins with a record of dt=2026-01-01/hour=12 and lies in another hour"),
        (_two_hours, "hour", "spans more than one hour"),
        (_stranger, "key", "is not named like one"),
    ],
)
def test_a_corrupted_bucket_is_found_out_with_object_and_range(
    lake: Lake, ask: Ask, corrupt: Callable[[Lake, list[str]], None], kind: str, words: str
) -> None:
    corrupt(lake, lake.three())
    answer = ask()
    assert answer.code == 1
    assert [sentence for sentence in answer.sentences if words in sentence], answer.sentences
    assert kind in answer.kinds


def test_a_doubled_and_a_missing_sequence_number_are_named(lake: Lake, ask: Ask) -> None:
    lake.main(0, lines([0, 1, 2, 2, 3]))
    lake.main(5, lines([7, 8, 1]))
    answer = ask()
    assert answer.kinds == ["double", "double", "missing"]
    assert "holds 1 records of producer p twice: sequence 2" in answer.sentences[0]
    assert "in an object read before it: sequence 1" in answer.sentences[1]
    assert answer.sentences[2] == "producer p lacks 3 of its records 0 to 8: sequence 4 to 6"
    assert (answer.document["missing"], answer.document["doubles"]) == (3, 2)


def test_a_recorded_gap_is_a_lie_unless_it_is_accepted(lake: Lake, ask: Ask) -> None:
    lake.main(0, lines(range(5)))
    lake.main(5, lines(range(8, 12)), end=12, gap_end=8)
    answer = ask()
    assert (answer.code, answer.kinds) == (1, ["gap", "missing"])
    assert "Kafka's retention removed the offsets 5 to 7" in answer.sentences[0]
    answer = ask("--accept-gaps")
    assert (answer.code, answer.kinds) == (0, [])
    assert [finding["kind"] for finding in answer.document["accepted"]] == ["gap"]
    assert answer.document["missing"] == 3
    # More is missing than the gap can have held.
    lake.main(12, lines([20]))
    assert ask("--accept-gaps").kinds == ["missing"]


def test_a_chain_that_does_not_begin_with_the_log_is_reported(lake: Lake, ask: Ask) -> None:
    lake.main(100, lines(range(5)))
    answer = ask()
    assert (answer.code, answer.kinds) == (1, ["begins-late"])
    assert "nothing says where the offsets 0 to 99 are" in answer.sentences[0]
    assert ask("--accept-gaps").code == 0


def test_offsets_without_records_are_a_lie_unless_transactions_are_expected(lake: Lake, ask: Ask) -> None:
    lake.main(0, lines(range(5)), end=6)
    assert ask().kinds == ["holes"]
    assert ask("--accept-holes").code == 0


def test_a_topic_that_was_created_again_is_a_second_chain(lake: Lake, ask: Ask) -> None:
    lake.main(0, lines(range(5)))
    lake.main(0, lines(range(4), "q"), identity=Identity("cluster", "another"))
    answer = ask()
    assert answer.code == 0
    assert [(row["log"]["topic_id"], row["records"], row["old_names"]) for row in answer.document["partitions"]] == [
        ("another", 4, 0),
        ("topic-id", 5, 0),
    ]


def test_a_name_of_another_log_than_the_metadatas_is_a_lie(lake: Lake, ask: Ask) -> None:
    key = lake.main(0, lines(range(5)))
    lake.change(key, topic_id="another")
    answer = ask()
    assert answer.kinds == ["key"]
    assert "says in its metadata that it is of the topic id another" in answer.sentences[0]


def test_names_of_the_old_form_continue_in_the_new_form_and_are_reported(lake: Lake, ask: Ask) -> None:
    topic_id = "fc1d75c7-b38d-4558-92d1-8f3d041d57c0"
    old = object_key("quotes/", ObjectName(TOPIC, "", 0, 0), NOON)
    lake.main(0, lines(range(5)), identity=Identity("cluster", topic_id), key=old)
    lake.main(5, lines(range(5, 9)), identity=Identity("cluster", "_B11x7ONRViS0Y89BB1XwA"))
    answer = ask()
    assert answer.code == 0
    assert [(row["log"]["topic_id"], row["end"], row["old_names"]) for row in answer.document["partitions"]] == [
        ("_B11x7ONRViS0Y89BB1XwA", 9, 1)
    ]


def test_a_cut_of_the_log_is_reported_with_its_range(lake: Lake, ask: Ask) -> None:
    lake.main(0, lines(range(5)))
    lake.main(5, lines(range(7, 9)), cut_start=3)
    answer = ask()
    assert answer.kinds[0] == "cut"
    assert (
        "the log was cut at offset 3: what partition 0 of stock-quotes has now in the offsets 3 to 4"
        in answer.sentences[0]
    )
    assert ask("--accept-gaps").code == 0


@pytest.mark.parametrize("cut_start", [5, 6, -1])
def test_a_cut_that_is_not_before_its_object_is_a_lie_and_excuses_nothing(lake: Lake, ask: Ask, cut_start: int) -> None:
    lake.main(0, lines(range(5)))
    lake.main(5, lines(range(7, 9)), cut_start=cut_start)
    answer = ask("--accept-gaps")
    assert (answer.code, answer.kinds) == (1, ["range", "missing"])
    assert f"names a cut from offset {cut_start} on, which is not before its start" in answer.sentences[0]


def test_a_quarantined_number_is_distinguished_from_a_missing_one(lake: Lake, ask: Ask) -> None:
    damaged = line(3).decode().strip().replace('"volume": 7', '"volume": "dear"')
    lake.main(0, lines([0, 1, 2, 4]), poisons=[poison(3, damaged)])
    answer = ask()
    assert answer.code == 0
    (producer,) = answer.document["producers"]
    assert (producer["missing"], producer["quarantined"]) == (0, 1)


def test_what_is_absent_is_counted_and_found_in_stretches() -> None:
    draw = random.Random(7)
    for _ in range(200):
        present = {draw.randrange(60) for _ in range(draw.randrange(60))} | {2**40}
        seen, end = BitMap64(present), draw.randrange(70)
        absent = [number for number in range(end) if number not in present]
        assert numbers.absent(seen, end) == len(absent)
        stretches = numbers.ranges(seen, 0, end, 1000)
        assert [number for first, last in stretches for number in range(first, last + 1)] == absent
        assert all(before[1] + 1 < after[0] for before, after in pairwise(stretches))

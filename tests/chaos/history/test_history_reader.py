"""The reader of fault trials finds what the view shows too often, too seldom, or with other values."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any

import pytest
from tests.chaos import lake as outside
from tests.chaos.history import reader
from tests.chaos.history.catalog import DATABASE, Catalog
from tests.support.stock_market.bucket import Bucket
from tests.support.stock_market.history_lake import HistoryLake
from tests.support.stock_market.lake import NOON, Lake, lines

from stock_market.history import tables, view
from stock_market.history.naming import Hour, TryFolder
from stock_market.hours import HOUR_MS
from stock_market.kafka.identity import Identity

NAMES = view.Names(DATABASE)
STORED = {"p": Counter(range(30))}


class Round:
    """Three hours, the first two of which are history; `asked` is what Athena answers."""

    def __init__(self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bucket = bucket
        self.catalog = Catalog(bucket)
        self.asked = [["p", str(number), "1"] for number in range(30)]
        self.summed = [["p", "", "", "30"], ["p", "0", str((1 << 30) - 1), "30"]]
        # No Trino for this.
        monkeypatch.setattr(self.catalog, "select", lambda sql: self.summed if "quotes_hours" in sql else self.asked)
        self._history = view.History()
        chain, identity = Lake(bucket), Identity("cluster", "A" * 22)
        for hour in range(3):
            first = 10 * hour
            chain.main(first, lines(range(first, first + 10)), time_ms=NOON + hour * HOUR_MS, identity=identity)
        self.history = HistoryLake(chain)
        table: Any = tables.history_table(NAMES.history, bucket.name, "history/")
        self.catalog.glue.create_table(DatabaseName=DATABASE, TableInput=table)
        self.catalog.glue.create_table(DatabaseName=DATABASE, TableInput=view.table_input(NAMES, self._history))

    def publish(self, hour: str, revision: str = "1", **how: Any) -> None:
        """Makes history of an hour."""
        folder = self.history.hour(hour, **how)
        attempt = folder.rstrip("/").rpartition("/")[2]
        revision = revision.replace("new", attempt)
        place = TryFolder(Hour("2026-01-01", hour), attempt)
        partition: Any = tables.history_partition(place, revision, self.bucket.name, "history/")
        self.catalog.glue.create_partition(DatabaseName=DATABASE, TableName=NAMES.history, PartitionInput=partition)
        self._history = self._history.published(place.hour, revision)
        self.catalog.glue.update_table(DatabaseName=DATABASE, TableInput=view.table_input(NAMES, self._history))

    def problems(self) -> list[str]:
        """What the reader finds."""
        return reader.compare(self.bucket, self.catalog, outside.read(self.bucket), STORED)


@pytest.fixture
def played(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A round at its end."""
    made = Round(bucket, monkeypatch)
    yield made
    made.catalog.glue.delete_database(Name=DATABASE)
    made.catalog.athena.delete_work_group(WorkGroup=DATABASE, RecursiveDeleteOption=True)


def quotes(played: Round, hour: str) -> list[dict[str, Any]]:
    return [quote for _, _, held in played.history.raw("2026-01-01", hour) for quote in held]


def test_history_and_raw_hours_show_each_record_once(played: Round) -> None:
    assert played.problems() == []
    played.publish("12")
    played.publish("13")
    assert played.problems() == []
    played.publish("12", revision="new")
    assert played.problems() == []


def test_a_lost_a_doubled_and_a_changed_record_are_found(played: Round) -> None:
    held = quotes(played, "12")
    played.publish("12", files=[[held[0] | {"close": 3.5}, *held[1:9], held[8]]])
    first, second = played.problems()
    assert "the history of 2026-01-01 12 differs from its raw objects" in first
    assert second == "the files that the view names hold 1 records of p too often and 1 too seldom: [8], [9]"


def test_what_athena_shows_is_compared_by_itself(played: Round) -> None:
    played.publish("12")
    played.asked[3][2] = "2"
    assert played.problems() == ["Athena shows 1 records of p too often and 0 too seldom: [3], []"]


def test_hours_summed_up_wrongly_are_found(played: Round) -> None:
    played.summed[1][2] = str((1 << 29) - 1 - 4)
    played.summed[0][3] = "29"
    first, second = played.problems()
    assert first == "the hours summed up do not have the numbers of p: [2, 29]"
    assert second.startswith("the hours summed up have Counter({'numbers': 30, 'symbols': 29}) records of p, S3 30")


def test_an_hour_that_is_read_from_nowhere_is_found(played: Round) -> None:
    played.publish("12")
    played.publish("13")
    values = ["2026-01-01", "13", "1"]
    played.catalog.glue.delete_partition(DatabaseName=DATABASE, TableName=NAMES.history, PartitionValues=values)
    assert played.problems()[0] == "no partition is read of 2026-01-01 13, which has 10 quotes"


def test_a_view_whose_halves_do_not_meet_is_no_view() -> None:
    table = view.table_input(NAMES, view.History("2026-01-01 13", {}, (("", "2026-01-01 11"),)))
    assert reader.shown(table).revision("2026-01-01 12") == "1"
    assert reader.shown(table).revision("2026-01-01 11") == ""
    packed = json.loads(base64.b64decode(table["ViewOriginalText"].split()[3]))
    packed["originalSql"] = packed["originalSql"].replace("hour >= '13'", "hour >= '14'")
    text = base64.b64encode(json.dumps(packed).encode()).decode()
    with pytest.raises(ValueError, match="does not read each hour from one side"):
        reader.shown({"ViewOriginalText": f"/* Presto View: {text} */"})

"""Promises about the view's text, and what is read back from it."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from stock_market.history import tables, view
from stock_market.history.naming import Hour
from stock_market.history.view import History, Names, ViewError
from stock_market.quotes.validation import Quote

NAMES = Names("stock_market")
NOON = Hour("2026-11-29", "12")
TRY, OTHER = "20261129T131500Z-0123abcd", "20261129T141500Z-89abcdef"


def test_the_table_has_the_record_s_fields_in_their_order() -> None:
    kinds = {str: "string", float: "double", int: "bigint"}
    fields = {field.name: field.type for field in msgspec.structs.fields(Quote)}
    assert [name for name, _ in tables.COLUMNS] == list(fields)
    for name, kind in tables.COLUMNS:
        bare = getattr(fields[name], "__origin__", fields[name])
        assert kinds[bare] == kind, name


def test_before_any_history_everything_is_read_raw() -> None:
    nothing = History()
    assert nothing.revision(NOON) is None
    assert view.read(view.table_input(NAMES, nothing), NAMES) == nothing


def test_an_hour_becomes_history_and_those_passed_over_become_absent() -> None:
    first = History().published(NOON, view.FIRST_REVISION)
    assert first.watermark == "2026-11-29 13"
    assert (first.revision(NOON), first.revision(NOON.before), first.revision(NOON.next)) == ("1", None, None)
    second = first.published(Hour("2026-11-29", "15"), TRY)
    assert second.revision(Hour("2026-11-29", "14")) is None
    assert second.absent == (("", "2026-11-29 11"), ("2026-11-29 13", "2026-11-29 14"))
    assert second.revision(Hour("2026-11-29", "15")) == TRY
    late = second.published(Hour("2026-11-29", "14"), OTHER)
    assert late.watermark == second.watermark
    assert late.revision(Hour("2026-11-29", "14")) == OTHER
    assert view.read(view.table_input(NAMES, late), NAMES) == late


def test_an_hour_that_is_history_never_gets_the_first_revision_again() -> None:
    history = History().published(NOON, view.FIRST_REVISION)
    with pytest.raises(ValueError, match="is history"):
        history.published(NOON, view.FIRST_REVISION)


def test_each_half_begins_with_a_comparison_that_glue_can_make() -> None:
    text = view.sql(NAMES, History().published(NOON, view.FIRST_REVISION))
    assert "WHERE dt <= '2026-11-29' AND (dt < '2026-11-29' OR hour < '13') AND revision = '1' AND " in text
    assert text.endswith("WHERE dt >= '2026-11-29' AND (dt > '2026-11-29' OR hour >= '13')")


@pytest.mark.parametrize("text", [view.sql, view._former_sql])
def test_the_text_reads_each_hour_from_the_revision_that_is_valid(text: Callable[[Names, History], str]) -> None:
    first, absent = Hour("2026-11-27", "20"), (("", "2026-11-27 22"), ("2026-11-28 03", "2026-11-28 04"))
    hours = [Hour.at(first.start + timedelta(hours=number)) for number in range(60)]
    database = sqlite3.connect(":memory:")
    database.create_function("concat", 3, lambda *parts: "".join(parts))
    record = ", ".join(name for name, _ in tables.COLUMNS)
    for table, keys in (("quotes_history", "dt, hour, revision"), ("quotes", "dt, hour")):
        database.execute(f"CREATE TABLE {table} ({record}, {keys})")
    # The symbol tells from where a row is read.
    rows = [(revision, *hour, revision) for hour in hours for revision in ("1", TRY, OTHER)]
    database.executemany("INSERT INTO quotes_history (symbol, dt, hour, revision) VALUES (?, ?, ?, ?)", rows)
    raw = [("raw", *hour) for hour in hours]
    database.executemany("INSERT INTO quotes (symbol, dt, hour) VALUES (?, ?, ?)", raw)
    named = {"2026-11-28 04": TRY, "2026-11-29 00": OTHER}
    for history in (
        History(),
        History("2026-11-28 00"),
        History("2026-11-28 00", {}, absent[:1]),
        History("2026-11-29 07", named, absent),
    ):
        read = database.execute(f"SELECT dt, hour, symbol FROM ({text(NAMES, history)}) ORDER BY dt, hour").fetchall()
        expected = [(*hour, history.revision(hour) if history.has(hour) else "raw") for hour in hours]
        assert read == [one for one in expected if one[2] is not None]


def test_a_view_of_the_former_format_is_read_until_the_next_hour_replaces_it() -> None:
    history = History().published(NOON, view.FIRST_REVISION)
    found = view.table_input(NAMES, history)
    packed = json.loads(base64.b64decode(found["ViewOriginalText"].split()[3]))
    listed = packed["originalSql"].partition("\n")[0]
    packed["originalSql"] = (
        f"""{listed}\nFROM "quotes_history"\n"""
        "WHERE dt <= '2026-11-29' AND concat(dt, ' ', hour) < '2026-11-29 13' AND "
        "revision = CASE WHEN concat(dt, ' ', hour) BETWEEN '' AND '2026-11-29 11' THEN '' ELSE '1' END\n"
        f"""UNION ALL\n{listed}\nFROM "quotes"\n"""
        "WHERE dt >= '2026-11-29' AND concat(dt, ' ', hour) >= '2026-11-29 13'"
    )
    text = base64.b64encode(json.dumps(packed).encode()).decode()
    found["ViewOriginalText"] = f"/* Presto View: {text} */"
    found["Parameters"]["history-format"] = "1"
    assert view.read(found, NAMES) == history
    found["Parameters"]["history-watermark"] = "2026-11-29 14"
    with pytest.raises(ViewError, match="does not read what its parameters say"):
        view.read(found, NAMES)


def _changed(**parameters: str) -> dict[str, Any]:
    table = view.table_input(NAMES, History().published(NOON, TRY))
    return table | {"Parameters": table["Parameters"] | parameters}


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (_changed() | {"TableType": "EXTERNAL_TABLE"}, "is no view"),
        (_changed() | {"ViewOriginalText": "SELECT 1"}, "is no view"),
        (_changed() | {"ViewOriginalText": "/* Presto View: e30= */"}, "is no view"),
        (_changed(**{"history-format": "9"}), "history-format '9'"),
        (_changed(**{"history-watermark": "noon"}), "no hour"),
        (_changed(**{"history-watermark": "2026-11-29 14"}), "does not read what its parameters say"),
        (_changed(**{"history-revisions": "{}"}), "does not read what its parameters say"),
        (_changed(**{"history-revisions": '{"2026-11-29 12": "2"}'}), "no try's id"),
        (_changed(**{"history-revisions": f'{{"2026-11-29 13": "{TRY}"}}'}), "not before the watermark"),
        (_changed(**{"history-absent": '[["2026-11-29 10","2026-11-29 09"]]'}), "absent hours"),
        (_changed(**{"history-absent": "["}), "do not say what it reads"),
    ],
)
def test_a_view_that_somebody_has_changed_is_refused(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ViewError, match=sentence):
        view.read(table, NAMES)


def test_the_view_is_athena_s_form_of_one() -> None:
    table = view.table_input(NAMES, History())
    document = json.loads(base64.b64decode(table["ViewOriginalText"].removeprefix("/* Presto View: ")[:-3]))
    assert {one["name"]: one["type"] for one in document["columns"]} | {"volume": "bigint", "close": "double"} == {
        name: "varchar" if kind == "string" else kind for name, kind in (*tables.COLUMNS, *_keys())
    }
    assert (document["catalog"], document["schema"]) == ("awsdatacatalog", "stock_market")


def _keys() -> tuple[tuple[str, str], ...]:
    return (("dt", "string"), ("hour", "string"))

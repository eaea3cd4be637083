"""Promises about the statements in Athena; that Athena takes them is in test_history_hours.py."""

from __future__ import annotations

import pytest

from local_cloud.athena.statements import parse
from stock_market.history import iceberg, statements
from stock_market.history.naming import Hour
from stock_market.history.view import Names

NAMES = Names("stock_market")
HOUR = Hour("2026-11-29", "12")


def row(side: str, *rest: str | None) -> list[str | None]:
    """A row of the comparison's answer."""
    return [side, *rest]


def test_only_the_late_objects_are_read_where_the_others_are_gone() -> None:
    sql = statements.raw(NAMES, HOUR, ["s3://data/quotes/dt=2026-11-29/hour=12/it's"])
    assert sql.endswith(
        """WHERE dt = '2026-11-29' AND hour = '12' AND "$path" IN ('s3://data/quotes/dt=2026-11-29/hour=12/it''s')"""
    )


def test_each_side_is_added_up_over_its_producers() -> None:
    source, written = statements.contents(
        [
            row("source", "a", "3", "0", "2", "3", "-5", "3"),
            row("source", "b", "1", "9", "9", "9", "7", "1"),
            row("history", "a", "3", "0", "2", "3", str(2**64 - 5), "3"),
            row("history", "b", "1", "9", "9", "9", "7", "1"),
        ]
    )
    assert source == written
    assert (source.rows, source.checksum) == (4, 2)


@pytest.mark.parametrize("place", range(2, 7))
def test_a_difference_of_any_number_is_seen(place: int) -> None:
    numbers: list[str | None] = ["source", "a", "3", "0", "2", "3", "5", "3"]
    other = ["history", *numbers[1:]]
    other[place] = "1"
    other[7] = other[2]
    source, written = statements.contents([numbers, other])
    assert source != written


def test_a_producer_that_one_side_lacks_is_seen() -> None:
    source, written = statements.contents([row("source", "a", "1", "0", "0", "0", "5", "1")])
    assert source != written
    assert written.rows == 0


@pytest.mark.parametrize("place", [1, 3, 6])
def test_a_missing_value_is_refused(place: int) -> None:
    numbers: list[str | None] = ["source", "a", "3", "0", "2", "3", "5", "3"]
    numbers[place] = None
    with pytest.raises(statements.NullError, match="has no value"):
        statements.contents([numbers])


def test_a_record_without_a_digest_is_refused() -> None:
    with pytest.raises(statements.NullError, match="producer a"):
        statements.contents([row("source", "a", "3", "0", "2", "3", "5", "2")])


def test_the_statements_about_the_iceberg_table_are_athena_s_own() -> None:
    kinds = {
        iceberg.create("quotes_iceberg", "s3://data/iceberg/quotes_iceberg-1/"): "CREATE_TABLE",
        iceberg.merge("quotes_iceberg", "quotes_history", {HOUR: "1"}): "MERGE",
        iceberg.optimize("quotes_iceberg", "2026-11-22", "2026-11-29"): "OPTIMIZE",
        iceberg.vacuum("quotes_iceberg"): "VACUUM",
        iceberg.newest_day("quotes_iceberg"): "SELECT",
    }
    assert {sql: parse(sql).name for sql in kinds} == kinds


def test_a_merge_names_its_day_and_hours_on_both_sides_and_takes_one_revision_of_each() -> None:
    sql = iceberg.merge("quotes_iceberg", "quotes_history", {HOUR.next: "20261129T150500Z-5f0c9a21", HOUR: "1"})
    assert (
        "WHERE dt = '2026-11-29' AND ((hour = '12' AND revision = '1')"
        " OR (hour = '13' AND revision = '20261129T150500Z-5f0c9a21'))) AS s"
    ) in sql
    assert "ON (t.dt = '2026-11-29' AND t.hour IN ('12', '13') AND t.hour = s.hour AND t.producer_id = s.prod" in sql

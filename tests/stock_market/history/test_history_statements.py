"""Promises about the statements in Athena; that Athena takes them is in test_history_hours.py."""

from __future__ import annotations

import pytest

from stock_market.history import statements
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

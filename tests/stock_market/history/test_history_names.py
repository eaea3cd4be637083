"""Promises about where the history lies."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stock_market.history.naming import Hour, TryFolder, is_try, new_try, parse_hour, parse_location, parse_try

TRY = "20261129T124500Z-0123abcd"


def test_hours_follow_each_other_over_the_year_s_end() -> None:
    last = Hour.parse("2026-12-31 23")
    assert last.next == Hour("2027-01-01", "00")
    assert last.next.before == last
    assert last.end_ms == 1_798_761_600_000
    assert Hour.at(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)) == last


@pytest.mark.parametrize(
    "text", ["", "2026-11-29", "2026-11-29 24", "2026-02-30 01", "2026-11-29T12", "x2026-11-29 12"]
)
def test_what_is_no_hour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"hour|day|month"):
        Hour.parse(text)


def test_a_try_is_named_by_its_time_and_no_two_are_alike() -> None:
    moment = datetime(2026, 11, 29, 12, 45, tzinfo=UTC)
    tries = {new_try(moment) for _ in range(100)}
    assert len(tries) == 100
    assert all(is_try(one) and one.startswith("20261129T124500Z-") for one in tries)


def test_keys_and_locations_lead_back_to_their_try() -> None:
    folder = TryFolder(Hour("2026-11-29", "12"), TRY)
    assert folder.prefix("history/") == f"history/dt=2026-11-29/hour=12/{TRY}/"
    assert parse_try(folder.manifest_key("history/"), "history/") == folder
    assert parse_location(f"s3://data/history/dt=2026-11-29/hour=12/{TRY}", "history/") == folder
    assert parse_location(f"s3://data/history/dt=2026-11-29/hour=12/{TRY}/deeper/", "history/") is None
    assert parse_try("history/dt=2026-11-29/hour=12/other/file", "history/") is None
    assert parse_try(folder.prefix("quotes/"), "history/") is None
    assert parse_hour("quotes/dt=2026-11-29/hour=12/x.json.gz", "quotes/") == folder.hour
    assert parse_hour("quotes/loose.json.gz", "quotes/") is None

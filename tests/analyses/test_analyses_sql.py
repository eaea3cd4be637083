"""Each analysis is valid in Athena's dialect and gives the numbers that a person computes by hand."""

from __future__ import annotations

import itertools
import math
import random
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from tests.support.small_cloud import COLUMNS, SmallCloud

from local_cloud.athena import statements
from local_cloud.athena.lexer import tokenize, top_level
from stock_market.history.naming import Hour
from stock_market.history.summary import HOURS
from stock_market_ops.common import analyses, athena, partitions
from stock_market_ops.common.deployment import ROOT

ALL = analyses.load_all()
Rows = list[dict[str, Any]]
Ask = Callable[..., Rows]


def quote(
    sequence: int,
    symbol: str,
    time: str,
    prices: tuple[float, float, float, float],
    volume: int,
    *,
    producer: str = "p1",
) -> dict[str, Any]:
    """One record of March 2026 at `time` (day and time of day); two of its currency are a dollar."""
    event_time = f"2026-03-0{time}Z"
    values = (symbol, event_time, *prices, prices[3], volume, prices[3] / 2, producer, sequence)
    return dict(zip(COLUMNS, values, strict=True))


# Two symbols, one minute boundary, one midnight. Producer p1 lost sequence 2 and doubled 4; p2 has 3 on its way.
AAA = "AAA"
BBB = "BBB"
QUOTES = [
    quote(0, AAA, "2T23:58:10.000", (100.0, 101.0, 99.0, 100.0), 10),
    quote(1, BBB, "2T23:58:20.000", (50.0, 50.0, 49.0, 50.0), 0),
    quote(3, AAA, "2T23:59:10.000", (100.0, 112.0, 100.0, 110.0), 30),
    quote(4, BBB, "2T23:59:20.000", (50.0, 51.0, 40.0, 45.0), 20),
    quote(4, BBB, "2T23:59:20.000", (50.0, 51.0, 40.0, 45.0), 20),
    quote(5, AAA, "3T00:00:10.000", (110.0, 112.0, 98.0, 99.0), 0),
    quote(6, BBB, "3T00:00:20.000", (45.0, 46.0, 44.0, 45.0), 20),
    quote(0, AAA, "3T00:01:10.000", (99.0, 103.0, 99.0, 102.0), 50, producer="p2"),
    quote(1, BBB, "3T00:01:20.000", (45.0, 48.0, 45.0, 48.0), 50, producer="p2"),
    quote(2, AAA, "3T00:02:10.000", (102.0, 102.0, 100.0, 101.0), 0, producer="p2"),
    quote(4, AAA, "3T00:03:10.000", (101.0, 103.0, 101.0, 103.0), 10, producer="p2"),
]


EMPTY_FRESHNESS = {
    "records": 0,
    "symbols": 0,
    "producers": 0,
    **dict.fromkeys(("oldest", "newest", "seconds_old", "newest_partition")),
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCloud]:
    """The local cloud, with objects as the consumer writes them."""
    made = SmallCloud(tmp_path_factory.mktemp("cloud"))
    made.make_table()
    made.store(QUOTES)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ask(cloud: SmallCloud) -> Ask:
    """Run an analysis in the local cloud's Athena."""
    partitions.synchronize(cloud.s3, cloud.glue, cloud.deployment)

    def run(name: str, since: str = "", table: str = "") -> list[athena.Row]:
        sql, literals = analyses.bounded(
            re.sub(r"\bquotes_(all|hours)\b", lambda found: table or found[0], ALL[name].sql), since
        )
        return athena.run(cloud.athena, cloud.deployment, sql, parameters=literals).rows

    return run


@pytest.mark.parametrize("name", ALL)
def test_each_file_is_one_athena_query_over_quotes_with_a_limit(name: str) -> None:
    query = statements.parse(ALL[name].sql)
    assert query.name == "SELECT"
    tokens = tokenize(query.text)
    pairs = list(itertools.pairwise(tokens))
    own = {name.value for name, following in pairs if following.word == "AS"}
    read = {table.value for keyword, table in pairs if keyword.word in {"FROM", "JOIN"} and table.word != "("}
    assert read - own - {"unnest"} == {"quotes_all" if ALL[name].hours else "quotes_hours"}
    assert ";" not in [token.word for token in tokens]
    assert name == "freshness" or "LIMIT" in [token.word for _, token in top_level(tokens)]


@pytest.mark.parametrize("name", ALL)
def test_no_file_divides_by_a_decimal_whose_scale_would_round_in_trino(name: str) -> None:
    # In Trino 100.0 is a decimal(4,1), and a decimal divided by a bigint keeps one digit; 1e2 is a double.
    without_comments = " ".join(token.text for token in tokenize(ALL[name].sql) if token.kind != "string")
    assert not re.search(r"\d \. \d", without_comments)


def test_the_role_runs_every_analysis_in_the_order_in_which_query_shows_them() -> None:
    defaults = yaml.safe_load((ROOT / "roles/analyses/defaults/main.yml").read_text(encoding="utf-8"))
    assert defaults["analyses_names"] == list(ALL)


@pytest.mark.parametrize("name", ALL)
def test_each_file_looks_from_a_day_and_an_hour_on(name: str) -> None:
    words = [token.word for token in tokenize(ALL[name].sql)]
    assert words.count("?") == 2
    assert ALL[name].sql.count(f"WHERE dt >= ?{analyses.HOURS}") == 1
    where = [at for at, word in enumerate(words) if word == "WHERE" and words[at - 2] != "FILTER"]
    conditions = [" ".join(words[at : at + 3]) for at in where]
    assert conditions[0].startswith("WHERE DT >")


@pytest.mark.parametrize("name", ALL)
def test_each_analysis_leaves_out_earlier_hours(name: str, ask: Ask) -> None:
    assert ask(name, "2027-01-01") in ([], [EMPTY_FRESHNESS])
    # The rows' age grows from one question to the next.
    hour, day = (
        [{column: value for column, value in row.items() if column != "seconds_old"} for row in ask(name, since)]
        for since in ("2026-03-03 00", "2026-03-03")
    )
    assert hour
    assert hour == day


def test_who_looks_at_the_newest_hours_never_looks_further_back() -> None:
    hours = [Hour("2026-03-01", "23"), Hour("2026-03-03", "07"), Hour("2026-03-03", "08")]
    assert {name for name, one in ALL.items() if one.hours} == {"preview", "trend"}
    for first, expected in (("", "2026-03-03 07"), ("2026-03-01", "2026-03-03 07"), ("2026-03-03 08", "2026-03-03 08")):
        assert ALL["trend"].since(first, hours) == expected
        assert ALL["volume"].since(first, hours) == first
    assert ALL["trend"].since("", []) == ""


def test_the_newest_hours_are_found_in_days_with_pauses_between_them(ask: Ask, cloud: SmallCloud) -> None:
    assert ask is not None
    found = partitions.newest_hours(cloud.s3, cloud.deployment, 2)
    assert [hour.text for hour in found] == ["2026-03-02 23", "2026-03-03 00"]
    assert [hour.text for hour in partitions.newest_hours(cloud.s3, cloud.deployment, 1)] == ["2026-03-03 00"]


def test_hours_within_a_day_are_distinguished(ask: Ask) -> None:
    assert ask("freshness", "2026-03-02 23")[0]["records"] == 11
    assert ask("freshness", "2026-03-03 00")[0]["records"] == 6
    assert ask("freshness", "2026-03-03 01")[0]["records"] == 0


def test_quality_of_a_run_that_began_before_counts_from_where_all_symbols_are_seen(ask: Ask) -> None:
    rows = {row["producer_id"]: row for row in ask("quality", "2026-03-03")}
    # Of p1 there are 5 (AAA) and 6 (BBB): from 6 on, nothing lacks; 2 was lost the day before.
    assert (rows["p1"]["records"], rows["p1"]["expected"], rows["p1"]["missing"], rows["p1"]["pending"]) == (1, 1, 0, 0)
    # p2 began on that day, so all of it counts.
    assert (rows["p2"]["records"], rows["p2"]["expected"], rows["p2"]["pending"]) == (4, 5, 1)


def test_preview_shows_the_newest_quotes_first(ask: Ask) -> None:
    rows = ask("preview")
    assert len(rows) == 10
    assert rows[0] == {
        "event_time": "2026-03-03T00:03:10.000Z",
        "symbol": AAA,
        "open": 101.0,
        "high": 103.0,
        "low": 101.0,
        "close": 103.0,
        "volume": 10,
        "close_usd": 51.5,
    }
    assert [row["event_time"] for row in rows] == sorted((row["event_time"] for row in rows), reverse=True)


def test_freshness_counts_and_finds_both_ends(ask: Ask) -> None:
    (row,) = ask("freshness")
    assert (row["records"], row["symbols"], row["producers"]) == (11, 2, 2)
    assert (row["oldest"], row["newest"]) == ("2026-03-02T23:58:10.000Z", "2026-03-03T00:03:10.000Z")
    assert row["newest_partition"] == "2026-03-03 00h"


def test_average_level_is_the_mean_close_of_each_symbol(ask: Ask) -> None:
    assert ask("average_level") == [
        {
            "symbol": AAA,
            "records": 6,
            "average_close": 102.5,
            "lowest": 98.0,
            "highest": 112.0,
            "average_close_usd": 51.25,
        },
        {
            "symbol": BBB,
            "records": 5,
            "average_close": 46.6,
            "lowest": 40.0,
            "highest": 51.0,
            "average_close_usd": 23.3,
        },
    ]


def test_volume_gives_the_sum_and_its_share_of_all(ask: Ask) -> None:
    rows = ask("volume")
    assert [(row["symbol"], row["total_volume"], row["largest_volume"]) for row in rows] == [
        (BBB, 110, 50),
        (AAA, 100, 50),
    ]
    assert [row["share_percent"] for row in rows] == [pytest.approx(52.38), pytest.approx(47.62)]
    assert [row["average_volume"] for row in rows] == [22.0, 17.0]


def test_record_high_names_the_first_time_that_it_was_reached(ask: Ask) -> None:
    rows = {row["symbol"]: row for row in ask("record_high")}
    # AAA touched 112 twice.
    assert (rows[AAA]["record_high"], rows[AAA]["reached_at"]) == (112.0, "2026-03-02T23:59:10.000Z")
    assert (rows[AAA]["last_close"], rows[AAA]["below_record_percent"]) == (103.0, pytest.approx(-8.04))
    assert (rows[BBB]["record_high"], rows[BBB]["last_close"]) == (51.0, 48.0)


def test_largest_moves_are_steps_of_one_symbol_whichever_way(ask: Ask) -> None:
    rows = ask("largest_moves")
    # 100 -> 110 and 110 -> 99 and 50 -> 45: all 10 %, so the earlier one comes first.
    assert [(row["symbol"], row["close_before"], row["close"], row["move_percent"]) for row in rows[:4]] == [
        (AAA, 100.0, 110.0, pytest.approx(10.0)),
        (BBB, 50.0, 45.0, pytest.approx(-10.0)),
        (AAA, 110.0, 99.0, pytest.approx(-10.0)),
        (BBB, 45.0, 48.0, pytest.approx(6.667)),
    ]
    assert len(rows) == 9


def test_trend_counts_risers_and_fallers_minute_by_minute(ask: Ask) -> None:
    rows = ask("trend")
    assert [row["minute"] for row in rows] == [
        "2026-03-03T00:03",
        "2026-03-03T00:02",
        "2026-03-03T00:01",
        "2026-03-03T00:00",
        "2026-03-02T23:59",
        "2026-03-02T23:58",
    ]
    by_minute = {row["minute"][-5:]: row for row in rows}
    assert (by_minute["23:59"]["rising"], by_minute["23:59"]["falling"]) == (1, 1)
    assert by_minute["23:59"]["mean_change_percent"] == pytest.approx(0.0)
    assert (by_minute["23:58"]["rising"], by_minute["23:58"]["falling"]) == (0, 0)
    assert (by_minute["23:59"]["records"], by_minute["23:59"]["volume"]) == (3, 70)
    # AAA 99 -> 102 and BBB 45 -> 48.
    assert by_minute["00:01"]["mean_change_percent"] == pytest.approx((3 / 99 + 3 / 45) * 50, abs=5e-4)


def test_trend_shows_the_newest_ten_minutes_that_have_quotes(ask: Ask) -> None:
    """Each of AAA's and BBB's minutes, the even ones of an hour, opens at 2 and closes at 1."""
    table = """(
        SELECT '2026-03-03T07:' || lpad(cast(minute AS varchar), 2, '0') || ':30.000Z' AS event_time,
            symbol, 2e0 AS open, 1e0 AS close, 5 AS volume, '2026-03-03' AS dt, '07' AS hour
        FROM unnest(sequence(0, 58, 2)) AS minutes (minute) CROSS JOIN (VALUES 'AAA', 'BBB') AS symbols (symbol)
    )"""
    rows = ask("trend", table=table)
    assert [row["minute"] for row in rows] == [f"2026-03-03T07:{minute}" for minute in range(58, 38, -2)]
    assert {(row["records"], row["rising"], row["falling"], row["volume"]) for row in rows} == {(2, 0, 2, 10)}


def test_volatility_is_the_deviation_of_log_returns_in_the_window(ask: Ask) -> None:
    rows = {row["symbol"]: row for row in ask("volatility")}
    # A window ends with its hour.
    hours = [[100.0, 110.0], [99.0, 102.0, 101.0, 103.0]]
    each = [[math.log(after / before) for before, after in itertools.pairwise(closes)] for closes in hours]
    swings = [100 * statistics.stdev(returns[: end + 1]) for returns in each for end in range(1, len(returns))]
    assert rows[AAA]["returns"] == 4
    assert rows[AAA]["now_percent"] == pytest.approx(swings[-1], abs=1e-4)
    assert rows[AAA]["mean_percent"] == pytest.approx(statistics.mean(swings), abs=1e-4)
    assert rows[AAA]["wildest_percent"] == pytest.approx(max(swings), abs=1e-4)


def test_daily_range_spans_low_and_high_of_each_day(ask: Ask) -> None:
    rows = {(row["day"], row["symbol"]): row for row in ask("daily_range")}
    assert (rows["2026-03-02", AAA]["lowest"], rows["2026-03-02", AAA]["highest"]) == (99.0, 112.0)
    assert (rows["2026-03-02", BBB]["price_range"], rows["2026-03-02", BBB]["range_percent"]) == (11.0, 27.5)
    assert (rows["2026-03-03", AAA]["price_range"], rows["2026-03-03", BBB]["price_range"]) == (14.0, 4.0)
    assert ask("daily_range")[0]["day"] == "2026-03-03"


def test_quality_distinguishes_lost_records_from_pending_ones(ask: Ask) -> None:
    first, second = ask("quality")
    assert first == {
        "producer_id": "p2",
        "records": 4,
        "expected": 5,
        "doubles": 0,
        "missing": 0,
        "pending": 1,
        "zero_volumes": 1,
        "newest": "2026-03-03T00:03:10.000Z",
    }
    assert second == {
        "producer_id": "p1",
        "records": 7,
        "expected": 7,
        "doubles": 1,
        "missing": 1,
        "pending": 0,
        "zero_volumes": 2,
        "newest": "2026-03-03T00:00:20.000Z",
    }


def test_quality_counts_numbers_as_one_by_one_over_many_blocks(ask: Ask) -> None:
    """Two producers of three symbols lose and double records, and one of them began before the hours looked at."""
    draw = random.Random(5)
    sent: list[tuple[str, str, int]] = []
    for producer, first, last, late in (("p", 0, 700, 690), ("q", 1000, 1337, 1337)):
        numbers = [number for number in range(first, last + 1) if draw.random() > 0.02]
        numbers += draw.sample(numbers, 5)
        # Symbol 0 is still on its way from `late` on.
        sent += [(producer, f"S{number % 3}", number) for number in numbers if number % 3 or number < late]
    draw.shuffle(sent)
    values = ", ".join(f"('{producer}', '{symbol}', BIGINT '{number}')" for producer, symbol, number in sent)
    source = f"""(
        SELECT producer_id, symbol, sequence, '2026-03-03T07:00:00.000Z' AS event_time, 1e0 AS close, 1e0 AS low,
            1e0 AS high, 1e0 AS close_usd, BIGINT '0' AS volume, '2026-03-03' AS dt,
            CASE WHEN sequence % 5 = 0 THEN '06' ELSE '07' END AS hour
        FROM (VALUES {values}) AS sent (producer_id, symbol, sequence)
    )"""
    rows = {
        row["producer_id"]: row
        for row in ask("quality", table=f"({HOURS.select.format(table=source, condition='true')})")
    }
    for producer in ("p", "q"):
        by_symbol: dict[str, list[int]] = {}
        for name, symbol, number in sent:
            if name == producer:
                by_symbol.setdefault(symbol, []).append(number)
        oldest = [min(numbers) for numbers in by_symbol.values()]
        begun = 0 if min(oldest) == 0 else max(oldest)
        settled = min(max(numbers) for numbers in by_symbol.values())
        last = max(max(numbers) for numbers in by_symbol.values())
        numbers = [number for found in by_symbol.values() for number in found]
        distinct = {number for number in numbers if number >= begun}
        doubles = sum(count - 1 for number, count in Counter(numbers).items() if number // 64 >= begun // 64)
        row = rows[producer]
        assert row["missing"] == len({*range(begun, settled + 1)} - distinct) > 0
        assert row["pending"] == len({*range(max(settled + 1, begun), last + 1)} - distinct)
        assert row["expected"] == last - begun + 1
        assert (row["doubles"], row["records"]) == (doubles, len(distinct) + doubles)
        assert row["zero_volumes"] == len(numbers)


_LARGEST = 2**63 - 1
EXTREMES = [
    quote(0, AAA, "3T06:00:00.000", (1.7e308, 1.7e308, -1.7e308, 1.7e308), _LARGEST),
    quote(_LARGEST, AAA, "3T06:00:10.000", (1.7e308, 1.7e308, 1e-308, 1e-308), _LARGEST),
    quote(1, AAA, "3T07:00:00.000", (-1.0, 1.7e308, -1.7e308, 0.0), _LARGEST),
    quote(2, AAA, "3T07:00:10.000", (1e-308, 1.7e308, -0.0, -1.7e308), _LARGEST),
    {**quote(3, AAA, "", (1.0, 2.0, 1.0, 2.0), 0), "event_time": "0001-01-01T00:00:00.000Z"},
    {**quote(4, AAA, "", (2.0, 2.0, 1.0, 2.0), 0), "event_time": "9999-12-31T23:59:59.999Z"},
    *(quote(number, BBB, "3T07:00:00.000", (1.0, 1.0, 1.0, 1.0), 1, producer="p2") for number in range(2)),
]


def _extremes() -> str:
    """These quotes, two of the hour 06 and the others of 07, as a subquery."""
    literals = {"string": "'{}'", "double": "CAST('{}' AS double)", "bigint": "BIGINT '{}'"}
    rows = []
    for hour, one in zip(["06"] * 2 + ["07"] * 6, EXTREMES, strict=True):
        values = [literals[COLUMNS[name]].format(value) for name, value in one.items()]
        rows.append(", ".join((*values, "'2026-03-03'", f"'{hour}'")))
    return f"(SELECT * FROM (VALUES ({'), ('.join(rows)})) AS sent ({', '.join(COLUMNS)}, dt, hour))"


# An hour's sum of a symbol ends at the largest whole number of 64 bits.
_SAID: dict[str, Callable[[Rows], bool]] = {
    "volume": lambda rows: [row["total_volume"] for row in rows] == [2 * _LARGEST, 2],
    "trend": lambda rows: sum(row["volume"] for row in rows) == 4 * _LARGEST + 2,
    "quality": lambda rows: {row["expected"] for row in rows} == {_LARGEST + 1, 2},
    "freshness": lambda rows: (rows[0]["oldest"][:4], rows[0]["newest"][:4]) == ("0001", "9999"),
}


@pytest.mark.parametrize("name", ALL)
def test_no_valid_quote_makes_an_analysis_fail(name: str, ask: Ask) -> None:
    summed_up = f"({HOURS.select.format(table=_extremes(), condition='true')})"
    rows = ask(name, table=summed_up if "quotes_hours" in ALL[name].sql else _extremes())
    assert _SAID.get(name, bool)(rows), rows

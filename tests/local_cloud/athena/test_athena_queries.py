"""Athena really runs SQL over the objects of the catalog's tables, and tells what it read."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from plugins.filter.history import history_tables
from tests.support.engine import engine
from tests.support.local_cloud.glue_lake import DATA, RESULTS, Lake, json_lines, quote

from local_cloud.athena import api as athena
from local_cloud.athena.executions import Executor
from local_cloud.glue import api as glue_api
from local_cloud.glue import crawler as glue_crawler


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    glue_crawler.install()
    glue_api.install()
    installed = athena.install(engine())
    yield installed
    installed.close()


@pytest.fixture
def lake(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    assert executor is not None
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 0.02)
    with mock_aws():
        built = Lake()
        built.build()
        yield built


@pytest.fixture
def quotes(lake: Lake) -> Lake:
    """Three hours of two records each."""
    for hour in (9, 10, 11):
        start = (hour - 9) * 2
        lake.put_quotes(hour, [quote(start), quote(start + 1, symbol="IXIC", volume=0)], start=start)
    lake.crawl()
    return lake


def test_a_count_in_sql_is_the_count_of_records_in_s3(quotes: Lake) -> None:
    assert quotes.rows("SELECT count(*), count(DISTINCT sequence), max(sequence) FROM quotes") == [["6", "6", "5"]]


def test_thousands_of_records_in_hundreds_of_objects_lose_none(lake: Lake) -> None:
    dice = random.Random(4)
    sequence = itertools.count()
    for number in range(300):
        records = [quote(next(sequence), volume=dice.randrange(1000)) for _ in range(dice.randrange(1, 40))]
        lake.put_quotes(number % 24, records, start=number, day=f"2026-11-{20 + number % 5}")
    total = next(sequence)
    lake.crawl()
    counted = "SELECT count(*), count(DISTINCT sequence), sum(sequence) FROM quotes"
    assert lake.rows(counted) == [[str(total), str(total), str(total * (total - 1) // 2)]]


def test_new_objects_of_known_partitions_are_seen_at_once(quotes: Lake) -> None:
    quotes.put_quotes(9, [quote(6)], start=100)
    assert quotes.rows("SELECT count(*) FROM quotes") == [["7"]]


def test_objects_of_partitions_that_the_catalog_does_not_know_are_not_seen(quotes: Lake) -> None:
    quotes.put_quotes(12, [quote(6)])
    assert quotes.rows("SELECT count(*) FROM quotes") == [["6"]]
    quotes.run("ALTER TABLE quotes ADD IF NOT EXISTS PARTITION (dt = '2026-11-23', hour = '12')")
    assert quotes.rows("SELECT count(*) FROM quotes") == [["7"]]


def test_a_replaced_object_is_read_again_and_a_deleted_one_is_not(quotes: Lake) -> None:
    key = quotes.put_quotes(9, [quote(10), quote(11), quote(12)], start=0)
    assert quotes.rows("SELECT count(*) FROM quotes WHERE hour = '09'") == [["3"]]
    quotes.s3.delete_object(Bucket=DATA, Key=key)
    assert quotes.rows("SELECT count(*) FROM quotes") == [["4"]]


def test_a_partition_of_another_folder_is_read_from_there(quotes: Lake) -> None:
    quotes.put("elsewhere/x.json", json_lines([quote(50)], compressed=False))
    quotes.run(f"ALTER TABLE quotes ADD PARTITION (dt = 'x', hour = 'y') LOCATION 's3://{DATA}/elsewhere/'")
    path = f"s3://{DATA}/elsewhere/x.json"
    assert quotes.rows("SELECT sequence, hour, \"$path\" FROM quotes WHERE dt = 'x'") == [["50", "y", path]]


def test_conditions_on_partition_keys_spare_the_other_objects(quotes: Lake) -> None:
    whole = quotes.run("SELECT count(*) FROM quotes")["Statistics"]["DataScannedInBytes"]
    sizes = {o["Key"]: o["Size"] for o in quotes.s3.list_objects_v2(Bucket=DATA)["Contents"]}
    assert whole == sum(sizes.values())
    one_hour = quotes.run("SELECT count(*) FROM quotes q WHERE q.dt = '2026-11-23' AND q.hour > '10' AND volume > 1")
    assert one_hour["Statistics"]["DataScannedInBytes"] == next(s for k, s in sizes.items() if "hour=11" in k)
    assert quotes.run("SELECT 1")["Statistics"]["DataScannedInBytes"] == 0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM quotes WHERE hour = '09' OR volume = 7",
        "SELECT count(b.hour) FROM quotes a LEFT JOIN quotes b ON a.sequence = b.sequence WHERE b.hour IS NULL",
        "SELECT count(*) FROM (SELECT hour, count(*) AS n FROM quotes GROUP BY hour) WHERE hour >= '10' AND n = 2",
        "SELECT count(*) FROM quotes WHERE hour = (SELECT max(hour) FROM quotes)",
    ],
)
def test_sparing_objects_changes_no_answer(quotes: Lake, sql: str) -> None:
    expected = {"OR": "4", "LEFT": "0", "GROUP": "2", "(SELECT max": "2"}
    assert quotes.rows(sql) == [[next(count for word, count in expected.items() if word in sql)]]


def test_hidden_columns_are_read_by_name_only(quotes: Lake) -> None:
    star = quotes.run('SELECT *, "$path" IS NOT NULL AS known FROM quotes LIMIT 1')
    result = quotes.athena.get_query_results(QueryExecutionId=star["QueryExecutionId"])["ResultSet"]
    names = [column["Name"] for column in result["ResultSetMetadata"]["ColumnInfo"]]
    assert names == [*quote(0), "dt", "hour", "known"]


def test_keys_in_any_case_are_the_catalogs_columns(lake: Lake) -> None:
    lake.put("quotes/a.json", b'{"Symbol":"NYA","adjClose":1.5}\n{"symbol":"IXIC","ADJCLOSE":2}\n')
    lake.crawl()
    assert lake.rows("SELECT symbol, adjclose FROM quotes ORDER BY 1") == [["IXIC", "2.0"], ["NYA", "1.5"]]


def test_nested_values_are_reached_by_their_names(lake: Lake) -> None:
    lake.put("quotes/a.json", b'{"id":1,"book":{"bids":[1.5,2.5],"depth":2}}\n')
    lake.crawl()
    sql = "SELECT book.depth, element_at(book.bids, 2), cardinality(book.bids), book FROM quotes"
    assert lake.rows(sql) == [["2", "2.5", "2", "{bids=[1.5, 2.5], depth=2}"]]


def test_csv_is_read_without_its_header_and_what_does_not_fit_is_null(lake: Lake) -> None:
    lake.put("quotes/a.csv", b"Index,Date,Open,Volume\nNYA,1965-12-31,528.69,0\nIXIC,,600.5,12\n")
    lake.crawl()
    lake.put("quotes/b.csv", b"Index,Date,Open,Volume\nGDAXI,1987-12-30,n/a,7\n")
    expected = [["GDAXI", "1987-12-30", None, "7"], ["IXIC", "", "600.5", "12"], ["NYA", "1965-12-31", "528.69", "0"]]
    assert lake.rows('SELECT "index", "date", open, volume FROM quotes ORDER BY 1') == expected


def test_a_column_that_came_later_is_null_in_older_objects(quotes: Lake) -> None:
    quotes.put_quotes(9, [quote(6) | {"venue": "XNYS"}], start=100)
    quotes.crawl()
    assert quotes.rows("SELECT venue, count(*) FROM quotes GROUP BY venue ORDER BY venue") == [
        ["XNYS", "1"],
        [None, "6"],
    ]


def test_parameters_take_the_places_of_question_marks_in_their_order(quotes: Lake) -> None:
    sql = "SELECT count(*), ? FROM quotes WHERE symbol = ? AND sequence > ?"
    assert quotes.rows(sql, ExecutionParameters=["'it''s'", "'NYA'", "1"]) == [["2", "it's"]]
    wrong = quotes.reason(sql, ExecutionParameters=["1"])
    assert wrong.startswith("INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters")


def test_statements_about_the_catalog(quotes: Lake) -> None:
    assert quotes.rows("SHOW DATABASES") == [["market"]]
    assert quotes.rows("SHOW TABLES") == [["quotes"]]
    assert quotes.rows("SHOW TABLES IN market 'q*'") == [["quotes"]]
    assert quotes.rows("show partitions market.quotes") == [[f"dt=2026-11-23/hour={h}"] for h in ("09", "10", "11")]
    described = [row[0] for row in quotes.rows("DESCRIBE quotes") if row[0]]
    assert [name.strip() for name in described[:3]] == ["symbol", "event_time", "open"]
    quotes.put_quotes(12, [quote(6)])
    added = quotes.rows("MSCK REPAIR TABLE quotes")
    assert added == [
        ["Partitions not in metastore:", "quotes:dt=2026-11-23/hour=12"],
        ["Repair: Added partition to metastore quotes:dt=2026-11-23/hour=12"],
    ]
    assert quotes.rows("SELECT count(*) FROM quotes") == [["7"]]


def test_several_partitions_in_one_statement(quotes: Lake) -> None:
    parts = " ".join(
        f"PARTITION (dt = '2026-11-24', hour = '{hour:02d}') LOCATION 's3://{DATA}/quotes/dt=2026-11-24/hour={hour:02d}/'"
        for hour in range(5)
    )
    quotes.rows(f"ALTER TABLE quotes ADD IF NOT EXISTS {parts}")
    quotes.rows(f"ALTER TABLE market.quotes ADD IF NOT EXISTS {parts}")
    assert len(quotes.partitions()) == 8
    assert "already exists" in quotes.reason(f"ALTER TABLE quotes ADD {parts}")
    quotes.rows("ALTER TABLE quotes DROP PARTITION (dt = '2026-11-24', hour = '00')")
    assert len(quotes.partitions()) == 7


def test_databases_and_tables_come_and_go(quotes: Lake) -> None:
    quotes.rows("CREATE DATABASE IF NOT EXISTS other")
    assert quotes.rows("SHOW SCHEMAS") == [["market"], ["other"]]
    assert "already exists" in quotes.reason("CREATE DATABASE other")
    quotes.rows("DROP DATABASE other")
    assert "is not empty" in quotes.reason("DROP DATABASE market")
    quotes.rows("DROP TABLE quotes")
    quotes.rows("DROP TABLE IF EXISTS quotes")
    assert quotes.rows("SHOW TABLES") == []


def test_queries_at_the_same_time_do_not_see_each_other(quotes: Lake) -> None:
    ids = [quotes.start(f"SELECT count(*) + {number} FROM quotes, quotes b") for number in range(20)]
    for number, query_id in enumerate(ids):
        assert quotes.wait(query_id)["Status"]["State"] == "SUCCEEDED"
        rows = quotes.athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
        assert rows[1]["Data"][0]["VarCharValue"] == str(36 + number)


def test_the_named_analyses_run_as_they_stand(quotes: Lake) -> None:
    files = sorted(Path(__file__).parents[3].glob("roles/analyses/files/*.sql"))
    assert files
    names = {"database": "market", "raw": "quotes", "history": "quotes_history", "view": "quotes_all"}
    for pair in history_tables(names, DATA, "history/"):
        for table in pair.values():
            quotes.glue.create_table(DatabaseName="market", TableInput=table)
    for file in files:
        first_hour = ["'2026-01-01'", "'2026-01-01 00'"]
        done = quotes.run(file.read_text(), ExecutionParameters=first_hour)["Status"]
        assert done["State"] == "SUCCEEDED", (file.name, done)


def test_a_window_over_more_than_a_query_may_hold_in_memory_goes_to_disk(quotes: Lake) -> None:
    # 690 MB: more than the limit of a query, and less than all of the engine's memory.
    done = quotes.rows(
        "SELECT count(last), max(length(last)) FROM (SELECT lag(text) OVER (PARTITION BY n % 50 ORDER BY n) AS last"
        " FROM (SELECT n, rpad(CAST(n AS varchar), 600, 'x') AS text FROM (SELECT 1000 * a + b AS n"
        " FROM UNNEST(sequence(0, 1149)) AS x (a) CROSS JOIN UNNEST(sequence(0, 999)) AS y (b))))"
    )
    assert done == [["1149950", "600"]]


def test_a_file_of_the_machine_cannot_be_read(quotes: Lake) -> None:
    with pytest.raises(ClientError, match="mismatched input"):
        quotes.start("SELECT * FROM read_csv('/etc/passwd')")
    assert "TABLE_NOT_FOUND" in quotes.reason('SELECT * FROM "/etc/passwd"')
    assert RESULTS in quotes.run("SELECT 1")["ResultConfiguration"]["OutputLocation"]

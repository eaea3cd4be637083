"""ALTER TABLE, DESCRIBE and SHOW CREATE TABLE on tables of Hive's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from tests.support.local_cloud.ddl_lake import BUCKET, QUOTES, DdlLake

from local_cloud.athena.errors import MalformedQueryError, QueryError

SPEC = "PARTITION (dt='2026-11-23', hour=9)"


@pytest.fixture
def lake() -> Iterator[DdlLake]:
    with mock_aws():
        built = DdlLake()
        built.run(QUOTES)
        built.run(f"ALTER TABLE quotes ADD {SPEC}")
        yield built


def columns(lake: DdlLake) -> list[tuple[str, str, str | None]]:
    """The columns of the table of quotes: names, types and comments."""
    found = lake.table()["StorageDescriptor"]["Columns"]
    return [(column["Name"], column["Type"], column.get("Comment")) for column in found]


def partition(lake: DdlLake) -> dict[str, Any]:
    """The storage of the one partition."""
    found = lake.glue.get_partition(DatabaseName="market", TableName="quotes", PartitionValues=["2026-11-23", "9"])
    return dict(found["Partition"]["StorageDescriptor"])


def test_columns_are_added_changed_moved_and_replaced(lake: DdlLake) -> None:
    lake.run("ALTER TABLE quotes ADD COLUMNS (Volume bigint COMMENT 'pieces', venue varchar(4))")
    assert columns(lake) == [
        ("symbol", "string", None),
        ("close", "double", None),
        ("volume", "bigint", "pieces"),
        ("venue", "varchar(4)", None),
    ]
    lake.run("ALTER TABLE quotes CHANGE COLUMN volume amount decimal(20) AFTER symbol")
    lake.run("ALTER TABLE quotes CHANGE venue venue string COMMENT 'MIC' FIRST")
    assert columns(lake) == [
        ("venue", "string", "MIC"),
        ("symbol", "string", None),
        ("amount", "decimal(20,0)", "pieces"),
        ("close", "double", None),
    ]
    lake.run("ALTER TABLE quotes REPLACE COLUMNS (lone int)")
    assert columns(lake) == [("lone", "int", None)]
    assert [column["Name"] for column in partition(lake)["Columns"]] == ["symbol", "close"]


def test_a_partitions_columns_change_alone(lake: DdlLake) -> None:
    lake.run(f"ALTER TABLE quotes {SPEC} ADD COLUMNS (volume bigint)")
    assert [column["Name"] for column in partition(lake)["Columns"]] == ["symbol", "close", "volume"]
    assert len(columns(lake)) == 2
    lake.run(f"ALTER TABLE quotes {SPEC} REPLACE COLUMNS (lone int)")
    assert [column["Name"] for column in partition(lake)["Columns"]] == ["lone"]


def test_folders_change_and_no_object_moves(lake: DdlLake) -> None:
    lake.put("quotes/dt=2026-11-23/hour=9/a.json")
    lake.run(f"ALTER TABLE quotes SET LOCATION 's3://{BUCKET}/new/'")
    lake.run(f"ALTER TABLE quotes {SPEC} SET LOCATION 's3://{BUCKET}/other/'")
    assert lake.table()["StorageDescriptor"]["Location"] == f"s3://{BUCKET}/new"
    assert partition(lake)["Location"] == f"s3://{BUCKET}/other"
    assert lake.s3.list_objects_v2(Bucket=BUCKET)["Contents"][0]["Key"] == "quotes/dt=2026-11-23/hour=9/a.json"


def test_properties_are_set_and_unset(lake: DdlLake) -> None:
    before = lake.table()["Parameters"]
    lake.run("ALTER TABLE quotes SET TBLPROPERTIES ('projection.enabled' = 'true', 'comment' = 'quotes')")
    assert lake.table()["Parameters"] == before | {"projection.enabled": "true", "comment": "quotes"}
    lake.run("ALTER TABLE quotes UNSET TBLPROPERTIES IF EXISTS ('projection.enabled', 'comment', 'nosuch')")
    assert lake.table()["Parameters"] == before
    with pytest.raises(QueryError, match="The property nosuch does not exist"):
        lake.run("ALTER TABLE quotes UNSET TBLPROPERTIES ('nosuch')")


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (
            "ALTER TABLE quotes DROP\nCOLUMN close",
            (
                "FAILED: ParseException line 2:0 mismatched input 'COLUMN' expecting PARTITION near 'DROP' in drop "
                "partition statement"
            ),
        ),
        ("ALTER TABLE quotes RENAME TO q", "Unable to alter table. Table cannot be renamed"),
        ("ALTER TABLE quotes ADD COLUMNS (a int, symbol string)", "Duplicate column name: symbol"),
        ("ALTER TABLE quotes ADD COLUMNS (dt string)", "Duplicate column name: dt"),
        ("ALTER TABLE quotes CHANGE close symbol double", "Duplicate column name: symbol"),
        ("ALTER TABLE quotes CHANGE nosuch a double", "Invalid column reference nosuch"),
        ("ALTER TABLE quotes REPLACE COLUMNS (a map<string>)", None),
        ("ALTER TABLE quotes SET LOCATION 'file:///x'", "is not an S3 folder"),
        ("ALTER TABLE quotes PARTITION (dt='x', hour=1) SET LOCATION 's3://b/x'", "Partition not found {dt=x, hour=1}"),
        ("OPTIMIZE quotes REWRITE DATA USING BIN_PACK", "NOT_SUPPORTED: OPTIMIZE is supported for Iceberg tables only"),
        ("VACUUM quotes", "NOT_SUPPORTED: VACUUM is supported for Iceberg tables only"),
    ],
)
def test_what_hive_or_glue_refuses_changes_nothing(lake: DdlLake, sql: str, why: str | None) -> None:
    before = lake.table(), partition(lake)
    with pytest.raises((QueryError, MalformedQueryError)) as failed:
        lake.run(sql)
    assert (why or "expecting ','") in str(failed.value)
    assert (lake.table(), partition(lake)) == before


@pytest.mark.parametrize(
    ("sql", "place", "word"),
    [
        ("CREATE EXTERNAL TABLE t (a int,\n  Date string) LOCATION 's3://b/t'", "2:2", "Date"),
        ("CREATE EXTERNAL TABLE market.table (a int) LOCATION 's3://b/t'", "1:29", "table"),
        ("CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (values int) LOCATION 's3://b/t'", "1:48", "values"),
        ("ALTER TABLE quotes ADD COLUMNS (user string)", "1:32", "user"),
        ("ALTER TABLE quotes CHANGE close end double", "1:32", "end"),
        ("ALTER TABLE quotes DROP PARTITION (date = 'x')", "1:35", "date"),
    ],
)
def test_a_reserved_word_is_a_name_only_in_backticks(lake: DdlLake, sql: str, place: str, word: str) -> None:
    before = lake.table()
    with pytest.raises(QueryError) as failed:
        lake.run(sql)
    assert str(failed.value) == (
        f"FAILED: ParseException line {place} Failed to recognize predicate '{word}'. "
        "Failed rule: 'identifier' in column specification"
    )
    assert lake.table() == before
    assert lake.lines("SHOW TABLES") == ["quotes"]


def test_names_in_backticks_may_be_reserved_words(lake: DdlLake) -> None:
    lake.run("CREATE EXTERNAL TABLE `table` (`date` string, time string) LOCATION 's3://b/t'")
    assert [row.split()[0] for row in lake.lines("DESCRIBE table")] == ["date", "time"]


@pytest.mark.parametrize(
    "clauses",
    [
        "",
        "COMMENT 'it\\'s; \\\\ all' PARTITIONED BY (dt string COMMENT 'UTC', `hour` int)",
        "PARTITIONED BY (dt string) CLUSTERED BY (a, `b-c`) INTO 16 BUCKETS STORED AS PARQUET",
        (
            r"ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' ESCAPED BY '\\' COLLECTION ITEMS TERMINATED BY '\002' "
            r"LINES TERMINATED BY '\n' NULL DEFINED AS '\\N' STORED AS TEXTFILE"
        ),
        r"ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES "
        r"('input.regex' = '^(\\S+) \"([^\"]*)\" ''$')".replace(" ''", ""),
        "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('paths'='a,b', 'mapping.a'='A')",
        "STORED AS ORC",
        "STORED AS ORC WITH SERDEPROPERTIES ('serialization.format'='2')",
        "STORED AS INPUTFORMAT 'a.In' OUTPUTFORMAT 'a.Out'",
    ],
)
def test_the_output_of_show_create_table_creates_the_same_table(lake: DdlLake, clauses: str) -> None:
    table = "`t`(a string COMMENT 'tab\\there', `b-c` struct<x:int,y:array<decimal(9,2)>>, d map<string,char(3)>)"
    lake.run(
        f"CREATE EXTERNAL TABLE {table} {clauses} LOCATION 's3://{BUCKET}/t/' "
        "TBLPROPERTIES ('skip.header.line.count'='1', 'projection.dt.format'='yyyy-MM-dd')"
    )
    original = lake.table("t")
    statement = "\n".join(lake.lines("SHOW CREATE TABLE t"))
    lake.run("DROP TABLE t")
    lake.run(statement)
    assert lake.table("t") == original
    assert "\n".join(lake.lines("SHOW CREATE TABLE t")) == statement


def test_show_create_table_is_laid_out_as_hive_does(lake: DdlLake) -> None:
    lake.run("ALTER TABLE quotes UNSET TBLPROPERTIES ('transient_lastDdlTime')")
    lake.run("ALTER TABLE quotes SET TBLPROPERTIES ('classification'='json', 'comment'='all quotes')")
    assert lake.lines("SHOW CREATE TABLE quotes") == [
        "CREATE EXTERNAL TABLE `quotes`(",
        "  `symbol` string, ",
        "  `close` double)",
        "COMMENT 'all quotes'",
        "PARTITIONED BY ( ",
        "  `dt` string, ",
        "  `hour` int)",
        "ROW FORMAT SERDE ",
        "  'org.openx.data.jsonserde.JsonSerDe' ",
        "WITH SERDEPROPERTIES ( ",
        "  'serialization.format'='1') ",
        "STORED AS INPUTFORMAT ",
        "  'org.apache.hadoop.mapred.TextInputFormat' ",
        "OUTPUTFORMAT ",
        "  'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'",
        "LOCATION",
        f"  's3://{BUCKET}/quotes'",
        "TBLPROPERTIES (",
        "  'classification'='json')",
    ]


def test_a_crawlers_table_can_be_shown_and_created(lake: DdlLake) -> None:
    lake.glue.create_table(
        DatabaseName="market",
        TableInput={
            "Name": "unknown",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "UNKNOWN"},
            "StorageDescriptor": {"Columns": [], "Location": f"s3://{BUCKET}/unknown/", "SerdeInfo": {}},
        },
    )
    statement = "\n".join(lake.lines("SHOW CREATE TABLE unknown"))
    lake.run("DROP TABLE unknown")
    lake.run(statement)
    assert lake.table("unknown")["StorageDescriptor"]["Columns"] == []
    assert lake.table("unknown")["Parameters"]["classification"] == "UNKNOWN"


def described(lake: DdlLake, sql: str) -> list[list[str]]:
    """The rows of a description, without what fills them up."""
    return [[value.strip() for value in line.split("\t")] for line in lake.lines(sql)]


def test_describe_formatted_shows_everything_in_the_catalog(lake: DdlLake) -> None:
    rows = described(lake, "DESCRIBE FORMATTED quotes")
    assert rows[:2] == [["symbol", "string", "from deserializer"], ["close", "double", "from deserializer"]]
    assert [row[0] for row in rows[2:8]] == ["", "# Partition Information", "# col_name", "", "dt", "hour"]
    facts = {row[0]: row[1] for row in rows if row[0].endswith(":")}
    assert facts["Database:"] == "market"
    assert facts["Location:"] == f"s3://{BUCKET}/quotes"
    assert facts["Table Type:"] == "EXTERNAL_TABLE"
    assert facts["SerDe Library:"] == "org.openx.data.jsonserde.JsonSerDe"
    assert facts["Num Buckets:"] == "-1"
    assert ["", "EXTERNAL", "TRUE"] in rows


def test_describe_shows_a_partition(lake: DdlLake) -> None:
    rows = described(lake, f"DESCRIBE FORMATTED quotes {SPEC}")
    assert ["Partition Value:", "[2026-11-23, 9]", ""] in rows
    assert ["Location:", f"s3://{BUCKET}/quotes/dt=2026-11-23/hour=9/", ""] in rows
    with pytest.raises(QueryError, match=r"Partition not found \{dt=x, hour=9\}"):
        lake.run("DESCRIBE quotes PARTITION (dt='x', hour=9)")


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("book", [["bids", "array<double>"], ["by", "map<string,struct<a:int>>"]]),
        ("book.bids", [["bids", "array<double>"]]),
        ("book.bids.'$elem$'", [["$elem$", "double"]]),
        ("book.by.'$key$'", [["$key$", "string"]]),
        ("book.by.'$value$'", [["a", "int"]]),
        ("book.by.'$value$'.a", [["a", "int"]]),
    ],
)
def test_what_is_inside_a_column_is_described(lake: DdlLake, path: str, rows: list[list[str]]) -> None:
    lake.run("ALTER TABLE quotes ADD COLUMNS (book struct<bids:array<double>,by:map<string,struct<a:int>>>)")
    assert described(lake, f"DESCRIBE quotes {path}") == [[*row, "from deserializer"] for row in rows]
    with pytest.raises(QueryError, match="Unknown type or field 'nosuch' in double"):
        lake.run("DESCRIBE quotes book.bids.'$elem$'.nosuch")


def test_describe_extended_is_one_line_of_thrift(lake: DdlLake) -> None:
    last = lake.lines("DESCRIBE EXTENDED quotes")[-1]
    assert last.startswith("Detailed Table Information\tTable(tableName:quotes, dbName:market, owner:hadoop, ")
    assert "FieldSchema(name:symbol, type:string, comment:null)" in last
    assert last.rstrip("\t").endswith("tableType:EXTERNAL_TABLE)")
    part = lake.lines(f"DESCRIBE EXTENDED quotes {SPEC}")[-1]
    assert part.startswith("Detailed Partition Information\tPartition(values:[2026-11-23, 9], dbName:market, ")


def test_a_view_has_columns_too(lake: DdlLake) -> None:
    lake.view()
    assert lake.lines("DESCRIBE v") == ["a\tint"]
    assert lake.lines("SHOW COLUMNS FROM v") == ["a"]
    with pytest.raises(QueryError, match="use SHOW CREATE VIEW"):
        lake.run("SHOW CREATE TABLE v")
    with pytest.raises(QueryError, match="Cannot alter a view"):
        lake.run("ALTER TABLE v ADD COLUMNS (b int)")

"""Statements about the catalog change Glue's catalog as Athena's do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws
from tests.support.local_cloud.ddl_lake import BUCKET, QUOTES, DdlLake

from local_cloud.athena.errors import QueryError

DDL_TASK = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."


@pytest.fixture
def lake() -> Iterator[DdlLake]:
    with mock_aws():
        yield DdlLake()


@pytest.fixture
def quotes(lake: DdlLake) -> DdlLake:
    """The table of quotes, with two partitions that the catalog knows."""
    lake.run(QUOTES)
    lake.run("ALTER TABLE quotes ADD PARTITION (dt='2026-11-23', hour=9) PARTITION (dt='2026-11-23', hour=10)")
    return lake


def reason(lake: DdlLake, sql: str) -> str:
    """Why a statement fails."""
    with pytest.raises(QueryError) as failed:
        lake.run(sql)
    return str(failed.value)


def test_databases_come_change_and_go(lake: DdlLake) -> None:
    lake.run("CREATE DATABASE `my-data` COMMENT 'mine' LOCATION 's3://b/x/' WITH DBPROPERTIES ('a'='1')")
    lake.run("CREATE DATABASE IF NOT EXISTS `my-data` COMMENT 'yours'")
    lake.run("ALTER DATABASE `my-data` SET DBPROPERTIES ('b'='2')")
    found = lake.glue.get_database(Name="my-data")["Database"]
    assert found["Description"] == "mine"
    assert found["LocationUri"] == "s3://b/x/"
    assert found["Parameters"] == {"a": "1", "b": "2"}
    assert lake.lines("SHOW DATABASES") == ["market", "my-data"]
    assert lake.lines("SHOW DATABASES LIKE 'm*-D*|x'") == ["my-data"]
    assert reason(lake, "CREATE DATABASE market") == f"{DDL_TASK} Database market already exists"
    lake.run("DROP DATABASE `my-data`")
    lake.run("DROP DATABASE IF EXISTS `my-data`")
    assert lake.lines("SHOW SCHEMAS") == ["market"]
    gone = "FAILED: SemanticException [Error 10072]: Database does not exist: my-data"
    assert reason(lake, "DROP DATABASE `my-data`") == gone
    assert reason(lake, "SHOW TABLES IN `my-data`") == gone


def test_a_database_with_tables_is_dropped_only_with_cascade(quotes: DdlLake) -> None:
    assert "Database market is not empty. One or more tables exist." in reason(quotes, "DROP DATABASE market")
    quotes.run("DROP DATABASE market CASCADE")
    assert quotes.lines("SHOW DATABASES") == []


def test_a_table_is_described_as_athena_describes_it(lake: DdlLake) -> None:
    lake.run(QUOTES)
    table = lake.table()
    assert table["Parameters"].pop("transient_lastDdlTime").isdigit()
    assert table == {
        "Name": "quotes",
        "Owner": "hadoop",
        "Retention": 0,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE"},
        "PartitionKeys": [{"Name": "dt", "Type": "string"}, {"Name": "hour", "Type": "int"}],
        "StorageDescriptor": {
            "Columns": [{"Name": "symbol", "Type": "string"}, {"Name": "close", "Type": "double"}],
            "Location": f"s3://{BUCKET}/quotes",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
                "Parameters": {"serialization.format": "1"},
            },
            "Compressed": False,
            "NumberOfBuckets": -1,
            "BucketColumns": [],
            "SortColumns": [],
            "Parameters": {},
            "SkewedInfo": {
                "SkewedColumnNames": [],
                "SkewedColumnValues": [],
                "SkewedColumnValueLocationMaps": {},
            },
            "StoredAsSubDirectories": False,
        },
    }


@pytest.mark.parametrize(
    ("clauses", "input_format", "serde", "parameters"),
    [
        ("", "mapred.TextInputFormat", "serde2.lazy.LazySimpleSerDe", {"serialization.format": "1"}),
        (
            "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','",
            "mapred.TextInputFormat",
            "serde2.lazy.LazySimpleSerDe",
            {"serialization.format": ",", "field.delim": ","},
        ),
        (
            "STORED AS PARQUET",
            "parquet.MapredParquetInputFormat",
            "parquet.serde.ParquetHiveSerDe",
            {"serialization.format": "1"},
        ),
        ("STORED AS orc", "orc.OrcInputFormat", "orc.OrcSerde", {"serialization.format": "1"}),
        ("STORED AS AVRO", "avro.AvroContainerInputFormat", "avro.AvroSerDe", {"serialization.format": "1"}),
        (
            "STORED AS RCFILE",
            "RCFileInputFormat",
            "columnar.LazyBinaryColumnarSerDe",
            {"serialization.format": "1"},
        ),
        (
            "STORED AS SEQUENCEFILE",
            "mapred.SequenceFileInputFormat",
            "serde2.lazy.LazySimpleSerDe",
            {"serialization.format": "1"},
        ),
        (
            r"ROW FORMAT SERDE 'a.RegexSerDe' WITH SERDEPROPERTIES ('input.regex' = '^(\\S+)$')",
            "mapred.TextInputFormat",
            "a.RegexSerDe",
            {"serialization.format": "1", "input.regex": r"^(\S+)$"},
        ),
        (
            "ROW FORMAT SERDE 'a.Serde' STORED AS INPUTFORMAT 'a.In' OUTPUTFORMAT 'a.Out'",
            "a.In",
            "a.Serde",
            {"serialization.format": "1"},
        ),
    ],
)
def test_a_format_is_kept_as_its_classes(
    lake: DdlLake, clauses: str, input_format: str, serde: str, parameters: dict[str, str]
) -> None:
    lake.run(f"CREATE EXTERNAL TABLE t (a string) {clauses} LOCATION 's3://{BUCKET}/t'")
    storage = lake.table("t")["StorageDescriptor"]
    assert storage["InputFormat"].endswith(input_format)
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith(serde)
    assert storage["SerdeInfo"]["Parameters"] == parameters


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (QUOTES, f"{DDL_TASK} AlreadyExistsException(message:Table quotes already exists.)"),
        (
            "CREATE EXTERNAL TABLE t (a foo) LOCATION 's3://b/t'",
            f"{DDL_TASK} Error: type expected at the position 0 of 'foo' but 'foo' is found.",
        ),
        (
            "CREATE EXTERNAL TABLE t (a int) STORED AS JSONFILE LOCATION 's3://b/t'",
            "FAILED: SemanticException Unrecognized file format in STORED AS clause: 'jsonfile'",
        ),
        (
            "CREATE EXTERNAL TABLE t (a int, A string) LOCATION 's3://b/t'",
            "FAILED: SemanticException [Error 10036]: Duplicate column name: a",
        ),
        (
            "CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (a string) LOCATION 's3://b/t'",
            "FAILED: SemanticException [Error 10035]: Column repeated in partitioning columns",
        ),
        (
            "CREATE EXTERNAL TABLE nosuch.t (a int) LOCATION 's3://b/t'",
            "FAILED: SemanticException [Error 10072]: Database does not exist: nosuch",
        ),
        ("DROP TABLE nosuch", "FAILED: SemanticException [Error 10001]: Table not found market.nosuch"),
        ("SHOW PARTITIONS nosuch", "FAILED: SemanticException [Error 10001]: Table not found market.nosuch"),
        (
            "ALTER TABLE quotes ADD PARTITION (dt='2026-11-23', hour='9')",
            f"{DDL_TASK} AlreadyExistsException(message:Partition already exists.)",
        ),
        (
            "ALTER TABLE quotes ADD PARTITION (dt='x')",
            "FAILED: SemanticException [Error 10125]: partition spec {dt=x} doesn't contain all (2) partition columns",
        ),
        (
            "ALTER TABLE quotes ADD PARTITION (dt='x', hour=1) LOCATION 'x/'",
            f"{DDL_TASK} MetaException(message:The location 'x/' is not an S3 folder such as s3://bucket/folder/)",
        ),
        (
            "ALTER TABLE quotes DROP PARTITION (dt='x')",
            "FAILED: SemanticException [Error 10006]: Partition not found {dt=x}",
        ),
        (
            "ALTER TABLE quotes DROP PARTITION (day = 'x')",
            "FAILED: SemanticException Partition column not found: day",
        ),
        (
            "ALTER TABLE quotes DROP PARTITION (hour < 'noon')",
            "FAILED: SemanticException 'noon' is not a value of hour",
        ),
        (
            "ALTER TABLE quotes PARTITION (dt='2026-11-23', hour=9) RENAME TO PARTITION (dt='2026-11-23', hour=10)",
            f"{DDL_TASK} Unable to rename partition. Partition already exists: ['2026-11-23', '10']",
        ),
        (
            "CREATE EXTERNAL TABLE t (a int) CLUSTERED BY (b) INTO 2 BUCKETS LOCATION 's3://b/t'",
            "FAILED: SemanticException [Error 10002]: Invalid column reference: b",
        ),
        (
            "CREATE EXTERNAL TABLE t (a array<varchar>) LOCATION 's3://b/t'",
            f"{DDL_TASK} varchar type is specified without length: varchar",
        ),
        ("DESCRIBE quotes nosuch", f"{DDL_TASK} cannot find field nosuch from [0:symbol, 1:close, 2:dt, 3:hour]"),
    ],
)
def test_what_fails_says_why_in_hives_words(quotes: DdlLake, sql: str, why: str) -> None:
    before = quotes.table(), quotes.partitions()
    assert reason(quotes, sql) == why
    assert (quotes.table(), quotes.partitions()) == before


@pytest.mark.parametrize("location", ["http://b/t", "s3a://b/t", "quotes/", "s3:///t"])
def test_a_table_is_in_s3_and_nowhere_else(lake: DdlLake, location: str) -> None:
    assert location in reason(lake, f"CREATE EXTERNAL TABLE t (a int) LOCATION '{location}'")
    assert lake.lines("SHOW TABLES") == []


def test_names_without_a_database_belong_to_the_context_or_to_default(lake: DdlLake) -> None:
    lake.glue.create_database(DatabaseInput={"Name": "default"})
    lake.run("CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b/t'", database="")
    assert lake.lines("SHOW TABLES IN default") == lake.lines("SHOW TABLES", database="") == ["t"]
    assert lake.lines("SHOW TABLES", database="Market") == []


def test_a_table_that_exists_is_left_alone_where_that_is_asked_for(quotes: DdlLake) -> None:
    before = quotes.table()
    quotes.run("CREATE EXTERNAL TABLE IF NOT EXISTS quotes (other int) LOCATION 's3://b/other/'")
    assert quotes.table() == before


def test_a_dropped_table_leaves_its_objects(quotes: DdlLake) -> None:
    quotes.put("quotes/dt=2026-11-23/hour=9/a.json")
    quotes.run("DROP TABLE market.quotes")
    quotes.run("DROP TABLE IF EXISTS quotes")
    quotes.run("DROP TABLE IF EXISTS nosuch.quotes")
    assert quotes.lines("SHOW TABLES") == []
    assert quotes.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_a_view_is_not_dropped_as_a_table(lake: DdlLake) -> None:
    lake.view()
    assert "Cannot drop a view with DROP TABLE" in reason(lake, "DROP TABLE IF EXISTS v")
    assert lake.lines("SHOW VIEWS") == ["v"]


def test_tables_and_views_are_listed(quotes: DdlLake) -> None:
    quotes.view("quotes_view")
    quotes.view("other")
    assert quotes.lines("SHOW TABLES") == ["other", "quotes", "quotes_view"]
    assert quotes.lines("SHOW TABLES IN AwsDataCatalog.market 'quotes*'", database="x") == ["quotes", "quotes_view"]
    assert quotes.lines("SHOW TABLES '.*view|oth.*'") == ["other", "quotes_view"]
    assert "is not a regular expression" in reason(quotes, "SHOW TABLES '(x'")
    assert quotes.lines("SHOW VIEWS IN market LIKE 'q*'") == ["quotes_view"]


def test_partitions_are_added_listed_and_dropped(quotes: DdlLake) -> None:
    quotes.run(
        "ALTER TABLE quotes ADD IF NOT EXISTS PARTITION (hour = 9, dt = '2026-11-23') "
        f"PARTITION (dt = '2026-11-24', hour = 9) LOCATION 's3://{BUCKET}/elsewhere/'"
    )
    assert quotes.partitions() == {
        ("2026-11-23", "9"): f"s3://{BUCKET}/quotes/dt=2026-11-23/hour=9/",
        ("2026-11-23", "10"): f"s3://{BUCKET}/quotes/dt=2026-11-23/hour=10/",
        ("2026-11-24", "9"): f"s3://{BUCKET}/elsewhere/",
    }
    assert quotes.lines("SHOW PARTITIONS quotes") == [
        "dt=2026-11-23/hour=10",
        "dt=2026-11-23/hour=9",
        "dt=2026-11-24/hour=9",
    ]
    quotes.run("ALTER TABLE quotes DROP IF EXISTS PARTITION (dt = '2026-11-24'), PARTITION (dt = 'never')")
    quotes.run("ALTER TABLE quotes DROP PARTITION (dt <= '2026-11-23', hour > 9)")
    assert list(quotes.partitions()) == [("2026-11-23", "9")]


def test_an_added_partition_has_the_tables_format(quotes: DdlLake) -> None:
    values = ["2026-11-23", "9"]
    found = quotes.glue.get_partition(DatabaseName="market", TableName="quotes", PartitionValues=values)["Partition"]
    storage = dict(found["StorageDescriptor"])
    assert storage.pop("Location") == f"s3://{BUCKET}/quotes/dt=2026-11-23/hour=9/"
    expected = quotes.table()["StorageDescriptor"]
    del expected["Location"]
    assert storage == expected


def test_letters_that_a_folder_cannot_have_are_escaped_as_hive_does(quotes: DdlLake) -> None:
    quotes.run("ALTER TABLE quotes ADD PARTITION (dt = '2026-11-23 09:30/x', hour = 1)")
    folder = "dt=2026-11-23 09%3A30%2Fx/hour=1"
    assert quotes.partitions()[("2026-11-23 09:30/x", "1")] == f"s3://{BUCKET}/quotes/{folder}/"
    assert folder in quotes.lines("SHOW PARTITIONS quotes")


def test_a_partition_is_renamed_and_stays_in_its_folder(quotes: DdlLake) -> None:
    quotes.run("ALTER TABLE quotes PARTITION (dt='2026-11-23', hour=9) RENAME TO PARTITION (dt='x', hour=1)")
    assert quotes.partitions()[("x", "1")] == f"s3://{BUCKET}/quotes/dt=2026-11-23/hour=9/"
    assert len(quotes.partitions()) == 2


def test_repair_adds_what_is_in_s3_and_removes_nothing(quotes: DdlLake) -> None:
    quotes.put(
        "quotes/dt=2026-11-23/hour=9/a.json",
        "quotes/dt=2026-11-23/hour=11/deeper/a.json",
        "quotes/dt=2026-11-24%3A/hour=9/a.json",
        "quotes/Dt=2026-11-25/hour=9/a.json",
        "quotes/hour=9/dt=2026-11-25/a.json",
        "quotes/dt=2026-11-26/hour=9/_SUCCESS",
        "quotes/dt=2026-11-27/a.json",
    )
    assert quotes.lines("MSCK REPAIR TABLE quotes") == [
        "Partitions not in metastore:\tquotes:dt=2026-11-23/hour=11\tquotes:dt=2026-11-24%3A/hour=9",
        "Partitions missing from filesystem:\tquotes:dt=2026-11-23/hour=10",
        "Repair: Added partition to metastore quotes:dt=2026-11-23/hour=11",
        "Repair: Added partition to metastore quotes:dt=2026-11-24%3A/hour=9",
    ]
    assert set(quotes.partitions()) == {
        ("2026-11-23", "9"),
        ("2026-11-23", "10"),
        ("2026-11-23", "11"),
        ("2026-11-24:", "9"),
    }
    assert quotes.lines("MSCK REPAIR TABLE quotes") == [
        "Partitions missing from filesystem:\tquotes:dt=2026-11-23/hour=10"
    ]


def test_repair_reports_a_table_without_objects(quotes: DdlLake) -> None:
    assert quotes.lines("MSCK REPAIR TABLE quotes") == ["Tables missing on filesystem:\tquotes"]


def test_a_table_without_partition_keys_has_no_partitions(lake: DdlLake) -> None:
    lake.run(f"CREATE EXTERNAL TABLE t (a int) LOCATION 's3://{BUCKET}/t/'")
    lake.put("t/a=1/x.json")
    assert reason(lake, "SHOW PARTITIONS t") == f"{DDL_TASK} Table t is not a partitioned table"
    assert reason(lake, "ALTER TABLE t ADD PARTITION (a=1)") == (
        "FAILED: SemanticException table is not partitioned but partition spec exists"
    )
    assert lake.lines("MSCK REPAIR TABLE t") == []


def test_repair_does_not_miss_a_partition_whose_folder_is_elsewhere(quotes: DdlLake) -> None:
    quotes.run("ALTER TABLE quotes DROP PARTITION (hour >= 0)")
    quotes.put("quotes/dt=x/hour=1/a.json")
    quotes.run(f"ALTER TABLE quotes ADD PARTITION (dt='y', hour=1) LOCATION 's3://{BUCKET}/elsewhere/'")
    assert [line.split("\t")[0] for line in quotes.lines("MSCK REPAIR TABLE quotes")] == [
        "Partitions not in metastore:",
        "Repair: Added partition to metastore quotes:dt=x/hour=1",
    ]


def test_columns_are_padded_as_hive_does(quotes: DdlLake) -> None:
    assert quotes.lines("SHOW COLUMNS IN quotes") == [f"{name:<20}" for name in ("symbol", "close", "dt", "hour")]


def test_describe_shows_the_columns_and_the_partition_keys(lake: DdlLake) -> None:
    lake.run(f"CREATE EXTERNAL TABLE t (n int) PARTITIONED BY (p string) LOCATION 's3://{BUCKET}/t/'")
    blank = " " * 19
    expected = [
        f"n{blank}\tint{' ' * 17}\t{' ' * 20}",
        f"p{blank}\tstring{' ' * 14}\t{' ' * 20}",
        "\t \t ",
        "# Partition Information\t \t ",
        f"# col_name{' ' * 12}\tdata_type{' ' * 11}\tcomment{' ' * 13}",
        "\t \t ",
        f"p{blank}\tstring{' ' * 14}\t{' ' * 20}",
    ]
    assert lake.lines("DESCRIBE market.t") == expected
    assert len("\n".join(expected)) == 291  # as many bytes as people have measured for this very table
    assert lake.lines("DESCRIBE t P") == [expected[1]]


def test_properties_are_listed_and_shown(quotes: DdlLake) -> None:
    quotes.run("ALTER TABLE quotes SET TBLPROPERTIES ('has_encrypted_data'='true', 'EXTERNAL'='TRUE')")
    listed = quotes.lines("SHOW TBLPROPERTIES quotes")
    assert listed[:2] == ["EXTERNAL\tTRUE", "has_encrypted_data\ttrue"]
    assert quotes.lines("SHOW TBLPROPERTIES quotes ('has_encrypted_data')") == ["has_encrypted_data\ttrue"]
    assert quotes.lines("SHOW TBLPROPERTIES quotes('x')") == ["x\tTable market.quotes does not have property: x"]

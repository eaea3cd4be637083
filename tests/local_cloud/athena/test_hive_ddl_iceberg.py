"""Athena's statements about Iceberg's tables, in the words that Trino takes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws
from tests.support.local_cloud.ddl_lake import BUCKET, DdlLake

from local_cloud.athena import statements as athena_statements
from local_cloud.athena.errors import QueryError
from local_cloud.iam.callers import AccessDeniedError

TRADES = 'awsdatacatalog_iceberg."market"."trades"'
CREATE = "CREATE TABLE t ({0}) LOCATION 's3://b/t/' TBLPROPERTIES ('table_type'='ICEBERG'{1})"


@pytest.fixture
def lake() -> Iterator[DdlLake]:
    with mock_aws():
        yield DdlLake()


def test_a_table_is_created_by_trino(lake: DdlLake) -> None:
    assert lake.engine(
        """
        CREATE TABLE IF NOT EXISTS AwsDataCatalog.market.`Trades` (
            id bigint COMMENT 'it\\'s', ts timestamp, `Ven"ue` string, price decimal(10, 2), share float, raw binary,
            book struct<bids:array<double>,depth:int>, tags map<string,date>, ok boolean
        )
        COMMENT 'all'
        PARTITIONED BY (day(ts), bucket(16, id), truncate(4, `Ven"ue`), id, `a-b`)
        LOCATION 's3://b/trades/'
        TBLPROPERTIES (
            'table_type' = 'iceberg', 'format' = 'ORC', 'write_compression' = 'ZSTD', 'compression_level' = '7',
            'vacuum_max_snapshot_age_seconds' = '60', 'vacuum_min_snapshots_to_keep' = '2',
            'vacuum_max_metadata_files_to_keep' = '9', 'OPTIMIZE_rewrite_data_file_threshold' = '4',
            'write_data_path_enabled' = 'true'
        )"""
    ) == (
        (
            f"CREATE TABLE IF NOT EXISTS {TRADES} (\"id\" bigint COMMENT 'it''s', \"ts\" timestamp(6), "
            '"ven""ue" varchar, "price" decimal(10,2), "share" real, "raw" varbinary, '
            '"book" row("bids" array(double), "depth" integer), "tags" map(varchar, date), "ok" boolean) '
            "COMMENT 'all' WITH (location = 's3://b/trades', format = 'ORC', "
            "partitioning = ARRAY['day(ts)', 'bucket(id, 16)', 'truncate(\"ven\"\"ue\", 4)', 'id', '\"a-b\"'], "
            "extra_properties = MAP(ARRAY['write_compression', 'compression_level', "
            "'history.expire.max-snapshot-age-ms', 'history.expire.min-snapshots-to-keep', "
            "'write.metadata.previous-versions-max', "
            "'optimize_rewrite_data_file_threshold', 'write_data_path_enabled'], "
            "ARRAY['zstd', '7', '60000', '2', '9', '4', 'true']))"
        ),
    )


def test_the_default_format_is_parquet(lake: DdlLake) -> None:
    assert lake.engine(CREATE.format("a int", "")) == (
        (
            'CREATE TABLE awsdatacatalog_iceberg."market"."t" ("a" integer) '
            "WITH (location = 's3://b/t', format = 'PARQUET')"
        ),
    )


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (CREATE.format("a int", ", 'Comment'='x'"), "Unsupported table property key: Comment"),
        (CREATE.format("a int", ", 'format'='csv'"), "Unsupported value for table property format: csv"),
        (CREATE.format("a int", ", 'vacuum_min_snapshots_to_keep'='-1'"), "vacuum_min_snapshots_to_keep: -1"),
        (CREATE.format("a int", ", 'write_compression'='rar'"), "write_compression: rar"),
        (CREATE.format("a smallint", ""), "NOT_SUPPORTED: Type not supported for Iceberg: smallint"),
        (
            CREATE.format("a int", "").replace("LOCATION", "STORED AS PARQUET LOCATION"),
            "Iceberg create table statement does not allow STORED AS/BY",
        ),
        (
            CREATE.format("a int", "").replace("LOCATION", "ROW FORMAT SERDE 'x' STORED AS ORC LOCATION"),
            "Iceberg create table statement does not allow ROW FORMAT",
        ),
        (
            CREATE.format("a int", "").replace("LOCATION", "CLUSTERED BY (a) INTO 2 BUCKETS LOCATION"),
            "Iceberg create table statement does not allow CLUSTERED BY",
        ),
        (
            CREATE.format("a int", "").replace("LOCATION", "PARTITIONED BY (b string) LOCATION"),
            "Invalid PARTITIONED BY clause in Iceberg create table statement",
        ),
        (
            CREATE.format("a int", "").replace("(a int)", ""),
            "At least one column is required for Iceberg create table statement",
        ),
        (CREATE.format("a int", "").replace("s3://", "s4://"), "is not an S3 folder"),
        ("CREATE TABLE x.t (a int) LOCATION 's3://b/t' TBLPROPERTIES ('table_type'='ICEBERG')", "does not exist: x"),
    ],
)
def test_what_athena_refuses_never_reaches_trino(lake: DdlLake, sql: str, why: str) -> None:
    with pytest.raises(QueryError) as refused:
        lake.run(sql)
    assert str(refused.value).endswith(why) or why in str(refused.value)


def test_stored_as_makes_no_create_table_as_select() -> None:
    plain = CREATE.format("a int", "")
    refused = athena_statements.parse(plain.replace("LOCATION", "STORED AS PARQUET LOCATION"))
    assert (refused.kind, refused.name) == (athena_statements.parse(plain).kind, athena_statements.parse(plain).name)
    assert refused.name != "CREATE_TABLE_AS_SELECT"
    for name in ("stored", "market.defined", "IF NOT EXISTS stored", '"a b"'):
        assert athena_statements.parse(f"CREATE TABLE {name} AS SELECT 1 AS stored").name == "CREATE_TABLE_AS_SELECT"


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("DROP TABLE IF EXISTS trades", (f"DROP TABLE {TRADES}",)),
        (
            "ALTER TABLE trades ADD COLUMNS (`x` int COMMENT 'new', y array<string>)",
            (
                f"ALTER TABLE {TRADES} ADD COLUMN \"x\" integer COMMENT 'new'",
                f'ALTER TABLE {TRADES} ADD COLUMN "y" array(varchar)',
            ),
        ),
        ("ALTER TABLE trades DROP COLUMN Venue", (f'ALTER TABLE {TRADES} DROP COLUMN "venue"',)),
        (
            "ALTER TABLE trades CHANGE COLUMN venue place string COMMENT 'there'",
            (
                f'ALTER TABLE {TRADES} RENAME COLUMN "venue" TO "place"',
                f"COMMENT ON COLUMN {TRADES}.\"place\" IS 'there'",
            ),
        ),
        (
            "ALTER TABLE trades CHANGE id id decimal(20)",
            (f'ALTER TABLE {TRADES} ALTER COLUMN "id" SET DATA TYPE decimal(20,0)',),
        ),
        ("ALTER TABLE trades CHANGE id id bigint", ()),
        ("ALTER TABLE trades ADD COLUMNS (date date)", (f'ALTER TABLE {TRADES} ADD COLUMN "date" date',)),
        (
            "ALTER TABLE trades SET TBLPROPERTIES ('format'='orc', 'vacuum_max_snapshot_age_seconds'='1')",
            (
                (
                    f"ALTER TABLE {TRADES} SET PROPERTIES format = 'ORC', "
                    "extra_properties = MAP(ARRAY['history.expire.max-snapshot-age-ms'], ARRAY['1000'])"
                ),
            ),
        ),
        (
            "ALTER TABLE trades UNSET TBLPROPERTIES ('vacuum_max_snapshot_age_seconds')",
            (
                (
                    f"ALTER TABLE {TRADES} SET PROPERTIES "
                    "extra_properties = MAP(ARRAY['history.expire.max-snapshot-age-ms'], ARRAY['432000000'])"
                ),
            ),
        ),
        ("ALTER TABLE trades SET TBLPROPERTIES ('format'='PARQUET')", ()),
        (
            "ALTER TABLE trades RENAME TO `old-trades`",
            (f'ALTER TABLE {TRADES} RENAME TO awsdatacatalog_iceberg."market"."old-trades"',),
        ),
        ("OPTIMIZE market.trades REWRITE DATA USING BIN_PACK;", (f"ALTER TABLE {TRADES} EXECUTE optimize",)),
        (
            "optimize trades rewrite data using bin_pack\nwhere venue = 'a;b' /* only */ AND id > 1 ; -- so",
            (f"ALTER TABLE {TRADES} EXECUTE optimize WHERE venue = 'a;b' /* only */ AND id > 1",),
        ),
        (
            "VACUUM trades",
            (
                f"ALTER TABLE {TRADES} EXECUTE expire_snapshots(retention_threshold => '432000s')",
                f"ALTER TABLE {TRADES} EXECUTE remove_orphan_files(retention_threshold => '432000s')",
            ),
        ),
    ],
)
def test_a_change_becomes_trinos_statements(lake: DdlLake, sql: str, statements: tuple[str, ...]) -> None:
    lake.iceberg()
    assert lake.engine(sql) == statements


def test_vacuum_uses_the_age_in_the_tables_properties(lake: DdlLake) -> None:
    lake.iceberg(**{"history.expire.max-snapshot-age-ms": "0"})
    assert [statement.rpartition("=> ")[2] for statement in lake.engine("VACUUM trades")] == ["'0s')", "'0s')"]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("ALTER TABLE trades ADD PARTITION (venue='x')", "Query type not supported by Athena Iceberg at this time"),
        ("ALTER TABLE trades DROP PARTITION (venue='x')", "Query type not supported by Athena Iceberg at this time"),
        ("ALTER TABLE trades REPLACE COLUMNS (a int)", "Query type not supported by Athena Iceberg at this time"),
        ("ALTER TABLE trades SET LOCATION 's3://b/x'", "Query type not supported by Athena Iceberg at this time"),
        ("MSCK REPAIR TABLE trades", "Query type not supported by Athena Iceberg at this time"),
        ("ALTER TABLE trades SET TBLPROPERTIES ('comment'='x')", "Unsupported table property key: comment"),
        (
            "ALTER TABLE trades UNSET TBLPROPERTIES ('write.object-storage.enabled')",
            "Table property write.object-storage.enabled is not supported by Athena",
        ),
        ("DESCRIBE EXTENDED trades", "EXTENDED keyword is not supported for Iceberg tables."),
        ("DESCRIBE FORMATTED trades id", "FORMATTED keyword is not supported for Iceberg table columns."),
        ("DESCRIBE trades PARTITION (venue='x')", "PARTITION keyword is not supported for Iceberg tables."),
        ("ALTER TABLE trades CHANGE id id bigint FIRST", "is not supported by the local cloud"),
    ],
)
def test_what_athena_does_not_do_with_iceberg_is_refused(lake: DdlLake, sql: str, why: str) -> None:
    lake.iceberg()
    with pytest.raises(QueryError) as refused:
        lake.run(sql)
    text = str(refused.value)
    assert text == why or (why.startswith("is not") and text.endswith(why))


def test_describe_shows_columns_and_transforms(lake: DdlLake) -> None:
    lake.iceberg()
    columns = [
        "# Table schema:\t\t",
        "# col_name\tdata_type\tcomment",
        "id\tbigint\t",
        "ts\ttimestamp\t",
        "venue\tstring\twhere",
        "\t\t",
        "# Partition spec:\t\t",
        "# field_name\tfield_transform\tcolumn_name",
        "ts_day\tday\tts",
        "id_bucket\tbucket[16]\tid",
        "venue\tidentity\tvenue",
    ]
    assert lake.lines("DESCRIBE trades") == columns
    formatted = lake.lines("DESCRIBE FORMATTED trades")
    assert formatted[: len(columns)] == columns
    assert f"Location:\ts3://{BUCKET}/trades\t" in formatted
    assert "Name:\ticeberg.market.trades\t" in formatted
    assert lake.lines("DESCRIBE trades venue") == ["venue\tstring\twhere"]
    assert lake.lines("SHOW COLUMNS IN trades") == ["id", "ts", "venue"]


def test_show_create_table_creates_the_same_table_again(lake: DdlLake) -> None:
    lake.iceberg(
        **{
            "write_compression": "zstd",
            "history.expire.max-snapshot-age-ms": "60000",
            "write_data_path_enabled": "true",
        }
    )
    told = lake.lines("SHOW CREATE TABLE trades")
    assert told == [
        "CREATE TABLE market.trades (",
        "  id bigint,",
        "  ts timestamp,",
        "  venue string COMMENT 'where')",
        "PARTITIONED BY (day(`ts`), bucket(16, `id`), `venue`)",
        f"LOCATION 's3://{BUCKET}/trades'",
        "TBLPROPERTIES (",
        "  'format'='parquet',",
        "  'table_type'='iceberg',",
        "  'vacuum_max_snapshot_age_seconds'='60',",
        "  'write_compression'='zstd',",
        "  'write_data_path_enabled'='true'",
        ");",
    ]
    assert lake.engine("\n".join(told)) == (
        (
            f'CREATE TABLE {TRADES} ("id" bigint, "ts" timestamp(6), "venue" varchar COMMENT \'where\') '
            f"WITH (location = 's3://{BUCKET}/trades', format = 'PARQUET', "
            "partitioning = ARRAY['day(ts)', 'bucket(id, 16)', 'venue'], "
            "extra_properties = MAP(ARRAY['history.expire.max-snapshot-age-ms', 'write_compression', "
            "'write_data_path_enabled'], "
            "ARRAY['60000', 'zstd', 'true']))"
        ),
    )


def test_a_reserved_word_names_a_column_of_icebergs(lake: DdlLake) -> None:
    assert '"date" date' in lake.engine(CREATE.format("date date", ""))[0]


def test_a_tables_metadata_is_read_in_the_callers_name(lake: DdlLake) -> None:
    lake.iceberg()
    caller = lake.analyst({"Effect": "Allow", "Action": "glue:*", "Resource": "*"})
    with pytest.raises(AccessDeniedError, match="s3:GetObject"):
        lake.run("DESCRIBE trades", caller=caller)


@pytest.mark.parametrize(
    ("sql", "action"),
    [
        (CREATE.format("a int", ""), "glue:CreateTable"),
        ("DROP TABLE trades", "glue:DeleteTable"),
        ("ALTER TABLE trades DROP COLUMN id", "glue:UpdateTable"),
        ("OPTIMIZE trades REWRITE DATA USING BIN_PACK", "glue:UpdateTable"),
        ("ALTER TABLE trades RENAME TO t", "glue:CreateTable"),
    ],
)
def test_the_caller_must_be_allowed_what_trino_then_does(lake: DdlLake, sql: str, action: str) -> None:
    lake.iceberg()
    allowed = {"Effect": "Allow", "Action": ["glue:*", "s3:*"], "Resource": "*"}
    caller = lake.analyst(allowed, {"Effect": "Deny", "Action": action, "Resource": "*"})
    with pytest.raises(AccessDeniedError, match=action):
        lake.run(sql, caller=caller)

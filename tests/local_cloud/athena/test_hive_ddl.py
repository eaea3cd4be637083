"""Statements about the catalog are read as Hive reads them, and refused in Athena's words."""

from __future__ import annotations

import pytest

from local_cloud.athena.ddl.databases import alter_database, create_database, drop_database, show_databases
from local_cloud.athena.ddl.describe import describe
from local_cloud.athena.ddl.partitions import Condition, add_partitions, drop_partitions, repair_table
from local_cloud.athena.ddl.show import show_columns, show_table_properties, show_tables, show_views
from local_cloud.athena.ddl.statement import ColumnDefinition, Ddl, TableName
from local_cloud.athena.ddl.tables import TableDefinition, create_table, drop_table
from local_cloud.athena.errors import MalformedQueryError
from local_cloud.athena.hive.formats import StorageClauses
from local_cloud.athena.hive.statements import parse_ddl
from local_cloud.athena.hive.types import HiveType

QUOTES = TableName("quotes")
STRING, DOUBLE = HiveType("string"), HiveType("double")


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("CREATE DATABASE market", create_database("market")),
        ("create schema if not exists `my-market`;", create_database("my-market", if_not_exists=True)),
        (
            "CREATE DATABASE m COMMENT 'it''s' LOCATION 's3://b/m/' WITH DBPROPERTIES ('a' = 'b', 'c'='')",
            None,
        ),
        (
            r"CREATE DATABASE m COMMENT 'it\'s' LOCATION 's3://b/m/' WITH DBPROPERTIES ('a' = 'b', 'c'='')",
            create_database("m", comment="it's", location="s3://b/m/", properties={"a": "b", "c": ""}),
        ),
        ("DROP DATABASE IF EXISTS m CASCADE", drop_database("m", if_exists=True, cascade=True)),
        ("DROP SCHEMA AwsDataCatalog.m RESTRICT", drop_database("m")),
        ("ALTER DATABASE m SET DBPROPERTIES ('creator'='Jane')", alter_database("m", {"creator": "Jane"})),
        ("DROP DATABASE ```a``b`", drop_database("`a`b")),
        ("SHOW DATABASES", show_databases()),
        ("show schemas like 'm*|x'", show_databases("m*|x")),
        ("SHOW TABLES", show_tables()),
        ("SHOW TABLES IN `my-market` '*s'", show_tables("my-market", "*s")),
        ("SHOW VIEWS IN m LIKE 'v.*'", show_views("m", "v.*")),
        ("SHOW COLUMNS IN quotes", show_columns(QUOTES)),
        ("SHOW COLUMNS FROM quotes FROM m", show_columns(TableName("quotes", "m"))),
        ("SHOW TBLPROPERTIES m.quotes", show_table_properties(TableName("quotes", "m"))),
        ("SHOW TBLPROPERTIES quotes('classification')", show_table_properties(QUOTES, "classification")),
        ("DESCRIBE AwsDataCatalog.`m`.`QUOTES`", describe(TableName("quotes", "m"))),
        ("desc formatted quotes", describe(QUOTES, "FORMATTED")),
        ("DESCRIBE extended", describe(TableName("extended"))),
        (
            "DESCRIBE FORMATTED quotes PARTITION (dt='x', hour = 9) close",
            describe(QUOTES, "FORMATTED", {"dt": "x", "hour": "9"}, path=("close",)),
        ),
        ("DESCRIBE quotes book.bids.'$elem$'", describe(QUOTES, path=("book", "bids", "$elem$"))),
        (
            "-- all of it\nMSCK /* please */ REPAIR\tTABLE `my-market`.quotes ;",
            repair_table(TableName("quotes", "my-market")),
        ),
        ("MSCK REPAIR TABLE 2026_quotes", repair_table(TableName("2026_quotes"))),
        ("drop table if exists quotes purge", drop_table(QUOTES, if_exists=True)),
        (
            "ALTER TABLE quotes ADD IF NOT EXISTS PARTITION (dt='x', hour=9) PARTITION (dt='y', hour='1') LOCATION 'z'",
            add_partitions(
                QUOTES,
                (
                    ({"dt": "x", "hour": "9"}, None),
                    ({"dt": "y", "hour": "1"}, "z"),
                ),
                if_not_exists=True,
            ),
        ),
        (
            "ALTER TABLE quotes DROP PARTITION (dt < '2026-11-23', hour >= -1), PARTITION (dt = DATE '2026-11-24')",
            drop_partitions(
                QUOTES,
                (
                    (Condition("dt", "<", "2026-11-23"), Condition("hour", ">=", "-1")),
                    (Condition("dt", "=", "2026-11-24"),),
                ),
            ),
        ),
    ],
)
def test_a_statement_is_read(text: str, statement: Ddl | None) -> None:
    if statement is None:
        with pytest.raises(MalformedQueryError, match="mismatched input"):
            parse_ddl(text)
    else:
        assert parse_ddl(text) == statement


def test_create_external_table_is_read_with_all_its_clauses() -> None:
    text = r"""
        CREATE EXTERNAL TABLE IF NOT EXISTS m.Quotes (
            Symbol string COMMENT 'index or ticker', -- the key
            `close` DOUBLE,
            price decimal( 12 , 4 ),
            code varchar(8),
            book struct< bids : array<double> , `Depth`: int >,
            tags map<string,array<struct<a:int,b:string>>>
        )
        COMMENT 'quotes'
        PARTITIONED BY (dt string, hour int COMMENT 'UTC')
        CLUSTERED BY (symbol, close) INTO 8 BUCKETS
        ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' ESCAPED BY '\\'
            COLLECTION ITEMS TERMINATED BY '\002' MAP KEYS TERMINATED BY '\u0003'
            LINES TERMINATED BY '\n' NULL DEFINED AS '\\N'
        STORED AS TextFile
        LOCATION 's3://data/quotes/'
        TBLPROPERTIES ('skip.header.line.count' = '1', "classification"="csv")
    """
    assert parse_ddl(text) == create_table(
        TableDefinition(
            TableName("quotes", "m"),
            "s3://data/quotes/",
            (
                ColumnDefinition("symbol", STRING, "index or ticker"),
                ColumnDefinition("close", DOUBLE),
                ColumnDefinition("price", HiveType("decimal", (12, 4))),
                ColumnDefinition("code", HiveType("varchar", (8,))),
                ColumnDefinition(
                    "book",
                    HiveType(
                        "struct", items=(HiveType("array", items=(DOUBLE,)), HiveType("int")), fields=("bids", "depth")
                    ),
                ),
                ColumnDefinition(
                    "tags",
                    HiveType(
                        "map",
                        items=(
                            STRING,
                            HiveType(
                                "array",
                                items=(HiveType("struct", items=(HiveType("int"), STRING), fields=("a", "b")),),
                            ),
                        ),
                    ),
                ),
            ),
            (ColumnDefinition("dt", STRING), ColumnDefinition("hour", HiveType("int"), "UTC")),
            if_not_exists=True,
            comment="quotes",
            bucket_columns=("symbol", "close"),
            buckets=8,
            storage=StorageClauses(
                "textfile",
                delimiters={
                    "field.delim": "\t",
                    "escape.delim": "\\",
                    "colelction.delim": "\x02",
                    "mapkey.delim": "\x03",
                    "line.delim": "\n",
                    "serialization.null.format": "\\N",
                },
            ),
            properties={"skip.header.line.count": "1", "classification": "csv"},
        )
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("array<struct<a:int,b:decimal(5)>>", "array<struct<a:int,b:decimal(5,0)>>"),
        ("MAP<STRING, TIMESTAMP>", "map<string,timestamp>"),
        ("decimal", "decimal(10,0)"),
        ("integer", "int"),
        ("struct<a:int COMMENT 'first',b:char(3)>", "struct<a:int,b:char(3)>"),
    ],
)
def test_a_type_is_written_as_the_catalog_has_it(text: str, name: str) -> None:
    statement = parse_ddl(f"CREATE EXTERNAL TABLE t (x {text}) LOCATION 's3://b/t'")
    assert statement is not None
    assert str(statement.said["definition"].columns[0].type) == name


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM quotes",
        "SELECT 'a''b;' -- DROP TABLE x",
        "(SELECT 1)",
        "",
        "CREATE TABLE x AS SELECT 1 AS a",
        "CREATE TABLE IF NOT EXISTS \"m\".\"x\" WITH (format = 'PARQUET') AS (SELECT 'it''s' AS a)",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE VIEW v AS SELECT 1 AS a",
        "DROP VIEW IF EXISTS v",
        "SHOW CREATE VIEW v",
        "DESCRIBE INPUT prepared",
        "SHOW FUNCTIONS",
        "INSERT INTO quotes VALUES (1)",
        "EXPLAIN SELECT 1",
        "UNLOAD (SELECT 1) TO 's3://b/x' WITH (format = 'PARQUET')",
        "'",
    ],
)
def test_all_other_statements_are_the_engines(text: str) -> None:
    assert parse_ddl(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Athena's own answers, as people have measured them
        ("ALTER TABLE t ADD COLUMN m int", "line 1:19: no viable alternative at input 'ALTER TABLE t ADD COLUMN'"),
        ("ALTER TABLE IF EXISTS t DROP COLUMN a", "line 1:16: no viable alternative at input 'ALTER TABLE IF EXISTS'"),
        (
            "ALTER TABLE t SET PROPERTIES x = 1",
            "line 1:19: no viable alternative at input 'ALTER TABLE t SET PROPERTIES'",
        ),
        ("ALTER TABLE t EXECUTE optimize", "line 1:15: no viable alternative at input 'ALTER TABLE t EXECUTE'"),
        ("ALTER TABLE t RENAME COLUMN a TO b", "line 1:22: missing 'TO' at 'COLUMN'"),
        ("ALTER TABLE t DROP COLUMN IF EXISTS m", "line 1:30: mismatched input 'EXISTS' expecting {<EOF>, '.'}"),
        ("CREATE TABLE t (n int)", "No location was specified for table. An S3 location must be specified"),
        ("CREATE EXTERNAL TABLE t (n int)", "No location was specified for table. An S3 location must be specified"),
        ("CREATE TABLE t (n int) LOCATION 's3://b/t'", "External keyword required for table type HIVE"),
        (
            "CREATE EXTERNAL TABLE t (n int) LOCATION 's3://b/t' TBLPROPERTIES ('TABLE_TYPE'='iceberg')",
            "External keyword not supported for table type ICEBERG",
        ),
        (
            "CREATE TABLE t (n int) LOCATION 's3://b/t' TBLPROPERTIES ('table_type'='ICEBERG','compression_level'='3')",
            "Compression codec must be defined when compression_level property is specified.",
        ),
        ("CREATE TABLE t (n int NOT NULL)", "line 1:23: no viable alternative at input 'CREATE TABLE t (n int NOT'"),
        ("DROP TABLE a.b.c.d", "line 1:17: mismatched input '.' expecting {<EOF>, 'PURGE'}"),
        ("DESCRIBE other.m.quotes", "Catalog 'other' does not exist"),
        ("SHOW TABLES IN other.m", "Catalog 'other' does not exist"),
        ("ALTER TABLE t DROP COLUMNS a", "line 1:20: mismatched input 'COLUMNS' expecting {'PARTITION', 'COLUMN'}"),
        ("ALTER TABLE t ADD PARTITION (a > 1)", "line 1:32: mismatched input '>' expecting '='"),
        (
            "CREATE TABLE t (a int) PARTITIONED BY (hash(a)) LOCATION 's3://b/t'",
            "line 1:40: no viable alternative at input 'CREATE TABLE t (a int) PARTITIONED BY (hash'",
        ),
        ("CREATE EXTERNAL TABLE t (a decimal(x))", "line 1:36: mismatched input 'x' expecting INTEGER_VALUE"),
        # a name in double quotes is a string of Hive's
        ('DROP TABLE "t"', "line 1:12: no viable alternative at input 'DROP TABLE \"t\"'"),
        ("MSCK REPAIR TABLE", "line 1:18: no viable alternative at input 'MSCK REPAIR TABLE'"),
        (
            "CREATE EXTERNAL TABLE t (n int)\n  TBLPROPERTIES ('a'='b')\n  LOCATION 's3://b/t'",
            "line 3:3: mismatched input 'LOCATION' expecting <EOF>",
        ),
        ("SHOW PARTITIONS t x", "line 1:19: mismatched input 'x' expecting <EOF>"),
        ("SHOW TABLES; SHOW TABLES", "line 1:14: mismatched input 'SHOW' expecting <EOF>"),
        ("ALTER TABLE t SET LOCATION s3://b/t", "line 1:28: mismatched input 's3' expecting STRING"),
        ("ALTER TABLE t ADD PARTITION (dt='x", "line 1:33: mismatched input ''x' expecting STRING"),
        ("OPTIMIZE t REWRITE DATA USING BIN_PACK WHERE", "line 1:45"),
        ("OPTIMIZE t", "line 1:11: mismatched input '<EOF>' expecting 'REWRITE'"),
    ],
)
def test_what_is_not_well_formed_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(MalformedQueryError) as refused:
        parse_ddl(text)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        "ALTER INDEX i ON t REBUILD",
        "ALTER TABLE t ARCHIVE PARTITION (dt='x')",
        "ALTER TABLE t CLUSTERED BY (a) INTO 2 BUCKETS",
        "ALTER TABLE t EXCHANGE PARTITION (dt='x') WITH TABLE u",
        "ALTER TABLE t NOT STORED AS DIRECTORIES",
        "ALTER TABLE t PARTITION (dt='x') CHANGE COLUMN a b int",
        "ALTER TABLE t PARTITION (dt='x') COMPACT 'major'",
        "ALTER TABLE t PARTITION (dt='x') SET FILEFORMAT ORC",
        "ALTER TABLE t SET SERDEPROPERTIES ('a'='b')",
        "ALTER TABLE t TOUCH",
        "COMMIT",
        "CREATE INDEX i ON TABLE t (a) AS 'COMPACT'",
        "create role r",
        "CREATE TABLE t LIKE u",
        "DESCRIBE DATABASE m",
        "DFS -ls",
        "GRANT SELECT ON t TO u",
        "LOCK TABLE t SHARED",
        "SHOW LOCKS t",
        "SHOW ROLE GRANT USER u",
        "SHOW STATS FOR t",
        "START TRANSACTION",
        "UNLOCK TABLE t",
    ],
)
def test_what_athena_does_not_have_is_refused_by_kind(text: str) -> None:
    with pytest.raises(MalformedQueryError, match=r"^Queries of this type are not supported$"):
        parse_ddl(text)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("CREATE DATABASE m", ("DDL", "CREATE_DATABASE")),
        ("DROP TABLE t", ("DDL", "DROP_TABLE")),
        ("CREATE EXTERNAL TABLE t (date int) LOCATION 's3://b/t'", ("DDL", "CREATE_TABLE")),
        ("ALTER TABLE t ADD PARTITION (a=1)", ("DDL", "ALTER_TABLE_ADD_PARTITION")),
        ("ALTER TABLE t REPLACE COLUMNS (a int)", ("DDL", "ALTER_TABLE_REPLACE_COLUMN")),
        ("ALTER TABLE t SET TBLPROPERTIES ('a'='b')", ("DDL", "ALTER_TABLE_PROPERTIES")),
        ("MSCK REPAIR TABLE t", ("DDL", "MSCK_REPAIR")),
        ("SHOW TBLPROPERTIES t", ("UTILITY", "SHOW_TABLE_PROPERTIES")),
        ("DESC t", ("UTILITY", "DESCRIBE_TABLE")),
    ],
)
def test_a_statement_has_athenas_statement_types(text: str, kinds: tuple[str, str]) -> None:
    statement = parse_ddl(text)
    assert statement is not None
    assert (statement.statement_type, statement.substatement_type) == kinds

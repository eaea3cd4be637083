"""Statements that write: CREATE TABLE AS, INSERT, UNLOAD, views, prepared statements, and Iceberg's tables."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from tests.support.engine import engine
from tests.support.local_cloud.glue_lake import DATA, RESULTS, Lake

from local_cloud.athena import api as athena
from local_cloud.glue import api as glue_api
from local_cloud.glue import crawler as glue_crawler

VALUES = "VALUES ('NYA', 1.5e0, 'mon'), ('HSI', 2.5e0, 'mon'), ('NYA', 3.5e0, 'tue')"
SOURCE = f"SELECT cast(symbol AS varchar) AS symbol, close, day FROM ({VALUES}) AS t (symbol, close, day)"
ROWS = [["HSI", "2.5", "mon"], ["NYA", "1.5", "mon"], ["NYA", "3.5", "tue"]]
FORMATS = ["ORC", "PARQUET", "AVRO", "JSON", "TEXTFILE"]


@pytest.fixture(scope="module")
def lake() -> Iterator[Lake]:
    """One lake for all; each test has tables of its own."""
    glue_crawler.install()
    glue_api.install()
    executor = athena.install(engine())
    with mock_aws():
        built = Lake()
        built.build()
        built.glue.create_database(DatabaseInput={"Name": "other"})
        yield built
    executor.close()


def done(lake: Lake, sql: str) -> str:
    """Runs a statement that succeeds; its id."""
    execution = lake.run(sql)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    return str(execution["QueryExecutionId"])


def keys(lake: Lake, prefix: str, bucket: str = DATA) -> list[str]:
    """The objects under a prefix."""
    return [found["Key"] for found in lake.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def manifest(lake: Lake, query_id: str) -> list[str]:
    """The addresses of the files that a statement has written, as its manifest lists them."""
    execution = lake.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
    bucket, _, key = execution["Statistics"]["DataManifestLocation"].removeprefix("s3://").partition("/")
    return lake.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_table_made_from_a_query_is_read_back_in_every_format(lake: Lake, kind: str) -> None:
    name = f"made_{kind.lower()}"
    query_id = done(lake, f"CREATE TABLE {name} WITH (format = '{kind}') AS {SOURCE}")
    assert sorted(lake.rows(f"SELECT * FROM {name}")) == ROWS
    # Without a location the files lie beside the workgroup's results.
    location = lake.table(name)["StorageDescriptor"]["Location"]
    assert location.startswith(f"s3://{RESULTS}/results/tables/{query_id}")
    prefix = location.removeprefix(f"s3://{RESULTS}/")
    assert manifest(lake, query_id) == [f"s3://{RESULTS}/{key}" for key in keys(lake, prefix, RESULTS)]
    answer = lake.athena.get_query_results(QueryExecutionId=query_id)
    assert answer["UpdateCount"] == 3
    execution = lake.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")


def test_a_table_made_from_a_query_has_partitions_and_buckets(lake: Lake) -> None:
    done(
        lake,
        f"""CREATE TABLE parted WITH (external_location = 's3://{DATA}/parted/', format = 'PARQUET',
        write_compression = 'SNAPPY', partitioned_by = ARRAY['day'], bucketed_by = ARRAY['symbol'], bucket_count = 2)
        AS {SOURCE}""",
    )
    assert lake.partitions("parted") == [["mon"], ["tue"]]
    table = lake.table("parted")
    assert table["StorageDescriptor"]["NumberOfBuckets"] == 2
    assert table["StorageDescriptor"]["BucketColumns"] == ["symbol"]
    assert lake.rows("SELECT symbol, close FROM parted WHERE day = 'tue'") == [["NYA", "3.5"]]
    assert {key.split("/")[1] for key in keys(lake, "parted/")} == {"day=mon", "day=tue"}


def test_a_text_table_has_the_delimiter_and_the_compression_that_are_asked_for(lake: Lake) -> None:
    done(
        lake,
        f"""CREATE TABLE texts WITH (external_location = 's3://{DATA}/texts/', format = 'TEXTFILE',
        field_delimiter = ';', write_compression = 'GZIP') AS {SOURCE}""",
    )
    lines: list[str] = []
    for key in keys(lake, "texts/"):
        assert key.endswith(".gz")
        lines += gzip.decompress(lake.s3.get_object(Bucket=DATA, Key=key)["Body"].read()).decode().splitlines()
    assert sorted(lines) == ["HSI;2.5;mon", "NYA;1.5;mon", "NYA;3.5;tue"]


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ("format = 'CSV'", "INVALID_TABLE_PROPERTY: The format CSV is not supported"),
        ("nosuch = 1", "INVALID_TABLE_PROPERTY: Table property 'nosuch' does not exist"),
        ("write_compression = 'RAR'", "INVALID_TABLE_PROPERTY: The compression RAR is not supported for PARQUET"),
        ("write_compression = 'ZSTD', compression_level = 23", "INVALID_TABLE_PROPERTY: compression_level = 23: it is"),
        ("write_compression = 'GZIP', compression_level = 3", "INVALID_TABLE_PROPERTY: compression_level = 3: it is"),
        (f"external_location = 's3://{DATA}/full/'", "HIVE_PATH_ALREADY_EXISTS: Target directory for table already"),
        ("external_location = 's3://nosuch-bucket/x/'", "HIVE_FILESYSTEM_ERROR: The specified bucket does not exist"),
    ],
)
def test_a_table_that_can_not_be_made_is_refused(lake: Lake, properties: str, reason: str) -> None:
    lake.put("full/object", b"here before")
    assert lake.reason(f"CREATE TABLE refused WITH ({properties}) AS {SOURCE}").startswith(reason)
    assert "refused" not in [row[0] for row in lake.rows("SHOW TABLES")]


def test_a_table_is_made_from_a_query_only_where_there_is_none(lake: Lake) -> None:
    done(lake, f"CREATE TABLE once AS {SOURCE}")
    assert "already exists" in lake.reason(f"CREATE TABLE once AS {SOURCE}")
    done(lake, f"CREATE TABLE IF NOT EXISTS once AS {SOURCE}")
    done(lake, "CREATE TABLE other.empty AS SELECT 1 AS a WITH NO DATA")
    assert lake.rows("SELECT count(*) FROM other.empty") == [["0"]]


def test_rows_are_inserted_into_a_partitioned_table(lake: Lake) -> None:
    done(
        lake,
        f"""CREATE EXTERNAL TABLE target (symbol string, close double) PARTITIONED BY (day string)
        STORED AS PARQUET LOCATION 's3://{DATA}/target/'""",
    )
    query_id = done(lake, f"INSERT INTO target {SOURCE}")
    assert lake.athena.get_query_results(QueryExecutionId=query_id)["UpdateCount"] == 3
    done(lake, "INSERT INTO target (day, symbol) VALUES ('wed', 'HSI')")
    assert lake.partitions("target") == [["mon"], ["tue"], ["wed"]]
    assert sorted(lake.rows("SELECT symbol, close FROM target WHERE day <> 'mon'")) == [["HSI", None], ["NYA", "3.5"]]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_query_is_unloaded_in_every_format(lake: Lake, kind: str) -> None:
    query_id = done(lake, f"UNLOAD ({SOURCE}) TO 's3://{DATA}/unload-{kind}/' WITH (format = '{kind}')")
    written = keys(lake, f"unload-{kind}/")
    assert written
    assert sorted(manifest(lake, query_id)) == sorted(f"s3://{DATA}/{key}" for key in written)
    assert lake.rows("SHOW TABLES 'unload*'") == []
    again = f"UNLOAD ({SOURCE}) TO 's3://{DATA}/unload-{kind}/' WITH (format = '{kind}')"
    assert lake.reason(again).startswith("HIVE_PATH_ALREADY_EXISTS: ")


def test_an_unloaded_query_has_partitions_and_compression(lake: Lake) -> None:
    done(
        lake,
        f"""UNLOAD ({SOURCE}) TO 's3://{DATA}/unloaded/'
        WITH (format = 'JSON', compression = 'GZIP', partitioned_by = ARRAY['day'])""",
    )
    found: dict[str, list[dict[str, object]]] = {}
    for key in keys(lake, "unloaded/"):
        body = gzip.decompress(lake.s3.get_object(Bucket=DATA, Key=key)["Body"].read()).decode()
        found.setdefault(key.split("/")[1], []).extend(map(json.loads, body.splitlines()))
    assert found["day=tue"] == [{"symbol": "NYA", "close": 3.5}]
    assert sorted(str(row["symbol"]) for row in found["day=mon"]) == ["HSI", "NYA"]


@pytest.mark.parametrize(("name", "order"), [("close", "close DESC"), ("day", "day DESC, symbol")])
def test_each_unloaded_file_is_in_the_order_of_its_query(lake: Lake, name: str, order: str) -> None:
    prefix = f"ordered-by-{name}/"
    query = f"{SOURCE} ORDER BY {order}"
    done(lake, f"UNLOAD ({query}) TO 's3://{DATA}/{prefix}' WITH (format = 'JSON', compression = 'GZIP')")
    bodies = [lake.s3.get_object(Bucket=DATA, Key=key)["Body"].read() for key in keys(lake, prefix)]
    written = [json.loads(row) for body in bodies for row in gzip.decompress(body).splitlines()]
    assert [list(map(str, row.values())) for row in written] == lake.rows(query)


def test_a_view_is_made_replaced_described_and_dropped(lake: Lake) -> None:
    done(lake, f"CREATE TABLE base AS {SOURCE}")
    done(lake, "CREATE VIEW dear AS SELECT symbol, close FROM base WHERE close > 2")
    assert "already exists" in lake.reason("CREATE VIEW dear AS SELECT 1 AS a")
    assert sorted(lake.rows("SELECT * FROM dear")) == [["HSI", "2.5"], ["NYA", "3.5"]]
    done(lake, "CREATE OR REPLACE VIEW dear AS SELECT symbol FROM base WHERE close > 3")
    assert lake.rows("SELECT * FROM dear") == [["NYA"]]
    done(lake, "CREATE VIEW other.nested AS SELECT upper(symbol) AS name FROM market.dear")
    assert lake.rows("SELECT name FROM other.nested") == [["NYA"]]
    assert lake.rows("SHOW VIEWS") == [["dear"]]
    text = "\n".join(row[0] or "" for row in lake.rows("SHOW CREATE VIEW dear"))
    assert "CREATE VIEW" in text
    assert "WHERE (close > 3)" in text
    assert [str(cell).strip() for cell in lake.rows("DESCRIBE dear")[0]] == ["symbol", "string"]
    assert lake.columns("dear") == {"symbol": "string"}
    done(lake, "DROP VIEW other.nested")
    done(lake, "DROP VIEW dear")
    assert "does not exist" in lake.reason("SELECT * FROM dear")
    done(lake, "DROP VIEW IF EXISTS dear")


def test_a_prepared_statement_is_executed_with_parameters(lake: Lake) -> None:
    done(lake, "PREPARE plus FROM SELECT ? + ? AS sum, ? AS text")
    known = lake.athena.get_prepared_statement(StatementName="plus", WorkGroup="market")["PreparedStatement"]
    assert known["QueryStatement"] == "SELECT ? + ? AS sum, ? AS text"
    assert lake.rows("EXECUTE plus USING 1, 2, 'it''s'") == [["3", "it's"]]
    assert lake.rows("EXECUTE plus", ExecutionParameters=["3", "4", "'x'"]) == [["7", "x"]]
    assert "Incorrect number of parameters" in lake.reason("EXECUTE plus USING 1")
    done(lake, "DEALLOCATE PREPARE plus")
    with pytest.raises(ClientError) as refused:
        lake.start("EXECUTE plus USING 1, 2, 'x'")
    assert "PreparedStatement plus was not found in workGroup market" in str(refused.value)
    with pytest.raises(ClientError, match="InvalidRequestException"):
        lake.start("EXECUTE IMMEDIATE 'SELECT 1'")


def make_items(lake: Lake, name: str) -> None:
    """An Iceberg table with three rows of two categories."""
    done(
        lake,
        f"""CREATE TABLE {name} (id int, name string, price double, at timestamp) PARTITIONED BY (name, bucket(4, id))
        LOCATION 's3://{DATA}/{name}/' TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet',
        'write_compression' = 'zstd', 'vacuum_max_snapshot_age_seconds' = '1')""",
    )
    done(
        lake,
        f"""INSERT INTO {name} VALUES (1, 'a', 1.5, TIMESTAMP '2026-11-23 09:30:00.000001'),
        (2, 'b', 2.5, NULL), (3, 'a', 3.5, NULL)""",
    )


def test_an_iceberg_table_is_changed_row_by_row(lake: Lake) -> None:
    make_items(lake, "items")
    merged = done(
        lake,
        """MERGE INTO items AS t USING (VALUES (2, 'b', 22.5e0), (4, 'c', 4.5e0)) AS s (id, name, price) ON t.id = s.id
        WHEN MATCHED THEN UPDATE SET price = s.price
        WHEN NOT MATCHED THEN INSERT (id, name, price) VALUES (s.id, s.name, s.price)""",
    )
    assert lake.athena.get_query_results(QueryExecutionId=merged)["UpdateCount"] == 2
    done(lake, "UPDATE items SET price = price + 1, name = 'z' WHERE id = 3")
    done(lake, "DELETE FROM items WHERE id = 1")
    rows = [["2", "b", "22.5"], ["3", "z", "4.5"], ["4", "c", "4.5"]]
    assert lake.rows("SELECT id, name, price FROM items ORDER BY id") == rows
    kinds = {
        sql.split()[0]: lake.run(sql)["SubstatementType"]
        for sql in ("UPDATE items SET price = 0 WHERE id = 99", "DELETE FROM items WHERE id = 99")
    }
    assert kinds == {"UPDATE": "UPDATE", "DELETE": "DELETE"}


def test_an_iceberg_table_is_read_as_it_was(lake: Lake) -> None:
    make_items(lake, "travelled")
    snapshots = 'SELECT snapshot_id, cast(committed_at AS varchar) FROM "travelled$snapshots" ORDER BY committed_at'
    first, moment = lake.rows(snapshots)[-1]
    done(lake, "DELETE FROM travelled WHERE name = 'a'")
    assert lake.rows("SELECT count(*) FROM travelled") == [["1"]]
    assert lake.rows(f"SELECT count(*) FROM travelled FOR VERSION AS OF {first}") == [["3"]]
    assert lake.rows(f"SELECT count(*) FROM travelled FOR TIMESTAMP AS OF TIMESTAMP '{moment}'") == [["3"]]
    history = lake.rows('SELECT snapshot_id, is_current_ancestor FROM "travelled$history"')
    assert [first, "true"] in history
    assert len(history) == len(lake.rows(snapshots))
    files = lake.rows('SELECT sum(record_count) FROM "travelled$files" WHERE content = 0')
    assert files == [["1"]]


def test_an_iceberg_table_is_compacted_and_cleaned(lake: Lake) -> None:
    make_items(lake, "packed")
    for number in (5, 6, 7):
        done(lake, f"INSERT INTO packed VALUES ({number}, 'a', 0.5, NULL)")
    done(lake, "DELETE FROM packed WHERE id = 5")
    before = len(lake.rows('SELECT file_path FROM "packed$files"'))
    done(lake, "OPTIMIZE packed REWRITE DATA USING BIN_PACK")
    assert len(lake.rows('SELECT file_path FROM "packed$files"')) < before
    objects = len(keys(lake, "packed/data/"))
    assert len(lake.rows('SELECT * FROM "packed$snapshots"')) > 1
    done(lake, "ALTER TABLE packed SET TBLPROPERTIES ('vacuum_max_snapshot_age_seconds' = '0')")
    done(lake, "VACUUM packed")
    assert len(lake.rows('SELECT * FROM "packed$snapshots"')) == 1
    assert len(keys(lake, "packed/data/")) < objects
    assert lake.rows("SELECT id FROM packed ORDER BY id") == [["1"], ["2"], ["3"], ["6"], ["7"]]


def test_an_iceberg_table_is_described_and_dropped_with_its_objects(lake: Lake) -> None:
    make_items(lake, "dropped")
    columns = lake.table("dropped")["StorageDescriptor"]["Columns"]
    assert [column["Parameters"]["iceberg.field.id"] for column in columns] == ["1", "2", "3", "4"]
    assert {column["Parameters"]["iceberg.field.current"] for column in columns} == {"true"}
    done(lake, "ALTER TABLE dropped ADD COLUMNS (note string)")
    assert lake.columns("dropped")["note"] == "string"
    assert keys(lake, "dropped/")
    done(lake, "DROP TABLE dropped")
    assert keys(lake, "dropped/") == []
    assert lake.reason("SELECT * FROM dropped").startswith("TABLE_NOT_FOUND")


def test_an_iceberg_table_is_made_from_a_query(lake: Lake) -> None:
    done(
        lake,
        f"""CREATE TABLE selected WITH (table_type = 'ICEBERG', is_external = false,
        location = 's3://{DATA}/selected/', partitioning = ARRAY['day'], vacuum_min_snapshots_to_keep = 2)
        AS {SOURCE}""",
    )
    assert sorted(lake.rows("SELECT * FROM selected")) == ROWS
    assert lake.table("selected")["Parameters"]["table_type"] == "ICEBERG"
    done(lake, "UPDATE selected SET close = 9 WHERE day = 'tue'")
    assert lake.rows("SELECT close FROM selected WHERE day = 'tue'") == [["9.0"]]

"""The crawler really crawls: what it writes to the catalog is what is in S3, and it says how it went."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from tests.support.local_cloud.glue_lake import ALL_RIGHTS, DATA, TRUST, Lake, json_lines, quote

from local_cloud.glue import api as glue_api
from local_cloud.glue import crawler as glue_crawler

DELETE = {"SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DELETE_FROM_DATABASE"}}


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    glue_crawler.install()
    glue_api.install()
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 0.02)
    with mock_aws():
        built = Lake()
        built.build(**DELETE)
        yield built


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_crawl_makes_a_table_with_types_partitions_and_serde(lake: Lake) -> None:
    lake.put_quotes(9, [quote(0), quote(1)])
    lake.put_quotes(10, [quote(2, volume=3_000_000_000)])
    assert lake.crawl()["Status"] == "SUCCEEDED"
    table = lake.table()
    assert lake.columns() == {
        "symbol": "string",
        "event_time": "string",
        "open": "double",
        "high": "double",
        "low": "double",
        "close": "double",
        "adj_close": "double",
        "volume": "bigint",
        "close_usd": "double",
        "producer_id": "string",
        "sequence": "int",
    }
    assert table["PartitionKeys"] == [{"Name": "dt", "Type": "string"}, {"Name": "hour", "Type": "string"}]
    assert lake.partitions() == [["2026-11-23", "09"], ["2026-11-23", "10"]]
    storage = table["StorageDescriptor"]
    assert storage["Location"] == f"s3://{DATA}/quotes/"
    assert storage["SerdeInfo"]["SerializationLibrary"] == "org.openx.data.jsonserde.JsonSerDe"
    assert table["Parameters"]["classification"] == "json"
    assert table["Parameters"]["compressionType"] == "gzip"
    assert (table["Parameters"]["objectCount"], table["Parameters"]["recordCount"]) == ("2", "3")


def test_each_partition_knows_its_folder(lake: Lake) -> None:
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    partition = lake.glue.get_partition(
        DatabaseName="market", TableName="quotes", PartitionValues=["2026-11-23", "09"]
    )["Partition"]
    assert partition["StorageDescriptor"]["Location"] == f"s3://{DATA}/quotes/dt=2026-11-23/hour=09/"


def test_a_second_crawl_of_the_same_objects_changes_nothing(lake: Lake) -> None:
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    before = lake.table()
    lake.crawl()
    assert lake.table() == before
    metrics = lake.glue.get_crawler_metrics(CrawlerNameList=["quotes"])["CrawlerMetricsList"][0]
    assert (metrics["TablesCreated"], metrics["TablesUpdated"], metrics["TablesDeleted"]) == (0, 0, 0)


def test_new_objects_bring_partitions_and_wider_types(lake: Lake) -> None:
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    assert lake.columns()["sequence"] == "int"
    lake.put_quotes(10, [quote(3_000_000_000) | {"venue": "XNYS"}])
    lake.crawl()
    assert lake.columns()["sequence"] == "bigint"
    assert lake.columns()["venue"] == "string"
    assert lake.partitions() == [["2026-11-23", "09"], ["2026-11-23", "10"]]
    assert lake.table()["VersionId"] == "1"


def test_a_policy_of_log_leaves_the_table_and_still_adds_partitions(lake: Lake) -> None:
    lake.glue.update_crawler(Name="quotes", SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"})
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    lake.put_quotes(10, [quote(1) | {"venue": "XNYS"}])
    lake.crawl()
    assert "venue" not in lake.columns()
    assert len(lake.partitions()) == 2


def test_partitions_and_tables_without_objects_go_when_the_policy_says_so(lake: Lake) -> None:
    first, second = lake.put_quotes(9, [quote(0)]), lake.put_quotes(10, [quote(1)])
    lake.crawl()
    lake.s3.delete_object(Bucket=DATA, Key=first)
    lake.crawl()
    assert lake.partitions() == [["2026-11-23", "10"]]
    lake.s3.delete_object(Bucket=DATA, Key=second)
    lake.crawl()
    assert lake.glue.get_tables(DatabaseName="market")["TableList"] == []


def test_a_table_without_objects_is_marked_by_the_default_policy(lake: Lake) -> None:
    lake.glue.update_crawler(Name="quotes", SchemaChangePolicy={"DeleteBehavior": "DEPRECATE_IN_DATABASE"})
    key = lake.put_quotes(9, [quote(0)])
    lake.crawl()
    lake.s3.delete_object(Bucket=DATA, Key=key)
    lake.crawl()
    assert lake.table()["Parameters"]["DEPRECATED_BY_CRAWLER"] == "quotes"
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    assert "DEPRECATED_BY_CRAWLER" not in lake.table()["Parameters"]


def test_a_table_that_the_crawler_did_not_make_stays(lake: Lake) -> None:
    lake.glue.create_table(DatabaseName="market", TableInput={"Name": "by_hand"})
    lake.crawl()
    assert [table["Name"] for table in lake.glue.get_tables(DatabaseName="market")["TableList"]] == ["by_hand"]


def test_a_bucket_as_target_gives_one_table_a_folder(lake: Lake) -> None:
    targets: Any = {"S3Targets": [{"Path": f"s3://{DATA}", "Exclusions": ["secret/**", "*/skip*"]}]}
    lake.glue.update_crawler(Name="quotes", Targets=targets, TablePrefix="raw_")
    lake.put_quotes(9, [quote(0)])
    lake.put("symbols/list.csv", b"Symbol,Lot\nNYA,10\nIXIC,20\n")
    lake.put("symbols/skip.csv", b"Symbol,Lot\nNYA,ten\n")
    lake.put("secret/deep/x.json", b'{"a":1}\n')
    lake.crawl()
    names = [table["Name"] for table in lake.glue.get_tables(DatabaseName="market")["TableList"]]
    assert sorted(names) == ["raw_quotes", "raw_symbols"]
    assert lake.columns("raw_symbols") == {"symbol": "string", "lot": "bigint"}


def test_hidden_and_empty_objects_are_passed_over(lake: Lake) -> None:
    lake.put("quotes/dt=2026-11-23/hour=08/_SUCCESS", b"x")
    lake.put("quotes/dt=2026-11-23/hour=07/.part", b'{"a":1}\n')
    lake.put("quotes/dt=2026-11-23/hour=06/empty.json", b"")
    lake.put("quotes/dt=2026-11-23/hour=05/", b"")
    lake.put_quotes(9, [quote(0)])
    lake.crawl()
    assert lake.partitions() == [["2026-11-23", "09"]]


def test_an_empty_target_succeeds_and_makes_no_table(lake: Lake) -> None:
    assert lake.crawl()["Status"] == "SUCCEEDED"
    assert lake.glue.get_tables(DatabaseName="market")["TableList"] == []


def test_partition_values_are_decoded(lake: Lake) -> None:
    lake.put("quotes/dt=2026%2F11/hour=09/a.json", json_lines([quote(0)], compressed=False))
    lake.crawl()
    assert lake.partitions() == [["2026/11", "09"]]


def test_partitions_take_the_tables_columns_when_the_configuration_says_so(lake: Lake) -> None:
    output = {"CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}}}
    lake.glue.update_crawler(Name="quotes", Configuration=json.dumps({"Version": 1.0, **output}))
    lake.put_quotes(9, [quote(0)])
    lake.put_quotes(10, [quote(3_000_000_000)])
    lake.crawl()
    for partition in lake.glue.get_partitions(DatabaseName="market", TableName="quotes")["Partitions"]:
        kinds = {column["Name"]: column["Type"] for column in partition["StorageDescriptor"]["Columns"]}
        assert kinds["sequence"] == "bigint"


def test_states_follow_each_other_and_a_running_crawler_is_not_started_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glue_crawler, "STOPPING_SECONDS", 2.0)
    lake.put_quotes(9, [quote(0)])
    assert lake.glue.get_crawler(Name="quotes")["Crawler"]["State"] == "READY"
    lake.glue.start_crawler(Name="quotes")
    with pytest.raises(ClientError) as started:
        lake.glue.start_crawler(Name="quotes")
    assert code(started) == "CrawlerRunningException"
    with pytest.raises(ClientError) as updated:
        lake.glue.update_crawler(Name="quotes", Description="x")
    assert code(updated) == "CrawlerRunningException"
    with pytest.raises(ClientError) as deleted:
        lake.glue.delete_crawler(Name="quotes")
    assert code(deleted) == "CrawlerRunningException"
    states = []
    while (state := lake.glue.get_crawler(Name="quotes")["Crawler"]["State"]) != "READY":
        states.append(state)
    assert states[-1] == "STOPPING"
    assert set(states) <= {"RUNNING", "STOPPING"}


def test_stopping_a_crawler_that_rests_is_an_error(lake: Lake) -> None:
    with pytest.raises(ClientError) as stopped:
        lake.glue.stop_crawler(Name="quotes")
    assert code(stopped) == "CrawlerNotRunningException"


def test_a_missing_bucket_fails_the_crawl_with_the_reason(lake: Lake) -> None:
    lake.glue.update_crawler(Name="quotes", Targets={"S3Targets": [{"Path": "s3://nobodys-bucket/x/"}]})
    last = lake.crawl()
    assert last["Status"] == "FAILED"
    assert "The specified bucket does not exist: nobodys-bucket" in last["ErrorMessage"]


def test_a_missing_database_fails_the_crawl(lake: Lake) -> None:
    lake.glue.delete_database(Name="market")
    last = lake.crawl()
    assert (last["Status"], last["ErrorMessage"]) == ("FAILED", "Database market not found.")


def test_a_role_that_is_gone_fails_the_crawl(lake: Lake) -> None:
    lake.iam.delete_role_policy(RoleName="glue", PolicyName="crawl")
    lake.iam.delete_role(RoleName="glue")
    last = lake.crawl()
    assert last["Status"] == "FAILED"
    assert "unable to assume provided role" in last["ErrorMessage"]


@pytest.mark.parametrize(
    ("denied", "resource"),
    [
        ("s3:ListBucket", f"arn:aws:s3:::{DATA}"),
        ("s3:GetObject", f"arn:aws:s3:::{DATA}/quotes/dt=2026-11-23/"),
        ("glue:GetDatabase", "arn:aws:glue:us-east-1:123456789012:catalog"),
        ("glue:CreateTable", "arn:aws:glue:us-east-1:123456789012:catalog"),
        ("glue:BatchCreatePartition", "arn:aws:glue:us-east-1:123456789012:catalog"),
    ],
)
def test_a_role_that_may_not_fails_the_crawl_and_names_what_is_missing(lake: Lake, denied: str, resource: str) -> None:
    lake.put_quotes(9, [quote(0)])
    deny = {"Effect": "Deny", "Action": denied, "Resource": "*"}
    lake.allow({**ALL_RIGHTS, "Statement": [*ALL_RIGHTS["Statement"], deny]})
    last = lake.crawl()
    assert last["Status"] == "FAILED"
    assert f"not authorized to perform: {denied} on resource: {resource}" in last["ErrorMessage"]


def test_rights_on_the_table_alone_do_not_reach_through_the_catalog_and_the_database(lake: Lake) -> None:
    lake.put_quotes(9, [quote(0)])
    arns = [f"arn:aws:glue:us-east-1:123456789012:{rest}" for rest in ("catalog", "database/market", "table/market/*")]
    read = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    for count, status in ((2, "FAILED"), (3, "SUCCEEDED")):
        write = {"Effect": "Allow", "Action": "glue:*", "Resource": arns[-count:]}
        lake.allow({"Version": "2012-10-17", "Statement": [read, write]})
        assert lake.crawl()["Status"] == status


def test_a_crawler_is_not_made_with_a_role_that_glue_cannot_take_on(lake: Lake) -> None:
    lake.iam.create_role(RoleName="ec2", AssumeRolePolicyDocument=json.dumps(TRUST).replace("glue.", "ec2."))
    for role in ("nobody", "ec2"):
        with pytest.raises(ClientError, match="unable to assume provided role") as refused:
            lake.glue.create_crawler(Name="x", Role=role, Targets={"S3Targets": [{"Path": "s3://b/"}]})
        assert code(refused) == "InvalidInputException"


def test_the_role_comes_back_by_its_name_as_glue_gives_it(lake: Lake) -> None:
    arn = lake.iam.get_role(RoleName="glue")["Role"]["Arn"]
    lake.glue.update_crawler(Name="quotes", Role=arn)
    assert lake.glue.get_crawler(Name="quotes")["Crawler"]["Role"] == "glue"


@pytest.mark.parametrize(
    "settings",
    [
        {"Targets": {"JdbcTargets": [{"ConnectionName": "x", "Path": "y"}]}},
        {"Schedule": "cron(0 * * * ? *)"},
        {"Classifiers": ["mine"]},
    ],
)
def test_what_is_not_served_is_refused_when_the_crawler_is_defined(lake: Lake, settings: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="not supported by the local cloud"):
        lake.glue.update_crawler(Name="quotes", **settings)


def test_a_crawl_of_new_folders_only_is_refused_unless_it_changes_nothing_known(lake: Lake) -> None:
    new_only: Any = {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}
    log: Any = {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    with pytest.raises(ClientError, match="can have only LOG DeleteBehavior value and LOG UpdateBehavior value"):
        lake.glue.update_crawler(Name="quotes", RecrawlPolicy=new_only)
    with pytest.raises(ClientError, match="not supported by the local cloud"):
        lake.glue.update_crawler(Name="quotes", RecrawlPolicy=new_only, SchemaChangePolicy=log)
    tables: Any = {"CatalogTargets": [{"DatabaseName": "market", "Tables": ["quotes"]}]}
    with pytest.raises(ClientError, match="can only apply to Amazon S3 target"):
        lake.glue.update_crawler(Name="quotes", Targets=tables, RecrawlPolicy=new_only, SchemaChangePolicy=log)
    made: Any = {"Name": "another", "Role": "crawler", "DatabaseName": "market", "Targets": tables}
    with pytest.raises(ClientError, match="can't be DEPRECATE_IN_DATABASE, which is the default"):
        lake.glue.create_crawler(**made)
    with pytest.raises(ClientError, match="Only the delete behavior LOG is allowed"):
        lake.glue.create_crawler(**made, SchemaChangePolicy={"DeleteBehavior": "DELETE_FROM_DATABASE"})


def test_empty_strings_of_a_crawler_are_left_out(lake: Lake) -> None:
    lake.glue.update_crawler(Name="quotes", TablePrefix="", Description="")
    crawler = lake.glue.get_crawler(Name="quotes")["Crawler"]
    assert not {"TablePrefix", "Description"} & set(crawler)


def test_tags_go_with_what_carried_them(lake: Lake) -> None:
    arn = "arn:aws:glue:us-east-1:123456789012:crawler/quotes"
    lake.glue.tag_resource(ResourceArn=arn, TagsToAdd={"Deployment": "x"})
    assert lake.glue.get_tags(ResourceArn=arn)["Tags"] == {"Deployment": "x"}
    lake.glue.delete_crawler(Name="quotes")
    with pytest.raises(ClientError) as missing:
        lake.glue.get_tags(ResourceArn=arn)
    assert code(missing) == "EntityNotFoundException"


def test_a_partition_of_nothing_but_packed_objects_without_lines_makes_no_table_of_its_own(lake: Lake) -> None:
    # As where every record's Kafka timestamp was no time, and all went to the quarantine.
    lake.put("quotes/dt=2026-11-23/hour=09/stock-quotes+0+00000000000000000000.json.gz", json_lines([quote(0)]))
    lake.put("quotes/dt=1970-01-01/hour=00/stock-quotes+0+00000000000000000001.json.gz", json_lines([]))
    lake.crawl()
    assert [table["Name"] for table in lake.glue.get_tables(DatabaseName="market")["TableList"]] == ["quotes"]
    assert ["2026-11-23", "09"] in lake.partitions()

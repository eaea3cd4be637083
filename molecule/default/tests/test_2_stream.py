"""The stream, seen from outside: Kafka by its public address, S3 by its objects, Athena by its answers."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from typing import Any

import boto3
import pytest
from botocore.session import Session
from conftest import (
    ROOT,
    STATE,
    Deployment,
    assert_the_stream_goes_on,
    changes,
    eventually,
    login,
    make,
    query,
    site,
    stream,
)
from kafka import KafkaConsumer

FIELDS = {
    "symbol": str,
    "event_time": str,
    "open": float,
    "high": float,
    "low": float,
    "close": float,
    "adj_close": float,
    "volume": int,
    "close_usd": float,
    "producer_id": str,
    "sequence": int,
}


def test_a_client_outside_reads_the_quotes_by_the_public_address(deployment: Deployment) -> None:
    consumer = KafkaConsumer(
        deployment.facts["topic"],
        **login(deployment),
        auto_offset_reset="earliest",
        group_id=None,
        consumer_timeout_ms=20000,
    )
    try:
        records = [record for record, _ in zip(consumer, range(500), strict=False)]
    finally:
        consumer.close()
    assert len(records) == 500
    for record in records:
        quote = json.loads(record.value)
        assert {name: type(value) for name, value in quote.items()} == FIELDS | {
            name: int for name, kind in FIELDS.items() if kind is float and isinstance(quote[name], int)
        }
        assert record.key.decode() == quote["symbol"]
        assert b"\n" not in record.value
        assert len(record.value) <= 2048
        assert record.timestamp_type == 1  # LogAppendTime
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", quote["event_time"])
        assert quote["low"] <= min(quote["open"], quote["close"]) <= max(quote["open"], quote["close"]) <= quote["high"]


def test_every_partitions_objects_form_a_chain_and_no_record_is_lost_or_doubled() -> None:
    found = stream()
    assert found.records > 0
    assert found.faults() == []


def test_athena_counts_what_the_bucket_holds() -> None:
    before = stream().records
    (row,) = query("select count(*) as quotes, count(distinct symbol) as symbols from quotes")
    after = stream().records
    assert before <= row["quotes"] <= after
    assert row["symbols"] >= 5


def test_the_stream_continues_into_athena() -> None:
    assert_the_stream_goes_on()


def test_status_says_that_all_is_well(deployment: Deployment) -> None:
    def well() -> str:
        done = make("status")
        return done.stdout if done.returncode == 0 else ""

    shown = eventually(well, seconds=180, what="make status with exit code 0")
    for word in (deployment.node["public_address"], deployment.facts["topic"], "records behind"):
        assert word in shown


def test_query_without_sql_runs_the_named_analyses() -> None:
    done = make("query")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 20


def test_query_reads_sql_as_it_was_typed() -> None:
    rows = query('select "$path" as path, symbol from quotes limit 1')
    assert rows[0]["path"].startswith("s3://")


def test_query_gives_csv_with_a_header() -> None:
    done = make("query", "FORMAT=csv", "SQL=select 1 as one, 'a,b' as two")
    assert done.stdout.splitlines() == ["one,two", '1,"a,b"']


def test_a_wrong_query_says_why() -> None:
    done = make("query", "SQL=select no_such_column from quotes")
    assert done.returncode != 0
    assert "no_such_column" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_profile_file_reaches_the_same_cloud(deployment: Deployment) -> None:
    session = Session(profile=deployment.facts["aws_profile"])
    session.set_config_variable("config_file", deployment.facts["aws_config_file"])
    session.set_config_variable("credentials_file", deployment.facts["aws_credentials_file"])
    s3 = boto3.Session(botocore_session=session).client("s3")
    assert deployment.facts["data_bucket"] in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


@pytest.mark.parametrize("name", ["operator.conf", "operator.properties"])
def test_client_files_for_people_outside_name_the_public_address(deployment: Deployment, name: str) -> None:
    text = (STATE / "clients" / name).read_text(encoding="utf-8")
    assert deployment.facts["bootstrap_servers"] in text


def test_a_java_tool_takes_the_client_file(host: Any, deployment: Deployment) -> None:
    # Encoded, for sudo notes each command in the journal, where test_6_secrets looks for the password.
    text = base64.b64encode((STATE / "clients" / "operator.properties").read_bytes()).decode()
    host.run_expect([0], f"echo {text} | base64 -d > /tmp/operator.properties")
    listed = host.check_output(
        f"kafka-topics.sh --bootstrap-server {deployment.facts['bootstrap_servers']} "
        "--command-config /tmp/operator.properties --list; rm /tmp/operator.properties"
    )
    assert deployment.facts["topic"] in listed


def test_check_mode_on_a_running_deployment_changes_nothing() -> None:
    assert changes(site("--check")) == []


def test_the_operators_private_key_is_not_on_the_instance(host: Any) -> None:
    key = (STATE / "ssh" / "id_ed25519").read_text(encoding="utf-8").splitlines()[-2]
    assert host.run(f"grep -rl --binary-files=without-match '{key}' /home /root /etc /opt/stock-market").stdout == ""


def test_the_state_directory_is_never_in_git() -> None:
    listed = subprocess.run(["git", "ls-files", ".state"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed.stdout == ""

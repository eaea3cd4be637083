"""s3_expiry_rule expires objects with a prefix and a tag, and leaves the bucket's other rules alone."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto.backends import get_backend
from tests.modules.conftest import Run

BUCKET = "expiring"
WANTED = {
    "bucket": BUCKET,
    "rule_id": "raw-expires",
    "prefix": "quotes/",
    "tag": {"key": "history", "value": "verified"},
    "days": 30,
}
OTHER = {"ID": "other", "Status": "Enabled", "Filter": {"Prefix": "backups/"}, "Expiration": {"Days": 5}}


@pytest.fixture
def s3(endpoint: str) -> Any:
    """S3 with an empty bucket."""
    get_backend("s3").reset()
    key = "local-cloud"
    client = boto3.client("s3", "us-east-1", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=key)
    client.create_bucket(Bucket=BUCKET)
    return client


def rules(s3: Any) -> list[dict[str, Any]]:
    held = get_backend("s3")["123456789012"]["aws"].buckets[BUCKET].rules
    return s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"] if held else []


def test_a_rule_is_made_once_changed_and_removed_beside_others(s3: Any, run: Run) -> None:
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [OTHER]})
    assert run("s3_expiry_rule", _check=True, **WANTED)["changed"]
    assert rules(s3) == [OTHER]
    assert run("s3_expiry_rule", **WANTED)["changed"]
    tagged = {"Prefix": "quotes/", "Tags": [{"Key": "history", "Value": "verified"}]}
    made = {"ID": "raw-expires", "Status": "Enabled", "Filter": {"And": tagged}, "Expiration": {"Days": 30}}
    assert rules(s3) == [OTHER, made]
    assert not run("s3_expiry_rule", **WANTED)["changed"]
    assert run("s3_expiry_rule", **(WANTED | {"days": 31}))["changed"]
    assert [rule["Expiration"]["Days"] for rule in rules(s3)] == [5, 31]
    absent = {"bucket": BUCKET, "rule_id": "raw-expires", "state": "absent"}
    assert run("s3_expiry_rule", **absent)["changed"]
    assert rules(s3) == [OTHER]
    assert not run("s3_expiry_rule", **absent)["changed"]


def test_the_last_rule_goes_with_the_configuration(s3: Any, run: Run) -> None:
    run("s3_expiry_rule", **WANTED)
    assert run("s3_expiry_rule", bucket=BUCKET, rule_id="raw-expires", state="absent")["changed"]
    assert rules(s3) == []


def test_days_below_1_and_a_bucket_that_is_not_there_are_refused(s3: Any, run: Run) -> None:
    refused = run("s3_expiry_rule", **(WANTED | {"days": 0}))
    assert refused["msg"] == "days is 0: objects expire after whole days, at least 1"
    assert run("s3_expiry_rule", **(WANTED | {"bucket": "nowhere"}))["failed"]
    assert run("s3_expiry_rule", _check=True, **(WANTED | {"bucket": "nowhere"}))["changed"]
    assert rules(s3) == []

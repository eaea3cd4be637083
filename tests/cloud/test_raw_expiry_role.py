"""Role storage makes quotes expire only where storage_raw_days says so, and takes the rule away again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from moto.backends import get_backend
from tests.support import playbook
from tests.support.local_cloud.enforcing import ACCOUNT, Enforcing, enforcing_cloud
from tests.support.local_cloud.policies import DATA, DEPLOYMENT

RULE = {
    "ID": "quotes-with-history-expire",
    "Status": "Enabled",
    "Filter": {"And": {"Prefix": "quotes/", "Tags": [{"Key": "history", "Value": "verified"}]}},
    "Expiration": {"Days": 30},
}


def apply(cloud: Enforcing, folder: Path, **options: Any) -> playbook.Run:
    """Runs the role."""
    keys = {"region": "us-east-1", "access_key": "local-cloud", "secret_key": "local-cloud"}
    connection = keys | {"endpoint_url": cloud.endpoint}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {f"group/{name}": connection for name in ("amazon.aws.aws", "stock_market.streaming.aws")},
        "vars": DEPLOYMENT | options,
        "roles": ["storage"],
    }
    return playbook.run(folder, [play], playbook.local_inventory({}))


def rules(cloud: Enforcing) -> list[Any]:
    held = get_backend("s3")[ACCOUNT]["aws"].buckets[DATA].rules
    return list(cloud.operator.s3.get_bucket_lifecycle_configuration(Bucket=DATA)["Rules"]) if held else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For playbooks."""
    return tmp_path / "play"


def test_the_rule_comes_and_goes_with_the_option(tmp_path: Path, folder: Path) -> None:
    with enforcing_cloud(tmp_path / "cloud") as cloud:
        first = apply(cloud, folder)
        assert first.code == 0, first.output
        assert rules(cloud) == []
        assert apply(cloud, folder, storage_raw_days=30).code == 0
        assert rules(cloud) == [RULE]
        policy = cloud.operator.s3.get_bucket_policy(Bucket=DATA)["Policy"]
        assert "shop-replay" in policy.partition("QuotesAreTaggedToExpire")[2]
        again = apply(cloud, folder, storage_raw_days=30)
        assert "changed=0" in again.output, again.output
        assert apply(cloud, folder).code == 0
        assert rules(cloud) == []
        wrong = apply(cloud, folder, storage_raw_days=-1)
        assert wrong.code
        assert (
            "storage_raw_days is -1: objects expire after whole days, at least 1; 0 keeps all of them." in wrong.output
        )

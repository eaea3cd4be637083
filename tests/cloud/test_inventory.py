"""Both inventories can be read before there is a cloud, and without credentials."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GROUPS = {"stock_market", "zookeeper", "kafka", "stock_producer", "stock_consumer", "stock_history", "monitoring"}


def read(inventory: str, **environment: str) -> tuple[dict[str, Any], str]:
    """What ansible-inventory lists, and what it says beside that."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    done = subprocess.run(
        [str(ROOT / ".venv/bin/ansible-inventory"), "-i", f"inventory/{inventory}", "--list"],
        cwd=ROOT,
        env={
            **kept,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "STOCK_MARKET_DEPLOYMENT": "not-there",
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    listed: dict[str, Any] = json.loads(done.stdout)
    return listed, done.stderr


@pytest.mark.parametrize(
    ("inventory", "environment", "reason"),
    [
        ("local", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect to the endpoint URL"),
        ("aws", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect to the endpoint URL"),
        ("aws", {}, "Unable to locate credentials"),
    ],
)
def test_a_cloud_that_does_not_answer_has_no_hosts_and_one_warning_says_why(
    inventory: str, environment: dict[str, str], reason: str
) -> None:
    listed, said = read(inventory, **environment)
    assert list(listed["_meta"]["hostvars"]) == ["localhost"]
    assert said.count("No instance is known") == 1
    assert reason in said
    assert "Failed to parse" not in said


def test_only_the_local_inventory_has_a_machine_for_the_local_cloud() -> None:
    endpoint = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    assert read("local", **endpoint)[0]["local_cloud"]["hosts"] == ["localhost"]
    assert "hosts" not in read("aws", **endpoint)[0].get("local_cloud", {})

"""The policies that the roles give out, rendered by Ansible from the roles' own templates, defaults and variables."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[3]
NAME = "shop"
DATA, RESULTS = "shop-data-123456789012", "shop-athena-results-123456789012"
DATABASE, WORKGROUP = "stock_market", NAME
DEPLOYMENT = {
    "stock_market_deployment": NAME,
    "stock_market_data_bucket": DATA,
    "stock_market_results_bucket": RESULTS,
    "stock_market_database": DATABASE,
    "stock_market_table": "quotes",
    "stock_market_region": "us-east-1",
    "stock_market_access": "ssh",
    "stock_market_subnets": "public",
    "stock_market_account_id": "123456789012",
    "stock_market_partition": "aws",
    "stock_market_state_dir": "/nowhere",
    "stock_market_tags": {"Deployment": NAME},
}
CONTENTS = {DATA: "data", RESULTS: "results"}
_VARIABLES = yaml.safe_load((ROOT / "roles" / "identity" / "vars" / "main.yml").read_text(encoding="utf-8"))
TRUSTED: dict[str, dict[str, Any]] = {
    role["name"].rpartition("-")[2]: role for role in _VARIABLES["__identity_every_role"]
}
"""The roles by the last part of their names, as the variables of role identity have them."""
ONLY_AWS = "AwsOnly"
"""How the Sid of a statement begins whose actions only AWS itself asks for."""

Policy = dict[str, Any]


def _trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def render(role: str, template: str, **extra: Any) -> Policy:
    """A policy as the role gives it out to the deployment `shop`."""
    variables: dict[str, Any] = dict(DEPLOYMENT)
    for part in ("defaults", "vars"):
        file = ROOT / "roles" / role / part / "main.yml"
        if file.exists():
            variables |= yaml.safe_load(file.read_text(encoding="utf-8"))
    templar = Templar(loader=DataLoader(), variables=_trusted(variables | extra))
    text = (ROOT / "roles" / role / "templates" / template).read_text(encoding="utf-8")
    rendered = templar.template(trust_as_template(text))
    parsed: Policy = rendered if isinstance(rendered, dict) else json.loads(rendered)
    return json.loads(json.dumps(parsed))  # type: ignore[no-any-return]  # what it reads is what was written


def bucket_policy(bucket: str, **options: Any) -> Policy:
    """A bucket's policy, as the role storage gives it with these options."""
    return render("storage", "bucket_policy.json.j2", item={"name": bucket, "content": CONTENTS[bucket]}, **options)


def trust(role: str) -> Policy:
    """A role's trust policy, as the role identity gives it."""
    return render("identity", "trust_policy.json.j2", __identity_role=_trusted(TRUSTED[role]))


def proven(policy: Policy) -> Policy:
    """The policy without what only AWS itself asks for."""
    return {**policy, "Statement": [one for one in policy["Statement"] if not one["Sid"].startswith(ONLY_AWS)]}


def listed(value: str | list[str]) -> list[str]:
    """One or many, as a list."""
    return [value] if isinstance(value, str) else value


def without_one(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """The policy again and again, each time without one action or without one resource of a statement, and its name."""
    for index, statement in enumerate(policy["Statement"]):
        for element in ("Action", "Resource"):
            values = listed(statement[element])
            if element == "Resource" and len(values) == 1:
                continue
            for value in values:
                less = copy.deepcopy(policy)
                less["Statement"][index][element] = [other for other in values if other != value]
                if not less["Statement"][index][element]:
                    del less["Statement"][index]
                yield f"{statement['Sid']}-{value}", less

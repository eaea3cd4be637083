#!/usr/bin/python
"""Ansible module: does IAM alone decide about new databases and tables of Glue's catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore import exceptions as boto_errors
from botocore.config import Config

DOCUMENTATION = r"""
module: lake_formation_info
short_description: Whether IAM alone decides about new databases and tables
description:
  - Asks Lake Formation for the account's settings in the region. Only reads.
  - In a new account the group IAMAllowedPrincipals gets all rights on every new database and table, so that IAM's
    policies alone decide. Where somebody has changed that, Glue and Athena refuse what IAM allows, until Lake Formation
    grants it too.
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.reads]
"""

EXAMPLES = r"""
- name: Ask whether IAM alone decides about the catalog
  stock_market.streaming.lake_formation_info:
    region: us-east-1
  register: lake_formation
"""

RETURN = r"""
iam_alone:
  description: Whether IAM alone decides; C(none) where Lake Formation does not tell.
  returned: always
  type: bool
  sample: true
unknown: {description: Why it is not known., returned: always, type: str, sample: ""}
"""

# https://docs.aws.amazon.com/lake-formation/latest/dg/change-settings.html
SETTINGS = ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions")
EVERYBODY = "IAM_ALLOWED_PRINCIPALS"
SECONDS = 10


def is_iam_alone(settings: Mapping[str, Any]) -> bool:
    """Whether new databases and new tables are both open to every caller that IAM allows."""
    return all(
        any(
            grant["Principal"].get("DataLakePrincipalIdentifier") == EVERYBODY and "ALL" in grant["Permissions"]
            for grant in settings.get(name) or []
        )
        for name in SETTINGS
    )


def ask(client: Any) -> tuple[bool | None, str]:
    """Whether IAM alone decides, or None and the reason why that is not known."""
    try:
        return is_iam_alone(client.get_data_lake_settings()["DataLakeSettings"]), ""
    except boto_errors.ClientError as error:
        answer = error.response.get("Error", {})
        return None, f"Lake Formation does not tell it: {answer.get('Message') or answer.get('Code')}"
    except boto_errors.BotoCoreError as error:
        return None, f"Lake Formation does not answer: {' '.join(str(error).split())}"


def main() -> None:
    module = AnsibleAWSModule(argument_spec={}, supports_check_mode=True)
    config = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 2})
    iam_alone, unknown = ask(module.client("lakeformation", aws_config=config))
    module.exit_json(changed=False, iam_alone=iam_alone, unknown=unknown)


if __name__ == "__main__":
    main()

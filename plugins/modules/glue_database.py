#!/usr/bin/python
"""Ansible module: a database of Glue's Data Catalog."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.iam import get_aws_account_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import compare_aws_tags
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: glue_database
short_description: Manage a database of Glue's Data Catalog
description:
  - Creates, updates and deletes a database of the AWS Glue Data Catalog, in which crawlers keep their tables.
  - Options that are not given are left as they are.
options:
  name:
    description: The database's name. Athena reads lower-case letters, digits and underscores only.
    type: str
    required: true
  description:
    description: What the database is for.
    type: str
  location_uri:
    description: Where tables without a location of their own are stored, an address in S3.
    type: str
  parameters:
    description: Key-value pairs kept with the database; keys that are not given are removed.
    type: dict
  state:
    description:
      - C(present) creates or updates the database.
      - C(absent) deletes it; see I(force) for the tables in it.
    type: str
    choices: [present, absent]
    default: present
  force:
    description:
      - With I(state=absent), delete the tables in the database too; without it, a database with tables is an error.
    type: bool
    default: false
  tags:
    description: The database's tags.
    type: dict
    aliases: [resource_tags]
  purge_tags:
    description: Remove tags that are not in I(tags).
    type: bool
    default: true
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.manages]
"""

EXAMPLES = r"""
- name: Create the database of the quotes
  stock_market.streaming.glue_database:
    name: stock_market
    description: Quotes from the stream
    tags:
      Deployment: stock-market

- name: Delete the database and its tables
  stock_market.streaming.glue_database:
    name: stock_market
    state: absent
    force: true
"""

RETURN = r"""
database:
  description: The database as it is now, or would be; empty when it is absent.
  returned: always
  type: dict
  sample:
    name: stock_market
    description: Quotes from the stream
    location_uri: ""
    parameters: {}
    tags: {Deployment: stock-market}
    arn: arn:aws:glue:us-east-1:123456789012:database/stock_market
"""

FIELDS = {"description": "Description", "location_uri": "LocationUri", "parameters": "Parameters"}


class GlueDatabase:
    """One database, as it is and as it should be."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params: dict[str, Any] = module.params
        self.client = module.client("glue", retry_decorator=AWSRetry.jittered_backoff())
        account, partition = get_aws_account_info(module)
        self.arn = f"arn:{partition}:glue:{module.region}:{account}:database/{self.params['name']}"

    def current(self) -> dict[str, Any]:
        """The database as Glue has it, empty if there is none."""
        try:
            found = self.client.get_database(Name=self.params["name"], aws_retry=True)["Database"]
            tags = self.client.get_tags(ResourceArn=self.arn, aws_retry=True).get("Tags", {})
        except is_boto3_error_code("EntityNotFoundException"):
            return {}
        return {
            "name": found["Name"],
            "description": found.get("Description") or "",
            "location_uri": found.get("LocationUri") or "",
            "parameters": found.get("Parameters") or {},
            "tags": tags,
            "arn": self.arn,
        }

    def wanted(self, current: dict[str, Any]) -> dict[str, Any]:
        """The database as it should be, given what it is."""
        empty = {"name": self.params["name"], "description": "", "location_uri": "", "parameters": {}, "tags": {}}
        wanted = {**empty, "arn": self.arn, **current}
        for option in FIELDS:
            if self.params[option] is not None:
                wanted[option] = self.params[option]
        wanted["parameters"] = {key: str(value) for key, value in wanted["parameters"].items()}
        if self.params["tags"] is not None:
            given = {key: str(value) for key, value in self.params["tags"].items()}
            wanted["tags"] = given if self.params["purge_tags"] else {**wanted["tags"], **given}
        return wanted

    def write(self, current: dict[str, Any], wanted: dict[str, Any]) -> None:
        given = {name: wanted[option] for option, name in FIELDS.items() if wanted[option]}
        description = {"Name": wanted["name"], **given}
        if not current:
            self.client.create_database(DatabaseInput=description, Tags=wanted["tags"], aws_retry=True)
            return
        if any(current[option] != wanted[option] for option in FIELDS):
            self.client.update_database(Name=wanted["name"], DatabaseInput=description, aws_retry=True)
        to_add, to_remove = compare_aws_tags(current["tags"], wanted["tags"])
        if to_remove:
            self.client.untag_resource(ResourceArn=self.arn, TagsToRemove=to_remove, aws_retry=True)
        if to_add:
            self.client.tag_resource(ResourceArn=self.arn, TagsToAdd=to_add, aws_retry=True)

    def delete(self) -> None:
        """Deletes it, and the tables in it if that was asked for; fails if there are tables and it was not."""
        name = self.params["name"]
        pages = self.client.get_paginator("get_tables").paginate(DatabaseName=name)
        tables = [table["Name"] for page in pages for table in page["TableList"]]
        if tables and not self.params["force"]:
            self.module.fail_json(
                msg=f"The Glue database '{name}' still has tables ({', '.join(sorted(tables))}): "
                "delete them first, or set force to delete them with it."
            )
        if self.module.check_mode:
            return
        for table in tables:
            self.client.delete_table(DatabaseName=name, Name=table, aws_retry=True)
        self.client.delete_database(Name=name, aws_retry=True)


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Bring the database to the state that is asked for; return the module's result."""
    database = GlueDatabase(module)
    current = database.current()
    if module.params["state"] == "absent":
        wanted: dict[str, Any] = {}
        if current:
            database.delete()
    else:
        wanted = database.wanted(current)
        if current != wanted and not module.check_mode:
            database.write(current, wanted)
    return {"changed": current != wanted, "database": wanted, "diff": {"before": current, "after": wanted}}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "The Glue database '{name}' can't be managed")


if __name__ == "__main__":
    main()

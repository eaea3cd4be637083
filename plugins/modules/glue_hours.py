#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: partitions for the hours of data in S3 that the catalog lacks, without a crawl."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from botocore import exceptions as boto_errors

DOCUMENTATION = r"""
---
module: glue_hours
short_description: Add the hours of data in S3 to a table that lacks them
description:
  - Adds a partition to a table of Glue's catalog for each folder C(dt=YYYY-MM-DD/hour=HH/) below its location that has
    objects and no partition. It takes the table's own types and format. Partitions are neither changed nor removed.
  - Folders are found by listing with a delimiter, so the number of objects does not matter. One request to S3 is made
    for all days, and one for each day of which the catalog has fewer than 24 hours.
  - This is what a crawl of new folders does, or Athena's C(ALTER TABLE ... ADD IF NOT EXISTS PARTITION), without the
    price and the time of a crawl or a query.
options:
  database:
    description: The table's database.
    type: str
    required: true
  table:
    description: The table, partitioned by C(dt) and C(hour).
    type: str
    required: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode: {description: Says which hours would be added and adds none., support: full}
  diff_mode: {description: Shows the hours that are added., support: full}
author: stock-market
"""

EXAMPLES = r"""
- name: Make new hours visible to Athena
  glue_hours:
    database: stock_market
    table: quotes
  register: hours

- name: Show how many are new
  ansible.builtin.debug:
    msg: "{{ hours.added | length }} new hours, the newest is {{ hours.newest | last }}"
"""

RETURN = r"""
added: {description: "The hours that were added, or would be.", returned: always, type: list, sample: [2026-11-23 11]}
known: {description: How many partitions the table had., returned: always, type: int, sample: 24}
newest:
  description: Up to 24 of the newest hours that have objects or a partition, oldest first.
  returned: always
  type: list
  sample: [2026-11-23 10, 2026-11-23 11]
"""

DAY = re.compile(r"dt=(\d{4}-\d{2}-\d{2})/$")
HOUR = re.compile(r"hour=(\d{2})/$")
HOURS_A_DAY = 24
# The most that one BatchCreatePartition takes.
PARTITIONS_A_CALL = 100
Hour = tuple[str, str]


class GlueHours:
    """The hours of one table, in S3 and in the catalog."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.names = {"DatabaseName": module.params["database"], "TableName": module.params["table"]}
        self.glue = module.client("glue", retry_decorator=AWSRetry.jittered_backoff())
        self.s3 = module.client("s3", retry_decorator=AWSRetry.jittered_backoff())

    def storage(self) -> dict[str, Any]:
        """How the table describes its data; fails if there is no such table."""
        try:
            found = self.glue.get_table(DatabaseName=self.names["DatabaseName"], Name=self.names["TableName"])
        except is_boto3_error_code("EntityNotFoundException"):
            table = f"{self.names['DatabaseName']}.{self.names['TableName']}"
            self.module.fail_json(msg=f"There is no Glue table '{table}': create it first, with playbooks/cloud.yml.")
        return dict(found["Table"]["StorageDescriptor"])

    def known(self) -> set[Hour]:
        """The partitions that the catalog has."""
        pages = self.glue.get_paginator("get_partitions").paginate(**self.names, ExcludeColumnSchema=True)
        return {tuple(partition["Values"]) for page in pages for partition in page["Partitions"]}

    def folders(self, location: str, pattern: re.Pattern[str]) -> list[str]:
        """The values of the folders right below a location, in order."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        names = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        return sorted(match[1] for match in map(pattern.search, names) if match)

    def missing(self, location: str, known: set[Hour]) -> list[Hour]:
        """The hours that have objects and no partition; a day whose 24 hours are all known is not listed."""
        of_day = Counter(day for day, _ in known)
        return [
            (day, hour)
            for day in self.folders(location, DAY)
            if of_day[day] < HOURS_A_DAY
            for hour in self.folders(f"{location}dt={day}/", HOUR)
            if (day, hour) not in known
        ]

    def add(self, storage: dict[str, Any], new: list[Hour]) -> None:
        """Adds partitions; one that somebody else has added in the meantime is left alone."""
        inputs = [
            {
                "Values": [day, hour],
                "StorageDescriptor": {**storage, "Location": f"{storage['Location']}dt={day}/hour={hour}/"},
            }
            for day, hour in new
        ]
        for start in range(0, len(inputs), PARTITIONS_A_CALL):
            answer = self.glue.batch_create_partition(
                **self.names, PartitionInputList=inputs[start : start + PARTITIONS_A_CALL], aws_retry=True
            )
            for error in answer.get("Errors", []):
                detail = error.get("ErrorDetail", {})
                if detail.get("ErrorCode") != "AlreadyExistsException":
                    self.module.fail_json(
                        msg=f"Glue did not take the partition {'/'.join(error.get('PartitionValues', []))}: "
                        f"{detail.get('ErrorCode')}: {detail.get('ErrorMessage')}"
                    )


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Add what is missing; return the module's result."""
    hours = GlueHours(module)
    storage = hours.storage()
    storage["Location"] = storage["Location"].rstrip("/") + "/"
    known = hours.known()
    new = hours.missing(storage["Location"], known)
    if not module.check_mode:
        hours.add(storage, new)
    added = [" ".join(hour) for hour in new]
    newest = sorted({*added, *(" ".join(hour) for hour in known)})[-HOURS_A_DAY:]
    diff = {"before": {"added": []}, "after": {"added": added}}
    return {"changed": bool(new), "added": added, "known": len(known), "newest": newest, "diff": diff}


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec={"database": {"type": "str", "required": True}, "table": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (boto_errors.BotoCoreError, boto_errors.ClientError) as error:
        module.fail_json_aws(error, msg=f"The hours of the Glue table '{module.params['table']}' can't be looked at")
    module.exit_json(**result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
"""Ansible module: a deployment's secrets in SSM Parameter Store."""

from __future__ import annotations

import secrets as random_secrets
import string
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: parameter_secrets
short_description: Keep a deployment's secrets in SSM Parameter Store
description:
  - Reads every SecureString below a path in one go, makes those of O(generate) that are missing, and stores those of
    O(store). A secret that is there stays as it is, unless it is among O(rotate).
  - Returns the secrets. C(no_log) on the task keeps them out of what Ansible prints.
options:
  path:
    description: The path of the deployment's parameters, C(/) and its name.
    type: str
    required: true
  generate:
    description: Names below the path of secrets to make where they are missing, of letters and digits.
    type: list
    elements: str
    default: []
  length:
    description: How many letters and digits a secret has that is made, 16 or more; each carries 5.95 bits.
    type: int
    default: 32
  store:
    description: Secrets made elsewhere, by name below the path. One that is there with another value is replaced.
    type: dict
    default: {}
  rotate:
    description: Names below the path of secrets that are replaced although they exist.
    type: list
    elements: str
    default: []
  remove:
    description: Names below the path of secrets to delete.
    type: list
    elements: str
    default: []
  tags:
    description: The tags of what is made.
    type: dict
    default: {}
extends_documentation_fragment: [stock_market.streaming.aws]
attributes:
  check_mode: {description: Returns secrets that a real run would not use for those that are missing., support: full}
  diff_mode: {description: Shows no secret., support: none}
"""

EXAMPLES = r"""
- name: Have a password for each user
  stock_market.streaming.parameter_secrets:
    path: /stock-market
    generate: [kafka/users/producer, kafka/users/consumer]
    tags: {Deployment: stock-market}
  register: found
  no_log: true
"""

RETURN = r"""
secrets: {description: Every secret below the path, by its name there., type: dict, returned: always}
written: {description: Names of the secrets that were made, stored or replaced., type: list, returned: always}
"""

LETTERS = string.ascii_letters + string.digits


class Secrets:
    """The secrets below a path."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params: dict[str, Any] = module.params
        self.client = module.client("ssm", retry_decorator=AWSRetry.jittered_backoff())
        self.path = self.params["path"].rstrip("/")
        self.values = self._read()
        self.written: list[str] = []

    def _read(self) -> dict[str, str]:
        pages = self.client.get_paginator("get_parameters_by_path").paginate(
            Path=self.path, Recursive=True, WithDecryption=True
        )
        return {
            found["Name"].removeprefix(f"{self.path}/"): found["Value"]
            for page in pages
            for found in page["Parameters"]
        }

    def apply(self) -> None:
        """Makes, stores and removes what the options ask for."""
        for name in self.params["generate"]:
            if name not in self.values or name in self.params["rotate"]:
                self._write(name, "".join(random_secrets.choice(LETTERS) for _ in range(self.params["length"])))
        for name, value in self.params["store"].items():
            if self.values.get(name) != value:
                self._write(name, value)
        for name in self.params["remove"]:
            if self.values.pop(name, None) is not None:
                self.written.append(name)
                if not self.module.check_mode:
                    self.client.delete_parameter(Name=f"{self.path}/{name}", aws_retry=True)

    def _write(self, name: str, value: str) -> None:
        there = name in self.values
        self.values[name] = value
        self.written.append(name)
        if self.module.check_mode:
            return
        call: dict[str, Any] = {"Name": f"{self.path}/{name}", "Value": value, "Type": "SecureString"}
        if there:
            self.client.put_parameter(**call, Overwrite=True, aws_retry=True)
            return
        try:
            self.client.put_parameter(**call, Tags=ansible_dict_to_boto3_tag_list(self.params["tags"]), aws_retry=True)
        except is_boto3_error_code("ParameterAlreadyExists"):
            # Another run was quicker: what it made is what everybody uses.
            self.values[name] = self._read()[name]


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Bring the secrets into shape; return the module's result."""
    if module.params["length"] < 16:
        module.fail_json(msg=f"A secret of {module.params['length']} letters could be guessed: length is 16 or more.")
    found = Secrets(module)
    found.apply()
    return {"changed": bool(found.written), "written": found.written, "secrets": found.values}


def main() -> None:
    """Run the module. No option has no_log, which would blank the secrets in the result, too; the task has it."""
    aws.run_module(DOCUMENTATION, run, "The secrets below {path} could not be read and kept")


if __name__ == "__main__":
    main()

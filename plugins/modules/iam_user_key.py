#!/usr/bin/python
"""Ansible module: a user's access key, which is kept in SSM Parameter Store and shown nowhere."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.stock_market.streaming.plugins.module_utils import aws

DOCUMENTATION = r"""
module: iam_user_key
short_description: Give an IAM user an access key that is kept in Parameter Store
description:
  - Sees to it that the user has exactly one access key, and that its two halves lie in SSM Parameter Store as the
    SecureStrings C(access-key-id) and C(secret-access-key) below a path. The secret is never returned or printed.
  - A key whose parameters are gone, or name another key, can't be used by anybody and is replaced.
options:
  user:
    description: The user's name.
    type: str
    required: true
  path:
    description: The path of the two parameters, without a slash at its end.
    type: str
    required: true
  rotate:
    description: Whether a key that is in order is replaced by a new one. The old one stops working at once.
    type: bool
    default: false
  state:
    description: C(absent) removes the user's keys and the two parameters, whether or not the user is still there.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description: The parameters' tags.
    type: dict
    default: {}
extends_documentation_fragment: [stock_market.streaming.aws]
attributes:
  check_mode: {description: Makes and removes nothing., support: full}
  diff_mode: {description: Shows no key., support: none}
"""

EXAMPLES = r"""
- name: Give the analyst a key
  stock_market.streaming.iam_user_key:
    user: stock-market-analyst
    path: /stock-market/analyst
    tags: {Deployment: stock-market}
"""

RETURN = r"""
parameters: {description: The names of the two parameters., type: list, elements: str, returned: always}
"""

ID, SECRET = "access-key-id", "secret-access-key"


class UserKey:
    """The keys of one user, and the parameters that keep the one in use."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        params = module.params
        self.user: str = params["user"]
        self.names = {half: f"{params['path']}/{half}" for half in (ID, SECRET)}
        self.tags = ansible_dict_to_boto3_tag_list(params["tags"])
        self.iam = module.client("iam", retry_decorator=AWSRetry.jittered_backoff())
        self.ssm = module.client("ssm", retry_decorator=AWSRetry.jittered_backoff())

    def keys(self) -> list[dict[str, Any]]:
        """The user's keys; none if there is no such user."""
        try:
            return list(self.iam.list_access_keys(UserName=self.user, aws_retry=True)["AccessKeyMetadata"])
        except is_boto3_error_code("NoSuchEntity"):
            return []

    def kept_id(self) -> str:
        """The id in Parameter Store, empty if either half is missing; of the secret nothing is asked but its name."""
        found = self.ssm.get_parameters(Names=[self.names[ID]], WithDecryption=True, aws_retry=True)["Parameters"]
        named = self.ssm.get_parameters(Names=[self.names[SECRET]], WithDecryption=False, aws_retry=True)["Parameters"]
        return str(found[0]["Value"]) if found and named else ""

    def is_in_order(self) -> bool:
        """Whether the user's only key is active and is the one that is kept."""
        keys = self.keys()
        return [key["Status"] for key in keys] == ["Active"] and self.kept_id() == keys[0]["AccessKeyId"]

    def replace(self) -> None:
        """Makes a key, keeps it, and removes all others. A user may have two keys, so one has to go first."""
        old = [key["AccessKeyId"] for key in self.keys()]
        for key in old[1:]:
            self.iam.delete_access_key(UserName=self.user, AccessKeyId=key)
        made = self.iam.create_access_key(UserName=self.user)["AccessKey"]
        self._keep(SECRET, made["SecretAccessKey"])
        self._keep(ID, made["AccessKeyId"])
        for key in old[:1]:
            self.iam.delete_access_key(UserName=self.user, AccessKeyId=key)

    def _keep(self, half: str, value: str) -> None:
        name = self.names[half]
        try:
            self.ssm.put_parameter(Name=name, Value=value, Type="SecureString", Tags=self.tags, Overwrite=False)
        except is_boto3_error_code("ParameterAlreadyExists"):
            # AWS takes no tags together with Overwrite; those that it has stay.
            self.ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def remove(self, *, check: bool) -> bool:
        """Removes keys and parameters; whether there were any."""
        keys = self.keys()
        answer = self.ssm.get_parameters(Names=list(self.names.values()), WithDecryption=False, aws_retry=True)
        kept = [entry["Name"] for entry in answer["Parameters"]]
        if not check:
            for key in keys:
                self.iam.delete_access_key(UserName=self.user, AccessKeyId=key["AccessKeyId"])
            if kept:
                self.ssm.delete_parameters(Names=kept)
        return bool(keys or kept)


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Bring the key into shape; return the module's result."""
    key = UserKey(module)
    if module.params["state"] == "absent":
        changed = key.remove(check=module.check_mode)
    else:
        changed = module.params["rotate"] or not key.is_in_order()
        if changed and not module.check_mode:
            key.replace()
    return {"changed": changed, "parameters": sorted(key.names.values())}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "The access key of the user '{user}' can't be looked after")


if __name__ == "__main__":
    main()

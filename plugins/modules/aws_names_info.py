#!/usr/bin/python
"""Ansible module: are these names of IAM, EC2, Glue and Athena free, a deployment's own, or somebody else's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.stock_market.streaming.plugins.module_utils import aws
from botocore import exceptions as boto_errors

DOCUMENTATION = r"""
module: aws_names_info
short_description: Are these names free in the account
description:
  - Tells of names of roles, instance profiles, users, key pairs, crawlers and workgroups whether they are free, belong
    to what carries the deployment's tags, or to something else of the account. Only reads.
  - Buckets, whose names all the world shares, are M(s3_bucket_owner_info)'s.
options:
  names:
    description: >-
      Names by kind: C(role), C(instance-profile), C(user), C(key-pair), C(glue-crawler), C(athena-workgroup).
    type: dict
    required: true
  tags:
    description: Tags that make a thing the deployment's own.
    type: dict
    required: true
extends_documentation_fragment: [stock_market.streaming.aws, stock_market.streaming.aws.reads]
"""

EXAMPLES = r"""
- name: Ask whether the names are free
  stock_market.streaming.aws_names_info:
    names:
      role: [stock-market-instance, stock-market-glue]
      key-pair: [stock-market]
    tags: {Deployment: stock-market}
  register: names
"""

RETURN = r"""
names:
  description: Of each name its C(kind), C(name) and C(state), which is free, own or taken.
  returned: always
  type: list
  elements: dict
  sample: [{kind: role, name: stock-market-instance, state: free}]
"""

ClientOf = Callable[[str], Any]


def listed(tags: list[dict[str, str]]) -> dict[str, str]:
    """Tags as one dict."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def role(client_of: ClientOf, name: str) -> dict[str, str]:
    """The role's tags. Raises botocore's ClientError where there is none, as the others do."""
    return listed(client_of("iam").get_role(RoleName=name)["Role"].get("Tags", []))


def instance_profile(client_of: ClientOf, name: str) -> dict[str, str]:
    """The instance profile's tags."""
    profile = client_of("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    return listed(profile.get("Tags", []))


def user(client_of: ClientOf, name: str) -> dict[str, str]:
    """The user's tags."""
    return listed(client_of("iam").get_user(UserName=name)["User"].get("Tags", []))


def key_pair(client_of: ClientOf, name: str) -> dict[str, str]:
    """The key pair's tags."""
    return listed(client_of("ec2").describe_key_pairs(KeyNames=[name])["KeyPairs"][0].get("Tags", []))


def arn_of(client_of: ClientOf, client: Any, resource: str) -> str:
    """The ARN of one of the caller's own resources of a client's service, in the client's region."""
    own = client_of("sts").get_caller_identity()
    partition, service = own["Arn"].split(":")[1], client.meta.service_model.service_name
    return f"arn:{partition}:{service}:{client.meta.region_name}:{own['Account']}:{resource}"


def crawler(client_of: ClientOf, name: str) -> dict[str, str]:
    """The crawler's tags."""
    glue = client_of("glue")
    glue.get_crawler(Name=name)
    arn = arn_of(client_of, glue, f"crawler/{name}")
    return dict(glue.get_tags(ResourceArn=arn)["Tags"])


def workgroup(client_of: ClientOf, name: str) -> dict[str, str]:
    """The workgroup's tags."""
    athena = client_of("athena")
    athena.get_work_group(WorkGroup=name)
    arn = arn_of(client_of, athena, f"workgroup/{name}")
    return listed(athena.list_tags_for_resource(ResourceARN=arn)["Tags"])


KINDS: Mapping[str, Callable[[ClientOf, str], dict[str, str]]] = {
    "role": role,
    "instance-profile": instance_profile,
    "user": user,
    "key-pair": key_pair,
    "glue-crawler": crawler,
    "athena-workgroup": workgroup,
}
# What the services answer where there is nothing of the name; Athena's code says too little alone.
ABSENT = frozenset({"NoSuchEntity", "InvalidKeyPair.NotFound", "EntityNotFoundException"})


def is_absent(error: boto_errors.ClientError) -> bool:
    """Whether the error says that there is nothing of the name."""
    answer = error.response.get("Error", {})
    return answer.get("Code") in ABSENT or "is not found" in answer.get("Message", "")


def state_of(client_of: ClientOf, kind: str, name: str, tags: Mapping[str, str]) -> str:
    """free, own (it carries all of the tags) or taken."""
    try:
        found = KINDS[kind](client_of, name)
    except boto_errors.ClientError as error:
        if is_absent(error):
            return "free"
        raise
    return "own" if tags.items() <= found.items() else "taken"


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    """Ask about each name; return the module's result."""
    names, tags = module.params["names"], module.params["tags"]
    unknown = sorted(set(names) - set(KINDS))
    if unknown:
        module.fail_json(msg=f"There is no kind {', '.join(unknown)}; say {', '.join(KINDS)}.")
    client_of = functools.cache(module.client)
    found = [
        {"kind": kind, "name": name, "state": state_of(client_of, kind, name, tags)}
        for kind, several in names.items()
        for name in several
    ]
    return {"changed": False, "names": found}


def main() -> None:
    aws.run_module(DOCUMENTATION, run, "AWS does not tell which names are taken")


if __name__ == "__main__":
    main()

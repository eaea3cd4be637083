#!/usr/bin/python
"""Ansible module: everything that some principals may do in Kafka."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.stock_market.streaming.plugins.module_utils import kafka_admin
from ansible_collections.stock_market.streaming.plugins.module_utils.kafka_admin import RefusedError

with contextlib.suppress(ImportError):
    from kafka.admin import (
        ACL,
        ACLFilter,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ResourcePattern,
        ResourcePatternFilter,
        ResourceType,
    )
    from kafka.errors import NoError, SecurityDisabledError

DOCUMENTATION = r"""
module: kafka_acl
short_description: Declare exactly what principals may do in Kafka
description:
  - Creates each principal's missing access-control bindings, and deletes the principal's others, those for other hosts
    and those that deny among them. Bindings of other principals are not touched.
  - All bindings allow, from every host.
options:
  principals:
    description: The principals, in the order in which they are changed.
    type: list
    elements: dict
    required: true
    suboptions:
      principal: {description: "Whose bindings, as C(User:name).", type: str, required: true}
      bindings:
        description: All that the principal may do. An empty list takes everything away.
        type: list
        elements: dict
        required: true
        suboptions:
          resource_type:
            description: What kind of thing.
            type: str
            choices: [topic, group, cluster, transactional_id]
            required: true
          resource_name:
            description: Which one; C(*) is every one, and C(cluster) is called C(kafka-cluster).
            type: str
            required: true
          pattern:
            description: Whether the name is the resource's own, or what the names of the resources begin with.
            type: str
            choices: [literal, prefixed]
            default: literal
          operations:
            description: What may be done, such as C(read), C(write), C(describe).
            type: list
            elements: str
            required: true
            choices:
              - all
              - read
              - write
              - create
              - delete
              - alter
              - describe
              - cluster_action
              - describe_configs
              - alter_configs
              - idempotent_write
extends_documentation_fragment: [stock_market.streaming.kafka]
"""

EXAMPLES = r"""
- name: Let the consumer read its topic in its group, and nothing else
  stock_market.streaming.kafka_acl:
    principals:
      - principal: User:consumer
        bindings:
          - {resource_type: topic, resource_name: stock-quotes, operations: [read, describe]}
          - {resource_type: group, resource_name: stock-consumer, operations: [read]}
    bootstrap_servers: [203.0.113.7:9092]
    security_protocol: SASL_SSL
    ca_file: /home/me/stock-market/ca.pem
    sasl_username: operator
    sasl_password: "{{ operator_password }}"
"""

RETURN = r"""
created: {description: "The bindings that were missing, in words.", type: list, elements: str, returned: success}
deleted: {description: "The bindings that were too many, in words.", type: list, elements: str, returned: success}
"""

_EVERY_HOST = "*"


def declared(principal: str, bindings: list[Mapping[str, Any]]) -> set[ACL]:
    """Return the bindings that the options ask for, one for each operation."""
    return {
        ACL(
            principal,
            _EVERY_HOST,
            ACLOperation[operation.upper()],
            ACLPermissionType.ALLOW,
            ResourcePattern(
                ResourceType[binding["resource_type"].upper()],
                binding["resource_name"],
                ACLResourcePatternType[binding["pattern"].upper()],
            ),
        )
        for binding in bindings
        for operation in binding["operations"]
    }


def in_words(acl: ACL) -> str:
    """Return a binding as a person writes it."""
    resource = acl.resource_pattern
    prefixed = resource.pattern_type == ACLResourcePatternType.PREFIXED
    name = f"{resource.resource_name}*" if prefixed else resource.resource_name
    host = "" if acl.host == _EVERY_HOST else f" from {acl.host}"
    kind = f"{acl.permission_type.name} {acl.operation.name} on {resource.resource_type.name}"
    return f"{kind.lower().replace('transactional_id', 'transactional id')} {name}{host}"


class Principal:
    """The principal that the module's options describe, and the bindings that the brokers have of it."""

    def __init__(self, admin: Any, options: Mapping[str, Any]) -> None:
        self.admin = admin
        self.name: str = options["principal"]
        self.wanted = declared(self.name, options["bindings"])
        self.timeout: float = options["timeout"]

    def existing(self) -> set[ACL]:
        """Return what the principal has.

        Raises:
            RefusedError: the brokers have no authorizer.
        """
        everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        own = ACLFilter(self.name, None, ACLOperation.ANY, ACLPermissionType.ANY, everything)
        try:
            return set(self.admin.describe_acls(own)[0])
        except SecurityDisabledError as error:
            raise RefusedError(
                "The brokers have no authorizer, so that everybody may do everything; set authorizer.class.name."
            ) from error

    def apply(self, check_mode: bool) -> dict[str, Any]:
        """Make the bindings what they should be and return the module's result."""
        existing = self.existing()
        missing, excess = self.wanted - existing, existing - self.wanted
        if not check_mode:
            # New rights come first, so that a change of pattern takes nothing away in between.
            self.create(missing)
            self.delete(excess)
            otherwise = f"The brokers still have other bindings of {self.name} than were declared."
            kafka_admin.wait_for(lambda: self.existing() == self.wanted, self.timeout, otherwise)
        return {
            "changed": bool(missing or excess),
            "created": sorted(map(in_words, missing)),
            "deleted": sorted(map(in_words, excess)),
            "diff": kafka_admin.diff(self.name, self.text(existing), self.text(self.wanted)),
        }

    def create(self, acls: set[ACL]) -> None:
        """Create bindings.

        Raises:
            RefusedError: the brokers don't.
        """
        failed = self.admin.create_acls(list(acls))["failed"] if acls else []
        if failed:
            raise RefusedError(f"Kafka did not create {len(failed)} of {self.name}'s bindings: {failed[0].__name__}.")

    def delete(self, acls: set[ACL]) -> None:
        """Delete bindings.

        Raises:
            RefusedError: the brokers don't.
        """
        for _, _, error in self.admin.delete_acls(list(acls)) if acls else []:
            if error is not NoError:
                raise RefusedError(f"Kafka did not delete a binding of {self.name}'s: {error.__name__}.")

    @staticmethod
    def text(acls: set[ACL]) -> str:
        """Return bindings, one a line."""
        return "".join(f"{line}\n" for line in sorted(map(in_words, acls)))


def main() -> None:
    module = kafka_admin.make_module(DOCUMENTATION)
    options = module.params
    names = [principal["principal"] for principal in options["principals"]]
    for name in names:
        if not name.startswith("User:") or name == "User:":
            module.fail_json(msg=f"{name!r} is no principal; say User:name.")
    with kafka_admin.admin_client(module, f"the principals {', '.join(names)}") as admin:
        results = [Principal(admin, {**options, **one}).apply(module.check_mode) for one in options["principals"]]
    module.exit_json(
        changed=any(result["changed"] for result in results),
        created=[binding for result in results for binding in result["created"]],
        deleted=[binding for result in results for binding in result["deleted"]],
        diff=[result["diff"] for result in results],
    )


if __name__ == "__main__":
    main()

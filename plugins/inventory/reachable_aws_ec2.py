"""Inventory plugin: amazon.aws.aws_ec2, except that a cloud that does not answer has no instances."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.plugins.loader import inventory_loader
from ansible.utils.display import Display

DOCUMENTATION = r"""
name: reachable_aws_ec2
short_description: amazon.aws.aws_ec2 for a cloud that may not be there yet
description:
  - Hands every C(*.aws_ec2.yml) to P(amazon.aws.aws_ec2#inventory).
  - Before the first run of site.yml there is no local cloud, and on a new machine there may be no credentials. That is
    no reason for three screens of parser errors, so the hosts are none then, and one warning says why.
  - The playbooks ask for the caller's account themselves and stop where it matters.
author: stock-market
options: {}
"""

SUFFIX = ".aws_ec2.yml"
CONNECT_SECONDS = 5
# How aws_ec2 begins its message when it was the API that failed, and not its configuration.
API_FAILED = "Failed to describe instances"


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]  # Ansible ships no types
    """Delegates to amazon.aws.aws_ec2."""

    NAME = "reachable_aws_ec2"

    def verify_file(self, path: str) -> bool:
        """Whether the file is one of aws_ec2's."""
        return bool(super().verify_file(path)) and path.endswith(SUFFIX)

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Add the instances, or say in a line why none is known. Raises AnsibleError for a wrong configuration."""
        super().parse(inventory, loader, path, cache=cache)
        if unheard := self._unheard(path):
            Display().warning(f"No instance is known: {unheard}")
            return
        plugin = inventory_loader.get("amazon.aws.aws_ec2")
        try:
            plugin.parse(inventory, loader, path, cache=cache)
        except AnsibleError as error:
            reason = " ".join(str(error).split())
            if not reason.startswith(API_FAILED):
                raise
            Display().warning(f"No instance is known: {reason.removeprefix(API_FAILED).lstrip(': ')}")

    def _unheard(self, path: str) -> str:
        """Why a cloud on this machine is not there, found out without boto3; another may lie behind a proxy."""
        config = self.loader.load_from_file(path, cache="none", trusted_as_template=True)
        url = self.templar.template(config.get("endpoint_url") or "") or ""
        try:
            host, port = urlsplit(url).hostname, urlsplit(url).port
        except ValueError:
            return ""  # boto3 has a sentence for it
        if not host or not port or not host.startswith("127."):
            return ""
        try:
            socket.create_connection((host, port), CONNECT_SECONDS).close()
        except OSError as error:
            return f'Could not connect to the endpoint URL: "{url}": {error}'
        return ""

"""Public addresses: one pool a deployment, for instances and Elastic IPs alike."""

from __future__ import annotations

import threading
from collections.abc import Container

from local_cloud.moto_patch import Ec2Error
from local_cloud.settings import FIRST_PUBLIC, LAST_PUBLIC


class AddressPool:
    """The addresses 198.18.X.10 to 198.18.X.250.

    The pool goes round, so an address that was given back is the last to be given out again: an instance that was
    stopped and started gets another one, as on EC2. Who holds an address is known by EC2's own records alone, so
    nothing can be forgotten here; ``take`` is told what they hold.
    """

    def __init__(self, block: int) -> None:
        self._addresses = [f"198.18.{block}.{last}" for last in range(FIRST_PUBLIC, LAST_PUBLIC + 1)]
        self._next = 0
        self._lock = threading.Lock()

    def __contains__(self, address: str) -> bool:
        return address in self._addresses

    def take(self, in_use: Container[str]) -> str:
        """Return the next address that is not in use; raises Ec2Error if there is none."""
        with self._lock:
            for step in range(len(self._addresses)):
                index = (self._next + step) % len(self._addresses)
                if self._addresses[index] not in in_use:
                    self._next = index + 1
                    return self._addresses[index]
        raise Ec2Error(
            "InsufficientAddressCapacity",
            f"All {len(self._addresses)} public addresses are in use: release an Elastic IP or terminate an instance.",
        )

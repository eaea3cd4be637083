"""Putting functions of ours in the place of moto's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partialmethod
from typing import Any

from moto.core.exceptions import ServiceException


class Ec2Error(ServiceException):
    """An error of EC2's API: code and message, as AWS gives them."""


def replace(owner: object, name: str, function: Callable[..., Any] | partialmethod[Any]) -> None:
    """Put a function in the place of one of moto's; raises AttributeError if this moto has none of that name."""
    if not hasattr(owner, name):
        raise AttributeError(f"this moto has no {owner}.{name}")
    setattr(owner, name, function)

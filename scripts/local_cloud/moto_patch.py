"""Putting functions of ours in the place of moto's."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from functools import partialmethod
from types import ModuleType
from typing import Any

from moto.core.exceptions import ServiceException


class Ec2Error(ServiceException):
    """An error of EC2's API: code and message, as AWS gives them."""


def replace(owner: object, name: str, function: Callable[..., Any] | partialmethod[Any]) -> None:
    """Put a function in the place of one of moto's; raises AttributeError if this moto has none of that name."""
    if not hasattr(owner, name):
        raise AttributeError(f"this moto has no {owner}.{name}")
    setattr(owner, name, function)


def wrap(owner: type, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function that is called in the place of a method of moto's: it gets that one, bound, after the object.

    Raises:
        AttributeError: this moto has none of that name.
    """

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        of_moto = getattr(owner, name)

        @functools.wraps(of_moto)
        def method(self: Any, *args: Any, **options: Any) -> Any:
            return function(self, functools.partial(of_moto, self), *args, **options)

        setattr(owner, name, method)
        return function

    return put


def calls(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions of a module that are calls of a moto service's, by name: their first parameter is `self`."""
    return {
        name: call
        for name, call in inspect.getmembers(module, inspect.isfunction)
        if call.__module__ == module.__name__ and next(iter(inspect.signature(call).parameters), None) == "self"
    }

"""Keeps Ansible's compiled templates, so that no process of a run compiles the same text twice.

Ansible (2.19) compiles a template with Jinja each time that a variable of it is read, and every task is a fork that
starts without what other forks have compiled: a sixth of the processor time of a playbook that changes nothing. The
reproducer is docs/upstream/ansible_compiles_again.py. Jinja's own caches serve only templates that a loader has read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import CodeType
from typing import Any

import jinja2
from ansible.template import Templar, is_trusted_as_template, trust_as_template
from jinja2.utils import internalcode

Compile = Callable[..., Any]
BEGINNINGS = ("{{", "{%")


class CompiledTemplates:
    """Jinja's `Environment.compile` with a memory.

    What Jinja makes of a text follows from the text and from the environment's settings, which are the key. Not kept
    are: what an optimizer has folded, for that depends on filters; texts with a backslash, which Ansible reads in two
    ways; and trees instead of texts.

    Args:
        compile_once: `jinja2.Environment.compile`.
    """

    def __init__(self, compile_once: Compile) -> None:
        self._compile_once = compile_once
        self._codes: dict[tuple[Any, ...], CodeType | str] = {}
        self._last_used: jinja2.Environment | None = None
        self._names: set[str] = set()

    def compile(self, environment: jinja2.Environment, source: Any, *arguments: Any, **options: Any) -> Any:
        """As `jinja2.Environment.compile`, which this replaces."""
        if not isinstance(source, str) or environment.optimized or "\\" in source:
            return self._compile_once(environment, source, *arguments, **options)
        self._last_used = environment
        key = (*_settings(environment), str(source), *arguments, *sorted(options.items()))
        if key not in self._codes:
            self._codes[key] = self._compile_once(environment, source, *arguments, **options)
        return self._codes[key]

    def add(self, variables: Mapping[str, Any]) -> None:
        """Compile the templates in variables whose names were not in an earlier call, for the forks of this process."""
        for name in variables.keys() - self._names:
            self._add(variables[name])
        self._names |= variables.keys()

    def _add(self, value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                self._add(item)
        elif isinstance(value, list):
            for item in value:
                self._add(item)
        elif isinstance(value, str) and any(begin in value for begin in BEGINNINGS) and is_trusted_as_template(value):
            self._add_template(value)

    def _add_template(self, text: str) -> None:
        if self._last_used is None:
            Templar().template(trust_as_template("{{ none }}"))
        if self._last_used is not None:
            # The task that reads a wrong one says so, with its place.
            with suppress(jinja2.TemplateError):
                self.compile(self._last_used, text)


def _settings(environment: jinja2.Environment) -> tuple[Any, ...]:
    lexed = (environment.lexer, *environment.extensions)
    return (type(environment), *lexed, environment.autoescape, environment.is_async, environment.finalize)


def install() -> CompiledTemplates:
    """Replace `jinja2.Environment.compile` in this process and its forks."""
    templates = CompiledTemplates(jinja2.Environment.compile)

    @internalcode
    def compile_(self: jinja2.Environment, *args: Any, **options: Any) -> Any:
        return templates.compile(self, *args, **options)

    jinja2.Environment.compile = compile_  # type: ignore[method-assign]  # a patch
    return templates

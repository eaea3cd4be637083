"""scripts/compiled_templates.py: a text is compiled once, and each template gives what Ansible alone gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jinja2
import pytest
from ansible.errors import AnsibleError
from ansible.template import Templar, trust_as_template

import compiled_templates
from compiled_templates import CompiledTemplates

Compiled = Counter[str]


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Compiled:
    """How often Jinja itself compiles each text."""
    counted, compile_once = Compiled(), jinja2.Environment.compile

    def count(self: jinja2.Environment, source: Any, *arguments: Any, **options: Any) -> Any:
        counted[str(source)] += 1
        return compile_once(self, source, *arguments, **options)

    monkeypatch.setattr(jinja2.Environment, "compile", count)
    return counted


@pytest.fixture
def templates(compiled: Compiled) -> Iterator[CompiledTemplates]:
    """The memory, in use."""
    counting = jinja2.Environment.compile
    assert not compiled
    yield compiled_templates.install()
    jinja2.Environment.compile = counting  # type: ignore[method-assign]  # a patch


def render(text: str, **variables: Any) -> Any:
    """The text as a task's argument, by a Templar of its own, as each task has one."""
    return Templar(variables=variables).template(trust_as_template(text))


def test_a_text_is_compiled_once_and_rendered_each_time(templates: CompiledTemplates, compiled: Compiled) -> None:
    assert templates
    assert [render("{{ n + 1 }}", n=number) for number in range(5)] == [1, 2, 3, 4, 5]
    assert compiled == {"{{ n + 1 }}": 1}


def test_variables_are_compiled_ahead_wherever_they_stand_and_only_what_is_a_template(
    templates: CompiledTemplates, compiled: Compiled
) -> None:
    nested = {"list": [trust_as_template("{{ x }}-b")], "plain": trust_as_template("no template")}
    templates.add({"a": trust_as_template("{% if x %}a{% endif %}"), "b": nested, "untrusted": "{{ never }}", "n": 1})
    templates.add({"a": trust_as_template("{{ another }}")})
    ahead = {"{% if x %}a{% endif %}", "{{ x }}-b"}
    assert compiled.keys() - {"{{ none }}"} == ahead
    assert render("{{ b.list[0] }}", b=nested, x=1) == "1-b"
    assert {compiled[text] for text in ahead} == {1}


def test_a_template_that_does_not_compile_fails_where_it_is_read(templates: CompiledTemplates) -> None:
    broken = trust_as_template("{{ a +  }}")
    templates.add({"broken": broken})
    for _ in range(2):
        with pytest.raises(AnsibleError, match="Syntax error in template"):
            render("{{ broken }}", broken=broken)


def test_a_backslash_is_read_as_the_reader_says(templates: CompiledTemplates) -> None:
    assert templates
    text, templar = trust_as_template(r"{{ 'a\nb' }}"), Templar()
    for _ in range(2):
        assert templar.template(text) == r"a\nb"
        assert templar.template(text, escape_backslashes=False) == "a\nb"


def test_other_delimiters_are_other_templates(templates: CompiledTemplates) -> None:
    assert templates
    text, templar = trust_as_template("{{ 1 }}[[ 1 ]]"), Templar()
    for _ in range(2):
        assert templar.template(text) == "1[[ 1 ]]"
        overrides = {"variable_start_string": "[[", "variable_end_string": "]]"}
        assert templar.template(text, overrides=overrides) == "{{ 1 }}1"


def test_an_environment_that_folds_constants_keeps_nothing(templates: CompiledTemplates, compiled: Compiled) -> None:
    assert templates
    for filter_ in (str.upper, str.lower):
        environment = jinja2.Environment(autoescape=False)
        environment.filters["change"] = filter_
        assert environment.from_string("{{ 'a' | change }}").render() == filter_("a")
    assert compiled["{{ 'a' | change }}"] == 2

"""ansible-core 2.19: a template is compiled each time that its variable is read, ten times here."""

from typing import Any

import jinja2
from ansible.template import Templar, trust_as_template

compiled: list[str] = []
compile_once: Any = jinja2.Environment.compile


def count(environment: jinja2.Environment, source: object, *arguments: Any, **options: Any) -> Any:
    """Jinja's own, and a note of the text."""
    compiled.append(str(source))
    return compile_once(environment, source, *arguments, **options)


jinja2.Environment.compile = count  # type: ignore[method-assign, assignment]  # what is shown
templar = Templar(variables={"name": trust_as_template("{{ word }}"), "word": "a"})
for _ in range(10):
    templar.template(trust_as_template("{{ name }}"))
print("compilations of two texts:", len(compiled))
assert len(compiled) == 2, "compiled templates are not kept; a sixth of the time of a playbook that changes nothing"

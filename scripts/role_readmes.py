"""Writes each role's README.md from its argument_specs and defaults: `python -m role_readmes`, or `make readmes`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[1] / "roles"
COLLECTION = "stock_market.streaming"


def page(role: Path) -> str:
    """The text of a role's page."""
    points = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
    return "\n".join(_lines(role.name, points, defaults)) + "\n"


def _lines(name: str, points: dict[str, dict[str, Any]], defaults: Mapping[str, Any]) -> Iterator[str]:
    main = points.pop("main")
    yield from (f"# Role {name}", "", f"{main['short_description']}.")
    for sentence in _sentences(main.get("description")):
        yield from ("", _plain(sentence))
    yield from ("", f"Its name in the collection is `{COLLECTION}.{name}`.")
    if main["options"]:
        yield from ("", "| option | type | default | meaning |", "| --- | --- | --- | --- |")
    for option, spec in main["options"].items():
        meaning = _plain(" ".join(_sentences(spec["description"])))
        choices = ", ".join(_code(choice) for choice in spec.get("choices", []))
        more = f" One of {choices}." if choices else ""
        yield _row(f"`{option}`", spec["type"], _code(defaults[option]), meaning + more)
    if points:
        yield from ("", "Entry points for `tasks_from`:", "", "| file | what it does | its own options |")
        yield "| --- | --- | --- |"
    for point, spec in points.items():
        own = [option for option in spec.get("options", {}) if option not in main["options"]]
        yield _row(f"`{point}`", f"{spec['short_description']}.", ", ".join(f"`{option}`" for option in own))
    yield from ("", "This page is made by `make readmes` from `meta/argument_specs.yml` and `defaults/main.yml`.")


def _sentences(description: str | list[str] | None) -> list[str]:
    return [description] if isinstance(description, str) else description or []


def _plain(text: str) -> str:
    """Ansible's markup C(...) and O(...) as Markdown's; a placeholder such as <hex> is no tag."""
    return re.sub(r"\b[CO]\(([^)]*)\)", r"`\1`", " ".join(text.split()).replace("<", "&lt;"))


def _code(value: Any) -> str:
    """A value as it is written in YAML, on one line."""
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True, width=10**6)
    return "`" + (" ".join(text.removesuffix("...\n").split()) or '""') + "`"


def _row(*cells: str) -> str:
    return " ".join(["|", *(cell.replace("|", "\\|") + " |" for cell in cells)])


def main() -> None:
    """Write the pages."""
    for role in sorted(path for path in ROLES.iterdir() if path.is_dir()):
        (role / "README.md").write_text(page(role), encoding="utf-8")


if __name__ == "__main__":
    main()

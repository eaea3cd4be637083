"""The expressions of a dashboard, and the metrics that they name."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import promql_parser

_VARIABLES = {"$__rate_interval": "1m", "$instance": ".*"}


def expressions(board: Any) -> Iterator[tuple[str, str]]:
    """Each expression of a dashboard, given as its JSON, with its panel's title or its variable's name."""
    for variable in board["templating"]["list"]:
        match = re.fullmatch(r"label_values\((.*), \w+\)", str(variable.get("query", "")))
        if match:
            yield variable["name"], match[1]
    for panel in board["panels"]:
        for part in (panel, *panel.get("panels", [])):
            for target in part.get("targets", []):
                yield part["title"], target["expr"]


def plain(expression: str) -> str:
    """The expression with values in place of Grafana's variables."""
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def metrics(expression: str) -> set[str]:
    """The names of the series that an expression reads.

    Raises:
        ValueError: it is no PromQL, or reads series without a name.
    """
    found: set[str] = set()

    def note(part: promql_parser.Expr) -> bool:
        if isinstance(part, promql_parser.VectorSelector):
            if not part.name:
                raise ValueError(f"{expression} reads series without naming a metric")
            found.add(part.name)
        return True

    promql_parser.walk(promql_parser.parse(plain(expression)), note)
    return found


def real_metrics(prometheus: str) -> set[str]:
    """The names of all series that a running Prometheus has, by its address, such as http://127.0.0.1:9090."""
    with urllib.request.urlopen(f"{prometheus}/api/v1/label/__name__/values", timeout=10) as answer:
        return set(json.load(answer)["data"])


def unanswered(prometheus: str, board: Any) -> list[str]:
    """Expressions of a dashboard that a running Prometheus refuses or that name a metric that it does not have.

    An expression without a result is all right: most faults never happen.
    """
    known = real_metrics(prometheus)
    wrong = []
    for title, expression in expressions(board):
        missing = metrics(expression) - known
        if missing:
            wrong.append(f"{title}: there is no {', '.join(sorted(missing))}")
            continue
        query = urllib.parse.urlencode({"query": plain(expression)})
        with urllib.request.urlopen(f"{prometheus}/api/v1/query?{query}", timeout=10) as answer:
            if json.load(answer)["status"] != "success":
                wrong.append(f"{title}: {expression}")
    return wrong

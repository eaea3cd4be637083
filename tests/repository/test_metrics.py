"""The metrics' page and the dashboards are in step with the code, and expressions name only what exists."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import promql_parser
import pytest

import dashboards.__main__ as dashboards
import metrics_page.__main__ as metrics_page
from dashboards.expressions import expressions, metrics, plain
from metrics_page.known import known, labels_of, tables
from stock_market.metrics.definition import Metric

ROOT = Path(__file__).parents[2]
TARGET = {"instance", "job", "service"}
SERVICES = [*tables()["Producer"], *tables()["Consumer"]]
UNITS = {"seconds": "seconds", "bytes": "bytes", "records": "records", "objects": "objects", "partitions": "partitions"}


def asked() -> Iterator[Any]:
    """Each expression of each dashboard."""
    for name in dashboards.BOARDS:
        for title, expression in expressions(json.loads(dashboards.text(name))):
            yield pytest.param(expression, id=f"{name}: {title}")


def test_the_page_of_the_metrics_is_in_step() -> None:
    assert metrics_page.PAGE.read_text(encoding="utf-8") == metrics_page.page(), "make metrics-doc"


@pytest.mark.parametrize("name", dashboards.BOARDS)
def test_a_dashboard_is_in_step_with_its_source(name: str) -> None:
    assert (dashboards.FOLDER / f"{name}.json").read_text(encoding="utf-8") == dashboards.text(name), "make dashboards"


def test_there_is_no_dashboard_without_a_source() -> None:
    assert {path.stem for path in dashboards.FOLDER.iterdir()} == set(dashboards.BOARDS)


@pytest.mark.parametrize("expression", list(asked()))
def test_an_expression_parses_and_names_only_metrics_and_labels_that_exist(expression: str) -> None:
    assert metrics(expression)
    assert metrics(expression) - known() == set()

    def look(part: promql_parser.Expr) -> bool:
        if isinstance(part, promql_parser.VectorSelector):
            used = {matcher.name for matcher in part.matchers.matchers}
            assert used - labels_of(str(part.name)) - TARGET == set(), part.name
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
            inner = part.expr.prettify()
            assert set(part.modifier.labels) - TARGET <= set().union(*map(labels_of, metrics(inner))), inner
        return True

    promql_parser.walk(promql_parser.parse(plain(expression)), look)


def test_a_wrong_expression_is_noticed() -> None:
    assert metrics("sum(rate(stock_producer_record_total[1m]))") - known() == {"stock_producer_record_total"}
    with pytest.raises(ValueError, match="unclosed"):
        metrics("sum(rate(stock_producer_records_total[1m])")
    with pytest.raises(ValueError, match="without naming a metric"):
        metrics('sum({job="kafka"})')


class _Prometheus(BaseHTTPRequestHandler):
    """Knows some metrics, and answers every query but one."""

    names: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        """Answers as Prometheus' API does."""
        refused = "query?" in self.path and "stock_consumer_held_bytes" in self.path
        answer = {"status": "error" if refused else "success", "data": sorted(self.names)}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_arguments: object) -> None:
        """Logs nothing."""


def test_a_running_prometheus_tells_which_metrics_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    lacking = {"stock_consumer_lag_records", "node_load1"}
    _Prometheus.names = known() - lacking
    with HTTPServer(("127.0.0.1", 0), _Prometheus) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert dashboards.main(["--check", f"http://127.0.0.1:{server.server_port}"]) == 1
        server.shutdown()
    said = capsys.readouterr().err
    assert "pipeline: Lag: there is no stock_consumer_lag_records" in said
    assert "hosts: instance: there is no node_load1" in said
    assert "pipeline: Held: stock_consumer_held_bytes" in said
    assert "broker" not in said


@pytest.mark.parametrize("name", dashboards.BOARDS)
def test_a_dashboard_can_be_imported_and_takes_any_prometheus(name: str) -> None:
    board = json.loads(dashboards.text(name))
    assert board["uid"] == f"stock-market-{name}"
    assert board.get("id") is None
    assert board["templating"]["list"][0]["type"] == "datasource"
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    for part in (*panels, *(target for panel in panels for target in panel["targets"])):
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    squares = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(squares) == len(set(squares)), "panels overlap"


@pytest.mark.parametrize("metric", SERVICES, ids=lambda metric: metric.name)
def test_a_metrics_name_says_its_type_and_its_unit(metric: Metric) -> None:
    assert re.fullmatch(r"stock_(producer|consumer)_[a-z0-9_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.name.endswith("_info") == (metric.kind == "info")
    stem = metric.name.removesuffix("_total")
    for ending, unit in UNITS.items():
        if stem.endswith(f"_{ending}"):
            assert metric.unit.split(" ")[0] == unit
    assert metric.kind == "info" or metric.unit
    assert metric.meaning.endswith(".")
    assert list(metric.bounds) == sorted(metric.bounds)
    assert bool(metric.bounds) == (metric.kind == "histogram")

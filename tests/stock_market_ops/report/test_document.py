"""The report's page: complete in itself, closed to what data says, and small."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from stock_market_ops.common.athena import Answer, Row
from stock_market_ops.report import candles, command, document
from stock_market_ops.report.document import Plot, Report, Section, Verdict

HOSTILE = "</script><img src=x onerror=alert(1)>"
LIBRARIES = {"lightweight-charts.js": "var LightweightCharts;", "uPlot.js": "var uPlot;", "uPlot.css": ".u-title{}"}


def report(symbols: int = 2, times: int = 30, name: str = "AAA") -> Report:
    """A report over made-up candles; `name` is the first symbol's."""
    rows: list[Row] = [
        {
            "symbol": f"S{symbol}" if symbol else name,
            "time": 1_790_000_040 + 60 * time,
            **dict.fromkeys(("open", "low"), 100.25 + time),
            **dict.fromkeys(("high", "close"), 101.75 + time),
            "volume": 1000 + time,
        }
        for symbol in range(symbols)
        for time in range(times)
    ]
    bars = Section(
        "volume", "Volume", ["symbol", "total_volume"], [{"symbol": name, "total_volume": 5}], command.PLOTS["volume"]
    )
    record = Section("record_high", "Record high", ["symbol", "record_high"], [{"symbol": name, "record_high": 131.5}])
    facts = [("topic", name)]
    verdicts = [Verdict("Quality", True, name), Verdict("Freshness", False, "old"), Verdict("Rows", None, "?")]
    return Report("d", "now", name, [bars, record], facts, [(name, "1.00")], verdicts, candles.read(rows), 60)


class _Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_script &= tag != "script"


def test_what_data_says_is_text_and_never_an_element() -> None:
    page = _Page(document.render(report(name=HOSTILE), LIBRARIES))
    assert "img" not in [tag for tag, _ in page.tags]
    assert [tag for tag, _ in page.tags].count("script") == 4
    data = json.loads(page.scripts[0])
    assert data["candles"][0]["symbol"] == HOSTILE
    assert data["plots"]["volume"] == {"names": [HOSTILE], "heights": {"total_volume": [5]}}
    assert data["records"] == {HOSTILE: 131.5}


def test_nothing_is_loaded_from_anywhere() -> None:
    page = _Page(document.render(report(), LIBRARIES))
    loading = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in {"src", "srcset", "action"}
    ]
    assert not loading
    assert [attributes["href"] for tag, attributes in page.tags if tag == "link"] == ["data:,"]
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy") or ""
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert all(source.startswith("'sha256-") for source in rules["script-src"].split())


def test_the_largest_report_is_under_two_megabytes() -> None:
    libraries = LIBRARIES | {"lightweight-charts.js": "x" * 182_311, "uPlot.js": "x" * 51_081}
    page = document.render(report(candles.MAX_SYMBOLS, 181), libraries)
    assert len(page.encode()) < document.MAX_BYTES


def test_a_verdict_says_whether_all_is_well_in_words() -> None:
    page = document.render(report(), LIBRARIES)
    for said in ("Quality: well", "Freshness: not well", "Rows: not known"):
        assert said in page


def test_the_heat_map_has_a_cell_for_each_symbol_and_span() -> None:
    page = document.render(report(3, 96), LIBRARIES)
    heat = page.partition('<table class="heat">')[2].partition("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">(?:AAA|S\d)</th>(.*?)</tr>', heat)
    assert [row.count("<td") for row in rows] == [48, 48, 48]
    assert 'title="AAA: +' in rows[0]


@pytest.mark.parametrize(
    ("rows", "well", "text"),
    [
        ([{"missing": 0, "doubles": 0, "records": 7}], True, "7 records of 1 run of a producer: 0 missing, 0 doubled."),
        (
            [{"missing": 1, "doubles": 0, "records": 7}, {"missing": 0, "doubles": 0, "records": 2}],
            False,
            "9 records of 2 runs of producers: 1 missing, 0 doubled.",
        ),
        (
            [{"missing": 0, "doubles": 2, "records": 7}],
            False,
            "7 records of 1 run of a producer: 0 missing, 2 doubled.",
        ),
        ([], None, "0 records of 0 runs of producers: 0 missing, 0 doubled."),
    ],
)
def test_quality_is_judged_over_all_runs(rows: list[Row], well: bool | None, text: str) -> None:
    assert command.quality(rows) == Verdict("Quality", well, text)


@pytest.mark.parametrize(
    ("answer", "plot"),
    [
        (Answer(["s", "n"], [{"s": "a", "n": 1}, {"s": "b", "n": 2.5}]), Plot("s", ["n"])),
        (Answer(["s", "n"], [{"s": "a", "n": 1}, {"s": "b", "n": None}]), None),
        (Answer(["s", "t"], [{"s": "a", "t": "x"}, {"s": "b", "t": "y"}]), None),
        (Answer(["n"], [{"n": 1}]), None),
        (Answer([], []), None),
    ],
)
def test_own_answers_have_bars_where_their_columns_are_numbers(answer: Answer, plot: Plot | None) -> None:
    assert command.own_plot(answer) == plot

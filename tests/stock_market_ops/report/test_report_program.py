"""`make report`: what is on the page is what Athena answers, and a failure is one sentence and leaves no page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.small_cloud import SmallCloud

from stock_market_ops.common import analyses, athena, charts
from stock_market_ops.report import candles, command


def quote(sequence: int, symbol: str, second: int, price: float) -> dict[str, Any]:
    """A valid quote of 2026-03-02, `second` seconds after 10:00 UTC; its close is 0.25 above its open."""
    prices = dict.fromkeys(("open", "low", "adj_close", "close_usd"), price) | {"high": price + 0.5}
    rest = {"event_time": f"2026-03-02T10:{second // 60:02d}:{second % 60:02d}.000Z", "volume": 10, "producer_id": "p"}
    return {"symbol": symbol, "close": price + 0.25, "sequence": sequence, **prices, **rest}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCloud]:
    """A deployment with 400 s of quotes: candles are of 5 s, and BBB is traded more."""
    running = SmallCloud(tmp_path_factory.mktemp("cloud"))
    running.make_table()
    running.store(
        [quote(0, "AAA", 0, 10.0), quote(1, "BBB", 1, 20.0), quote(2, "BBB", 4, 24.0), quote(3, "BBB", 400, 8.0)]
    )
    yield running
    running.close()


def run(cloud: SmallCloud, folder: Path, *arguments: str) -> tuple[int, Path]:
    """The program, with chart libraries that draw nothing; the exit code, and where the page is to be."""
    for path in charts.LIBRARIES.values():
        (folder / "node_modules" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "node_modules" / path).touch()
    page = folder / "page" / "report.html"
    own = ("--deployment", cloud.deployment.deployment, "--state-root", str(cloud.state_root))
    return command.main([*own, "--node-modules", str(folder / "node_modules"), "--output", str(page), *arguments]), page


def test_a_report_has_each_analysis_the_candles_and_what_is_wrong(cloud: SmallCloud) -> None:
    found = command.collect(cloud.deployment, days=1, sql=None, timeout=60)
    assert [section.name for section in found.sections] == list(analyses.load_all())
    assert found.width == 5
    assert [(one.symbol, one.open, one.high, one.low, one.close, one.volume) for one in found.candles] == [
        ("BBB", [20.0, 8.0], [24.5, 8.5], [20.0, 8.0], [24.25, 8.25], [20.0, 10.0]),
        ("AAA", [10.0], [10.5], [10.0], [10.25], [10.0]),
    ]
    state, _, quality = found.verdicts
    assert (state.title, state.is_well) == ("Deployment", False)  # it has no broker
    assert (quality.title, quality.is_well, quality.text[:22]) == ("Quality", True, "4 records of 1 run of ")


def test_ones_own_query_is_a_table_with_bars_and_the_files_path_is_all_that_is_printed(
    cloud: SmallCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "SELECT symbol, count(*) AS n FROM quotes GROUP BY symbol ORDER BY symbol"
    code, page = run(cloud, tmp_path, "--sql", sql)
    assert (code, capsys.readouterr().out) == (0, f"{page}\n")
    text = page.read_text(encoding="utf-8")
    assert re.findall(r'<td class="(?:left|right)">(\w+)</td>', text)[:4] == ["AAA", "1", "BBB", "3"]
    assert '{"names":["AAA","BBB"],"heights":{"n":[1,3]}}' in text
    assert page.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sql", "SELECT nope FROM quotes"), "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        (("--sql", "SELECT 1", "--node-modules", "/nowhere"), "The chart libraries are not there"),
        (("--sql", "SELECT 1", "--output", "/proc/report.html"), "The report can't be written to /proc/report.html"),
    ],
)
def test_a_failure_is_one_sentence_and_leaves_no_page(
    cloud: SmallCloud,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    code, page = run(cloud, tmp_path, *arguments)
    assert code == 1
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert error.count("\n") == 1
    assert not page.exists()


def test_the_largest_volumes_are_added_up(cloud: SmallCloud) -> None:
    quotes = ", ".join(
        f"('AAA', '2026-03-02T10:00:0{second}.000Z', 1e0, 2e0, 1e0, 2e0, {2**63 - 1}, '2026-03-02', '10')"
        for second in range(3)
    )
    columns = "symbol, event_time, open, high, low, close, volume, dt, hour"
    sql, literals = analyses.bounded(candles.sql(f"(VALUES {quotes}) AS quotes ({columns})", 2), "")
    (found,) = candles.read(athena.run(cloud.athena, cloud.deployment, sql, parameters=literals).rows)
    assert found.volume == [float(2 * (2**63 - 1)), float(2**63 - 1)]

"""The report in headless Chromium: `make test-pages`. Not part of `make test`, for Chromium is 400 MB.

The page is rendered as `make report` does, and says of itself what it drew. axe-core, which looks for what keeps people
from reading a page, runs inside it, as one more of its scripts; hence the page's own policy holds for the test, too.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.stock_market_ops.report.test_document import HOSTILE, report

from stock_market_ops.common import charts
from stock_market_ops.report import command, document
from stock_market_ops.report.document import Report

_SECONDS = 60
# Chromium's virtual time in which the page draws itself, before what it shows is read.
_BUDGET_MILLISECONDS = 20_000
_AXE_RUN = """
addEventListener("error", (event) => { document.documentElement.dataset.failed = event.message; });
addEventListener("securitypolicyviolation", (event) => {
  document.documentElement.dataset.refused = event.blockedURI;
});
addEventListener("load", () => axe.run({ resultTypes: ["violations"] }).then((found) => {
  const seen = found.violations.map((each) => [each.id, each.impact, each.nodes[0].html.slice(0, 200)]);
  document.documentElement.dataset.axe = JSON.stringify(seen);
}));
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    """Where Chromium lies."""
    found = shutil.which("chromium")
    assert found, "Chromium is missing: run make test-pages, which installs it."
    return found


def run(chromium: str, folder: Path, page: Path, *options: str) -> str:
    """Opens a page in a browser without a network and returns what it wrote to standard output."""
    fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    offline = [f"--user-data-dir={folder / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command_line = [
        chromium,
        *fixed,
        *offline,
        f"--virtual-time-budget={_BUDGET_MILLISECONDS}",
        *options,
        f"file://{page}",
    ]
    done = subprocess.run(command_line, capture_output=True, text=True, check=False, timeout=_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(folder: Path, shown: Report, *, with_axe: bool = False) -> Path:
    """Writes a report's page, with axe-core and its run among its scripts if that is wanted."""
    libraries = charts.libraries()
    if with_axe:
        libraries["uPlot.js"] += (
            "\n" + (charts.NODE_MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8") + _AXE_RUN
        )
    page = folder / "report.html"
    command.write(document.render(shown, libraries), page)
    return page


def said(dom: str, name: str) -> str | None:
    """What the page noted of itself under that name."""
    found = re.search(rf'<html[^>]* data-{name}="([^"]*)"', dom)
    return found and found.group(1).replace("&quot;", '"').replace("&lt;", "<").replace("&amp;", "&")


@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("name", ["AAPL", HOSTILE])
def test_the_page_draws_all_its_plots_and_nobody_is_kept_from_reading_it(
    chromium: str, tmp_path: Path, width: int, name: str
) -> None:
    page = written(tmp_path, report(3, 90, name), with_axe=True)
    dom = run(chromium, tmp_path, page, "--dump-dom", f"--window-size={width},900")
    assert said(dom, "failed") is None
    assert said(dom, "refused") is None
    assert said(dom, "drawn") == "2"  # the candles, and the bars of volume
    serious = [each for each in json.loads(said(dom, "axe") or "null") if each[1] in {"serious", "critical"}]
    assert serious == []


def test_the_page_shows_the_chosen_symbol_in_words(chromium: str, tmp_path: Path) -> None:
    dom = run(chromium, tmp_path, written(tmp_path, report(2, 90, "AAPL")), "--dump-dom")
    assert "90 candles, last close 190.75, low 100.25, high 190.75" in dom


def test_it_is_printed_on_pages(chromium: str, tmp_path: Path) -> None:
    printed = tmp_path / "report.pdf"
    run(chromium, tmp_path, written(tmp_path, report(3, 90, "AAPL")), f"--print-to-pdf={printed}")
    pages = len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))
    assert 1 <= pages <= 4

"""The live page in headless Chromium, over a real broker: `make test-pages`. As tests/pages.py, not in `make test`.

What is on the page is held against what is in the topic; a broker is killed; axe-core looks for what keeps people from
reading the page. The browser keeps the page's own policy.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from tests.stock_market_ops.live.made import HOSTILE, value
from tests.stock_market_ops.live.serving import Page, served
from tests.stock_market_ops.live.test_live_program import deployment
from tests.support.stock_market.broker import Broker
from tests.support.stock_market.services import Workbench

from stock_market.settings import Kafka
from stock_market_ops.common import charts
from stock_market_ops.common.deployment import Instance
from stock_market_ops.live.market import Market
from stock_market_ops.live.pipeline import Watch
from stock_market_ops.live.reader import Reader

_AXE = (charts.NODE_MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
_AXE_RUN = """
axe.run({ resultTypes: ["violations"] })
  .then((found) => arguments[0](found.violations.map((each) => [each.id, each.impact, each.nodes[0].html])));
"""
_BOARD = """
const rows = [...document.querySelectorAll("#board tbody tr")];
return rows.map((row) => [row.cells[0].textContent, row.cells[1].textContent]);
"""
_SEEN_SECONDS = 3.0


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """Debian's Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver")) as running:
        yield running


@contextmanager
def shown(bench: Workbench, port: int = 0) -> Iterator[Page]:
    """A page over the bench's topic and its broker."""
    broker = bench.broker
    kafka = Kafka(bootstrap_servers=[broker.address], topic=bench.topic)
    instances = [Instance("kafka-1", "i-1", "127.0.0.1", "127.0.0.1", ["kafka"])]
    known = msgspec.structs.replace(
        deployment(), bootstrap_servers=broker.address, instances=instances, topic=bench.topic
    )
    market = Market()
    reader = Reader(kafka, market)
    with ExitStack() as stack:
        watch = stack.enter_context(Watch(known, kafka, lambda: reader.view().newest))
        reader.start()
        stack.callback(reader.join, 5)
        stack.callback(reader.stop)
        yield stack.enter_context(
            served(market, stream=reader, pipeline=watch, libraries=charts.libraries(), port=port)
        )


def until(condition: Callable[[], Any], seconds: float = 15.0) -> float:
    """Waits for the condition; returns how long it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - begun


def said(browser: webdriver.Chrome, name: str) -> str:
    """An element's text, by its id."""
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", name) or ""


def board(browser: webdriver.Chrome) -> dict[str, str]:
    """Symbols of the board with their last prices, as they are read."""
    rows = browser.execute_script(_BOARD)
    return dict(rows)


def size(browser: webdriver.Chrome, width: int, height: int, *, dark: bool = False, still: bool = False) -> None:
    """The window, and what the system asks for."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the browser's console says: errors, and breaches of the page's policy."""
    untyped: Any = browser
    return [entry["message"] for entry in untyped.get_log("browser")]


def quotes(prices: dict[str, float], at: float) -> list[tuple[bytes | None, bytes | None]]:
    """A record for each symbol."""
    return [(name.encode(), value(name, price, int(at * 1000))) for name, price in prices.items()]


@pytest.fixture
def bench(workbench: Workbench) -> Workbench:
    """A topic with two symbols in two partitions, one with a hostile name."""
    workbench.create_topic(2)
    now = time.time()
    workbench.send(quotes({"AAPL": 190.5}, now - 1))
    workbench.send(quotes({HOSTILE: 12.25}, now - 1), partition=1)
    return workbench


def test_what_is_on_the_page_is_what_is_in_the_topic(browser: webdriver.Chrome, bench: Workbench) -> None:
    size(browser, 1280, 900)
    with shown(bench) as page:
        browser.get(page.address)
        until(lambda: board(browser) == {"AAPL": "190.50", HOSTILE: "12.25"})
        second = int(time.time()) + 1
        for step in range(5):
            bench.send(quotes({"AAPL": 200.0 + step}, second + step / 10))
        until(lambda: board(browser)["AAPL"] == "204.00")
        browser.get(page.address + "#market")
        choose(browser, "aapl", "1")
        candle = "open 199.75, high 204.50, low 199.50, close 204.00, volume 50,"
        until(lambda: candle in said(browser, "candles-text"))
        assert said(browser, "quote-symbol") == "AAPL"
        assert complaints(browser) == []


def choose(browser: webdriver.Chrome, symbol: str, width: str) -> None:
    """Picks a symbol and a width by the keyboard alone."""
    field = browser.find_element(By.ID, "symbol")
    field.clear()
    field.send_keys(symbol, Keys.ENTER, Keys.TAB)
    browser.execute_script("document.querySelector(`input[name=width][value='5']`).focus()")
    active = browser.switch_to.active_element
    active.send_keys(Keys.ARROW_LEFT if width == "1" else Keys.ARROW_RIGHT)


def test_a_hostile_symbol_is_text_everywhere(browser: webdriver.Chrome, bench: Workbench) -> None:
    size(browser, 1280, 900)
    with shown(bench) as page:
        browser.get(page.address)
        until(lambda: HOSTILE in board(browser))
        browser.find_element(By.XPATH, "//table[@id='board']//button[contains(., 'onerror')]").click()
        until(lambda: said(browser, "quote-symbol") == HOSTILE)
        assert browser.execute_script("return document.images.length") == 0
        assert complaints(browser) == []


def test_a_killed_broker_is_seen_within_three_seconds_and_its_return(
    browser: webdriver.Chrome, bench: Workbench
) -> None:
    broker: Broker = bench.broker
    with shown(bench) as page:
        browser.get(page.address)
        until(lambda: "does not answer" not in said(browser, "health-text") and len(board(browser)) == 2)
        until(lambda: "metrics are missing" in said(browser, "health-text"))
        broker.kill()
        try:
            assert until(lambda: "kafka-1 does not answer" in said(browser, "health-text")) < _SEEN_SECONDS
            browser.get(page.address + "#pipeline")
            until(lambda: "Producers hold their records" in said(browser, "findings"))
        finally:
            broker.start()
        until(lambda: "does not answer" not in said(browser, "health-text"))
        until(lambda: "Over: kafka-1 does not answer" in said(browser, "events"))
        browser.get(page.address + "#market")
        bench.send(quotes({"AAPL": 300.0}, time.time()))
        until(lambda: board(browser).get("AAPL") == "300.00", 30)


@pytest.mark.parametrize("view", ["market", "pipeline"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (380, False), (380, True)])
def test_nobody_is_kept_from_reading_it(
    browser: webdriver.Chrome, bench: Workbench, width: int, dark: bool, view: str
) -> None:
    size(browser, width, 900, dark=dark, still=True)
    with shown(bench) as page:
        browser.get(f"{page.address}#{view}")
        browser.refresh()
        until(lambda: len(board(browser)) == 2 and said(browser, "candles-text") != "No candles yet.")
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": _AXE})
        found = browser.execute_async_script(_AXE_RUN)
        assert [each for each in found if each[1] in {"serious", "critical"}] == [], json.dumps(found)
        assert browser.execute_script("return document.getAnimations().length") == 0
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_the_page_connects_again_by_itself(browser: webdriver.Chrome, bench: Workbench) -> None:
    size(browser, 1280, 900)
    with shown(bench) as page:
        browser.get(page.address)
        until(lambda: len(board(browser)) == 2)
        port = page.port
    # Its program has ended.
    until(lambda: "No connection" in said(browser, "health-text"))
    bench.send(quotes({"AAPL": 400.0}, time.time()))
    with shown(bench, port):
        until(lambda: board(browser).get("AAPL") == "400.00", 20)
        until(lambda: "No connection" not in said(browser, "health-text"))


def test_a_tab_holds_no_more_candles_than_it_shows(browser: webdriver.Chrome, bench: Workbench) -> None:
    size(browser, 1280, 900)
    with shown(bench) as page:
        browser.get(page.address)
        until(lambda: len(board(browser)) == 2)
        choose(browser, "AAPL", "1")
        begin = int(time.time()) + 10
        for part in range(8):
            seconds = range(begin + part * 500, begin + part * 500 + 500)
            bench.send([quotes({"AAPL": 100.0 + part}, second)[0] for second in seconds])
            closed = f"close {100 + part}.00"
            until(lambda text=closed: text in said(browser, "candles-text"))  # type: ignore[misc]  # a default of a lambda
        count = int(said(browser, "candles-text").removesuffix(" candles.").rpartition(" ")[2])
        assert 500 < count <= 2200

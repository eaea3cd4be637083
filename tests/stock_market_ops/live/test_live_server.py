"""The live page's server: closed to everyone but its own page, and never behind a slow one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from tests.stock_market_ops.live.made import HOSTILE, NOON, block, value
from tests.stock_market_ops.live.serving import TOKEN, Page, Still, StillPipeline, served

from stock_market_ops.live import market, server
from stock_market_ops.live.feed import Feed, Sources
from stock_market_ops.live.market import Market

PAGE = Path(server.__file__).parent / "page"


@pytest.fixture
def filled() -> Market:
    """A market of two symbols, one of which has a hostile name."""
    found = Market()
    found.add(*market.quotes(block(("A", value("A", 100.0)), (HOSTILE, value(HOSTILE, 50.0)))))
    return found


@pytest.fixture
def page(filled: Market) -> Iterator[Page]:
    """A running server over that market."""
    with served(filled) as running:
        yield running


def test_the_page_and_all_that_it_names_are_served_from_here(page: Page) -> None:
    html = page.ask(f"/{TOKEN}/").read().decode()
    named = re.findall(r'(?:src|href)="([^"#]+)"', html)
    own = [name for name in named if not name.startswith("https://")]
    modules = [name for path in PAGE.glob("*.js") for name in re.findall(r'from "\./([^"]+)"', path.read_text())]
    assert set(named) - set(own) == {"https://www.tradingview.com/"}
    for name in own + modules:
        assert page.ask(f"/{TOKEN}/{name}").status == 200, name


@pytest.mark.parametrize(
    "path",
    ["/", "/a-token_of-this-tes/", f"/{TOKEN}x/", f"/{TOKEN}", f"//{TOKEN}/", f"/x/{TOKEN}/", f"/?{TOKEN}", "/%ff/"],
)
def test_nothing_is_told_without_the_token(page: Page, path: str) -> None:
    answer = page.ask(path)
    assert answer.status == 403
    assert b"quote" not in answer.read().lower()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", "127.0.0.1:{port}.evil.example"]
)
def test_another_name_of_this_address_is_refused(page: Page, host: str) -> None:
    assert page.ask(f"/{TOKEN}/", Host=host.format(port=page.port)).status == 421


def test_localhost_is_the_same_address(page: Page) -> None:
    assert page.ask(f"/{TOKEN}/", Host=f"localhost:{page.port}").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_page_is_refused(page: Page, headers: dict[str, str]) -> None:
    assert page.ask(f"/{TOKEN}/events?symbol=&width=1", **headers).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_the_page_only_shows(page: Page, method: str) -> None:
    assert page.ask(f"/{TOKEN}/", method).status == 405


@pytest.mark.parametrize(
    "path", [f"/{TOKEN}/", f"/{TOKEN}/none", "/", f"/{TOKEN}/events?symbol=&width=7", f"/{TOKEN}/history"]
)
def test_every_answer_has_the_strict_headers(page: Page, path: str) -> None:
    headers = page.ask(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers
    assert "Server" not in headers


@pytest.mark.parametrize("name", ["..%2fserver.py", "%2e%2e/server.py", "server.py", "page.js%00"])
def test_no_other_file_can_be_read(page: Page, name: str) -> None:
    assert page.ask(f"/{TOKEN}/{name}").status in {403, 404}


def test_no_script_is_inline() -> None:
    html = (PAGE / "index.html").read_text()
    assert not re.search(r"<script(?![^>]* src=)", html)
    assert not re.search(r"\son\w+=|\sstyle=|<style", html)
    for path in PAGE.glob("*.js"):
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )


def test_a_page_gets_all_and_then_what_changes(page: Page, filled: Market) -> None:
    with page.events("symbol=A&width=5") as messages:
        first = next(messages)
        assert first["hello"]["deployment"] == "test"
        assert [row[0] for row in first["board"]] == ["A", HOSTILE]
        assert first["chart"] == {"symbol": "A", "width": 5, "candles": [[NOON, 99.75, 100.5, 99.5, 100.0, 10.0]]}
        filled.add(*market.quotes(block(("A", value("A", 101.0, NOON * 1000 + 7000)))))
        changed = next(message for message in messages if "board" in message)
        assert [row[:2] for row in changed["board"]] == [["A", 101.0]]
        assert changed["candles"] == [[NOON + 5, 100.75, 101.5, 100.5, 101.0, 10.0]]
        assert "hello" not in changed


def test_a_page_that_connects_again_gets_all(page: Page) -> None:
    for _ in range(2):
        with page.events() as messages:
            assert {"hello", "board", "chart"} <= next(messages).keys()


def test_a_slow_page_gets_the_newest_state_and_nothing_is_kept_for_it(filled: Market) -> None:
    still = Still()
    feed = Feed(Sources("test", "quotes", filled, still, StillPipeline(), still), "A", 1)
    feed.next()
    for turn in range(5000):
        filled.add(*market.quotes(block(("A", value("A", 101.0 + turn, (NOON + turn) * 1000)))))
    message = feed.next()
    assert [row.last for row in message["board"]] == [5100.0]
    # What the page shows of a chart at most, without a gap before the newest.
    assert [candle[0] for candle in message["candles"]] == [NOON + at for at in range(4400, 5000)]
    assert not feed.next()


def test_more_pages_than_the_most_are_refused(page: Page) -> None:
    streams = [page.events() for _ in range(server.MOST_PAGES)]
    for stream in streams:
        next(stream.__enter__())
    assert page.ask(f"/{TOKEN}/events?symbol=&width=1").status == 503
    streams[0].__exit__(None, None, None)
    deadline = time.monotonic() + 60
    while page.ask(f"/{TOKEN}/events?symbol=&width=1").status == 503:
        assert time.monotonic() < deadline, "a closed page still counts"
        time.sleep(0.1)
    for stream in streams[1:]:
        stream.__exit__(None, None, None)


@pytest.mark.parametrize(
    "query", ["", "symbol=A", "symbol=A&width=7", "symbol=A&width=x", f"symbol={'A' * 65}&width=5"]
)
def test_a_wrong_choice_is_refused_with_a_sentence(page: Page, query: str) -> None:
    for path in ("events", "history"):
        answer = page.ask(f"/{TOKEN}/{path}?{query}")
        assert answer.status == 400
        assert b"width=" in answer.read()


def test_history_is_asked_for_the_symbol_as_it_is(filled: Market) -> None:
    still = Still()
    with served(filled, history=still) as page:
        answer = page.ask(f"/{TOKEN}/history?symbol=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&width=60")
        assert answer.headers["Content-Type"] == "application/json"
        assert still.asked == [(HOSTILE, 60)]


def test_quiet_streams_are_no_busy_ones(page: Page) -> None:
    begun = time.monotonic()
    with page.events("symbol=A&width=1") as messages:
        list(islice(messages, 3))
        # The first at once, the others a second apart, with how the reading goes.
        assert time.monotonic() - begun > 1.5

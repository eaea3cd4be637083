"""The live page's server on loopback, in a thread, over a market that a test fills."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stock_market_ops.live.feed import History, Pipeline, Sources, Stream
from stock_market_ops.live.market import Market
from stock_market_ops.live.reader import StreamView
from stock_market_ops.live.server import application, server_of

TOKEN = "a-token_of-this-test"
NOTHING_READ = StreamView(0.0, 1.0, 0, 0, 0, 0, -1, 0, 0, "")
LIBRARIES = {"lightweight-charts.js": "var LightweightCharts;", "uPlot.js": "var uPlot;", "uPlot.css": ".u{}"}


class Still:
    """A stream, a pipeline and a history of which nothing is to be told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def view(self) -> Any:
        """Nothing read, nothing known."""
        return NOTHING_READ

    def older(self, symbol: str, width: int) -> dict[str, Any]:
        """One candle."""
        self.asked.append((symbol, width))
        return {"symbol": symbol, "width": width, "candles": [[0, 1, 1, 1, 1, 1]], "problem": ""}


class StillPipeline:
    """A pipeline that never changes."""

    def view(self) -> tuple[int, dict[str, Any]]:
        """The one state."""
        return 1, {"brokers": []}


class Page:
    """A server's address, and requests to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}/{TOKEN}/"

    def ask(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        """Sends one request; `path` is as it goes over the wire, and an underscore in a header's name a hyphen."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in named)
        for name, value in named.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse()

    @contextmanager
    def events(self, query: str = "symbol=&width=1") -> Iterator[Iterator[dict[str, Any]]]:
        """The messages of a stream, as they come."""
        response = self.ask(f"/{TOKEN}/events?{query}")
        assert response.status == 200, response.read()
        yield (json.loads(line[6:]) for line in response if line.startswith(b"data: "))
        response.close()


@contextmanager
def served(
    market: Market,
    *,
    history: History | None = None,
    stream: Stream | None = None,
    pipeline: Pipeline | None = None,
    libraries: dict[str, str] | None = None,
    port: int = 0,
) -> Iterator[Page]:
    """A server for the time of a test."""
    still = Still()
    sources = Sources("test", "quotes", market, stream or still, pipeline or StillPipeline(), history or still)
    with socket.create_server(("127.0.0.1", port)) as listener:
        port = listener.getsockname()[1]
        server = server_of(lambda ending: application(sources, libraries or LIBRARIES, TOKEN, port, ending))
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield Page(port)
        server.should_exit = True
        thread.join(60)

"""What one open page gets: first all, then what has changed since its last message."""

from __future__ import annotations

import time
from typing import Any, Final, Protocol

import msgspec

from stock_market_ops.live.candles import Candle
from stock_market_ops.live.market import CHANGE_SECONDS, Market
from stock_market_ops.live.reader import StreamView

CANDLES: Final = 600
"""Candles of a chart at most, beside those of its history."""
_STREAM_SECONDS: Final = 1.0


class Stream(Protocol):
    """What reads the topic."""

    def view(self) -> StreamView:
        """Return how the reading goes."""


class Pipeline(Protocol):
    """What looks at the parts of the deployment."""

    def view(self) -> tuple[int, dict[str, Any]]:
        """Return a number that grows with each change, and the newest state."""


class History(Protocol):
    """What knows of the time before the page began."""

    def older(self, symbol: str, width: int) -> dict[str, Any]:
        """Return candles, or why there are none."""


class Sources(msgspec.Struct, frozen=True):
    """All that the page shows."""

    deployment: str
    topic: str
    market: Market
    stream: Stream
    pipeline: Pipeline
    history: History


class Feed:
    """An open page with its chosen symbol (empty: the busiest one) and the width of its candles."""

    def __init__(self, sources: Sources, symbol: str, width: int) -> None:
        self._sources = sources
        self._symbol = symbol
        self._width = width
        self._board = self._pipeline = 0
        self._stream_at = 0.0
        self._last: Candle | None = None
        self._greeted = False

    def next(self) -> dict[str, Any]:
        """Return what is new; empty where nothing is."""
        message: dict[str, Any] = {}
        if not self._greeted:
            self._greeted = True
            message["hello"] = {
                "deployment": self._sources.deployment,
                "topic": self._sources.topic,
                "change_seconds": CHANGE_SECONDS,
            }
            message["sparks"] = self._sources.market.sparks()
        self._add_chart(message)
        self._board, rows = self._sources.market.board(self._board)
        if rows:
            message["board"] = rows
        version, state = self._sources.pipeline.view()
        if version != self._pipeline:
            self._pipeline = version
            message["pipeline"] = state
        now = time.monotonic()
        if now - self._stream_at >= _STREAM_SECONDS:
            self._stream_at = now
            message["stream"] = self._sources.stream.view()
            message["now"] = int(time.time() * 1000)
        return message

    def _add_chart(self, message: dict[str, Any]) -> None:
        market = self._sources.market
        if not self._symbol:
            self._symbol = market.busiest()
            if not self._symbol:
                return
        if self._last is None:
            candles = market.candles(self._symbol, self._width, CANDLES)
            if candles or "hello" in message:
                message["chart"] = {"symbol": self._symbol, "width": self._width, "candles": candles}
                self._last = candles[-1] if candles else None
            return
        newest = market.candles(self._symbol, self._width, 3)
        if newest and newest[0][0] > self._last[0]:
            newest = market.candles(self._symbol, self._width, CANDLES)
        changed = [candle for candle in newest if candle[0] >= self._last[0] and candle != self._last]
        if changed:
            message["candles"] = changed
            self._last = changed[-1]

"""Starts the metrics' listener where the settings ask for one; else nothing of it is loaded."""

from __future__ import annotations

import importlib

from stock_market.metrics.definition import Readings
from stock_market.service import Stop
from stock_market.settings import MetricsListener


def listen(listener: MetricsListener | None, readings: Readings, stop: Stop) -> None:
    """As `listener.listen`; with None it listens nowhere."""
    if listener is not None:
        # prometheus-client and its HTTP server take two megabytes and 90 ms.
        importlib.import_module("stock_market.metrics.listener").listen(listener, readings, stop)

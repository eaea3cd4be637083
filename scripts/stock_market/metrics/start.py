"""Starts the metrics' listener where the settings ask for one; else nothing of it is loaded."""

from __future__ import annotations

import importlib

from stock_market.metrics.definition import Readings
from stock_market.service import Stop
from stock_market.settings import MetricsListener


def listen(listener: MetricsListener | None, readings: Readings, stop: Stop) -> None:
    """Serves the metrics in a thread of their own, until the process ends.

    Args:
        listener: where; None for nowhere.
        readings: gives the service's values.
        stop: ends the attempts to listen.
    """
    if listener is not None:
        # prometheus-client and its HTTP server take two megabytes and 90 ms.
        importlib.import_module("stock_market.metrics.listener").listen(listener, readings, stop)

"""The kafka-python with which CI has compared what the parts beneath its public API read and write."""

from __future__ import annotations

from functools import cache

from kafka import __version__

from stock_market.logs import Log

VERSION = "3.0.12"
"""tests/stock_market/kafka/test_raw_fetches.py and tests/stock_market/producer/test_batch_writer.py compare with it."""

_log = Log("kafka")


@cache
def fits() -> bool:
    """Whether whole batches may be used; if not, a warning has said why, once, and single records are."""
    if __version__ == VERSION:
        return True
    _log.warning(
        "whole_batches_not_used", kafka_python=__version__, compared=VERSION, instead="single records, much slower"
    )
    return False

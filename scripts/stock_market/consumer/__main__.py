"""Runs the consumer: `python -m stock_market.consumer --config FILE`."""

from __future__ import annotations

import os
import sys

from stock_market.consumer.service import main

code = main()
sys.stdout.flush()
# A worker thread may still wait for S3; what it does is safe to leave, so nothing waits for it.
os._exit(code)

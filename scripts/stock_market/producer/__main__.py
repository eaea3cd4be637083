"""Runs the producer: `python -m stock_market.producer --config FILE`."""

from __future__ import annotations

import os
import sys

from stock_market.producer.service import main

code = main()
sys.stdout.flush()
os._exit(code)

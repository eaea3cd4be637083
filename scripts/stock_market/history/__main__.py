"""Runs the compactor: `python -m stock_market.history --config FILE`."""

from __future__ import annotations

import sys

from stock_market.history.command import main

sys.exit(main())

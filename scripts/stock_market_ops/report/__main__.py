"""`python -m stock_market_ops.report`."""

import sys

from stock_market_ops.report.command import main

sys.exit(main())

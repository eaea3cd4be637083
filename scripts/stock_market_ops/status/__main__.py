"""`python -m stock_market_ops.status`."""

import sys

from stock_market_ops.status.command import main

sys.exit(main())

"""`python -m stock_market_ops.live`."""

import sys

from stock_market_ops.live.command import main

sys.exit(main())

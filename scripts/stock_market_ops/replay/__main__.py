"""`python -m stock_market_ops.replay`."""

import sys

from stock_market_ops.replay.command import main

sys.exit(main())

"""`python -m stock_market_ops.compact`."""

import sys

from stock_market_ops.compact.command import main

sys.exit(main())

"""`python -m stock_market_ops.plan`."""

import sys

from stock_market_ops.plan.command import main

sys.exit(main())

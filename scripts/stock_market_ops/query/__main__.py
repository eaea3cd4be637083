"""`python -m stock_market_ops.query`."""

import sys

from stock_market_ops.query.command import main

sys.exit(main())

"""`python -m stock_market_ops.verify`."""

import sys

from stock_market_ops.verify.command import main

sys.exit(main())

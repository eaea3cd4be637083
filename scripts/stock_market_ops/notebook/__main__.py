"""`python -m stock_market_ops.notebook`."""

import sys

from stock_market_ops.notebook.command import main

sys.exit(main())

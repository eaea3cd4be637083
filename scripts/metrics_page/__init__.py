"""The page docs/metrics.md, and the list of all metrics that it is made from."""

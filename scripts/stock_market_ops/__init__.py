"""The operator's command-line programs: `make query` and `make status`."""

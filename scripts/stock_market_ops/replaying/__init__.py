"""Quarantined records, replayed into quotes/ once their cause is mended; docs/exactly-once.md says why exactly once."""

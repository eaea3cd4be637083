"""Reads people's own market data on the operator's machine, judges it, and writes what the producer replays."""

"""Athena's API over a real Trino, the engine that Athena's version 3 is built from."""

"""Hive's grammar of DDL: tokens, types and clauses, and the statements that they make."""

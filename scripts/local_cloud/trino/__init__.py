"""The Trino server behind the local cloud's Athena: fetched, started, asked, and judged in the caller's name."""

"""The history: hours that are over, as Parquet files that Athena writes and reads."""

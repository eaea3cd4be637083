"""The chain of objects in S3 that each partition becomes, exactly once."""

"""`make verify`: whether every record is in S3 exactly once, judged from the objects alone."""

"""S3: listings as AWS pages them, and the export of buckets at the end."""

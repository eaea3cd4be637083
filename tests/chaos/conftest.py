"""S3 for the tests of the verdict: the one that the services' tests use."""

from tests.stock_market.conftest import bucket, s3_endpoint

__all__ = ["bucket", "s3_endpoint"]

"""A consumer that is wrong on purpose: it writes over objects that are there, and never looks who else has written.

So two at once, or one that wakes up late, write the same records into objects that overlap.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stock_market.chain.store import Store
from stock_market.consumer import service as consumer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def _put_always(store: Store, key: str, body: bytes, metadata: Mapping[str, str]) -> bool:
    def call(client: S3Client) -> bool:
        client.put_object(Bucket=store._bucket, Key=key, Body=body, Metadata=dict(metadata))
        return True

    return store._patiently("put", key, call)


if __name__ == "__main__":
    Store.put_new = _put_always  # type: ignore[method-assign,assignment]  # a part is replaced on purpose
    code = consumer.main()
    sys.stdout.flush()
    os._exit(code)

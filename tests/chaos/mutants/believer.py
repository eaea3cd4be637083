"""A consumer that is wrong on purpose: it takes an object for stored although S3 has answered with an error.

So it commits offsets of records that are nowhere: what a consumer does that commits before it stores.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError

from stock_market.chain.store import Store
from stock_market.consumer import service as consumer


def _put_once(store: Store, key: str, body: bytes, metadata: Mapping[str, str]) -> bool:
    with suppress(BotoCoreError, ClientError):
        client = store._connection.client()
        client.put_object(Bucket=store._bucket, Key=key, Body=body, Metadata=dict(metadata), IfNoneMatch="*")
    return True


if __name__ == "__main__":
    Store.put_new = _put_once  # type: ignore[method-assign,assignment]  # a part is replaced on purpose
    code = consumer.main()
    sys.stdout.flush()
    os._exit(code)

"""A consumer that is wrong on purpose: it never asks whether the broker still has what was read before.

So it goes on after a log that was cut as if nothing had happened, and nobody is told which records were lost.
"""

from __future__ import annotations

import os
import sys

from kafka import TopicPartition

from stock_market.chain.partition import PartitionWriter
from stock_market.consumer import service as consumer
from stock_market.consumer.log_watch import LogWatch


def _trust(_watch: LogWatch, _where: TopicPartition, _writer: PartitionWriter, _leader_epoch: int = -1) -> None:
    return


if __name__ == "__main__":
    LogWatch.look = _trust  # type: ignore[method-assign,assignment]  # a part is replaced on purpose
    code = consumer.main()
    sys.stdout.flush()
    os._exit(code)

"""Candles of the time before the page began, from Athena."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from stock_market.history.tables import literal
from stock_market_ops.common import analyses, athena, aws, candles, partitions
from stock_market_ops.common.deployment import Deployment
from stock_market_ops.query import command as query

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

MOST_CANDLES: Final = 1000
_SECONDS: Final = 60.0
# Answers are cached: for how many seconds, and how many of them.
_FRESH_SECONDS: Final = 300.0
_MOST_ANSWERS: Final = 64
_QUERIES_AT_ONCE: Final = 2
# How many of the newest days of arrival that hold data are looked at, by the width of a candle in seconds.
_DAYS: Final = ((3600, 1), (86_400, 7), (604_800, 30))


class AthenaHistory:
    """Asks Athena, two statements at a time, and keeps the newest answers: each costs money on AWS."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._answers: OrderedDict[tuple[str, int], tuple[float, dict[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()
        self._turn = threading.Semaphore(_QUERIES_AT_ONCE)

    def older(self, symbol: str, width: int) -> dict[str, Any]:
        """Return a symbol's candles of `width` seconds that are in Athena, oldest first, as `candles`, or the `problem`
        as a sentence.
        """
        key = symbol, width
        with self._lock:
            made, answer = self._answers.get(key, (0.0, {}))
        if answer and time.monotonic() - made < _FRESH_SECONDS:
            return answer
        try:
            with self._turn:
                answer = self._asked(symbol, width)
        except (athena.QueryError, partitions.MissingTableError, partitions.PartitionError) as error:
            return {"symbol": symbol, "width": width, "candles": [], "problem": f"No older candles: {error}"}
        except aws.AWS_ERRORS as error:
            sentence = aws.sentence(error, self._deployment)
            return {"symbol": symbol, "width": width, "candles": [], "problem": f"No older candles: {sentence}"}
        with self._lock:
            self._answers[key] = time.monotonic(), answer
            self._answers.move_to_end(key)
            while len(self._answers) > _MOST_ANSWERS:
                self._answers.popitem(last=False)
        return answer

    def _asked(self, symbol: str, width: int) -> dict[str, Any]:
        days = next((days for below, days in _DAYS if width < below), _DAYS[-1][1])
        session = aws.session(self._deployment)
        glue, s3 = session.client("glue", config=aws.config()), session.client("s3", config=aws.config())
        since = query.visible_since(glue, s3, self._deployment, days, 0)
        client: AthenaClient = session.client("athena", config=aws.config())
        sql, bounds = analyses.bounded(statement(self._deployment.view, width), since)
        rows = athena.run(client, self._deployment, sql, _SECONDS, [*bounds, literal(symbol)]).rows
        found = [[row[name] for name in candles.NAMES] for row in reversed(rows) if None not in row.values()]
        return {"symbol": symbol, "width": width, "candles": found, "since": since, "problem": ""}


def statement(table: str, width: int) -> str:
    """Return the statement for a symbol's newest candles of `width` seconds, with three `?`: day, hour, symbol."""
    return f"""\
SELECT
{candles.columns(width)}
FROM {table}
WHERE dt >= ?{analyses.HOURS} AND symbol = ?
GROUP BY 1
ORDER BY 1 DESC
LIMIT {MOST_CANDLES}"""

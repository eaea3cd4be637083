"""How long requests to S3 take, and how they end."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import ClientError

from stock_market.chain import s3_connection
from stock_market.metrics.histogram import Histogram, Snapshot

OPERATIONS = ("put", "head", "list")
OUTCOMES = ("answered", "credentials", "throttled", "refused", "failed", "unanswered")
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


def outcome(error: Exception | None) -> str:
    """How an attempt ended.

    Returns:
        answered, also where S3 says that an object is there already or is not there; credentials, which are missing or
        not taken, or a wrong clock; throttled, by 429 or 503; refused, by any other 4xx; failed, by any other 5xx;
        unanswered.
    """
    if error is None:
        return "answered"
    if s3_connection.is_credentials_trouble(error):
        return "credentials"
    if not isinstance(error, ClientError):
        return "unanswered"
    status = s3_connection.status(error)
    if status in (429, 503):
        return "throttled"
    return "failed" if status >= 500 else "refused"


class RequestTimes:
    """The time of each attempt, by operation and outcome; several threads may use it."""

    def __init__(self) -> None:
        self._times = {(operation, how): Histogram(BOUNDS) for operation in OPERATIONS for how in OUTCOMES}

    def note(self, operation: str, seconds: float, error: Exception | None) -> None:
        """Counts an attempt."""
        self._times[operation, outcome(error)].add(seconds)

    def snapshot(self) -> Mapping[tuple[str, ...], Snapshot]:
        """The histogram of each operation and outcome."""
        return {labels: times.snapshot() for labels, times in self._times.items()}

    @property
    def credential_failures(self) -> int:
        """How many attempts failed for want of credentials, or for a wrong clock."""
        return sum(self._times[operation, "credentials"].snapshot().counts[-1] for operation in OPERATIONS)

"""The connection to S3 and its credentials, which may come late, stay away for a while, or end.

On EC2 they come from the instance's metadata. botocore looks for them once, when a client is made, and never again when
there were none; so a client without credentials, or with ones that S3 refuses, is given up here, and another is made.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.credentials import InstanceMetadataProvider, RefreshableCredentials

from stock_market.logs import Log

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = Log("store")
_ASK_AGAIN_SECONDS = 10.0
_SKEW_SECONDS = 600.0
"""S3 refuses a signature that is a quarter of an hour off; a clock that is this far off is on its way there."""
_REFUSED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
        # The answer to a HEAD has no body, and so no code: S3 answers 400 to one whose token has ended.
        "400",
    }
)
_MISSING = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.MetadataRetrievalError,
)
_STILL_EXPIRED = "Credentials were refreshed, but the refreshed credentials are still expired."
"""What botocore's RuntimeError says where the source of credentials gives ones that have ended."""


class S3Connection:
    """Makes S3 clients for a number of calls at once, with the default credential chain and endpoint variables, and
    limits on how long a call takes.
    """

    def __init__(self, region: str, connections: int) -> None:
        self._region = region
        self._connections = connections
        self._client: S3Client | None = None
        self._lock = threading.Lock()

    def client(self) -> S3Client:
        """The client, the same one until it is given up.

        Raises:
            NoCredentialsError: nobody gives credentials now.
            BotoCoreError: whoever gives them does not answer as it should.
        """
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def give_up(self, client: S3Client | None) -> None:
        """The next call makes another client, unless that has happened since this one was given."""
        with self._lock:
            if self._client is client:
                self._client = None

    def _make(self) -> S3Client:
        session = botocore.session.get_session()
        credentials = session.get_credentials()
        if credentials is None:
            raise exceptions.NoCredentialsError
        if isinstance(credentials, RefreshableCredentials) and credentials.method == InstanceMetadataProvider.METHOD:
            _use_to_the_end(credentials)
        # botocore's own, for boto3 keeps two megabytes more.
        client = session.create_client(
            "s3",
            region_name=self._region,
            config=Config(
                connect_timeout=5,
                read_timeout=15,
                max_pool_connections=self._connections + 2,
                # Repeating is done by the store, with growing pauses and an eye on the end of the service.
                retries={"mode": "standard", "total_max_attempts": 1},
            ),
        )
        return cast("S3Client", client)


def _use_to_the_end(credentials: Any) -> None:
    """Goes on with credentials that hold for as long as they do, although the metadata does not answer.

    Beneath botocore's public API: it asks for new ones a quarter of an hour before the end, and takes the instance
    metadata's silence for an answer without credentials, so that every call fails from then on.
    """
    if hasattr(credentials, "_refresh_using") and hasattr(credentials, "_mandatory_refresh_timeout"):
        credentials._mandatory_refresh_timeout = 0
        credentials._refresh_using = _Refresh(credentials._refresh_using)


class _Refresh:
    """Asks for new credentials, and while there are none, not before each call."""

    def __init__(self, ask: Callable[[], Mapping[str, Any]]) -> None:
        self._ask = ask
        self._not_before = 0.0

    def __call__(self) -> Mapping[str, Any]:
        found = self._ask() if time.monotonic() >= self._not_before else {}
        if not found:
            if time.monotonic() >= self._not_before:
                _log.warning("credentials_not_renewed", advice="the instance's metadata does not answer")
                self._not_before = time.monotonic() + _ASK_AGAIN_SECONDS
            raise exceptions.CredentialRetrievalError(
                provider=InstanceMetadataProvider.METHOD, error_msg="the instance's metadata gives none"
            )
        return found


def lacks_credentials(error: Exception) -> bool:
    """Whether a call failed because there were no credentials, or because S3 no longer takes them."""
    if isinstance(error, exceptions.ClientError):
        return code(error) in _REFUSED
    return isinstance(error, _MISSING) or (isinstance(error, RuntimeError) and str(error) == _STILL_EXPIRED)


def may_be_cured(error: Exception) -> bool:
    """Whether another client, with credentials that are asked for again, may do better."""
    return lacks_credentials(error) or (isinstance(error, exceptions.ClientError) and code(error) == "403")


def code(error: exceptions.ClientError) -> str:
    """The error's code, such as AlreadyExistsException; empty where there is none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status(error: exceptions.ClientError) -> int:
    """The answer's HTTP status; 0 where there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_credentials_trouble(error: Exception) -> bool:
    """Whether credentials, or the clock by which they are judged, are the reason for which a call failed."""
    return lacks_credentials(error) or explain(error) != str(error)


def explain(error: Exception) -> str:
    """What is wrong, in one sentence for a person."""
    if isinstance(error, exceptions.ClientError):
        skew = _skew(error)
        if skew:
            return skew
    if lacks_credentials(error):
        return (
            f"no credentials that S3 takes: {error}; on EC2 the instance's role gives them through the instance's"
            " metadata, which is asked again"
        )
    return str(error)


def _skew(error: exceptions.ClientError) -> str:
    """The sentence for a clock that is wrong; empty where it is not that."""
    answer: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    if code(error) not in ("RequestTimeTooSkewed", "403"):
        return ""
    try:
        theirs = parsedate_to_datetime(answer.get("HTTPHeaders", {}).get("date", ""))
        seconds = (datetime.now(UTC) - theirs).total_seconds()
    except (TypeError, ValueError):
        seconds = 0.0
    if abs(seconds) < _SKEW_SECONDS and code(error) != "RequestTimeTooSkewed":
        return ""
    off = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} S3's" if seconds else "not S3's"
    return f"this host's clock is {off}, and S3 refuses what is signed with it: set the clock (chronyc tracking)"

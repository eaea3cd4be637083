"""Clients of S3, Glue and Athena, and their errors as sentences. botocore's own: hosts have no boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from stock_market.chain import s3_connection
from stock_market.settings import HistorySettings

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

AWS_ERRORS = (BotoCoreError, ClientError)
"""All that a call raises when the API refuses or cannot be reached."""
MISSING = "EntityNotFoundException"
"""Glue's word for a table or partition that is not there."""
_ATTEMPTS = 8
"""With botocore's pauses, up to 20 s each, a call is given up after about two minutes."""


class Clients(NamedTuple):
    """One client for each service; threads may share them."""

    s3: S3Client
    glue: GlueClient
    athena: AthenaClient


def connect(settings: HistorySettings, create: Callable[..., Any] | None = None) -> Clients:
    """Makes the clients, by default with botocore's chain of credentials and its endpoint variables.

    Each call is repeated by botocore: standard mode, eight attempts with growing pauses, throttling included.

    Args:
        settings: the region, and how many requests are made at once.
        create: makes a client of a service with a config, as a session's method does.
    """
    make: Callable[..., Any] = create or botocore.session.get_session().create_client
    config = Config(
        region_name=settings.s3.region,
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=settings.connections + 2,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    )
    return Clients(*(make(name, config=config) for name in Clients._fields))


def sentence(error: Exception) -> str:
    """What an error of AWS's means to a person."""
    if s3_connection.is_credentials_trouble(error) or not isinstance(error, ClientError):
        return s3_connection.explain(error)
    message = error.response.get("Error", {}).get("Message") or "no reason given"
    return f"{error.operation_name} was refused: {s3_connection.code(error)}: {' '.join(message.split())}"

"""Clients of the deployment's AWS API, and its errors as sentences."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

if TYPE_CHECKING:
    from stock_market_ops.common.deployment import Deployment

AWS_ERRORS = (BotoCoreError, ClientError)
"""All that a boto3 call raises when the API refuses or cannot be reached."""
# S3's and IAM's, Glue's and Athena's, and EC2's.
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")


class Session(boto3.Session):
    """A session whose clients several threads may open; boto3's own is not safe for that, its clients are.

    So threads share what it has read: the credentials, for which a process is started, and the services' models. They
    share clients, too: a service's with the same config is opened once, which takes up to a tenth of a second.
    """

    def __init__(self, core: botocore.session.Session) -> None:
        super().__init__(botocore_session=core)
        self._opening = threading.Lock()
        self._open: dict[tuple[str, Config | None], object] = {}

    if not TYPE_CHECKING:  # its types are boto3's

        def client(self, service: str, *, config: Config | None = None) -> object:
            """As boto3's, one after the other."""
            with self._opening:
                if (service, config) not in self._open:
                    self._open[service, config] = super().client(service, config=config)
                return self._open[service, config]


def session(deployment: Deployment, profile: str = "") -> Session:
    """Open a session with a profile of the deployment's own; the caller's AWS_PROFILE and keys play no part."""
    core = botocore.session.Session(profile=profile or deployment.aws_profile)
    core.set_config_variable("config_file", deployment.aws_config_file)
    core.set_config_variable("credentials_file", deployment.aws_credentials_file)
    core.set_config_variable("region", deployment.region)
    return Session(core)


def config(connect_seconds: float = 5, read_seconds: float = 60, attempts: int = 3) -> Config:
    """Return limits for a client: seconds to connect, seconds to wait for an answer, attempts in all."""
    return Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )


def sentence(error: Exception, deployment: Deployment) -> str:
    """Say in one sentence what an AWS error means to the operator."""
    where = deployment.endpoint_url or f"AWS in {deployment.region}"
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        if answer.get("Code") in _EXPIRED:
            return "The AWS credentials have expired: get new ones (aws sso login, or new keys) and run it again."
        message = answer.get("Message") or "no reason given"
        return f"{error.operation_name} was refused: {answer.get('Code', 'unknown')}: {message}"
    if isinstance(error, (NoCredentialsError, CredentialRetrievalError)):
        return f"No credentials for {where}: give your own in the environment or in your AWS profile, as for `make up`."
    if isinstance(error, (BotoConnectionError, HTTPClientError)):
        return f"The AWS API at {where} does not answer; is the deployment {deployment.deployment!r} up?"
    return f"The call to {where} failed: {' '.join(str(error).split())}"

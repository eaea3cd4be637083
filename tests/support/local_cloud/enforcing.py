"""A local cloud in this process that enforces IAM: the gate and the guard before moto, over HTTP as in the real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import MotoRequestHandler
from tests.support.engine import engine
from werkzeug.serving import make_server

from local_cloud.api.application import Application
from local_cloud.api.authorizer import Authorizer
from local_cloud.api.dispatcher import Dispatcher
from local_cloud.athena import api as athena
from local_cloud.glue import api as glue_api
from local_cloud.glue import crawler as glue_crawler
from local_cloud.iam import added_calls as iam_added_calls
from local_cloud.settings import ADMINISTRATOR, Settings

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

REGION = "us-east-1"
ACCOUNT = "123456789012"
EC2_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Quiet(MotoRequestHandler):
    """Says nothing of what it serves."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


class Session:
    """Clients of one caller."""

    def __init__(self, endpoint: str, key: str, secret: str, token: str | None = None) -> None:
        self.endpoint = endpoint
        self._session = boto3.Session(key, secret, token, region_name=REGION)
        self._made: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client that asks once."""
        if service not in self._made:
            once = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
            self._made[service] = self._session.client(
                service,  # type: ignore[call-overload]  # the stubs know clients by literal names only
                endpoint_url=self.endpoint,
                config=once,
            )
        return self._made[service]

    @property
    def s3(self) -> S3Client:
        """S3."""
        return self.client("s3")  # type: ignore[no-any-return]  # the stubs know clients by literal names only

    @property
    def iam(self) -> IAMClient:
        """IAM."""
        return self.client("iam")  # type: ignore[no-any-return]  # the stubs know clients by literal names only

    @property
    def glue(self) -> GlueClient:
        """Glue."""
        return self.client("glue")  # type: ignore[no-any-return]  # the stubs know clients by literal names only

    @property
    def athena(self) -> AthenaClient:
        """Athena."""
        return self.client("athena")  # type: ignore[no-any-return]  # the stubs know clients by literal names only

    @property
    def sts(self) -> STSClient:
        """STS."""
        return self.client("sts")  # type: ignore[no-any-return]  # the stubs know clients by literal names only

    @property
    def ec2(self) -> EC2Client:
        """EC2."""
        return self.client("ec2")  # type: ignore[no-any-return]  # the stubs know clients by literal names only


class Enforcing:
    """The cloud, and its operator."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.operator = Session(endpoint, ADMINISTRATOR, ADMINISTRATOR)

    def session(self, key: str, secret: str, token: str | None = None) -> Session:
        """Clients of whoever has these keys."""
        return Session(self.endpoint, key, secret, token)

    def user(self, name: str, *statements: dict[str, Any]) -> Session:
        """Makes a user with these statements for a policy, or without any."""
        self.operator.iam.create_user(UserName=name)
        if statements:
            self.let(name, *statements)
        made = self.operator.iam.create_access_key(UserName=name)["AccessKey"]
        return self.session(made["AccessKeyId"], made["SecretAccessKey"])

    def let(self, name: str, *statements: dict[str, Any]) -> None:
        """Gives a user these statements and no other."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.operator.iam.put_user_policy(UserName=name, PolicyName="test", PolicyDocument=document)


def allow(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources} | more


def error_of(call: Any, **arguments: Any) -> tuple[str, int]:
    """The code and the HTTP status with which a call is refused."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError("the call was not refused")


@contextmanager
def enforcing_cloud(directory: Path, guard: Authorizer | None = None) -> Iterator[Enforcing]:
    """Runs the cloud; it has nothing in it."""
    moto_api_backend.reset()
    glue_crawler.install()
    glue_api.install()
    iam_added_calls.install()
    executor = athena.install(engine())
    settings = Settings("unit-test", 77, directory / "unit-test")
    api = Dispatcher()
    gate = Application(settings, api, 4711, (guard or Authorizer()).admit)
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Enforcing(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        executor.close()
        moto_api_backend.reset()

"""What the local cloud does not serve is refused as AWS would, and never answered with an empty success."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from moto.s3.models import s3_backends

from local_cloud.api.allowed import is_allowed, refused_s3_query
from local_cloud.api.application import Application
from local_cloud.iam.callers import administrator
from local_cloud.settings import HEALTH_PATH, Settings


class Client:
    """Calls a gate whose API answers everything with 'served'."""

    def __init__(self, settings: Settings, failure: Exception | None = None) -> None:
        self._gate = Application(settings, self._api, 4711, lambda _: administrator())
        self._failure = failure
        self.body_at_api = b""
        self.status = ""

    def _api(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if self._failure is not None:
            raise self._failure
        self.body_at_api = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [b"served"]

    def call(self, service: str, body: bytes = b"", region: str = "us-east-1", **extra: str) -> str:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "4566",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
        }
        if service:
            scope = f"AKIA/20260101/{region}/{service}/aws4_request"
            environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        environ |= extra

        def start_response(status: str, _: list[tuple[str, str]], *__: object) -> Any:
            self.status = status

        return b"".join(self._gate(environ, start_response)).decode()


@pytest.fixture
def client(settings: Settings) -> Client:
    return Client(settings)


def form(action: str, **parameters: str) -> bytes:
    return urlencode({"Action": action, "Version": "2016-11-15", **parameters}).encode()


def test_a_call_that_is_served_reaches_moto_with_its_body(client: Client) -> None:
    launch = form("RunInstances", MinCount="1", MaxCount="1")
    assert client.call("ec2", launch) == "served"
    assert client.body_at_api == launch


def test_a_call_that_the_model_excludes_does_not_reach_moto(client: Client) -> None:
    answer = client.call("ec2", form("RunInstances", MinCount="1"))
    assert client.status.startswith("400")
    assert "<Code>MissingParameter</Code>" in answer
    assert client.body_at_api == b""


def test_an_ec2_call_that_is_not_served_is_an_error_that_names_it(client: Client) -> None:
    answer = client.call("ec2", form("CreateFleet"))
    assert client.status.startswith("501")
    assert "<Response><Errors><Error><Code>NotImplemented</Code>" in answer
    assert "ec2:CreateFleet" in answer


def test_a_json_services_refusal_is_json(client: Client) -> None:
    answer = json.loads(client.call("glue", HTTP_X_AMZ_TARGET="AWSGlue.CreateJob"))
    assert answer["__type"] == "NotImplemented"
    assert "glue:CreateJob" in answer["message"]
    target = "ServiceQuotasV20190624.GetServiceQuota"
    answer = json.loads(client.call("servicequotas", HTTP_X_AMZ_TARGET=target))
    assert "servicequotas:GetServiceQuota" in answer["message"]


def test_a_whole_service_that_is_not_served_is_refused(client: Client) -> None:
    assert "sqs:ListQueues" in client.call("sqs", form("ListQueues"))
    assert client.status.startswith("501")


def test_an_unknown_region_is_refused(client: Client) -> None:
    assert "AWS has no region 'us-east-9'" in client.call("ec2", form("DescribeVpcs"), region="us-east-9")
    assert client.status.startswith("400")


def test_motos_own_switches_are_out_of_reach(client: Client) -> None:
    client.call("", PATH_INFO="/moto-api/reset")
    assert client.status.startswith("404")


def test_an_object_that_arrives_as_another_is_refused(client: Client) -> None:
    checksum = base64.b64encode(hashlib.sha256(b"quotes").digest()).decode()
    headers = {"REQUEST_METHOD": "PUT", "PATH_INFO": "/bucket/key", "HTTP_X_AMZ_CHECKSUM_SHA256": checksum}
    assert client.call("s3", b"quotes", **headers) == "served"
    assert client.body_at_api == b"quotes"
    assert "BadDigest" in client.call("s3", b"quotas", **headers)
    assert client.status.startswith("400")


def test_an_s3_subresource_that_is_not_served_is_refused(client: Client) -> None:
    assert "'notification'" in client.call("s3", REQUEST_METHOD="PUT", QUERY_STRING="notification")
    assert client.call("s3", REQUEST_METHOD="GET", QUERY_STRING="list-type=2&prefix=quotes%2F") == "served"


def test_a_bucket_of_another_account_than_the_expected_one_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(s3_backends.bucket_accounts, "theirs", ("aws", "999999999999"))
    client.call("s3", REQUEST_METHOD="GET", PATH_INFO="/theirs/key", HTTP_X_AMZ_EXPECTED_BUCKET_OWNER="123456789012")
    assert client.status == "403 Forbidden"
    client.call("s3", REQUEST_METHOD="GET", PATH_INFO="/theirs/key", HTTP_X_AMZ_EXPECTED_BUCKET_OWNER="999999999999")
    assert client.status == "200 OK"


def test_what_moto_has_not_implemented_is_refused_with_its_words(settings: Settings) -> None:
    answer = Client(settings, NotImplementedError("no such filter")).call("ec2", form("DescribeVpcs"))
    assert "no such filter" in answer


def test_a_failure_of_ours_is_a_500_that_says_so(settings: Settings) -> None:
    client = Client(settings, RuntimeError("broken"))
    assert "broken" in client.call("ec2", form("DescribeVpcs"))
    assert client.status.startswith("500")


def test_the_health_page_says_whose_local_cloud_it_is(client: Client, settings: Settings) -> None:
    said = json.loads(client.call("", PATH_INFO=HEALTH_PATH))
    assert said == {"deployment": "unit-test", "state_dir": str(settings.state_dir), "pid": 4711}


@pytest.mark.parametrize(
    ("service", "action", "served"),
    [
        ("ec2", "DescribeInstances", True),
        ("ec2", "GetConsoleOutput", False),
        ("ec2", "CreateTransitGateway", False),
        ("iam", "CreateRole", True),
        ("iam", "CreateGroup", False),
        ("sts", "GetSessionToken", False),
        ("sqs", "ListQueues", False),
        ("athena", "StartQueryExecution", True),
        ("athena", "CreatePreparedStatement", True),
        ("athena", "CreateDataCatalog", False),
        ("glue", "GetColumnStatisticsForTable", True),
        ("glue", "UpdateColumnStatisticsForPartition", True),
        ("glue", "StartColumnStatisticsTaskRun", False),
        ("glue", "DeleteUserDefinedFunction", True),
        ("glue", "CreatePartitionIndex", False),
        ("glue", "UpdateColumnStatisticsForTable", True),
    ],
)
def test_the_list_of_what_is_served(service: str, action: str, served: bool) -> None:
    assert is_allowed(service, action) is served


def test_a_readable_subresource_can_not_be_written() -> None:
    assert refused_s3_query("GET", ["website"]) is None
    assert refused_s3_query("PUT", ["website"]) == "website"

"""What the playbooks ask before they create anything: whose account, whose bucket, which types, which image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore import exceptions as boto_errors
from botocore.stub import Stubber
from tests.cloud.modules import load

account_info = load("aws_account_info")
owner_info = load("s3_bucket_owner_info")
offers_info = load("ec2_offers_info")

Clients = Callable[[str], Any]
IMAGE = "ami-12345678"
ACCOUNT = "123456789012"
TAGS = {"Deployment": "mine"}


def refused(code: str) -> boto_errors.ClientError:
    return boto_errors.ClientError({"Error": {"Code": code, "Message": "no"}}, "GetCallerIdentity")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (boto_errors.NoCredentialsError(), "AWS_PROFILE"),
        (boto_errors.ProfileNotFound(profile="nobody"), "nobody"),
        (refused("ExpiredToken"), "ExpiredToken"),
        (boto_errors.EndpointConnectionError(endpoint_url="x"), "http://cloud:4566"),
        (boto_errors.ConnectTimeoutError(endpoint_url="x"), "does not answer"),
        (boto_errors.ReadTimeoutError(endpoint_url="x"), "does not answer"),
        (FileNotFoundError(2, "No such file or directory", "/nowhere"), "correct AWS_WEB_IDENTITY_TOKEN_FILE"),
    ],
)
def test_a_failed_question_is_answered_with_one_sentence_of_advice(error: Exception, advice: str) -> None:
    said = account_info.sentence(error, "us-east-1", "http://cloud:4566")
    assert advice in said
    assert "\n" not in said
    assert said.endswith(".")


def test_regions_of_every_partition_are_known_without_a_network() -> None:
    regions = account_info.known_regions(boto3.Session())
    assert {"us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"} <= regions
    assert "mars-1" not in regions


def test_a_bucket_that_does_not_exist_is_absent(clients: Clients) -> None:
    assert owner_info.look_up(clients("s3"), "free-name", ACCOUNT)["state"] == "absent"


def test_an_own_bucket_tells_its_region_and_tags(clients: Clients) -> None:
    s3 = clients("s3")
    s3.create_bucket(Bucket="own")
    untagged = {"state": "own", "region": "us-east-1", "tags": {}, "bare": True}
    assert owner_info.look_up(s3, "own", ACCOUNT) == untagged
    s3.put_object(Bucket="own", Key="a", Body=b"")
    untagged["bare"] = False
    assert owner_info.look_up(s3, "own", ACCOUNT) == untagged
    s3.put_bucket_tagging(Bucket="own", Tagging={"TagSet": [{"Key": "Deployment", "Value": "mine"}]})
    assert owner_info.look_up(s3, "own", ACCOUNT) == {**untagged, "tags": TAGS}


def test_a_bucket_that_s3_forbids_is_foreign() -> None:
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        stub.add_client_error("head_bucket", "403", http_status_code=403)
        assert owner_info.look_up(client, "theirs", ACCOUNT)["state"] == "foreign"


def test_an_own_bucket_elsewhere_tells_where() -> None:
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        stub.add_client_error(
            "head_bucket",
            "301",
            http_status_code=301,
            response_meta={"HTTPHeaders": {"x-amz-bucket-region": "eu-west-1"}},
        )
        found = owner_info.look_up(client, "far", ACCOUNT)
    assert found == {"state": "own", "region": "eu-west-1", "tags": {}, "bare": False}


def test_types_that_do_not_exist_are_left_out(clients: Clients) -> None:
    types = offers_info.describe_types(clients("ec2"), ["t3.small", "t9.huge"])
    assert list(types) == ["t3.small"]
    assert types["t3.small"]["architectures"] == ["x86_64"]
    assert (types["t3.small"]["memory_mib"], types["t3.small"]["vcpus"]) == (2048, 2)
    assert "us-east-1a" in types["t3.small"]["zones"]


def image(name: str, made: str) -> dict[str, str]:
    return {
        "ImageId": f"ami-{made}",
        "Name": name,
        "CreationDate": made,
        "Architecture": "x86_64",
        "RootDeviceName": "/",
    }


class Images:
    """EC2 with a list of images."""

    def __init__(self, *images: dict[str, str]) -> None:
        self._images = images

    def describe_images(self, **_: object) -> dict[str, Any]:
        return {"Images": list(self._images)}


def test_the_newest_image_is_chosen_by_its_date_not_by_its_place() -> None:
    images = Images(image("b", "2026-02-01"), image("c", "2026-03-01"), image("a", "2026-01-01"))
    assert offers_info.newest_image(images, "owner", "*")["id"] == "ami-2026-03-01"


def test_no_image_is_an_empty_answer() -> None:
    assert offers_info.newest_image(Images(), "owner", "*") == {}


def test_only_living_instances_of_the_deployment_are_told(clients: Clients) -> None:
    ec2 = clients("ec2")
    ids = {}
    for name, deployment in (("node-1", "mine"), ("node-2", "mine"), ("node-3", "theirs")):
        own = [{"Key": "Deployment", "Value": deployment}, {"Key": "InstanceName", "Value": name}]
        run = ec2.run_instances(
            ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=[{"ResourceType": "instance", "Tags": own}]
        )
        ids[name] = run["Instances"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[ids["node-2"]])
    told = offers_info.living_instances(ec2, TAGS)
    assert [(entry["name"], entry["state"]) for entry in told] == [("node-1", "running"), ("node-2", "stopped")]
    ec2.terminate_instances(InstanceIds=[ids["node-1"]])
    assert [entry["name"] for entry in offers_info.living_instances(ec2, TAGS)] == ["node-2"]

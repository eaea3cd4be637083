"""The scenario's cloud: what the tests create in it, and what belongs to others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

DEPLOYMENT = os.environ["STOCK_MARKET_DEPLOYMENT"]
OTHERS_BUCKET = "stream-of-another-deployment"
DISTANT_BUCKET = "stream-in-frankfurt"
FOREIGN_BUCKET = "stream-of-another-account"


def client(service: str, **credentials: str) -> Any:
    """A boto3 client of the scenario's local cloud, for this account unless other credentials are given."""
    session: Any = boto3.Session
    return session(region_name=os.environ["AWS_REGION"], **credentials).client(
        service, endpoint_url=os.environ["AWS_ENDPOINT_URL"]
    )


def another_accounts_s3() -> Any:
    """A client of S3 in another account of the same cloud."""
    return client("s3", aws_access_key_id="local-cloud-neighbour", aws_secret_access_key="local-cloud-neighbour")


def made() -> list[str]:
    """The names of everything that cloud.yml has made for this deployment, in the order in which it makes them."""
    ec2 = client("ec2")
    tagged = [{"Name": "tag:Deployment", "Values": [DEPLOYMENT]}]
    names = [role["RoleName"] for role in client("iam").list_roles()["Roles"]]
    names += [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]]
    names += [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
    names = [name for name in names if name.startswith(DEPLOYMENT)]
    names += [vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=tagged)["Vpcs"]]
    names += [
        instance["InstanceId"]
        for reservation in ec2.describe_instances(Filters=tagged)["Reservations"]
        for instance in reservation["Instances"]
    ]
    names += [database["Name"] for database in client("glue").get_databases()["DatabaseList"]]
    return names


@pytest.fixture(scope="session", autouse=True)
def others_buckets() -> Iterator[None]:
    """Three buckets that are not this deployment's to use."""
    s3, foreign_s3 = client("s3"), another_accounts_s3()
    foreign_s3.create_bucket(Bucket=FOREIGN_BUCKET)
    s3.create_bucket(Bucket=OTHERS_BUCKET)
    s3.put_bucket_tagging(Bucket=OTHERS_BUCKET, Tagging={"TagSet": [{"Key": "Deployment", "Value": "another"}]})
    s3.create_bucket(Bucket=DISTANT_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield
    foreign_s3.delete_bucket(Bucket=FOREIGN_BUCKET)
    s3.delete_bucket(Bucket=OTHERS_BUCKET)
    s3.delete_bucket(Bucket=DISTANT_BUCKET)


@pytest.fixture(scope="session")
def wrong_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wrong files: a CSV of other columns, another broker's data, an old unit, a tarball that is none."""
    directory = tmp_path_factory.mktemp("wrong")
    (directory / "trades.csv").write_text("Index,Date,Price\nNYA,2021-05-28,16555.66\n", encoding="utf-8")
    (directory / "data").mkdir()
    (directory / "data" / "meta.properties").write_text("version=0\nbroker.id=7\n", encoding="utf-8")
    (directory / "kafka.tgz").write_bytes(b"not the tarball that was pinned")
    start = "ExecStart=/opt/kafka_2.13-3.8.1/bin/kafka-server-start.sh /etc/kafka/server.properties"
    (directory / "kafka.service").write_text(f"[Service]\n{start}\n", encoding="utf-8")
    return directory

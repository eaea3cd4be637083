"""Tags raw objects so that the bucket's lifecycle rule lets them expire; only where there is that rule.

An object is tagged when everything was found true, and its hour's history was compared with it. These never are: the
objects of the hour of a chain's last object and of the hour before it, in which a consumer that starts looks for its
place and for holes; and objects that record a gap or a cut, for nothing else tells of the loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from stock_market.hours import hour_of
from stock_market_ops.verify.bucket import Place, VanishedError, patiently
from stock_market_ops.verify.chains import Chains

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import TagTypeDef

RULE = "quotes-with-history-expire"
"""The id of the lifecycle rule, as role storage names it."""
TAG: Final[TagTypeDef] = {"Key": "history", "Value": "verified"}
_THREADS = 16


def may_expire(chains: Chains, keys: Iterable[str]) -> list[str]:
    """Which of these main objects may be tagged."""
    kept = set()
    for chain in chains.chains.values():
        if not chain.links:
            continue
        oldest = hour_of(chain.last.last_timestamp) - 1
        kept |= {
            link.key
            for link in chain.links
            if hour_of(link.last_timestamp) >= oldest or link.gap_end > link.start or link.cut_start < link.start
        }
    return [key for key in keys if key not in kept]


def days(client: S3Client, bucket: str) -> int:
    """After how many days tagged quotes expire; 0 where the bucket has no such rule.

    Raises:
        botocore's errors.
    """
    try:
        rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
            return 0
        raise
    found = [rule for rule in rules if rule.get("ID") == RULE and rule["Status"] == "Enabled"]
    return found[0]["Expiration"].get("Days", 0) if found else 0


def tag(writer: S3Client, place: Place, keys: Sequence[str]) -> int:
    """Tags objects, by a client that may (`Place.writer`); returns how many were still there.

    Raises:
        botocore's errors.
    """

    def one(key: str) -> bool:
        try:
            patiently(lambda: writer.put_object_tagging(Bucket=place.bucket, Key=key, Tagging={"TagSet": [TAG]}))
        except VanishedError:
            return False
        return True

    with ThreadPoolExecutor(_THREADS) as threads:
        return sum(threads.map(one, keys))

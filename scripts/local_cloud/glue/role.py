"""The IAM role that a crawler takes on: whether Glue may, and what the role may then do."""

from __future__ import annotations

from dataclasses import dataclass

from local_cloud.glue import propagation as glue_propagation
from local_cloud.glue.objects import StoredObject
from local_cloud.iam.actions import glue_database_arns, glue_table_arns
from local_cloud.iam.callers import Caller, find_role, role_session, trusts
from local_cloud.iam.policy import UnsupportedPolicyError
from local_cloud.settings import ACCOUNT_ID

SERVICE = "glue.amazonaws.com"


def problem(name_or_arn: str, database: str | None = None) -> str:
    """Why Glue can't take a role on, or an empty string.

    With a database, a crawler is being defined: then a change of the role may not have reached Glue yet.
    """
    role = find_role(name_or_arn)
    try:
        trusted = role is not None and trusts(role, (SERVICE,), {"aws:sourceaccount": (ACCOUNT_ID,)})
    except UnsupportedPolicyError as error:
        return f"The local cloud can't judge a trust policy with {error}"
    if role is None or not trusted:
        return f"Service is unable to assume provided role {name_or_arn}. Please verify role's TrustPolicy"
    return "" if database is None else glue_propagation.problem(role, database)


def rights(name_or_arn: str, region: str, database: str) -> CrawlerRights:
    """What a role may do in a crawl that writes to a database."""
    role = find_role(name_or_arn)
    caller = role_session(role.arn if role is not None else name_or_arn, "AWS-Crawler")
    return CrawlerRights(caller, region, database)


@dataclass(frozen=True, slots=True)
class CrawlerRights:
    """The calls that a crawl is made of, each judged as the role's.

    Every method raises AccessDeniedError if the role may not make the call, and UnsupportedPolicyError if that can't
    be judged.
    """

    caller: Caller
    region: str
    database_name: str

    def list(self, bucket: str, prefix: str) -> None:
        """Judges the listing of a folder."""
        self.caller.authorize("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": (prefix,)})

    def read(self, stored: StoredObject) -> None:
        """Judges the reading of an object."""
        self.caller.authorize("s3:GetObject", f"arn:aws:s3:::{stored.bucket}/{stored.key}")

    def database(self, action: str) -> None:
        """Judges a call of Glue's about the database."""
        self.caller.authorize(action, glue_database_arns(self.region, self.database_name))

    def table(self, action: str, name: str) -> None:
        """Judges a call of Glue's about a table or its partitions; the name is * where the call is about all."""
        self.caller.authorize(action, glue_table_arns(self.region, self.database_name, name))

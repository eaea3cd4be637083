"""Names that AWS refuses and moto takes: each rule with the page that states it."""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.iam.models import IAMBackend
from moto.s3.exceptions import InvalidBucketName
from moto.s3.models import S3Backend

from local_cloud.ec2_patch import Ec2Error, replace

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET: Final = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-)(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
_BUCKET_ENDS: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
_GROUP: Final = re.compile(r"(?!sg-)[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
_ROLE: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


class InvalidRoleNameError(Ec2Error):
    """CreateRole's answer to a name that a role can't have."""


def install() -> None:
    """Have moto refuse them."""
    bucket_of_moto = S3Backend.create_bucket
    group_of_moto = SecurityGroupBackend.create_security_group
    role_of_moto = IAMBackend.create_role

    @functools.wraps(bucket_of_moto)
    def create_bucket(self: Any, bucket_name: str, *args: Any, **options: Any) -> Any:
        if not _BUCKET.fullmatch(bucket_name) or bucket_name.endswith(_BUCKET_ENDS):
            raise InvalidBucketName
        return bucket_of_moto(self, bucket_name, *args, **options)

    @functools.wraps(group_of_moto)
    def create_security_group(self: Any, name: str, *args: Any, **options: Any) -> Any:
        # moto makes each VPC's own group, `default`, by the same function.
        if not _GROUP.fullmatch(name):
            raise Ec2Error(
                "InvalidParameterValue",
                f"Invalid value '{name}' for groupName. Group names may not be in the format sg-*, and have "
                "letters, digits, spaces and ._-:/()#,@[]+=&;{}!$* only.",
            )
        return group_of_moto(self, name, *args, **options)

    @functools.wraps(role_of_moto)
    def create_role(self: Any, role_name: str, *args: Any, **options: Any) -> Any:
        if not _ROLE.fullmatch(role_name):
            raise InvalidRoleNameError(
                "ValidationError",
                f"1 validation error detected: Value at 'roleName' failed to satisfy constraint: '{role_name}' is not "
                "1 to 64 letters, digits and +=,.@_-",
            )
        return role_of_moto(self, role_name, *args, **options)

    replace(S3Backend, "create_bucket", create_bucket)
    replace(SecurityGroupBackend, "create_security_group", create_security_group)
    replace(IAMBackend, "create_role", create_role)

"""What EC2's pages say of its requests."""

from __future__ import annotations

import base64
import binascii
import re
from functools import partial
from typing import Final

from local_cloud.api.rules.rule import DOCS, Rule, Values, matches, tag_rules, tag_sizes

_EC2: Final = f"{DOCS}AWSEC2/latest/"
_GROUP_TEXT: Final = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_RULE_TEXTS: Final = "[].[IpRanges, Ipv6Ranges, PrefixListIds, UserIdGroupPairs][][].Description"


def _user_data_fits(value: str, _: Values) -> bool:
    return len(base64.b64decode(value + "==")) <= 16384


def _is_base64(value: str, _: Values) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    return True


_rule: Final = partial(Rule, service="ec2", code="InvalidParameterValue")
RULES: Final = (
    _rule(
        "ec2 group name",
        ("CreateSecurityGroup",),
        "GroupName",
        lambda value, _: bool(value) and _GROUP_TEXT.fullmatch(value) is not None and not value.startswith("sg-"),
        "Invalid value '{value}' for groupName. Group names may not be in the format sg-*, and have up to 255 letters, "
        "digits, spaces and ._-:/()#,@[]+=&;{{}}!$* only.",
        f"{_EC2}APIReference/API_CreateSecurityGroup.html",
    ),
    _rule(
        "ec2 group description",
        ("CreateSecurityGroup",),
        "Description",
        matches(_GROUP_TEXT),
        "Invalid security group description '{value}'. Valid descriptions are up to 255 letters, digits, spaces and "
        "._-:/()#,@[]+=&;{{}}!$* only.",
        f"{_EC2}APIReference/API_CreateSecurityGroup.html",
    ),
    _rule(
        "ec2 rule description",
        (
            *("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"),
            *("UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress"),
        ),
        f"IpPermissions{_RULE_TEXTS}",
        matches(_GROUP_TEXT),
        "Invalid rule description '{value}'. Valid descriptions are up to 255 letters, digits, spaces and "
        "._-:/()#,@[]+=&;{{}}!$* only.",
        f"{_EC2}APIReference/API_IpRange.html",
    ),
    _rule(
        "ec2 key pair name",
        ("CreateKeyPair", "ImportKeyPair"),
        "KeyName",
        lambda value, _: 0 < len(value) <= 255 and value.isascii(),
        "Value ({value}) for parameter KeyName is invalid. It has up to 255 ASCII characters.",
        f"{_EC2}APIReference/API_CreateKeyPair.html",
    ),
    _rule(
        "ec2 user data is base64",
        ("RunInstances",),
        "UserData",
        _is_base64,
        "Invalid BASE64 encoding of user data.",
        f"{_EC2}APIReference/errors-overview.html",
        code="InvalidUserData.Malformed",
    ),
    _rule(
        "ec2 user data has 16 KB",
        ("RunInstances",),
        "UserData",
        _user_data_fits,
        "User data is limited to 16384 bytes",
        f"{_EC2}UserGuide/instancedata-add-user-data.html",
    ),
    _rule(
        "ec2 client token",
        ("CreateNatGateway", "RunInstances"),
        "ClientToken",
        lambda value, _: len(value) <= 64 and value.isascii(),
        "Value ({value}) for parameter ClientToken is invalid. It has up to 64 ASCII characters.",
        f"{_EC2}APIReference/API_RunInstances.html, API_CreateNatGateway.html",
    ),
    *tag_rules(
        "ec2", "[TagSpecifications[].Tags, Tags][][].Key", "InvalidParameterValue", f"{_EC2}UserGuide/Using_Tags.html"
    ),
    *tag_sizes(
        "ec2", "[TagSpecifications[].Tags, [Tags]][]", "InvalidParameterValue", f"{_EC2}UserGuide/Using_Tags.html"
    ),
)

"""Which actions a call of EC2 is, on which resources, and the condition keys that each of them carries.

Resource types and condition keys are those of AWS's Service Authorization Reference,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from local_cloud.iam.check import Check, form_tags, passed_role, tag_conditions
from local_cloud.settings import ACCOUNT_ID

Form = Mapping[str, str]

# The kind of a resource by the beginning of its id.
_KINDS = {
    "ami": "image",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "i": "instance",
    "igw": "internet-gateway",
    "key": "key-pair",
    "nat": "natgateway",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
# What a call makes, whose ARN has no id yet.
_MADE = {
    "AllocateAddress": ("elastic-ip",),
    "AuthorizeSecurityGroupEgress": ("security-group-rule",),
    "AuthorizeSecurityGroupIngress": ("security-group-rule",),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateNatGateway": ("natgateway",),
    "CreateRouteTable": ("route-table",),
    "CreateSecurityGroup": ("security-group",),
    "CreateSubnet": ("subnet",),
    "CreateVpc": ("vpc",),
    "CreateVpcEndpoint": ("vpc-endpoint",),
    "RunInstances": ("instance", "network-interface", "volume"),
}
# Calls that name what they are about by parameters, of which each is an id, or numbered ids.
_NAMED: Mapping[str, tuple[str, ...]] = {
    "AssociateAddress": ("AllocationId", "InstanceId"),
    "AssociateIamInstanceProfile": ("InstanceId",),
    "AssociateRouteTable": ("RouteTableId", "SubnetId"),
    "AttachInternetGateway": ("InternetGatewayId", "VpcId"),
    "AuthorizeSecurityGroupEgress": ("GroupId",),
    "AuthorizeSecurityGroupIngress": ("GroupId",),
    "CreateNatGateway": ("AllocationId", "SubnetId"),
    "CreateRoute": ("RouteTableId",),
    "CreateRouteTable": ("VpcId",),
    "CreateSecurityGroup": ("VpcId",),
    "CreateSubnet": ("VpcId",),
    "CreateTags": ("ResourceId",),
    "CreateVpcEndpoint": ("VpcId", "RouteTableId"),
    "DeleteInternetGateway": ("InternetGatewayId",),
    "DeleteKeyPair": ("KeyName", "KeyPairId"),
    "DeleteNatGateway": ("NatGatewayId",),
    "DeleteNetworkInterface": ("NetworkInterfaceId",),
    "DeleteRoute": ("RouteTableId",),
    "DeleteRouteTable": ("RouteTableId",),
    "DeleteSecurityGroup": ("GroupId",),
    "DeleteSubnet": ("SubnetId",),
    "DeleteTags": ("ResourceId",),
    "DeleteVolume": ("VolumeId",),
    "DeleteVpc": ("VpcId",),
    "DeleteVpcEndpoints": ("VpcEndpointId",),
    "DescribeInstanceAttribute": ("InstanceId",),
    "DescribeVpcAttribute": ("VpcId",),
    "DetachInternetGateway": ("InternetGatewayId", "VpcId"),
    "DisassociateAddress": ("AssociationId",),
    "DisassociateRouteTable": ("AssociationId",),
    "ImportKeyPair": ("KeyName",),
    "ModifyInstanceAttribute": ("InstanceId",),
    "ModifyInstanceCreditSpecification": ("InstanceCreditSpecification.*.InstanceId",),
    "ModifyInstanceMetadataOptions": ("InstanceId",),
    "ModifyNetworkInterfaceAttribute": ("NetworkInterfaceId",),
    "ModifySubnetAttribute": ("SubnetId",),
    "ModifyVpcAttribute": ("VpcId",),
    "ModifyVpcEndpoint": ("VpcEndpointId", "AddRouteTableId", "RemoveRouteTableId"),
    "RebootInstances": ("InstanceId",),
    "ReleaseAddress": ("AllocationId",),
    "ReplaceRoute": ("RouteTableId",),
    "ReplaceRouteTableAssociation": ("RouteTableId",),
    "RevokeSecurityGroupEgress": ("GroupId",),
    "RevokeSecurityGroupIngress": ("GroupId",),
    "RunInstances": (
        *("ImageId", "SubnetId", "SecurityGroupId", "KeyName"),
        *("NetworkInterface.*.SubnetId", "NetworkInterface.*.SecurityGroupId", "NetworkInterface.*.Groups"),
    ),
    "StartInstances": ("InstanceId",),
    "StopInstances": ("InstanceId",),
    "TerminateInstances": ("InstanceId",),
}
# What names resources by anything but their ids; nobody but the administrator may do that here.
_BY_OTHER_NAMES = re.compile(
    r"PublicIp|SecurityGroup\.\d+|NetworkInterface\.\d+\.NetworkInterfaceId|LaunchTemplate\..+"
)
_READS = ("Describe", "Get", "Search")


def checks_of(action: str, form: Form, region: str) -> list[Check] | None:
    """All that has to be allowed for a call; None if that is not known here."""
    if action not in _NAMED and action not in _MADE:
        return [Check(f"ec2:{action}", "*")] if action.startswith(_READS) else None
    identifiers = list(_identifiers(action, form))
    if (action in _NAMED and not identifiers) or any(map(_BY_OTHER_NAMES.fullmatch, form)):
        return None
    asked = dict(form_tags(form, "Tag."))
    given = _specified(form)
    found = []
    for identifier in identifiers:
        resource, own = _resource(region, identifier)
        wanted = asked if action in {"CreateTags", "DeleteTags"} else given.get(_kind(identifier), {})
        found.append(Check(f"ec2:{action}", resource, tag_conditions(own, wanted)))
    for kind in _MADE.get(action, ()):
        # A rule of a security group is only asked about where it gets tags.
        if kind != "security-group-rule" or kind in given:
            resource = _arn(region, kind, "*")
            found.append(Check(f"ec2:{action}", resource, tag_conditions({}, given.get(kind, {}))))
    for kind, tags in given.items():
        name = form.get("KeyName", "*") if kind == "key-pair" else "*"
        context = {**tag_conditions({}, tags), "ec2:createaction": (action,)}
        found.append(Check("ec2:CreateTags", _arn(region, kind, name), context))
    return found + list(_passed_role(action, form))


def _specified(form: Form) -> dict[str, dict[str, str]]:
    """The tags that a call gives what it makes, by its kind."""
    kinds = [
        (key.removesuffix(".ResourceType"), kind)
        for key, kind in form.items()
        if key.startswith("TagSpecification.") and key.endswith(".ResourceType")
    ]
    return {kind: dict(form_tags(form, f"{prefix}.Tag.")) for prefix, kind in kinds}


def _identifiers(action: str, form: Form) -> Iterator[str]:
    for name in _NAMED.get(action, ()):
        pattern = re.compile(rf"{re.escape(name)}(\.\d+)?".replace(r"\*", r"\d+"))
        for key, value in form.items():
            if pattern.fullmatch(key):
                yield f"key-pair/{value}" if name == "KeyName" else value


def _kind(identifier: str) -> str:
    return "key-pair" if identifier.startswith("key-pair/") else _KINDS.get(identifier.partition("-")[0], "")


def _arn(region: str, kind: str, identifier: str) -> str:
    account = "" if kind == "image" else ACCOUNT_ID
    return f"arn:aws:ec2:{region}:{account}:{kind}/{identifier}"


def _resource(region: str, identifier: str) -> tuple[str, dict[str, str]]:
    """The ARN of what an id means, and its tags."""
    backend: Any = ec2_backends[ACCOUNT_ID][region]
    if identifier.startswith("key-"):
        name = identifier.removeprefix("key-pair/")
        pairs = [pair for pair in backend.key_pairs.values() if name in {pair.key_name, pair.id}]
        if pairs:
            tags = {tag["key"]: tag["value"] for tag in pairs[0].get_tags()}
            return _arn(region, "key-pair", pairs[0].key_name), tags
        return _arn(region, "key-pair", name), {}
    if identifier.startswith("rtbassoc-"):
        tables = [one.id for one in backend.route_tables.values() if identifier in one._associations]
        identifier = tables[0] if tables else "rtb-*"
    if identifier.startswith("eipassoc-"):
        held = [one.allocation_id for one in backend.addresses if one.association_id == identifier]
        identifier = held[0] if held else "eipalloc-*"
    return _arn(region, _kind(identifier), identifier), dict(backend.tags.get(identifier, {}))


def _passed_role(action: str, form: Form) -> Iterator[Check]:
    """The role of an instance profile that an instance gets."""
    if action not in {"RunInstances", "AssociateIamInstanceProfile"}:
        return
    name = form.get("IamInstanceProfile.Name") or form.get("IamInstanceProfile.Arn", "").rpartition("/")[2]
    profiles = [one for one in iam_backends[ACCOUNT_ID]["aws"].instance_profiles.values() if one.name == name]
    for profile in profiles:
        for role in profile.roles:
            yield passed_role(role.arn, "ec2.amazonaws.com")

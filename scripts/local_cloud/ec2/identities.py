"""Who asks for instance metadata, from EC2's and IAM's records."""

from __future__ import annotations

import datetime

from moto.ec2.models.instances import Instance
from moto.iam.exceptions import NotFoundException
from moto.iam.models import InstanceProfile, Role, iam_backends
from moto.sts.models import sts_backends

from local_cloud.ec2.machines import Machines
from local_cloud.ec2.metadata import CREDENTIAL_SECONDS, Credentials, Identity, UntrustedError
from local_cloud.hosts.firewall import groups_of
from local_cloud.iam.callers import PARTITION, find_role, trusts
from local_cloud.iam.policy import UnsupportedPolicyError
from local_cloud.settings import ACCOUNT_ID

SERVICE = "ec2.amazonaws.com"


def identify(machines: Machines, address: str) -> Identity | None:
    """Return the identity of the running instance that has this public address, or None."""
    for instance in machines.instances():
        if instance.public_ip_address == address and instance.metadata_options.http_endpoint != "disabled":
            return _identity(instance)
    return None


def profile_of(instance: Instance) -> InstanceProfile | None:
    """The instance profile of an instance, None where it has none or that is gone."""
    held = instance.iam_instance_profile
    if not held:
        return None
    try:
        backend = iam_backends[instance.owner_id][PARTITION]
        return backend.get_instance_profile_by_arn(str(held["Arn"]))
    except NotFoundException:
        return None


def role_of(instance: Instance) -> Role | None:
    """The role of an instance's profile."""
    profile = profile_of(instance)
    return profile.roles[0] if profile is not None and profile.roles else None


def _identity(instance: Instance) -> Identity:
    profile, role = profile_of(instance), role_of(instance)
    pair = instance.ec2_backend.key_pairs.get(instance.key_name)
    shows_tags = instance.metadata_options.instance_metadata_tags == "enabled"
    return Identity(
        instance_id=instance.id,
        instance_type=instance.instance_type,
        image_id=instance.image_id,
        account_id=instance.owner_id,
        region=instance.ec2_backend.region_name,
        zone=str(instance.availability_zone),
        private_address=str(instance.private_ip_address),
        public_address=instance.public_ip_address,
        mac=instance.nics[0].mac_address,
        hostname=instance.private_dns_name,
        security_groups=tuple(str(group.name) for group in groups_of(instance)),
        tags={tag["key"]: tag["value"] for tag in instance.get_tags()} if shows_tags else {},
        profile_arn=profile.arn if profile is not None else None,
        profile_id=profile.id if profile is not None else None,
        role_name=role.name if role is not None else None,
        role_arn=role.arn if role is not None else None,
        public_key=pair.public_key.strip() if pair is not None else None,
        hop_limit=instance.metadata_options.http_put_response_hop_limit,
    )


def assume(role_arn: str, session: str) -> Credentials:
    """Mint credentials of a role through STS, so that the API knows them as that role's.

    Raises:
        UntrustedError: if the role's trust policy does not let EC2 take it on.
    """
    role = find_role(role_arn)
    try:
        trusted = role is not None and trusts(role, (SERVICE,))
    except UnsupportedPolicyError as error:
        raise UntrustedError(f"The local cloud can't judge a trust policy with {error}") from error
    if not trusted:
        raise UntrustedError(f"EC2 cannot assume the role {role_arn}: its trust policy does not name {SERVICE}.")
    minted = sts_backends[ACCOUNT_ID][PARTITION].assume_role(
        region_name="us-east-1",
        role_session_name=session,
        role_arn=role_arn,
        policy="",
        duration=CREDENTIAL_SECONDS,
        external_id="",
    )
    expiration = minted.expiration.replace(tzinfo=datetime.UTC)
    return Credentials(minted.access_key_id, minted.secret_access_key, minted.session_token, expiration)

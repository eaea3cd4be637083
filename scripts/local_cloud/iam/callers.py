"""Who calls: the administrator, an IAM user or a role's session, and what their policies let them do."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from moto.iam.models import Role, User, iam_backends
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends

from local_cloud.iam.policy import Context, Decision, Request, Statement, decide, statements_of
from local_cloud.settings import ACCOUNT_ID, ADMINISTRATOR, ADMINISTRATOR_SESSION, NEIGHBOUR, NEIGHBOUR_ID

PARTITION = "aws"


class AccessDeniedError(Exception):
    """A caller may not do something; the text is AWS's."""


WATCHERS: list[Callable[[Caller, Request], None]] = []
"""Told of all that somebody has to be allowed, before it is judged."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal, as policies mean it.

    Attributes:
        arn: its ARN, that of the session for a role.
        names: the names under which a resource's policy may mean it.
        holder: finds the user or role whose policies hold, again at each request, None once it is deleted; None itself
            for the administrator.
        context: the condition keys that are the caller's own.
        via: services that ask on its behalf.
        account_id: the account that it belongs to.
    """

    arn: str
    names: tuple[str, ...]
    holder: Callable[[], User | Role | None] | None = None
    context: Context = field(default_factory=dict)
    via: tuple[str, ...] = ()
    account_id: str = ACCOUNT_ID

    @property
    def is_administrator(self) -> bool:
        """Whether this is the account itself, which no policy of its own restrains."""
        return self.holder is None

    def through(self, service: str) -> Caller:
        """The caller on whose behalf a service asks another one (forward access session)."""
        return replace(self, via=(*self.via, service))

    def statements(self) -> Iterator[Statement]:
        """The statements of all its own policies, as they are at this moment."""
        held = self.holder() if self.holder is not None else None
        if held is None:
            return
        for document in list(held.policies.values()):
            yield from statements_of(document)
        for policy in list(held.managed_policies.values()):
            version = next(version for version in policy.versions if version.is_default)
            yield from statements_of(version.document)

    def request(self, action: str, resource: str, context: Context | None = None) -> Request:
        """What is judged, with all condition keys that it carries."""
        own = {**self.context, "aws:securetransport": ("true",), **(context or {})}
        if self.via:
            own["aws:calledvia"] = self.via
        if action == "s3:PutObject":
            # A write that a service makes for the caller has no HTTP request here; it makes an object all the same.
            own.setdefault("s3:objectcreationoperation", ("true",))
        return Request(action, resource, own, self.names)

    def problem(self, action: str, resource: str, context: Context | None = None) -> str:
        """Why the caller may not do this, in AWS's words; empty if it may.

        Raises:
            UnsupportedPolicyError: if one of its policies can't be judged.
        """
        request = self.request(action, resource, context)
        owner, statements = _bucket_policy(action, resource)
        of_resource = decide(statements, request)
        # Another account's bucket admits only callers that its own policy allows.
        if owner not in {"", self.account_id} and of_resource is not Decision.ALLOW and action != "s3:CreateBucket":
            return self._denied(action, resource, "no resource-based policy of the bucket's owner that allows it")
        if self.is_administrator:
            # The account can always mend a bucket's policy that shuts everybody out.
            denied = of_resource is Decision.DENY and not action.endswith("BucketPolicy")
            return self._denied(action, resource, "an explicit deny in a resource-based policy") if denied else ""
        of_caller = decide(self.statements(), request)
        if of_caller is Decision.DENY:
            return self._denied(action, resource, "an explicit deny in an identity-based policy")
        if of_resource is Decision.DENY:
            return self._denied(action, resource, "an explicit deny in a resource-based policy")
        if Decision.ALLOW in {of_caller, of_resource}:
            return ""
        reason = f"because no identity-based policy allows the {action} action"
        return f"User: {self.arn} is not authorized to perform: {action} on resource: {resource} {reason}"

    def _denied(self, action: str, resource: str, by: str) -> str:
        return f"User: {self.arn} is not authorized to perform: {action} on resource: {resource} with {by}"

    def authorize(self, action: str, resources: str | Iterable[str], context: Context | None = None) -> None:
        """Checks that the caller may do this on each of the resources.

        Raises:
            AccessDeniedError: if it may not.
            UnsupportedPolicyError: if one of its policies can't be judged.
        """
        for resource in [resources] if isinstance(resources, str) else resources:
            for watch in WATCHERS:
                watch(self, self.request(action, resource, context))
            problem = self.problem(action, resource, context)
            if problem:
                raise AccessDeniedError(problem)

    def may_somewhere(self, action: str) -> bool:
        """Whether any of its policies allows the action on anything at all."""
        return any(statement.allows and statement.concerns_action(action) for statement in self.statements())


def _bucket_policy(action: str, resource: str) -> tuple[str, tuple[Statement, ...]]:
    """The account and the policy of the bucket that an S3 action is about: no other resource here has a policy."""
    if not action.startswith("s3:"):
        return "", ()
    name = resource.removeprefix("arn:aws:s3:::").partition("/")[0]
    _, owner = s3_backends.bucket_accounts.get(name, ("", ""))
    bucket = s3_backends[owner][PARTITION].buckets.get(name) if owner else None
    if bucket is None or not bucket.policy:
        return owner, ()
    document = bucket.policy
    return owner, statements_of(document.decode() if isinstance(document, bytes) else document)


def administrator(account_id: str = ACCOUNT_ID) -> Caller:
    """The account itself: for this one, the operator's own keys."""
    arn = f"arn:aws:iam::{account_id}:root"
    context = {"aws:principalarn": (arn,), "aws:principalaccount": (account_id,)}
    return Caller(arn, (arn, account_id), None, context, (), account_id)


def anonymous(bucket: str) -> Caller:
    """Whoever has not signed a request to S3: may do what the policy of a bucket that may be public lets everybody do.

    A new bucket may not be public: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html

    Raises:
        AccessDeniedError: the bucket may not be public.
    """
    _, owner = s3_backends.bucket_accounts.get(bucket, ("", ""))
    held = s3_backends[owner][PARTITION].buckets.get(bucket) if owner else None
    block = held.public_access_block if held is not None else None
    if block is None or str(block.restrict_public_buckets).lower() != "false":
        raise AccessDeniedError("Access Denied")
    return Caller("anonymous", ("anonymous",), lambda: None)


def _context(arn: str) -> dict[str, tuple[str, ...]]:
    return {"aws:principalarn": (arn,), "aws:principalaccount": (ACCOUNT_ID,)}


def find_role(name_or_arn: str) -> Role | None:
    """The role of that name or ARN."""
    name = name_or_arn.rpartition("/")[2]
    roles = list(iam_backends[ACCOUNT_ID][PARTITION].roles.values())
    return next((role for role in roles if role.name == name), None)


def role_session(role_arn: str, session: str) -> Caller:
    """A session of a role."""
    name = role_arn.rpartition("/")[2]
    arn = f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}/{session}"
    role = find_role(name)
    # A role created again under the old name is another role: a session of the old one has no rights in it.
    role_id = role.id if role is not None else ""

    def holder() -> Role | None:
        found = find_role(name)
        return found if found is not None and found.id == role_id else None

    return Caller(arn, (arn, role_arn, ACCOUNT_ID), holder, _context(role_arn))


def _user(user: User) -> Caller:
    context = {**_context(user.arn), "aws:username": (user.name,)}
    return Caller(user.arn, (user.arn, ACCOUNT_ID), lambda: user, context)


def find_principal(arn: str) -> Caller | None:
    """The user or the role of that ARN, as who makes a request."""
    backend = iam_backends[ACCOUNT_ID][PARTITION]
    users: dict[str, User] = backend.users
    for user in list(users.values()):
        if user.arn == arn:
            return _user(user)
    role = next((role for role in list(backend.roles.values()) if role.arn == arn), None)
    return None if role is None else role_session(role.arn, "simulated")


def trusts(role: Role, caller_names: tuple[str, ...], context: Context | None = None) -> bool:
    """Whether a role's trust policy lets a principal take it on.

    `context` are the condition keys of the request, beside aws:SecureTransport.

    Raises:
        UnsupportedPolicyError: if the trust policy can't be judged.
    """
    document = role.assume_role_policy_document
    own = {"aws:securetransport": ("true",), **(context or {})}
    request = Request("sts:AssumeRole", role.arn, own, caller_names)
    return decide(statements_of(str(document)), request) is Decision.ALLOW


@dataclass(frozen=True, slots=True)
class Key:
    """An access key: whose it is, its secret, and for a session its token and its end."""

    caller: Caller
    secret: str
    token: str = ""
    expiration: datetime.datetime | None = None


class Keys:
    """The access keys that open this cloud."""

    def __init__(self) -> None:
        self._sessions: dict[str, Key] = {}
        self._administrators = {
            ADMINISTRATOR: Key(administrator(), ADMINISTRATOR),
            ADMINISTRATOR_SESSION: Key(administrator(), ADMINISTRATOR_SESSION, ADMINISTRATOR_SESSION),
            NEIGHBOUR: Key(administrator(NEIGHBOUR_ID), NEIGHBOUR),
        }

    def find(self, access_key_id: str) -> Key | None:
        """The key of that id, None if there is none or it is switched off."""
        if access_key_id in self._administrators:
            return self._administrators[access_key_id]
        if access_key_id.startswith("AKIA"):
            return self._of_user(access_key_id)
        held = self._sessions.get(access_key_id)
        if held is None:
            held = self._of_session(access_key_id)
            if held is not None:
                self._sessions[access_key_id] = held
        return held

    @staticmethod
    def _of_user(access_key_id: str) -> Key | None:
        users: dict[str, Any] = iam_backends[ACCOUNT_ID][PARTITION].users
        for user in list(users.values()):
            for key in list(user.access_keys):
                if key.access_key_id == access_key_id and key.status == "Active":
                    return Key(_user(user), key.secret_access_key)
        return None

    @staticmethod
    def _of_session(access_key_id: str) -> Key | None:
        found = sts_backends[ACCOUNT_ID][PARTITION].get_assumed_role_from_access_key(access_key_id)
        if found is None:
            return None
        return Key(
            role_session(found.role_arn, found.session_name),
            found.secret_access_key,
            found.session_token,
            found.expiration.replace(tzinfo=datetime.UTC),
        )


_current: ContextVar[Caller | None] = ContextVar("caller", default=None)


def current_caller() -> Caller:
    """Who made the request that this thread serves; within this process itself, the administrator."""
    return _current.get() or administrator()


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """Serves a request in a caller's name."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)

"""Who may do what: every request's signature is checked, and its caller's policies are.

The operator's own key is the account itself and may do everything. Everybody else (an instance's role through the
metadata service, the analyst) may do what IAM's and the buckets' policies allow, and is refused as AWS refuses.

Calls whose resources are not known here (iam_actions, iam_control_actions, iam_ec2_actions, iam_s3_actions) are refused
to everybody else by name, unless they only read and are allowed on every resource. Session policies and
permissions boundaries are refused when they come in, since they are not judged.

`aws:SecureTransport` is true for every request here, though the endpoint speaks plain HTTP: it listens on a loopback
address and on the hosts' bridge only, so that no byte leaves this machine. Were it false, the buckets' policies would
shut everybody out; on AWS, where the endpoints speak TLS, the same policies turn plain HTTP away.
"""

from __future__ import annotations

import datetime
import functools
import hmac
from collections.abc import Callable

from moto.athena.models import athena_backends
from moto.s3.models import s3_backends

from local_cloud.api import sigv4
from local_cloud.api.allowed import READING
from local_cloud.api.errors import JSON_SERVICES, RefusedError, access_denied, bad_key, not_served
from local_cloud.api.request import ApiRequest
from local_cloud.iam import actions as iam_actions
from local_cloud.iam import control_actions as iam_control_actions
from local_cloud.iam import ec2_actions as iam_ec2_actions
from local_cloud.iam import s3_actions as iam_s3_actions
from local_cloud.iam.callers import PARTITION, AccessDeniedError, Caller, Keys, anonymous, find_role, trusts
from local_cloud.iam.check import Check
from local_cloud.iam.policy import Decision, Request, UnsupportedPolicyError, check, decide, statements_of
from local_cloud.settings import ACCOUNT_ID

_DOCUMENTS = ("PolicyDocument", "AssumeRolePolicyDocument")
_UNJUDGED = {
    "PermissionsBoundary": "it does not judge permissions boundaries",
    "Policy": "it does not judge session policies",
    "PolicyArns.member.1.arn": "it does not judge session policies",
}


class Authorizer:
    """Identifies callers and judges what they ask for.

    `secure_transport` is what the condition key aws:SecureTransport says;
    `endpoint_policy` tells the policy of the VPC endpoint by which the requests of an address come to S3.
    """

    def __init__(
        self,
        keys: Keys | None = None,
        *,
        secure_transport: bool = True,
        endpoint_policy: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._keys = keys or Keys()
        self._secure = str(secure_transport).lower()
        self._endpoint_policy = endpoint_policy

    def admit(self, request: ApiRequest) -> Caller:
        """The caller, who may do what it asks for.

        Raises:
            RefusedError: if it is nobody, or may not.
        """
        try:
            caller = self._identify(request)
            self._check_documents(request)
            self._authorize(request, caller)
        except AccessDeniedError as error:
            raise RefusedError(access_denied(request.service, str(error))) from error
        except UnsupportedPolicyError as error:
            why = f"it can't judge a policy with {error}"
            raise RefusedError(not_served(request.service, request.action, why)) from error
        return caller

    def _identify(self, request: ApiRequest) -> Caller:
        signed = request.signed
        if signed is None:
            return anonymous(iam_s3_actions.split_path(request.environ)[0])
        key = self._keys.find(signed.access_key_id)
        if key is None:
            raise RefusedError(bad_key(request.service, "unknown"))
        now = datetime.datetime.now(datetime.UTC)
        if not hmac.compare_digest(signed.token.encode(), key.token.encode()):
            raise RefusedError(bad_key(request.service, "token"))
        if key.expiration is not None and key.expiration <= now:
            raise RefusedError(bad_key(request.service, "expired"))
        if not signed.is_timely(now):
            raise RefusedError(bad_key(request.service, "time"))
        if not sigv4.verify(signed, key.secret, request.environ, request.body_hash):
            raise RefusedError(bad_key(request.service, "signature"))
        if key.caller.account_id != ACCOUNT_ID and request.service != "s3":
            raise RefusedError(not_served(request.service, request.action, "another account has buckets alone here"))
        return key.caller

    def _authorize(self, request: ApiRequest, caller: Caller) -> None:
        match request.service:
            case "s3":
                self._authorize_s3(request, caller)
            case "sts":
                self._authorize_sts(request, caller)
            case _:
                self._authorize_call(request, caller)

    def _context(self, request: ApiRequest) -> dict[str, tuple[str, ...]]:
        context: dict[str, tuple[str, ...]] = {
            "aws:securetransport": (self._secure,),
            "aws:requestedregion": (request.region,),
        }
        if address := request.environ.get("REMOTE_ADDR"):
            context["aws:sourceip"] = (address,)
        if request.service == "s3":
            context |= iam_s3_actions.conditions_of(request.environ)
        return context

    def _authorize_s3(self, request: ApiRequest, caller: Caller) -> None:
        names_keys = request.method == "POST" and "delete" in iam_s3_actions.query_of(request.environ)
        body = request.body.decode("utf-8", "replace") if names_keys else ""
        pairs = iam_s3_actions.actions_of(request.environ, body)
        if pairs is None:
            if not caller.is_administrator:
                raise RefusedError(not_served("s3", request.action, "it does not know whose policies allow it"))
            return
        context = self._context(request)
        policy = self._endpoint_policy(str(request.environ.get("REMOTE_ADDR")))
        if policy is not None:
            # No public address is seen of what comes by an endpoint.
            context.pop("aws:sourceip", None)
        for action, resource in pairs:
            caller.authorize(action, resource, context)
            if policy is not None:
                self._pass_endpoint(
                    caller, policy, Request(action, resource, {**caller.context, **context}, caller.names)
                )
        if pairs[0][0] == "s3:GetObject" and not caller.is_administrator:
            self._hide_what_is_missing(request, caller)

    @staticmethod
    def _pass_endpoint(caller: Caller, policy: str, question: Request) -> None:
        """https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html"""
        decision = decide(statements_of(policy), question)
        if decision is Decision.ALLOW:
            return
        silent = f"because no VPC endpoint policy allows the {question.action} action"
        by = silent if decision is Decision.SILENT else "with an explicit deny in a VPC endpoint policy"
        what = f"{question.action} on resource: {question.resource}"
        raise AccessDeniedError(f"User: {caller.arn} is not authorized to perform: {what} {by}")

    @staticmethod
    def _hide_what_is_missing(request: ApiRequest, caller: Caller) -> None:
        """For a missing object S3 denies access to a caller that may not list the bucket (GetObject's manual)."""
        bucket, key = iam_s3_actions.split_path(request.environ)
        held = s3_backends[ACCOUNT_ID][PARTITION].buckets.get(bucket)
        if held is not None and held.keys.get(key) is None:
            caller.authorize("s3:ListBucket", f"arn:aws:s3:::{bucket}")

    def _authorize_sts(self, request: ApiRequest, caller: Caller) -> None:
        if request.action == "GetCallerIdentity":
            return  # AWS lets everybody
        if request.action != "AssumeRole":
            self._authorize_call(request, caller)
            return
        arn = request.form.get("RoleArn", "")
        if not caller.is_administrator:
            caller.authorize("sts:AssumeRole", arn, self._context(request))
        role = find_role(arn)
        if role is None or not trusts(role, caller.names, caller.context):
            message = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise AccessDeniedError(message)

    def _authorize_call(self, request: ApiRequest, caller: Caller) -> None:
        if caller.is_administrator:
            return
        service = request.service
        context = self._context(request)
        checks = _checks_of(request)
        if checks is None:
            checks = [Check(f"{service}:{request.action}", "*")]
            problem = caller.problem(checks[0].action, "*", context)
            readable = request.action.startswith(READING)
            if (problem and caller.may_somewhere(checks[0].action)) or (not problem and not readable):
                why = "it knows only for the administrator that it is allowed"
                raise RefusedError(not_served(service, request.action, why))
        for one in checks:
            caller.authorize(one.action, one.resource, {**context, **one.context})

    @staticmethod
    def _check_documents(request: ApiRequest) -> None:
        """Turns away what could not be judged later on.

        Raises:
            RefusedError: a kind of policy that is not judged here.
            UnsupportedPolicyError: a policy that can't be judged.
        """
        documents = []
        if request.service in {"iam", "sts"}:
            for name, why in _UNJUDGED.items():
                if name in request.form:
                    raise RefusedError(not_served(request.service, request.action, why))
            documents = [request.form[name] for name in _DOCUMENTS if name in request.form]
        elif request.method == "PUT" and "policy" in iam_s3_actions.query_of(request.environ):
            documents = [request.body.decode("utf-8", "replace")]
        for document in documents:
            check(document)


def _checks_of(request: ApiRequest) -> list[Check] | None:
    """All that has to be allowed for a call of others than S3 and STS; None if that is not known here."""
    action, region = request.action, request.region
    match request.service:
        case "ec2":
            return iam_ec2_actions.checks_of(action, request.form, region)
        case "glue":
            return iam_actions.glue_checks(action, request.parameters, region)
        case "athena":
            find = functools.partial(_workgroup_of, region)
            return iam_actions.athena_checks(action, request.parameters, region, find)
        case service:
            parameters = request.parameters if service in JSON_SERVICES else request.form
            return iam_control_actions.checks_of(service, action, parameters, region)


def _workgroup_of(region: str, query: str) -> str | None:
    """The workgroup of an execution or a named query."""
    backend = athena_backends[ACCOUNT_ID][region]
    held = backend.executions.get(query) or backend.named_queries.get(query)
    workgroup = getattr(getattr(held, "task", held), "workgroup", None)
    name = getattr(workgroup, "name", workgroup)
    return name if isinstance(name, str) else None

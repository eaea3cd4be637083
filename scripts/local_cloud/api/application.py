"""The API as a WSGI application: it hands requests to moto, and refuses what the local cloud does not serve."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from botocore.session import Session
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, s3_backends

from local_cloud.api import allowed, validation
from local_cloud.api.errors import Refusal, RefusedError, answer, not_served, refuse
from local_cloud.api.faults import Faults
from local_cloud.api.request import ApiRequest
from local_cloud.iam.callers import Caller, calling
from local_cloud.moto_patch import replace
from local_cloud.settings import HEALTH_PATH, Settings

LOG = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def known_regions() -> frozenset[str]:
    """AWS's regions of the standard partition, as botocore lists them."""
    return frozenset(Session().get_available_regions("ec2"))


class Application:
    """A WSGI application before moto's. `admit` says who calls, or raises RefusedError."""

    def __init__(
        self,
        settings: Settings,
        api: WSGIApplication,
        pid: int,
        admit: Callable[[ApiRequest], Caller],
    ) -> None:
        self._health = {"deployment": settings.deployment, "state_dir": str(settings.state_dir), "pid": pid}
        self._api = api
        self._admit = admit
        self._faults = Faults(settings.faults)
        self._regions = known_regions()
        # The buckets' policies are judged before moto is asked; its own judging takes every condition for unmet.
        replace(FakeBucket, "get_permission", lambda *_: PermissionResult.NEUTRAL)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == HEALTH_PATH:
            return answer(environ, start_response, "200 OK", "application/json", json.dumps(self._health))
        request = ApiRequest(environ)
        service = request.service
        try:
            self._check(request)
            self._faults.meet(request)
            caller = self._admit(request)
            request.require_checksum()
            validation.require_valid(request)
            # moto takes the account from this header, whoever has sent it.
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = caller.account_id
            with calling(caller):
                return self._api(environ, start_response)
        except ConnectionResetError:
            raise
        except RefusedError as error:
            LOG.warning("refused: %s", error)
            return refuse(environ, start_response, error.refusal, service)
        except NotImplementedError as error:
            LOG.warning("refused by moto: %s %s: %s", service, path, error)
            message = f"The local cloud does not serve this call: {error}"
            return refuse(environ, start_response, Refusal("501 Not Implemented", "NotImplemented", message), service)
        except Exception as error:
            LOG.exception("%s %s", environ.get("REQUEST_METHOD"), path)
            message = f"The local cloud failed: {type(error).__name__}: {error}"
            failure = Refusal("500 Internal Server Error", "InternalFailure", message)
            return refuse(environ, start_response, failure, service)

    def _check(self, request: ApiRequest) -> None:
        environ, service = request.environ, request.service
        path = environ.get("PATH_INFO", "")
        if service == "s3" and (path.startswith("/moto-api") or path == "/favicon.ico"):
            raise RefusedError(Refusal("404 Not Found", "NoSuchBucket", "The local cloud has no such address."))
        if request.region not in self._regions and request.region != "aws-global":
            message = f"AWS has no region '{request.region}'."
            raise RefusedError(Refusal("400 Bad Request", "InvalidRegion", message))
        if service == "s3":
            names = list(parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True))
            if _is_somebody_elses(environ):
                raise RefusedError(Refusal("403 Forbidden", "AccessDenied", "Access Denied"))
            wrong = allowed.refused_s3_query(request.method, names)
            if wrong is not None:
                raise RefusedError(not_served("s3", f"{request.method} with '{wrong}'"))
        elif not allowed.is_allowed(service, request.action):
            raise RefusedError(not_served(service, request.action))


def _is_somebody_elses(environ: WSGIEnvironment) -> bool:
    """Whether the bucket has another owner than the one that the request expects, which moto does not look at."""
    expected = environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER", "")
    bucket = environ.get("PATH_INFO", "").lstrip("/").partition("/")[0]
    owner = s3_backends.bucket_accounts.get(bucket)
    return owner is not None and expected not in {"", owner[1]}

"""What Trino asks of the local cloud, on a loopback port of its own: S3, Glue, STS, and what a caller may do.

Trino signs its requests with a key that only this port knows. With it, it reads Glue's catalog as the account itself;
what a statement may learn of the catalog is asked before (access.py). Objects are read and written in the name of the
query's caller: Trino assumes the role that stands for that caller, whose key opens nothing but what the caller may.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from local_cloud.api.application import Application
from local_cloud.api.authorizer import Authorizer
from local_cloud.api.dispatcher import Dispatcher
from local_cloud.api.errors import RefusedError, answer, refuse
from local_cloud.api.request import ApiRequest
from local_cloud.iam.callers import AccessDeniedError, Caller, Key, Keys, administrator
from local_cloud.settings import Settings
from local_cloud.trino import catalog_columns, objects
from local_cloud.trino.access import Accesses
from local_cloud.trino.files import ROLE_PREFIX

_ROLE_HOURS = 12
_ASSUMED = """\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>\
<AssumedRoleUser><Arn>{role}</Arn><AssumedRoleId>local-cloud</AssumedRoleId></AssumedRoleUser>\
<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
<SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
</AssumeRoleResult><ResponseMetadata><RequestId>local-cloud</RequestId></ResponseMetadata></AssumeRoleResponse>"""


class EngineKeys(Keys):
    """Trino's own key, and one for each role that stands for a caller."""

    def __init__(self, accesses: Accesses) -> None:
        super().__init__()
        self.access_key_id = f"ENGINE{secrets.token_hex(7).upper()}"
        self.secret = secrets.token_hex(20)
        self._accesses = accesses

    def find(self, access_key_id: str) -> Key | None:
        """The key of that id; no other than these is known here."""
        if access_key_id == self.access_key_id:
            return Key(administrator(), self.secret)
        caller = self._accesses.caller_of(access_key_id.replace("ASIA", ROLE_PREFIX, 1))
        if caller is None:
            return None
        return Key(caller, self._derived("secret", access_key_id), self._derived("token", access_key_id))

    @staticmethod
    def id_of(role: str) -> str:
        """The id of the key with which the role that stands for a caller signs."""
        return f"ASIA{role.removeprefix(ROLE_PREFIX)}"

    def _derived(self, what: str, access_key_id: str) -> str:
        return hmac.new(self.secret.encode(), f"{what} {access_key_id}".encode(), hashlib.sha256).hexdigest()


class _EngineAuthorizer(Authorizer):
    """Lets Trino assume the roles that stand for callers."""

    def _authorize_sts(self, request: ApiRequest, caller: Caller) -> None:
        if not caller.is_administrator or request.action != "AssumeRole":
            raise AccessDeniedError(f"The engine's port does not serve sts:{request.action}.")


class EngineApi:
    """The port. `address` is what it listens on; it serves until `close`.

    Attributes:
        url: the address of S3, Glue and STS.
        access_url: where Trino asks what a caller may do.
    """

    def __init__(self, address: str, directory: Path) -> None:
        self.accesses = Accesses(directory)
        self.keys = EngineKeys(self.accesses)
        self._authorizer = _EngineAuthorizer(self.keys)
        self._path = f"/access/{secrets.token_urlsafe(24)}"
        api = Dispatcher()
        self._application = Application(Settings("engine", 1, directory / "engine"), api, 0, self._authorizer.admit)
        self._server = make_server(address, 0, self._serve, threaded=True, request_handler=_Quiet)
        self.url = f"http://{self._server.host}:{self._server.port}"
        self.access_url = f"{self.url}{self._path}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="engine-api", daemon=True).start()

    def close(self) -> None:
        """Serves no longer."""
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if hmac.compare_digest(environ.get("PATH_INFO", "").encode(), self._path.encode()):
            question = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            said = json.dumps({"result": self.accesses.allows(question)})
            return answer(environ, start_response, "200 OK", "application/json", said)
        request = ApiRequest(environ)
        if request.service == "glue":
            action, parameters = request.action, request.parameters
            answered = self._application(environ, start_response)
            catalog_columns.describe(action, parameters, request.region)
            return answered
        if request.service == "s3":
            return self._serve_s3(environ, start_response, request)
        if request.service != "sts":
            return self._application(environ, start_response)
        try:
            self._authorizer.admit(request)
            role = request.form.get("RoleArn", "")
            key = self.keys.find(self.keys.id_of(role))
            if key is None:
                raise AccessDeniedError(f"{role} stands for nobody.")
        except RefusedError as error:
            return refuse(environ, start_response, error.refusal, "sts")
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=_ROLE_HOURS)
        body = _ASSUMED.format(
            role=role,
            id=self.keys.id_of(role),
            secret=key.secret,
            token=key.token,
            expiration=f"{end:%Y-%m-%dT%H:%M:%SZ}",
        )
        return answer(environ, start_response, "200 OK", "text/xml", body)

    def _serve_s3(
        self, environ: WSGIEnvironment, start_response: StartResponse, request: ApiRequest
    ) -> Iterable[bytes]:
        if request.method not in {"GET", "HEAD"}:
            return self._application(environ, start_response)
        try:
            self._authorizer.admit(request)
        except RefusedError as error:
            return refuse(environ, start_response, error.refusal, "s3")
        plain = objects.read(environ, start_response)
        return self._application(environ, start_response) if plain is None else plain


class _Quiet(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""

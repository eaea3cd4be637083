"""An instance's metadata service on loopback that can go away, with credentials that really end."""

from __future__ import annotations

import datetime
import itertools
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.local_cloud.ec2.test_metadata import IDENTITY
from werkzeug.serving import WSGIRequestHandler, make_server

from local_cloud.ec2.metadata import Credentials, MetadataService

_KEY = re.compile(r"Credential=(\w+)/")


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, _type: str, _message: str, *_args: object) -> None:
        """Nothing."""


class InstanceMetadata:
    """The local cloud's service for one instance, whose role's credentials live for `life_seconds`.

    While it is away, nobody listens at its address. `refusal` judges requests to S3 as S3 does.

    Args:
        life_seconds: how long credentials live; Amazon's at least 900.
        away: begins without a service.
    """

    def __init__(self, life_seconds: float, *, away: bool = False) -> None:
        self.life_seconds = life_seconds
        self.minted: dict[str, datetime.datetime] = {}
        self.refused = 0
        self._numbers = itertools.count()
        self._service = MetadataService(lambda _address: IDENTITY, self._assume)
        self._server = make_server("127.0.0.1", 0, self._service, threaded=True, request_handler=_Handler)
        self._port = self._server.server_port
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._absences = 0
        if away:
            self._server.server_close()
        else:
            self._serve()

    def variables(self, folder: Path) -> dict[str, str]:
        """The environment of a program that finds its credentials here and nowhere else."""
        nothing = str(folder / "no-such-file")
        return {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.endpoint,
            "AWS_SHARED_CREDENTIALS_FILE": nothing,
            "AWS_CONFIG_FILE": nothing,
            "AWS_EC2_METADATA_DISABLED": "false",
        }

    def _assume(self, _role: str, _session: str) -> Credentials:
        key = f"ASIA{next(self._numbers):016d}"
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.life_seconds)
        self.minted[key] = end
        return Credentials(key, "secret", "token", end)

    def refusal(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """S3's status and code for a request whose credentials are unknown or have ended; None where they hold."""
        found = _KEY.search(headers.get("Authorization", ""))
        end = self.minted.get(found[1]) if found else None
        if end is None:
            answer = (403, "InvalidAccessKeyId")
        elif end <= datetime.datetime.now(datetime.UTC):
            answer = (400, "ExpiredToken")
        else:
            return None
        self.refused += 1
        return answer

    def _serve(self) -> None:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def go(self) -> None:
        """Nobody listens any more."""
        with self._lock:
            if self._thread is not None:
                self._server.shutdown()
                self._thread.join()
                self._server.server_close()
                self._thread = None

    def come(self) -> None:
        """It answers, at the same address as ever."""
        with self._lock:
            if self._thread is None:
                self._server = make_server(
                    "127.0.0.1", self._port, self._service, threaded=True, request_handler=_Handler
                )
                self._serve()

    @contextmanager
    def absent(self) -> Iterator[None]:
        """Meanwhile it is away; of several absences that overlap, the last one ends it."""
        with self._lock:
            self._absences += 1
        self.go()
        try:
            yield
        finally:
            with self._lock:
                self._absences -= 1
                over = not self._absences
            if over:
                self.come()

    def wait_for_end(self) -> None:
        """Returns when every credential that was given has ended."""
        last = max(self.minted.values(), default=datetime.datetime.now(datetime.UTC))
        time.sleep(max(0.0, (last - datetime.datetime.now(datetime.UTC)).total_seconds()) + 0.05)

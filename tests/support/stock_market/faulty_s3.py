"""A gateway to S3 that misbehaves on demand, as networks and S3 do."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.parse
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple, get_args

Fault = Literal["error", "slow_down", "conflict", "lose_answer", "drop", "hang", "late", "slow"]
FAULTS: tuple[Fault, ...] = get_args(Fault)

_REFUSALS = {
    "error": (500, "InternalError"),
    "slow_down": (503, "SlowDown"),
    "conflict": (409, "ConditionalRequestConflict"),
}
_HANG_SECONDS = 20.0
"""Longer than the consumer waits for an answer."""


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    content: bytes


class FaultyS3:
    """Hands requests on to S3. The next PUTs meet the faults that are put into `faults`, one each.

    Without storing: `error` answers 500, `slow_down` 503, `conflict` 409 (as S3 does when two conditional writes of a
    key meet), `drop` closes the connection, and `hang` does so after longer than anybody waits. `lose_answer` stores,
    and then closes the connection; `late` closes it first and stores seconds afterwards; `slow` takes its time.

    `refusal` judges each request's headers first: S3's status and error code, or None.

    Conditional writes of one key wait for each other, as in S3; moto's server lets them pass between its look and its
    write.
    """

    def __init__(
        self, endpoint: str, refusal: Callable[[Mapping[str, str]], tuple[int, str] | None] = lambda _headers: None
    ) -> None:
        self.refusal = refusal
        self.faults: deque[Fault] = deque()
        self.met: list[Fault] = []
        self.requests: Counter[str] = Counter()
        self._target = urllib.parse.urlsplit(endpoint).netloc
        self._outages: list[Fault] = []
        self._calm = threading.Event()
        self._late: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._keys: dict[str, threading.Lock] = {}
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _hand_on(self) -> None:
                body = self._body()
                refusal = gateway.refusal(self.headers)  # type: ignore[arg-type]  # a Message reads as a Mapping
                if refusal is not None:
                    self._refuse(*refusal)
                    return
                fault = gateway._meet(self.command)
                if fault in _REFUSALS:
                    self._refuse(*_REFUSALS[fault])
                elif fault in {"drop", "hang", "late"}:
                    if fault == "hang":
                        gateway._calm.wait(_HANG_SECONDS)
                    if fault == "late":
                        gateway._store_later(self.path, body, dict(self.headers))
                    self._hang_up()
                else:
                    if fault == "slow":
                        gateway._calm.wait(3.0)
                    answer = gateway._ask(self.command, self.path, body, dict(self.headers))
                    if fault == "lose_answer":
                        self._hang_up()
                    else:
                        self._answer(answer)

            def _body(self) -> bytes:
                if self.headers.get("Expect") == "100-continue":
                    self.send_response_only(100)
                    self.end_headers()
                    del self.headers["Expect"]
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def _hang_up(self) -> None:
                self.close_connection = True
                self.connection.close()

            def _refuse(self, status: int, code: str) -> None:
                content = f"<Error><Code>{code}</Code><Message>The gateway's fault.</Message></Error>".encode()
                self._answer(_Answer(status, {"Content-Type": "application/xml"}, content))

            def _answer(self, answer: _Answer) -> None:
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                        self.send_header(name, value)
                known = answer.headers.get("Content-Length", "0")
                self.send_header("Content-Length", known if self.command == "HEAD" else str(len(answer.content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.content)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _hand_on  # noqa: N815

            def log_message(self, *_args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """A client that was killed, or that has given up, is nothing to report."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _meet(self, command: str) -> Fault | None:
        """The fault that this request meets, if any."""
        with self._lock:
            self.requests[command] += 1
            fault: Fault | None = None
            if self._outages:
                fault = self._outages[-1]
            elif command == "PUT" and self.faults:
                fault = self.faults.popleft()
            if fault is not None:
                self.met.append(fault)
            return fault

    @contextmanager
    def outage(self, fault: Fault) -> Iterator[None]:
        """Meanwhile every request, reading or writing, meets this fault; of several the one that came last."""
        with self._lock:
            self._outages.append(fault)
        try:
            yield
        finally:
            with self._lock:
                self._outages.remove(fault)

    def recover(self) -> None:
        """Ends every fault: what hangs is let go, what is late is stored. Faults can begin again afterwards."""
        with self._lock:
            self.faults.clear()
            late, self._late = self._late, []
        self._calm.set()
        for thread in late:
            thread.join(30)
        time.sleep(0.05)
        self._calm.clear()

    def _store_later(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        def store() -> None:
            self._calm.wait(4.0)
            self._ask("PUT", path, body, headers)

        thread = threading.Thread(target=store, daemon=True)
        with self._lock:
            self._late.append(thread)
        thread.start()

    def _ask(self, command: str, path: str, body: bytes, headers: dict[str, str]) -> _Answer:
        with self._lock:
            turn = self._keys.setdefault(path, threading.Lock())
        upstream = http.client.HTTPConnection(self._target, timeout=30)
        try:
            if command != "PUT":
                return self._exchange(upstream, command, path, body, headers)
            with turn:
                return self._exchange(upstream, command, path, body, headers)
        finally:
            upstream.close()

    @staticmethod
    def _exchange(
        upstream: http.client.HTTPConnection, command: str, path: str, body: bytes, headers: dict[str, str]
    ) -> _Answer:
        upstream.request(command, path, body, headers)
        answer = upstream.getresponse()
        return _Answer(answer.status, dict(answer.getheaders()), answer.read())

    def close(self) -> None:
        """Ends it."""
        self._calm.set()
        self._server.shutdown()
        self._server.server_close()

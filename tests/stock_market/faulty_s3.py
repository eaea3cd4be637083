"""A gateway to S3 that misbehaves on demand, as networks and S3 do."""

from __future__ import annotations

import http.client
import threading
import urllib.parse
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Fault = Literal["error", "lose_answer", "slow_down"]


class FaultyS3:
    """Hands requests on to S3. The next PUTs meet the faults that are put into `faults`, one each.

    `error` answers 500 and `slow_down` 503 without storing; `lose_answer` stores, and then closes the connection.
    """

    def __init__(self, endpoint: str) -> None:
        self.faults: deque[Fault] = deque()
        self.met: list[Fault] = []
        target = urllib.parse.urlsplit(endpoint).netloc
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _hand_on(self) -> None:
                body = self._body()
                fault = gateway.faults.popleft() if self.command == "PUT" and gateway.faults else None
                if fault is not None:
                    gateway.met.append(fault)
                if fault in {"error", "slow_down"}:
                    self._answer(503 if fault == "slow_down" else 500, {}, b"")
                    return
                upstream = http.client.HTTPConnection(target, timeout=10)
                upstream.request(self.command, self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                content = answer.read()
                if fault == "lose_answer":
                    self.close_connection = True
                    self.connection.close()
                    return
                self._answer(answer.status, dict(answer.getheaders()), content)

            def _body(self) -> bytes:
                if self.headers.get("Expect") == "100-continue":
                    self.send_response_only(100)
                    self.end_headers()
                    del self.headers["Expect"]
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                        self.send_header(name, value)
                length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
                self.send_header("Content-Length", length)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _hand_on  # noqa: N815

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()

"""Lets Prometheus read a service's metrics over HTTP: one request at a time, each for a bounded time.

Metrics are not worth a stop: where the service can't listen it says so once, goes on without, and tries again.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
import threading
from socketserver import TCPServer
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, GCCollector, make_wsgi_app

from stock_market.logs import Log
from stock_market.metrics import process
from stock_market.metrics.definition import Readings
from stock_market.metrics.exposition import Reader
from stock_market.service import Stop
from stock_market.settings import MetricsListener

_log = Log("metrics")
_REQUEST_SECONDS = 3.0
"""How long a request may take, from the connection to the last byte of the answer."""
_AGAIN_SECONDS = 30.0


class _Handler(WSGIRequestHandler):
    timeout = _REQUEST_SECONDS

    def log_message(self, *_arguments: object) -> None:
        """Logs no request."""


class _Server(WSGIServer):
    request_queue_size = 8
    allow_reuse_port = False

    def __init__(self, listener: MetricsListener) -> None:
        version = ipaddress.ip_address(listener.address).version
        self.address_family = socket.AF_INET6 if version == 6 else socket.AF_INET
        super().__init__((listener.address, listener.port), _Handler)

    def server_bind(self) -> None:
        """Binds without HTTPServer's question for the address' name, which waits for a name server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers a request; after its time is over, the connection is closed, however slow the other side is."""
        timer = threading.Timer(_REQUEST_SECONDS, _hang_up, (request,))
        timer.daemon = True
        timer.start()
        try:
            super().process_request(request, client_address)
        finally:
            timer.cancel()

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """Who asks and goes away, or is too slow, is no event; anything else is."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            _log.warning("scrape_failed", client=client_address[0], error=repr(error))


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def listen(listener: MetricsListener, readings: Readings, stop: Stop) -> None:
    """Serves the metrics in a thread of their own, until the process ends.

    Args:
        listener: where.
        readings: gives the service's values.
        stop: ends the attempts to listen.
    """
    registry = CollectorRegistry(auto_describe=False)
    for collector in (Reader(readings), Reader(process.readings)):
        registry.register(collector)
    GCCollector(registry)
    threading.Thread(target=_serve, args=(listener, registry, stop), name="metrics", daemon=True).start()


def _serve(listener: MetricsListener, registry: CollectorRegistry, stop: Stop) -> None:
    said = False
    while not stop.requested:
        try:
            server = _Server(listener)
        except OSError as error:
            if not said:
                said = True
                _log.warning(
                    "metrics_unavailable",
                    address=listener.address,
                    port=listener.port,
                    error=error.strerror,
                    advice=f"the stream goes on, and Prometheus gets no metrics until this process can listen there;"
                    f" it tries again every {_AGAIN_SECONDS:g} s",
                )
            stop.wait(_AGAIN_SECONDS)
            continue
        _log.info("metrics_listening", address=listener.address, port=listener.port)
        server.set_app(make_wsgi_app(registry))
        server.serve_forever()

"""`make live`: a page on loopback that shows the market and the pipeline as they move, until Ctrl-C.

Exit codes: 0 ended by Ctrl-C or SIGTERM; 1 something is missing, with one sentence on standard error; 2 the command
line is wrong; 3 there is no deployment.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from stock_market.settings import Kafka
from stock_market_ops.common import charts
from stock_market_ops.common.deployment import Deployment, add_options, deployment_of
from stock_market_ops.live.feed import Sources
from stock_market_ops.live.history import AthenaHistory
from stock_market_ops.live.market import Market
from stock_market_ops.live.pipeline import Watch
from stock_market_ops.live.reader import Reader
from stock_market_ops.live.server import application, server_of

EXIT_FAILED = 1
USER = "live"
"""Of Kafka, made by playbooks/live.yml: it may read the topic, and nothing else."""
_TOKEN_BYTES = 32


class LiveError(Exception):
    """There is no page; the message is one sentence."""


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: it is a number up to 65535, or 0 for a free one")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="stock_market_ops.live", description="Show market and pipeline on a page.")
    result.add_argument("--port", type=_port, default=0, help="of 127.0.0.1; default: a free one")
    add_options(result)
    result.add_argument("--node-modules", type=Path, default=charts.NODE_MODULES, help=argparse.SUPPRESS)
    return result


def kafka_of(deployment: Deployment, state: Path) -> Kafka:
    """Return how the page reads the topic: as the user that playbooks/live.yml has made.

    Raises:
        LiveError: there is no broker, or no such user.
    """
    servers = [server for server in deployment.bootstrap_servers.split(",") if server]
    if not servers:
        raise LiveError("No running instance carried a broker when `make up` last ran: run it again.")
    user = deployment.kafka_security
    if user is not None:
        password = state / "clients" / f"{USER}.password"
        if not password.exists():
            raise LiveError("The page has no Kafka user yet: run `make live`, which creates it.")
        user = msgspec.structs.replace(user, username=USER, password_file=str(password))
    return Kafka(bootstrap_servers=servers, topic=deployment.topic, security=user)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        # From here on connections wait for the server: the address may be used as soon as it is printed.
        listener.listen()
    except OSError as error:
        listener.close()
        raise LiveError(
            f"The page can't listen on port {port}: {error.strerror}; name another one: PORT=8123."
        ) from None
    return listener


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is ended; return the exit code."""
    options = _parser().parse_args(arguments)
    # kafka-python logs every failed connection attempt; the page says it once, in a sentence.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    deployment = deployment_of(options)
    try:
        kafka = kafka_of(deployment, options.state_root / deployment.deployment)
        libraries = charts.libraries(options.node_modules)
        listener = _listen(options.port)
    except (LiveError, charts.ChartsError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    with listener:
        serve(deployment, kafka, libraries, listener)
    return 0


def serve(deployment: Deployment, kafka: Kafka, libraries: dict[str, str], listener: socket.socket) -> None:
    """Serve the page on `listener` until Ctrl-C or SIGTERM."""
    market = Market()
    reader = Reader(kafka, market)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    port = listener.getsockname()[1]
    with Watch(deployment, kafka, lambda: reader.view().newest) as watch:
        sources = Sources(deployment.deployment, deployment.topic, market, reader, watch, AthenaHistory(deployment))
        server = server_of(lambda ending: application(sources, libraries, token, port, ending))
        reader.start()
        sys.stdout.write(f"http://127.0.0.1:{port}/{token}/\n")
        sys.stdout.flush()
        sys.stderr.write("The page is open to whoever has this address, on this machine. Ctrl-C ends it.\n")
        # uvicorn ends on both signals, and then raises them again.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
        reader.stop()
        reader.join(3)

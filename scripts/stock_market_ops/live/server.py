"""The page's web application: closed to everyone without its token, and to other origins and names of this machine."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stock_market_ops.live.candles import WIDTHS
from stock_market_ops.live.feed import Feed, Sources

MOST_PAGES: Final = 8
"""Pages that may be open at once."""
TICK_SECONDS: Final = 0.2
_QUIET_SECONDS: Final = 10.0
_LONGEST_SYMBOL: Final = 64
_CONNECTIONS: Final = 64
_PAGE: Final = Path(__file__).parent / "page"
_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""Of every answer. No inline script or style, no eval, nothing from elsewhere, and no text becomes an element."""


class Closed:
    """Answers only requests that name this address, come from this page or from nowhere, and know the token.

    The token is the path's first part: so the browser sends it with every request of the page, and only there. A cookie
    would go to every other port of the host, too (RFC 6265, 8.5). It is compared in constant time, before anything else
    is said. Another Host is a name that somebody else has pointed at loopback (DNS rebinding).
    """

    def __init__(self, application: ASGIApp, token: str, port: int) -> None:
        self._application = application
        self._token = token.encode()
        self._hosts = {f"127.0.0.1:{port}".encode(), f"localhost:{port}".encode()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, as ASGI wants it."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *more]
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        path = "/" + scope["path"].split("/", 2)[2]
        await self._application({**scope, "path": path, "raw_path": path.encode()}, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = [(name.lower(), value) for name, value in scope["headers"]]
        hosts = [value.lower() for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return PlainTextResponse("This server answers only to the address that it printed.\n", 421)
        own = b"http://" + hosts[0]
        if any(name == b"origin" and value.lower() != own for name, value in headers) or any(
            name == b"sec-fetch-site" and value not in {b"same-origin", b"none"} for name, value in headers
        ):
            return PlainTextResponse("This server answers no other page.\n", 403)
        first, _, rest = scope["path"].removeprefix("/").partition("/")
        if not hmac.compare_digest(first.encode(), self._token) or "/" + first + "/" + rest != scope["path"]:
            return PlainTextResponse("The token in the address is missing or wrong: see what make live printed.\n", 403)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("This server only shows.\n", 405)
        return None


def server_of(make: Callable[[Callable[[], bool]], ASGIApp]) -> uvicorn.Server:
    """Return the server of an application, which is made with a function that tells whether the server is ending."""
    config = uvicorn.Config(
        make(lambda: server.should_exit),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    return server


def application(
    sources: Sources, libraries: Mapping[str, str], token: str, port: int, ending: Callable[[], bool]
) -> ASGIApp:
    """Return the application; `ending` says whether the server ends, and open pages have to be let go."""
    files = {path.name: path.read_bytes() for path in sorted(_PAGE.iterdir()) if path.suffix in _TYPES}
    files |= {name: text.encode() for name, text in libraries.items()}
    pages: set[Feed] = set()

    async def file(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in files:
            return PlainTextResponse("There is no such file.\n", 404)
        return Response(files[name], media_type=_TYPES[Path(name).suffix])

    async def events(request: Request) -> Response:
        chosen = _chosen(request)
        if chosen is None:
            return PlainTextResponse(_UNKNOWN, 400)
        if len(pages) >= MOST_PAGES:
            return PlainTextResponse(f"{MOST_PAGES} pages are open already: close one.\n", 503)
        return StreamingResponse(_messages(Feed(sources, *chosen), pages, ending), media_type="text/event-stream")

    async def history(request: Request) -> Response:
        chosen = _chosen(request)
        if chosen is None or not chosen[0]:
            return PlainTextResponse(_UNKNOWN, 400)
        found = await run_in_threadpool(sources.history.older, *chosen)
        return Response(msgspec.json.encode(found), media_type="application/json")

    routes = [Route("/", file), Route("/events", events), Route("/history", history), Route("/{name}", file)]
    return Closed(Starlette(routes=routes), token, port)


_UNKNOWN: Final = (
    f"Say symbol=, of at most {_LONGEST_SYMBOL} characters, and width=, one of {', '.join(map(str, WIDTHS))}.\n"
)


def _chosen(request: Request) -> tuple[str, int] | None:
    symbol, width = request.query_params.get("symbol", ""), request.query_params.get("width", "")
    if len(symbol) > _LONGEST_SYMBOL or width not in map(str, WIDTHS):
        return None
    return symbol, int(width)


async def _messages(feed: Feed, pages: set[Feed], ending: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yields server-sent events: the whole state, then what has changed.

    There is no queue. The next message is made when the browser has taken the one before, of what is new by then: a
    slow page gets fewer, and each the newest. One that connects again gets the whole state, so no event needs an id.
    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """
    pages.add(feed)
    spoken = time.monotonic()
    try:
        yield b"retry: 1000\n\n"
        while not ending():
            message = feed.next()
            now = time.monotonic()
            if message:
                spoken = now
                yield b"data: " + msgspec.json.encode(message) + b"\n\n"
            elif now - spoken > _QUIET_SECONDS:
                spoken = now
                yield b":\n\n"
            await asyncio.sleep(TICK_SECONDS)
    finally:
        pages.discard(feed)

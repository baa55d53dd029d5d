"""The web server: the only module that knows aiohttp. It serves the table of endpoints, the page, and its assets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from http import HTTPStatus
from importlib.resources import files
from types import TracebackType
from typing import Any, Final
from urllib.parse import parse_qs

from aiohttp import web

from partisan_actors.dashboard.access import CSRF_HEADER, SECURITY_HEADERS, SESSION_S, Access, Asked
from partisan_actors.dashboard.catalogue import ENDPOINTS
from partisan_actors.dashboard.doors import Doors, Patience
from partisan_actors.dashboard.endpoints import Desk, Endpoint, Raw
from partisan_actors.dashboard.event_views import happenings
from partisan_actors.dashboard.https import Certificate
from partisan_actors.dashboard.overlay_views import changes
from partisan_actors.dashboard.parameters import read
from partisan_actors.dashboard.problems import PROBLEM_TYPE, Problem
from partisan_actors.errors import ConfigError
from partisan_actors.wire.addresses import format_address

__all__ = ["Server"]

logger = logging.getLogger(__name__)

# Where aiohttp complains of requests that are no HTTP: whoever sends such is told so, and must not fill our log.
_protocol_log: Final = logging.getLogger(f"{__name__}.protocol")
_protocol_log.setLevel(logging.CRITICAL)

BODY_BYTES_MAX: Final = 16 * 1024 * 1024
FIELDS_MAX: Final = 100
CLOSE_S: Final = 2.0
HANDSHAKE_S: Final = 15.0
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 5\r\n\r\n"
ASSET_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

WebHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Stream = Callable[[Desk], AsyncGenerator[tuple[str, Any], None]]
# What pages are told without asking: by path.
STREAMS: Final[dict[str, Stream]] = {"/api/v1/changes": changes, "/api/v1/events/stream": happenings}


class Server:
    """Serves one dashboard on the running loop, from `start` to `close`."""

    def __init__(self, desk: Desk, certificate: Certificate | None = None, *, patience: Patience | None = None) -> None:
        """With a certificate it speaks HTTPS, and nothing else."""
        self._desk = desk
        self._patience = patience or Patience()
        self._doors = Doors(self._patience, time.monotonic)
        self._sweeper: asyncio.Task[None] | None = None
        self._listener: asyncio.Server | None = None
        self._certificate = certificate
        self._access = Access(desk.options, time.monotonic)
        self._assets = _load_assets()
        self._streams = 0
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen. Raises ConfigError when that cannot be."""
        app = web.Application(middlewares=[self._guard], client_max_size=BODY_BYTES_MAX)
        for endpoint in ENDPOINTS:
            app.router.add_route(endpoint.method, endpoint.path, self._serve(endpoint))
        app.router.add_get("/", self._index)
        app.router.add_post("/login", self._login)
        app.router.add_post("/logout", self._logout)
        app.router.add_get("/assets/{name}", self._asset)
        for path, tell in STREAMS.items():
            app.router.add_get(path, self._stream(tell))
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_S, logger=_protocol_log
        )
        await self._runner.setup()
        options = self._desk.options
        context = self._certificate.context if self._certificate is not None else None
        secure: dict[str, Any] = {"ssl": context, "ssl_handshake_timeout": HANDSHAKE_S} if context is not None else {}
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._welcome, options.host, options.port, **secure
            )
        except OSError as error:
            await self._runner.cleanup()
            address = format_address(options.host, options.port)
            taken = " that is free: another one with --port, or 0 for any" if error.errno == errno.EADDRINUSE else ""
            raise ConfigError("dashboard address", address, f"one of this machine{taken} ({error.strerror})") from error
        self.port = self._listener.sockets[0].getsockname()[1]
        self._sweeper = asyncio.create_task(self._sweep(), name="dashboard closes doors")

    async def close(self) -> None:
        """Listen no more; who is being answered has CLOSE_S."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """Where a browser finds it, with the token."""
        return self._desk.options.url(self.port, "http" if self._certificate is None else "https")

    # ---- who comes in -----------------------------------------------------------------------------------------

    def _welcome(self) -> asyncio.Protocol:
        assert self._runner is not None and self._runner.server is not None
        server = self._runner.server
        return _TurnedAway() if self._doors.is_full(len(server.connections)) else server()

    async def _sweep(self) -> None:
        """Close, every now and then, what has been waited for long enough."""
        assert self._runner is not None and self._runner.server is not None
        server = self._runner.server
        while True:
            await asyncio.sleep(self._patience.sweep_s)
            late = set(self._doors.overdue(server.connections))
            for connection in server.connections:
                if connection in late and connection.transport is not None:
                    connection.transport.abort()

    async def _body(self, request: web.Request) -> bytes:
        """All of it, up to BODY_BYTES_MAX. Raises Problem when it does not come."""
        try:
            async with asyncio.timeout(self._patience.body_s):
                return await request.read()
        except TimeoutError:
            raise Problem(408, f"the request did not end within {self._patience.body_s:g} s") from None

    # ---- the table of endpoints -------------------------------------------------------------------------------

    def _serve(self, endpoint: Endpoint) -> WebHandler:
        async def handle(request: web.Request) -> web.StreamResponse:
            asked = self._asked(request)
            if endpoint.is_open:
                self._access.check_host(asked)
                session = None
            else:
                session = self._access.check(asked)
            if endpoint.is_action:
                self._access.check_action(asked)
            query = request.query.items()
            given = read(endpoint.parameters, request.match_info, query, lenient=endpoint.is_lenient)
            given["csrf"] = session.csrf if session is not None else None
            given["may_act"] = self._access.may_act(asked, session)
            given["who"] = f"the dashboard, for somebody at {request.remote or 'an unknown address'},"
            if endpoint.takes_body:
                given["body"] = await self._body(request)
            value = await endpoint.handler(self._desk, given)
            if isinstance(value, Raw):
                return web.Response(body=value.body, status=value.status, headers={"Content-Type": value.content_type})
            return _json(value)

        return handle

    def _asked(self, request: web.Request) -> Asked:
        headers = request.headers
        return Asked(
            method=request.method,
            host=headers.get("Host", ""),
            origin=headers.get("Origin", ""),
            fetch_site=headers.get("Sec-Fetch-Site", ""),
            authorization=headers.get("Authorization", ""),
            cookie=request.cookies.get(self._cookie_name, ""),
            csrf=headers.get(CSRF_HEADER, ""),
        )

    @property
    def _cookie_name(self) -> str:
        # Cookies know no ports, and several dashboards may run on one host.
        return f"partisan-dashboard-{self.port}"

    @web.middleware
    async def _guard(self, request: web.Request, handler: WebHandler) -> web.StreamResponse:
        """Every answer has the headers that browsers need, and every failure is a Problem."""
        self._doors.asked(request.protocol)
        try:
            response = await handler(request)
        except Problem as problem:
            response = _problem(problem)
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                response = error
            else:
                detail = error.text if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else error.reason
                kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
                response = _problem(Problem(error.status, detail or "", kept))
        except ConnectionError:  # whoever asked has hung up
            raise
        except Exception:  # top of a request: whatever is wrong with one must not end the others
            logger.exception("the dashboard failed at %s %s", request.method, request.path)
            response = _problem(Problem(500, "the dashboard has a bug: its log says where"))
        finally:
            self._doors.answered(request.protocol)
        if not response.prepared:
            response.headers.update(SECURITY_HEADERS)
        return response

    # ---- the page ---------------------------------------------------------------------------------------------

    async def _index(self, request: web.Request) -> web.StreamResponse:
        asked = self._asked(request)
        self._access.check_host(asked)
        token = request.query.get("token", "")
        if token:
            response: web.Response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
            return self._begin(response, token) or self._page("login.html", HTTPStatus.UNAUTHORIZED)
        if self._access.session(asked) is not None:
            return self._page("index.html")
        return self._begin(self._page("index.html"), "") or self._page("login.html", HTTPStatus.UNAUTHORIZED)

    async def _login(self, request: web.Request) -> web.StreamResponse:
        asked = self._asked(request)
        self._access.check_host(asked)
        self._access.check_same_origin(asked)
        try:
            form = parse_qs((await self._body(request)).decode(errors="replace"), max_num_fields=FIELDS_MAX)
        except ValueError:
            raise Problem(400, "a form with the field token is expected") from None
        response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
        began = self._begin(response, form.get("token", [""])[0])
        return began or self._page("login.html", HTTPStatus.UNAUTHORIZED)

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        asked = self._asked(request)
        session = self._access.check(asked)
        self._access.check_secret(asked, session)
        if session is not None:
            self._access.end(session)
        response = web.Response(status=HTTPStatus.NO_CONTENT)
        response.del_cookie(self._cookie_name)
        return response

    def _begin(self, response: web.Response, token: str) -> web.Response | None:
        """The response with the cookie of a new session; None when the token is wrong."""
        session = self._access.begin(token)
        if session is None:
            return None
        how: dict[str, Any] = {"max_age": int(SESSION_S), "httponly": True, "samesite": "Strict"}
        response.set_cookie(self._cookie_name, session.id, secure=self._certificate is not None, **how)
        return response

    def _page(self, name: str, status: int = HTTPStatus.OK) -> web.Response:
        body, content_type = self._assets[name]
        return web.Response(body=body, status=status, headers={"Content-Type": content_type})

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        self._access.check_host(self._asked(request))
        name = request.match_info["name"]
        if name not in self._assets:
            raise Problem(404, "there is no such file")
        return self._page(name)

    # ---- what changes -----------------------------------------------------------------------------------------

    def _stream(self, tell: Stream) -> WebHandler:
        """Server-sent events."""

        async def handle(request: web.Request) -> web.StreamResponse:
            asked = self._asked(request)
            self._access.check(asked)
            if self._streams >= self._patience.streams_max:
                raise Problem(503, f"{self._patience.streams_max} pages are told of what changes already")
            headers = {**SECURITY_HEADERS, "Content-Type": "text/event-stream"}
            response = web.StreamResponse(headers=headers)
            self._streams += 1
            self._doors.streams(request.protocol)
            try:
                await response.prepare(request)
                # Closed here, and not when somebody collects garbage: what it waits for is given up at once.
                async with contextlib.aclosing(tell(self._desk)) as told:
                    async for kind, value in told:
                        self._access.check(asked)
                        await self._write(response, kind, value)
            except Problem as problem:  # the session has ended
                if not response.prepared:
                    raise
                await self._write(response, "problem", problem.plain())
            except ConnectionError:  # the page was closed
                pass
            except TimeoutError:  # it is there, and does not read
                if request.transport is not None:
                    request.transport.abort()
            finally:
                self._streams -= 1
            return response

        return handle

    async def _write(self, response: web.StreamResponse, kind: str, value: Any) -> None:
        async with asyncio.timeout(self._patience.write_s):
            await response.write(_event(kind, value))


class _TurnedAway(asyncio.Protocol):
    """Says that there is no room, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(_FULL)
        transport.close()


def _load_assets() -> dict[str, tuple[bytes, str]]:
    found = {}
    for each in files("partisan_actors.dashboard").joinpath("assets").iterdir():
        kind = ASSET_TYPES.get(each.name[each.name.rfind(".") :])
        if kind is not None:
            found[each.name] = each.read_bytes(), f"{kind}; charset=utf-8"
    return found


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=str, allow_nan=False)


def _event(kind: str, value: Any) -> bytes:
    return f"event: {kind}\ndata: {_text(value)}\n\n".encode()


def _json(value: Any) -> web.Response:
    return web.Response(text=_text(value), content_type="application/json")


def _problem(problem: Problem) -> web.Response:
    body = _text(problem.plain())
    return web.Response(text=body, status=problem.status, content_type=PROBLEM_TYPE, headers=problem.headers)

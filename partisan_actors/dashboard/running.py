"""A dashboard that runs: an observer of the cluster with a web server, on the running loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType

from partisan_actors.api.observer import Observer
from partisan_actors.dashboard.endpoints import Desk
from partisan_actors.dashboard.https import Certificate
from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.server import Server
from partisan_actors.dashboard.watching import Watcher
from partisan_actors.node.node import Transport
from partisan_actors.node.tls import TlsFiles

__all__ = ["Dashboard"]


class Dashboard:
    """Use it as ``async with``. `addresses` tells where nodes of the cluster are looked for, each time one is needed.

    Entering it raises what `Observer.connect` raises, and ConfigError when it cannot listen. With `tls`, the cluster's
    certificates, it may speak HTTPS: see `DashboardOptions`.
    """

    def __init__(
        self,
        options: DashboardOptions,
        addresses: Callable[[], Sequence[str]],
        cookie: bytes,
        cluster: str = "",
        *,
        tls: TlsFiles | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.options = options.guarded()
        self._certificate_files = options.certificate(tls)
        self._addresses = addresses
        self._observer = Observer(cookie, cluster, tls=tls, transport=transport)
        self._stack = AsyncExitStack()
        self._server: Server | None = None

    async def __aenter__(self) -> Dashboard:
        async with AsyncExitStack() as stack:
            observer = await stack.enter_async_context(self._observer)
            watcher = Watcher(observer, self._addresses, time.monotonic)
            stack.push_async_callback(watcher.close)
            await watcher.start()
            desk = Desk(watcher, self.options, time.time)
            stack.push_async_callback(desk.close)
            files = self._certificate_files
            certificate = Certificate(*files) if files is not None else None
            self._server = await stack.enter_async_context(Server(desk, certificate))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """Where a browser finds it, with the token."""
        assert self._server is not None, "enter the dashboard first"
        return self._server.url

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None, "enter the dashboard first"
        return self._server.port

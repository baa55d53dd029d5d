"""A dashboard that runs: an observer of the cluster with a web server, on a loop of the caller's or of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Final

from partisan_actors.api.observer import Observer
from partisan_actors.dashboard.endpoints import Desk
from partisan_actors.dashboard.options import DashboardOptions
from partisan_actors.dashboard.server import Server
from partisan_actors.dashboard.watching import Watcher
from partisan_actors.errors import ConfigError
from partisan_actors.node.loop import LoopThread
from partisan_actors.node.node import Transport
from partisan_actors.node.tls import TlsFiles

__all__ = ["BesideNode", "Dashboard"]

START_S: Final = 30.0
CLOSE_S: Final = 10.0


class Dashboard:
    """Use it as ``async with``. `addresses` tells where nodes of the cluster are looked for, each time one is needed.

    Entering it raises what `Observer.connect` raises, and ConfigError when it cannot listen.
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
            self._server = await stack.enter_async_context(Server(desk))
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


class BesideNode:
    """A dashboard on a thread and a loop of its own, in the process of a node that it looks at like any other client.

    So it answers, and says so, when the loop of that node stands still.
    """

    def __init__(
        self,
        options: DashboardOptions,
        address: str,
        cookie: bytes,
        cluster: str,
        *,
        tls: TlsFiles | None = None,
        any_port: bool = False,
    ) -> None:
        """With `any_port`, a free one is taken when that of `options` is not. Raises as entering a Dashboard does."""
        self._is_closed = False
        self._thread = LoopThread("partisan-dashboard")

        async def enter(options: DashboardOptions) -> Dashboard:
            return await Dashboard(options, lambda: [address], cookie, cluster, tls=tls).__aenter__()

        try:
            try:
                self._dashboard = self._thread.run(enter(options), START_S)
            except ConfigError:
                if not any_port or not options.port:
                    raise
                self._dashboard = self._thread.run(enter(replace(options, port=0)), START_S)
        except BaseException:
            self._thread.stop()
            raise

    @property
    def url(self) -> str:
        """Where a browser finds it, with the token."""
        return self._dashboard.url

    def close(self) -> None:
        """End it. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._thread.run(self._dashboard.__aexit__(None, None, None), CLOSE_S)
        except (TimeoutError, RuntimeError, asyncio.CancelledError):  # it ends with the process, then
            pass
        finally:
            self._thread.stop()

"""A dashboard in the process of a node, on a thread and a loop of its own.

It looks at the node like any other client; so it answers, and says so, when the loop of that node stands still.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any, Final, TypeVar

from partisan_actors.dashboard.options import DEFAULT_PORT, DashboardOptions
from partisan_actors.dashboard.running import Dashboard
from partisan_actors.errors import ConfigError
from partisan_actors.node.loop import LoopThread
from partisan_actors.node.tls import TlsFiles
from partisan_actors.wire.addresses import parse_address

__all__ = ["TOKEN_VARIABLE", "BesideNode", "open_beside", "options_of"]

T = TypeVar("T")

CLOSE_S: Final = 5.0
TOKEN_VARIABLE: Final = "PARTISAN_DASHBOARD_TOKEN"


def options_of(wanted: bool | int | str | Mapping[str, Any]) -> DashboardOptions:
    """The options that somebody wants who says True, a port, "HOST:PORT", or the options. Raises ConfigError."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if isinstance(wanted, Mapping):
        known = [each.name for each in fields(DashboardOptions)]
        for name in wanted:
            if name not in known:
                raise ConfigError("dashboard", name, f"options {', '.join(known)}")
        given = {"token": token, **wanted}
        return DashboardOptions(**{**given, "allowed_hosts": tuple(given.get("allowed_hosts", ()))})
    if isinstance(wanted, bool):
        return DashboardOptions(token=token)
    text = str(wanted)
    host, port = ("127.0.0.1", int(text)) if text.isdigit() else parse_address(text, DEFAULT_PORT)
    return DashboardOptions(host, port, token)


async def open_beside(
    wanted: bool | int | str | Mapping[str, Any], address: str, cookie: bytes, cluster: str, tls: TlsFiles | None
) -> BesideNode:
    """Run a dashboard for the node at `address`; with True, at any port when the usual one is taken.

    Raises ConfigError, and what entering a `Dashboard` raises.
    """
    options = options_of(wanted)
    try:
        return await BesideNode.open(Dashboard(options, lambda: [address], cookie, cluster, tls=tls))
    except ConfigError:
        if wanted is not True:
            raise
    options = replace(options, port=0)
    return await BesideNode.open(Dashboard(options, lambda: [address], cookie, cluster, tls=tls))


class BesideNode:
    """A running dashboard, and its thread."""

    def __init__(self, dashboard: Dashboard, thread: LoopThread) -> None:
        self._dashboard = dashboard
        self._thread = thread
        self._is_closed = False

    @classmethod
    async def open(cls, dashboard: Dashboard) -> BesideNode:
        """Enter the dashboard on a new thread. The loop that waits for it goes on: it is asked meanwhile."""
        thread = LoopThread("partisan-dashboard")
        try:
            await _on(thread, dashboard.__aenter__())
        except BaseException:
            thread.stop()
            raise
        return cls(dashboard, thread)

    @property
    def url(self) -> str:
        """Where a browser finds it, with the token."""
        return self._dashboard.url

    async def close(self) -> None:
        """End it; what takes longer than CLOSE_S for that ends with the process. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await _on(self._thread, self._dashboard.__aexit__(None, None, None))
        self._thread.stop()


async def _on(thread: LoopThread, job: Coroutine[Any, Any, T]) -> T:
    """Run a job there, and wait here."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(job, thread.loop))

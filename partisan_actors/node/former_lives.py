"""Lives that are over: whoever knows of a later life of a name has no more to do with an earlier one.

Others may have an earlier life in a view for a while, and name it in what they send. Each time this node hears of one
that way, it lets go of it, and so it is dialled by nobody who knows better, and passed on by nobody for long.
"""

from __future__ import annotations

import asyncio

from partisan_actors.ids import NodeId
from partisan_actors.node.directory import ANOTHER_LIFE
from partisan_actors.node.driver import Driver
from partisan_actors.node.router import Router

__all__ = ["FormerLives"]


class FormerLives:
    """Lets go of them for one node: in its router, and in its overlay."""

    def __init__(self, router: Router, driver: Driver, loop: asyncio.AbstractEventLoop) -> None:
        self._router = router
        self._driver = driver
        self._loop = loop
        self._named: dict[NodeId, NodeId] = {}

    def named(self, former: NodeId, later: NodeId) -> None:
        """Somebody spoke of `former`, or has just told of `later`."""
        if not self._named:  # what speaks of it is still being read
            self._loop.call_soon(self._let_go)
        self._named[former] = later

    def _let_go(self) -> None:
        named, self._named = self._named, {}
        for former, later in named.items():
            self._router.mark_down(former, ANOTHER_LIFE)
            self._driver.supersede(former, later)

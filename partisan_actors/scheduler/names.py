"""Names of actors, unique across the cluster without a head.

Each name has a *home*: the node that rendezvous hashing prefers for it among those that are up. A claim is decided by
the home alone, so two claims of one name meet there; the winner is announced to everybody as the entry ``name/<name>``
of the replicated map. When a home goes down the next one decides from the entries it knows. During a partition each
side may give out the same name once; when it heals the older claim stays, and the other actor keeps running unnamed.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from partisan_actors.actors.restart import rendezvous
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ActorExists, ActorNotFound, NodeError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.node import Node

__all__ = ["Names"]

logger = logging.getLogger(__name__)

SERVICE: Final = "names"
PREFIX: Final = "name/"
# A stamp orders claims the older first: the greater stamp wins in the map, so time counts down.
_LATEST: Final = 1 << 62


class Names:
    """The names this node is home to, and the way to every other name."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._node: Node = system.node
        self._claims: dict[str, tuple[ActorId, int]] = {}
        system.serve(SERVICE, self)

    def _home(self, name: str) -> NodeId:
        return rendezvous(name, [record.node for record in self._node.directory.live()])[0]

    # ---- for this node ----------------------------------------------------------------------------------------

    async def register(self, name: str, actor: ActorId, handle: bytes) -> None:
        """Claim `name` for `actor`. Raises ActorExists when another actor has it."""
        taken = await self._ask_home(name, "claim", [*actor.node, actor.number], handle)
        if taken is not None:
            raise ActorExists(name, taken)

    async def find(self, name: str) -> bytes:
        """The handle, encoded, of the actor of that name. Raises ActorNotFound."""
        entry = self._entry(name)
        if entry is not None:
            handle: bytes = entry["handle"]
            return handle
        found: bytes | None = await self._ask_home(name, "lookup")
        if found is None:
            raise ActorNotFound(repr(name))
        return found

    def unregister(self, name: str, actor: ActorId) -> None:
        """The actor ended for good: its name is free again."""
        entry = self._entry(name)
        stamp = self._stamp(name)
        if entry is not None and stamp is not None and _same(entry["actor"], actor):
            self._node.driver.write(PREFIX + name, (stamp[0], stamp[1] + 1), None)
        else:
            self._system.notify(self._home(name), SERVICE, "release", name, actor.node.name, actor.node.incarnation, actor.number)

    def all(self) -> dict[str, dict[str, Any]]:
        """Every name that is known here."""
        exchange = self._node.driver.stack.exchange
        assert exchange is not None
        return {key.removeprefix(PREFIX): entry.value for key, entry in exchange.items(PREFIX) if entry.value is not None}

    async def _ask_home(self, name: str, request: str, *args: Any) -> Any:
        while True:
            home = self._home(name)
            try:
                return await self._system.request(home, SERVICE, request, name, *args)
            except NodeError:
                if self._node.directory.is_up(home):
                    raise

    # ---- requests from other nodes ----------------------------------------------------------------------------

    async def claim(self, peer: Any, name: str, actor: list[Any], handle: bytes) -> str | None:
        """Decide a claim: None when it is granted, else the node of the actor that has the name."""
        wanted = ActorId(NodeId(actor[0], actor[1]), actor[2])
        entry = self._entry(name)
        if entry is not None:
            return None if _same(entry["actor"], wanted) else str(entry["actor"][0])
        claimed = self._claims.get(name)
        stamp = self._stamp(name)
        if claimed is not None and claimed[0] != wanted and (stamp is None or stamp[0] <= claimed[1]):
            return claimed[0].node.name
        order = max(_LATEST - time.time_ns() // 1000, (stamp[0] + 1) if stamp else 0)
        self._claims[name] = (wanted, order)
        self._node.driver.write(PREFIX + name, (order, 0), {"actor": list(actor), "handle": handle})
        return None

    async def lookup(self, peer: Any, name: str) -> bytes | None:
        """The handle of a name this node is home to."""
        entry = self._entry(name)
        return entry["handle"] if entry is not None else None

    async def release(self, peer: Any, name: str, node: str, incarnation: int, number: int) -> None:
        """The actor of a name ended before its node knew the entry."""
        self._claims.pop(name, None)
        if self._entry(name) is not None:
            self.unregister(name, ActorId(NodeId(node, incarnation), number))

    def _entry(self, name: str) -> dict[str, Any] | None:
        exchange = self._node.driver.stack.exchange
        entry = exchange.get(PREFIX + name) if exchange is not None else None
        return entry.value if entry is not None and isinstance(entry.value, dict) else None

    def _stamp(self, name: str) -> tuple[int, ...] | None:
        exchange = self._node.driver.stack.exchange
        entry = exchange.get(PREFIX + name) if exchange is not None else None
        return tuple(entry.stamp) if entry is not None else None


def _same(plain: list[Any], actor: ActorId) -> bool:
    return plain == [*actor.node, actor.number]

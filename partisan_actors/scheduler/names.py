"""Names of actors, unique across the cluster without a head.

Each name has a *home*: the node that rendezvous hashing prefers for it among those that are up. A claim is decided by
the home alone, so two claims of one name meet there. When a home goes down the next one decides from what it knows.
During a partition each side may give out the same name once; when it heals the older claim stays, and the other actor
keeps running unnamed, which its host tells as the event ``name.taken``.

A name is meant in its namespace: what this module calls a name is the key of both (see `namespaces`).

What becomes of a claim is told to everybody as the entry ``name/<name>`` of the replicated map, with the stamp
``(order, phase)``: the home gives each claim its order, and for one claim the phases are claimed, settled on a host
(for the first life, the second, ...), released. Whoever knows of such a step writes it, always the same value for the
same stamp: the maker when the actor has a host, the host when the actor ends, and the home when the host is down.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from partisan_actors.actors.namespaces import name_of, shown
from partisan_actors.actors.restart import rendezvous
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ActorExists, ActorNotFound, ActorUnavailable, NodeError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.node import Node
from partisan_actors.scheduler.spec import ActorSpec

__all__ = ["Names"]

logger = logging.getLogger(__name__)

SERVICE: Final = "names"
PREFIX: Final = "name/"
RETRY_S: Final = 0.25
# How long the names are left alone whose place only a node knew that went down: their hosts may tell.
UNSETTLED_S: Final = 3.0
ATTEMPTS: Final = 20
# A stamp orders claims the older first: the greater stamp wins in the map, so time counts down.
_LATEST: Final = 1 << 62
# The phases of one claim.
_CLAIMED: Final = 0
_SETTLED: Final = 1
_RELEASED: Final = 1 << 31


class Names:
    """The names this node is home to, and the way to every other name."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._node: Node = system.node
        self._unsettled_until = 0.0
        # Whether this node runs an actor; the scheduler knows.
        self.runs: Callable[[ActorId], bool] = lambda actor: False
        # The actors that run here and have their names, by name: no more than the map has entries of names.
        self._held: dict[str, ActorId] = {}
        self._node.on_entry[PREFIX] = self._entry_changed
        system.serve(SERVICE, self)
        self._node.directory.on_down.append(self._node_down)
        self._node.on_sweep.append(self._sweep)

    def _home(self, name: str) -> NodeId:
        # This node is not in the directory before it has joined, and not after it has left.
        live = [record.node for record in self._node.directory.live() if not record.hosted_by] or [self._node.me]
        return rendezvous(name, live)[0]

    # ---- for this node ----------------------------------------------------------------------------------------

    async def register(self, spec: ActorSpec) -> ActorSpec:
        """Claim the name of an actor that is to be made; returns the spec with its claim. Raises ActorExists."""
        name, wanted = spec.qualified_name or "", _entry_of(spec, None)
        order, taken = await self._ask_home(name, "claim", wanted)
        if taken is not None:
            raise ActorExists(spec.name or "", taken)
        self._write(name, (order, _CLAIMED), wanted)
        return replace(spec, claim=order)

    def settle(self, spec: ActorSpec, host: NodeId) -> None:
        """The actor of a name has a place, or a new one."""
        if spec.qualified_name is not None:
            self._write(spec.qualified_name, (spec.claim, _SETTLED + spec.life), _entry_of(spec, host))

    def release(self, spec: ActorSpec) -> asyncio.Task[None] | None:
        """The actor ended for good: its name is free again, when the job that this returns is done."""
        if spec.name is None:
            return None
        return self._system.background.start(self.release_now(spec), f"release the name {spec.name}")

    async def release_now(self, spec: ActorSpec) -> None:
        """`release`; returns when the name may be claimed again. Nothing happens when another actor has it."""
        name = spec.qualified_name
        if name is None:
            return
        if spec.claim:
            self._write(name, (spec.claim, _RELEASED), None)
        with contextlib.suppress(NodeError, ActorUnavailable):  # then the home hears of it by gossip
            await self._ask_home(name, "withdraw", _plain(spec.actor))

    def tell_again(self, specs: Iterable[ActorSpec], down: NodeId) -> None:
        """Tell of those actors, which this node runs, what went down with that node if it had not told yet.

        That is where they are, as their maker tells, and their claims, as the new homes of their names must know.
        """
        live = [record.node for record in self._node.directory.live() if not record.hosted_by]
        for spec in specs:
            name = spec.qualified_name
            if name is None:
                continue
            if spec.actor.node == down:
                self.settle(spec, self._node.me)
            if rendezvous(name, [*live, down])[0] == down:
                settled = (spec.claim, _SETTLED + spec.life)
                telling = self._ask_home(name, "learn", settled, _entry_of(spec, self._node.me))
                self._system.background.start(telling, f"tell the new home of the name {spec.name}")

    async def find(self, name: str) -> tuple[bytes, NodeId | None]:
        """The actor of that name: its handle, encoded, and where it lives, if that is known. Raises ActorNotFound."""
        deadline = self._system.loop.time() + UNSETTLED_S
        while True:
            found: dict[str, Any] | None = self._entry(name) or await self._ask_home(name, "lookup")
            if found is None:
                raise ActorNotFound(shown(name))
            if not self._is_orphaned(found) or self._system.loop.time() > deadline:
                return self._found(found)
            await asyncio.sleep(RETRY_S)  # its host will tell

    def known(self, name: str) -> tuple[bytes, NodeId | None] | None:
        """`find`, from what this node has heard of already."""
        entry = self._entry(name)
        return None if entry is None else self._found(entry)

    def _found(self, entry: dict[str, Any]) -> tuple[bytes, NodeId | None]:
        return entry["handle"], None if entry["host"] is None else NodeId(*entry["host"])

    def all(self) -> dict[str, dict[str, Any]]:
        """Every name that is known here."""
        exchange = self._node.driver.stack.exchange
        assert exchange is not None
        return {
            key.removeprefix(PREFIX): entry.value
            for key, entry in exchange.items(PREFIX)
            if isinstance(entry.value, dict)
        }

    async def _ask_home(self, name: str, request: str, *args: Any) -> Any:
        # Every request may be made twice. A home that died a moment ago is believed to be up for another moment.
        attempt = 1
        while True:
            home = self._home(name)
            try:
                return await self._system.request(home, SERVICE, request, name, *args)
            except (NodeError, ActorUnavailable):
                if attempt == ATTEMPTS:
                    raise
                if self._node.directory.is_up(home):
                    await asyncio.sleep(RETRY_S)
            attempt += 1

    # ---- requests from other nodes ----------------------------------------------------------------------------

    async def claim(self, peer: Any, name: str, wanted: dict[str, Any]) -> tuple[int, str | None]:
        """Decide a claim: its order, and the node of the other actor that has the name, if any."""
        entry, stamp = self._entry(name), self._stamp(name)
        if entry is not None and stamp is not None:
            return stamp[0], None if entry["actor"] == wanted["actor"] else _where(entry)
        order = max(_LATEST - self._node.world.wall_clock_ns() // 1000, (stamp[0] + 1) if stamp else 0)
        self._write(name, (order, _CLAIMED), wanted)
        if self._entry(name) is None:
            raise ActorUnavailable(repr(name), "the cluster's map is full, so no more names can be given")
        return order, None

    async def learn(self, peer: Any, name: str, stamp: tuple[int, int], entry: dict[str, Any]) -> None:
        """What became of a name that this node is the new home of."""
        self._write(name, stamp, entry)

    async def lookup(self, peer: Any, name: str) -> dict[str, Any] | None:
        """The entry of a name this node is home to."""
        return self._entry(name)

    async def withdraw(self, peer: Any, name: str, actor: list[Any]) -> None:
        """The actor of a name ended, or is not made after all."""
        entry = self._entry(name)
        if entry is not None and entry["actor"] == actor:
            self._free(name)

    # ---- names that nobody else frees -------------------------------------------------------------------------

    def _entry_changed(self, key: str, stamp: tuple[int, ...], value: Any) -> None:
        name = key.removeprefix(PREFIX)
        held = self._held.pop(name, None)
        if not isinstance(value, dict):
            return
        host, actor = value["host"], ActorId(NodeId(*value["actor"][:2]), value["actor"][2])
        if held is not None and held != actor and self.runs(held):
            self._node.feed.tell("name.taken", name_of(name)[1], actor=str(held), by=str(actor))
        if host == list(self._node.me):
            if self.runs(actor):
                self._held[name] = actor
            else:
                self._system.loop.call_soon(self._free, name)  # gossip came later than its end
        elif self._is_orphaned(value) or (host is not None and not self._node.directory.is_up(NodeId(*host))):
            self._unsettled_until = self._system.loop.time() + UNSETTLED_S

    def _node_down(self, record: NodeRecord, why: str) -> None:
        self._unsettled_until = self._system.loop.time() + UNSETTLED_S
        self._free_lost(or_orphaned=False)

    def _sweep(self) -> None:
        # By now the hosts have spoken for the names whose place only the node that went down knew.
        if self._unsettled_until and self._unsettled_until < self._system.loop.time():
            self._unsettled_until = 0.0
            self._free_lost(or_orphaned=True)

    def _free_lost(self, or_orphaned: bool) -> None:
        """Free the names whose actors' nodes are down, and with them whoever might have the actors restarted."""
        is_up = self._node.directory.is_up
        for name, entry in self.all().items():
            if self._home(name) != self._node.me:
                continue
            host, owner = entry["host"], entry["owner"]
            if host is None:
                is_lost = or_orphaned and self._is_orphaned(entry)
            else:
                has_no_owner = owner is not None and not is_up(NodeId(*owner))
                is_lost = not is_up(NodeId(*host)) and (has_no_owner or not entry["can_restart"])
            if is_lost:
                self._free(name)
                self._node.feed.tell("name.lost", name_of(name)[1])

    def _is_orphaned(self, entry: dict[str, Any]) -> bool:
        """Whether only a node that is down knew where the actor is."""
        return entry["host"] is None and not self._node.directory.is_up(NodeId(*entry["actor"][:2]))

    def _free(self, name: str) -> None:
        stamp = self._stamp(name)
        if stamp is not None and self._entry(name) is not None:
            self._write(name, (stamp[0], _RELEASED), None)

    # ---- the map ----------------------------------------------------------------------------------------------

    def _write(self, name: str, stamp: tuple[int, int], entry: dict[str, Any] | None) -> None:
        self._node.driver.write(PREFIX + name, stamp, entry)

    def _entry(self, name: str) -> dict[str, Any] | None:
        exchange = self._node.driver.stack.exchange
        entry = exchange.get(PREFIX + name) if exchange is not None else None
        return entry.value if entry is not None and isinstance(entry.value, dict) else None

    def _stamp(self, name: str) -> tuple[int, ...] | None:
        exchange = self._node.driver.stack.exchange
        entry = exchange.get(PREFIX + name) if exchange is not None else None
        return tuple(entry.stamp) if entry is not None else None


def _entry_of(spec: ActorSpec, host: NodeId | None) -> dict[str, Any]:
    return {
        "actor": _plain(spec.actor),
        "handle": spec.handle,
        "host": None if host is None else list(host),
        "owner": None if spec.owner is None else list(spec.owner),
        "can_restart": spec.max_restarts != 0,
    }


def _plain(actor: ActorId) -> list[Any]:
    return [*actor.node, actor.number]


def _where(entry: dict[str, Any]) -> str:
    name: str = entry["actor"][0] if entry["host"] is None else entry["host"][0]
    return name

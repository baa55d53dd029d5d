"""Flood: broadcast by sending everything to every neighbour, once. The baseline `plumtree` is measured against.

Same face as `plumtree.Plumtree`, no trees, no timers, no repair: on a connected overlay at rest every node is reached,
over a shortest path, at the price of (sum of degrees) - (n-1) payloads. Like Plumtree it never delivers on the origin.
"""

from __future__ import annotations

import random
from typing import ClassVar

from partisan_actors.errors import ConfigError
from partisan_actors.messages import Carried, message
from partisan_actors.protocols.broadcast.seen import SeenIds
from partisan_actors.protocols.machine import Deliver, Effect, Peer, Send
from partisan_actors.values import dataclass

__all__ = ["Flood", "FloodOptions", "Flooded"]


@message("flood.flooded")
@dataclass(frozen=True, slots=True)
class Flooded:
    """A payload on its way. `hops` is the number of links crossed on arrival: 1 at the origin's neighbours."""

    origin: Peer
    counter: int
    topic: str
    hops: int
    payload: Carried


@dataclass(frozen=True, slots=True)
class FloodOptions:
    """The bounds of `Flood`. Raises ConfigError when a value makes no sense."""

    hops_max: int = 255  # a message that has crossed so many links is delivered and goes no further, and is counted
    origins_max: int = 16384  # see SeenIds
    intervals_max: int = 64  # see SeenIds

    def __post_init__(self) -> None:
        for name in ("hops_max", "origins_max", "intervals_max"):
            if getattr(self, name) < 1:
                raise ConfigError(name, getattr(self, name), "1 or more")


class Flood:
    """The flood as seen by one node. Effects: Send, Deliver."""

    messages: ClassVar[tuple[type, ...]] = (Flooded,)

    def __init__(self, me: Peer, options: FloodOptions, rng: random.Random) -> None:
        """`rng` is not used: a flood has no choices. It is taken so that all broadcasts are made alike."""
        self._me = me
        self._options = options
        self._counter = 0
        self._neighbours: dict[Peer, None] = {}
        self._seen = SeenIds(options.origins_max, options.intervals_max)
        self.expired = 0  # messages that were not forwarded because of hops_max

    @property
    def eager(self) -> list[Peer]:
        """The neighbours that payloads go to: all of them."""
        return list(self._neighbours)

    @property
    def lazy(self) -> list[Peer]:
        """The neighbours that announcements go to: none."""
        return []

    def links(self, root: Peer | None = None) -> dict[Peer, bool]:
        """The neighbours, and whether each is eager in the tree of `root`: all are, in every tree."""
        return dict.fromkeys(self._neighbours, True)

    def start(self, now: float) -> list[Effect]:
        """The node is up. Nothing to do."""
        return []

    def broadcast(self, topic: str, payload: object, now: float) -> list[Effect]:
        """Send `payload` to every other node of the overlay. No Deliver comes back on this node."""
        self._counter += 1
        self._seen.add(self._me, self._counter)
        return self._push(Flooded(self._me, self._counter, topic, 0, payload), self._me)

    def neighbour_up(self, peer: Peer, now: float) -> list[Effect]:
        """`peer` is a neighbour now."""
        self._neighbours[peer] = None
        return []

    def neighbour_down(self, peer: Peer, now: float) -> list[Effect]:
        """`peer` is no neighbour any more."""
        self._neighbours.pop(peer, None)
        return []

    def leave(self, now: float) -> list[Effect]:
        """This node goes. Nothing to do: everybody has been sent everything."""
        return []

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """One of `messages` arrived from `sender`."""
        if not isinstance(message, Flooded) or not self._seen.add(message.origin, message.counter):
            return []
        effects: list[Effect] = []
        if message.hops < self._options.hops_max:
            effects = self._push(message, sender)
        else:
            self.expired += 1
        effects.append(Deliver(message.topic, message.origin, sender, message.hops, message.payload))
        return effects

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """A flood sets no timers."""
        return []

    def _push(self, flooded: Flooded, sender: Peer) -> list[Effect]:
        onward = Flooded(flooded.origin, flooded.counter, flooded.topic, flooded.hops + 1, flooded.payload)
        return [Send(peer, onward) for peer in self._neighbours if peer != sender]

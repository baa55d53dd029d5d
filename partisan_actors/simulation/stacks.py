"""Stacks by the name of their overlay, as a real node makes them, for nodes of a `Simulation`."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.messages import message_types
from partisan_actors.node.broadcasts import make_broadcast
from partisan_actors.node.overlay_names import check_overlay
from partisan_actors.node.overlays import make_strategy
from partisan_actors.protocols.broadcast.exchange import Exchange, ExchangeOptions
from partisan_actors.protocols.broadcast.flood import Flood
from partisan_actors.protocols.broadcast.plumtree import Plumtree
from partisan_actors.protocols.detector.swim import Swim
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.protocols.stack import Broadcast, ProtocolStack
from partisan_actors.simulation.faulty import FaultySimulation, first_other
from partisan_actors.simulation.lives import first_life, name_of
from partisan_actors.simulation.machines import Simulation

__all__ = ["BROADCASTS", "Stacks"]

_BROADCASTS: Final = {"plumtree": Plumtree, "flood": Flood}
BROADCASTS: Final = tuple(_BROADCASTS)
SERVER_EVERY: Final = 4


@dataclass(frozen=True, slots=True)
class Stacks:
    """A `StackFactory`: every node gets the overlay of this name with these options, a broadcast and a replicated map.

    With `detector`, neighbours are watched by SWIM, as on real nodes; each node finds everything out by itself.

    Raises ConfigError for an overlay that there is not and, when it is called, for an option that is not valid.
    """

    overlay: str = "hyparview"
    overlay_options: Mapping[str, Any] = field(default_factory=dict)
    broadcast: str = "plumtree"
    with_map: bool = True
    detector: bool = False

    def __post_init__(self) -> None:
        if self.broadcast not in BROADCASTS:
            raise ConfigError("broadcast", self.broadcast, " or ".join(BROADCASTS))

    def __call__(self, simulation: Simulation, node: Peer) -> ProtocolStack:
        exchange = Exchange(node, ExchangeOptions(), simulation.stream(node, "exchange")) if self.with_map else None
        return ProtocolStack(
            node,
            self._strategy(node, simulation.stream(node, "membership")),
            self._broadcast(simulation, node),
            exchange,
            detector=Swim(node, SwimOptions(), simulation.stream(node, "detector")) if self.detector else None,
        )

    def check(self) -> None:
        """Raises ConfigError when the overlay's options are not valid."""
        self._strategy(first_life(0), random.Random(0))

    def tags(self, detector: bool = False) -> list[str]:
        """Those of the messages that nodes send each other; with `detector`, those of one too."""
        layers: list[object] = [self._strategy(first_life(0), random.Random(0)), _BROADCASTS[self.broadcast]]
        layers += [*([Exchange] if self.with_map else []), *([Swim] if detector or self.detector else [])]
        kinds = {kind for layer in layers for kind in getattr(layer, "messages", ())}
        return sorted(tag for tag, kind in message_types().items() if kind in kinds)

    def contacts_of(self, simulation: FaultySimulation, node: Peer) -> Sequence[Peer]:
        """Through whom a node of this overlay joins: see `first_other`.

        In a static overlay, which learns of nobody, through the one before it too; in a star through a server, and also
        through the one before it, by which a client may be refused.
        """
        if self.overlay not in ("static", "client_server"):
            return first_other(simulation, node)
        others = [other for other in simulation.live if other != node]
        first = [other for other in others if self.overlay == "static" or _tag_of(other) == "server"][:1]
        return [*first, *(other for other in others[-1:] if other not in first)]

    def _strategy(self, node: Peer, rng: random.Random) -> MembershipStrategy:
        options = dict(self.overlay_options)
        if self.overlay == "client_server":
            options.setdefault("tag", _tag_of(node))
        return make_strategy(node, check_overlay(self.overlay), options, rng)

    def _broadcast(self, simulation: Simulation, node: Peer) -> Broadcast:
        rng = simulation.stream(node, "broadcast")
        return make_broadcast(node, self.broadcast, {}, rng, in_mesh=self.overlay == "full_mesh")


def _tag_of(node: Peer) -> str:
    """In a star every fourth node is a server: n0, n4, n8 and so on."""
    digits = "".join(character for character in name_of(node) if character.isdigit())
    return "server" if int(digits or 0) % SERVER_EVERY == 0 else "client"

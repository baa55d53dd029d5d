"""Stacks by the name of their overlay, as a real node makes them, for nodes of a `Simulation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.node.overlays import STRATEGIES
from partisan_actors.protocols.broadcast.exchange import Exchange, ExchangeOptions
from partisan_actors.protocols.broadcast.flood import Flood, FloodOptions
from partisan_actors.protocols.broadcast.plumtree import Plumtree, PlumtreeOptions
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.protocols.stack import Broadcast, ProtocolStack
from partisan_actors.simulation.machines import Simulation

__all__ = ["BROADCASTS", "Stacks"]

BROADCASTS: Final = ("plumtree", "flood")


@dataclass(frozen=True, slots=True)
class Stacks:
    """A `StackFactory`: every node gets the overlay of this name with these options, a broadcast and a replicated map.

    Raises ConfigError, when it is called, for an overlay that there is not or an option that is not valid.
    """

    overlay: str = "hyparview"
    overlay_options: Mapping[str, Any] = field(default_factory=dict)
    broadcast: str = "plumtree"
    with_map: bool = True

    def __post_init__(self) -> None:
        if self.overlay not in STRATEGIES:
            raise ConfigError("overlay", self.overlay, " or ".join(STRATEGIES))
        if self.broadcast not in BROADCASTS:
            raise ConfigError("broadcast", self.broadcast, " or ".join(BROADCASTS))

    def __call__(self, simulation: Simulation, node: Peer) -> ProtocolStack:
        exchange = Exchange(node, ExchangeOptions(), simulation.stream(node, "exchange")) if self.with_map else None
        return ProtocolStack(node, self._strategy(simulation, node), self._broadcast(simulation, node), exchange)

    def _strategy(self, simulation: Simulation, node: Peer) -> MembershipStrategy:
        rng = simulation.stream(node, "membership")
        try:
            return STRATEGIES[self.overlay](node, self.overlay_options, rng)  # type: ignore[arg-type]  # ints will do
        except (TypeError, ValueError) as error:
            raise ConfigError("overlay_options", dict(self.overlay_options), str(error)) from error

    def _broadcast(self, simulation: Simulation, node: Peer) -> Broadcast:
        rng = simulation.stream(node, "broadcast")
        if self.broadcast == "flood":
            return Flood(node, FloodOptions(), rng)
        return Plumtree(node, PlumtreeOptions(), rng)

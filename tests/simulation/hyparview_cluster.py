"""Simulated clusters over HyParView, for the tests beside this file."""

from __future__ import annotations

from collections.abc import Iterable

from partisan_actors.protocols.broadcast.exchange import Exchange, ExchangeOptions
from partisan_actors.protocols.broadcast.flood import Flood, FloodOptions
from partisan_actors.protocols.broadcast.plumtree import Plumtree, PlumtreeOptions
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.machines import Simulation


def overlay(simulation: Simulation, node: Peer) -> HyParView:
    return HyParView(node, HyParViewOptions(), simulation.stream(node, "membership"))


def flooding(simulation: Simulation, node: Peer) -> ProtocolStack:
    flood = Flood(node, FloodOptions(), simulation.stream(node, "broadcast"))
    return ProtocolStack(node, overlay(simulation, node), flood)


def plumtree(simulation: Simulation, node: Peer, options: PlumtreeOptions | None = None) -> ProtocolStack:
    tree = Plumtree(node, options or PlumtreeOptions(), simulation.stream(node, "broadcast"))
    return ProtocolStack(node, overlay(simulation, node), tree)


def complete(simulation: Simulation, node: Peer) -> ProtocolStack:
    """Membership, broadcast and a replicated map, as in a real node."""
    tree = Plumtree(node, PlumtreeOptions(), simulation.stream(node, "broadcast"))
    exchange = Exchange(node, ExchangeOptions(period_s=2.0), simulation.stream(node, "exchange"))
    return ProtocolStack(node, overlay(simulation, node), tree, exchange)


def links(simulation: Simulation, nodes: Iterable[Peer]) -> list[tuple[Peer, Peer]]:
    """Every (node, neighbour) of `nodes`, in a repeatable order."""
    return [(node, peer) for node in nodes for peer in simulation.stack(node).neighbours]

"""Overlays by name: the protocol stack that a node's configuration asks for."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.protocols.broadcast.exchange import Exchange, ExchangeOptions
from partisan_actors.protocols.broadcast.plumtree import Plumtree, PlumtreeOptions
from partisan_actors.protocols.membership.full_mesh import FullMesh, FullMeshOptions
from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.protocols.stack import ProtocolStack

__all__ = ["STRATEGIES", "make_stack"]

# Calls to an actor that moved wait for the broadcast that tells where to: a tree that a dead node has cut is mended in
# a quarter of a second. Where a message often takes longer than that, it is sent twice now and then.
BROADCAST: Final = PlumtreeOptions(lazy_tick_s=0.05, graft_timeout_s=0.15, graft_retry_s=0.15)

Maker = Callable[[NodeId, Mapping[str, Any], random.Random], MembershipStrategy]

STRATEGIES: Mapping[str, Maker] = {
    "hyparview": lambda me, options, rng: HyParView(me, HyParViewOptions(**options), rng),
    "full_mesh": lambda me, options, rng: FullMesh(me, FullMeshOptions(**options), rng),
}


def make_stack(me: NodeId, config: NodeConfig, rng: random.Random) -> ProtocolStack:
    """The machines of one node, each with a random stream of its own. Raises ConfigError for a bad overlay option."""
    streams = [random.Random(rng.getrandbits(64)) for _ in range(3)]
    try:
        strategy = STRATEGIES[config.overlay](me, config.overlay_options, streams[0])
    except (TypeError, ValueError) as error:
        raise ConfigError("overlay_options", dict(config.overlay_options), str(error)) from error
    broadcast = Plumtree(me, BROADCAST, streams[1])
    return ProtocolStack(me, strategy, broadcast, Exchange(me, ExchangeOptions(), streams[2]))

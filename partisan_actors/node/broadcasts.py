"""Broadcasts by name: the tree, or the flood, that a node's configuration asks for."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.node.overlay_options import options_from
from partisan_actors.protocols.broadcast.flood import Flood, FloodOptions
from partisan_actors.protocols.broadcast.plumtree import Plumtree
from partisan_actors.protocols.broadcast.plumtree_options import PlumtreeOptions
from partisan_actors.protocols.machine import Peer
from partisan_actors.protocols.stack import is_state

__all__ = ["BROADCASTS", "MESH_ANNOUNCERS", "PLUMTREE", "make_broadcast"]

BROADCASTS: Final = ("plumtree", "flood")

# Calls to an actor that moved wait for the broadcast that tells where to: a tree that a dead node has cut is mended in
# a quarter of a second. Where a message often takes longer than that, it is sent twice now and then.
PLUMTREE: Final = PlumtreeOptions(
    new_links="lazy", lazy_tick_s=0.05, graft_timeout_s=0.15, graft_timeout_max_s=1.5, graft_retry_s=0.15, lately_s=10.0
)
# In a full mesh, where each would announce each message to all.
MESH_ANNOUNCERS: Final = 8
FLOOD: Final = FloodOptions()


def make_broadcast(
    me: Peer, name: str, options: Mapping[str, Any], rng: random.Random, *, in_mesh: bool = False
) -> Plumtree | Flood:
    """The broadcast of that name; `in_mesh`: everybody is a neighbour of everybody.

    Raises ConfigError for a name or an option that there is not.
    """
    if name not in BROADCASTS:
        raise ConfigError("broadcast", name, " or ".join(BROADCASTS))
    defaults = PLUMTREE if name == "plumtree" else FLOOD
    given = asdict(defaults)
    if in_mesh and name == "plumtree" and options.get("repeat_s") is None:
        given["announcers_max"] = MESH_ANNOUNCERS
    chosen = options_from(type(defaults), {**given, **options}, "broadcast_options")
    return Plumtree(me, chosen, rng, is_state) if isinstance(chosen, PlumtreeOptions) else Flood(me, chosen, rng)

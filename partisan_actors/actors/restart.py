"""Who restarts an actor whose node went down, and whether: decided alike by every node that keeps its record.

The record of a restartable actor is kept by its *guardians*, in order: its owner first, then the live nodes that
rendezvous hashing (highest random weight) prefers for the actor's id. When its host is down, the first guardian that
is up restarts it. Nobody has to agree on anything; a record that is late leads to a later restart, not to none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

from partisan_actors.ids import ActorId, NodeId

__all__ = ["GUARDIANS", "choose_guardians", "may_restart", "rendezvous", "should_act"]

# Copies beside the owner's: two nodes may go down together, three seldom do.
GUARDIANS: Final = 2


def rendezvous(key: str, nodes: Iterable[NodeId]) -> list[NodeId]:
    """`nodes` by how much each is preferred for `key`: the same order everywhere, and stable when others come or go."""
    return sorted(nodes, key=lambda node: hashlib.blake2b(f"{key}|{node}".encode(), digest_size=8).digest())


def choose_guardians(actor: ActorId, owner: NodeId | None, host: NodeId, live: Iterable[NodeId]) -> list[NodeId]:
    """The guardians of an actor on `host`, in the order in which they act."""
    chosen = [] if owner is None or owner == host else [owner]
    others = [node for node in live if node != host and node != owner]
    return chosen + rendezvous(str(actor), others)[:GUARDIANS]


def may_restart(life: int, max_restarts: int) -> bool:
    """Whether an actor that was restarted `life` times may be restarted again; -1 means without limit."""
    return max_restarts < 0 or life < max_restarts


def should_act(me: NodeId, guardians: Iterable[NodeId], is_up: Callable[[NodeId], bool]) -> bool:
    """Whether this node is the first of the guardians that is up."""
    return next((node for node in guardians if node == me or is_up(node)), None) == me

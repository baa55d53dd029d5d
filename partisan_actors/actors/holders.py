"""Who holds an actor: the nodes where there are counted handles of it, as its host knows them. Pure.

A node holds an actor, lets go of it, and may hold it again; it numbers these, and a number counts for nothing once a
later one is known. Letting go is said on every lane that the node's calls may take, and counts when all have brought
it: then what was called before has arrived.
"""

from __future__ import annotations

from dataclasses import dataclass

from partisan_actors.ids import ActorId, NodeId

__all__ = ["Holders"]


@dataclass(slots=True)
class _Holder:
    """One node's latest word, and the lanes that have brought it, when it is that it lets go."""

    number: int
    lanes: set[int] | None = None


class Holders:
    """The counted actors of one node, and who holds each."""

    def __init__(self) -> None:
        self._held: dict[ActorId, dict[NodeId, _Holder]] = {}

    def __contains__(self, actor: ActorId) -> bool:
        return actor in self._held

    def begin(self, actor: ActorId, holder: NodeId | None) -> None:
        """An actor was made here. `holder`, who made it, holds it as its number 0."""
        self._held[actor] = {holder: _Holder(0)} if holder is not None else {}

    def hold(self, actor: ActorId, holder: NodeId, number: int) -> None:
        """That node has a handle of it."""
        held = self._held.get(actor)
        if held is None:
            return
        known = held.get(holder)
        if known is None or known.number < number:
            held[holder] = _Holder(number)

    def let_go(self, actor: ActorId, holder: NodeId, number: int, lane: int, lanes: int) -> bool:
        """That node has none any more, as one lane of so many says. Returns whether nobody holds the actor now."""
        held = self._held.get(actor)
        known = held.get(holder) if held is not None else None
        if held is None or known is None or number < known.number:
            return False
        if known.lanes is None or number > known.number:
            known = held[holder] = _Holder(number, set())
            assert known.lanes is not None
        known.lanes.add(lane)
        if len(known.lanes) < lanes:
            return False
        del held[holder]
        return not held

    def node_down(self, node: NodeId) -> list[ActorId]:
        """That node holds nothing any more. Returns the actors that nobody holds now, and it did."""
        let_go = []
        for actor, held in self._held.items():
            if held.pop(node, None) is not None and not held:
                let_go.append(actor)
        return let_go

    def ended(self, actor: ActorId) -> None:
        """The actor has ended."""
        self._held.pop(actor, None)

    def is_held(self, actor: ActorId) -> bool:
        """Whether anybody holds it."""
        return bool(self._held.get(actor))

    def of(self, actor: ActorId) -> list[NodeId]:
        """Who holds it."""
        return sorted(self._held.get(actor, ()))

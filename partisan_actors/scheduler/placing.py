"""`Placing`: an actor that is to get a place, for those who ask what it waits for."""

from __future__ import annotations

from partisan_actors.ids import NodeId
from partisan_actors.scheduler.spec import ActorSpec

__all__ = ["Placing"]


class Placing:
    """What it is, since when (on the loop's clock), and the node that has been asked and has not answered, if any."""

    __slots__ = ("asked", "since", "spec")

    def __init__(self, spec: ActorSpec, since: float) -> None:
        self.spec = spec
        self.since = since
        self.asked: NodeId | None = None

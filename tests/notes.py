"""A broadcast handler of somebody else's, for tests: notes by their names, the first one of a name stays."""

from __future__ import annotations

from collections.abc import Iterable

from partisan_actors.protocols.broadcast.handler import HandlerId
from partisan_actors.protocols.machine import Peer


class Notes:
    """Satisfies `BroadcastHandler` by its shape alone."""

    def __init__(self, topic: str = "notes", /, channel: str = "broadcast", **held: object) -> None:
        self.topic = topic
        self.channel = channel
        self.held: dict[HandlerId, object] = dict(held)
        self.merges: list[HandlerId] = []

    def broadcast_data(self, data: tuple[HandlerId, object]) -> tuple[HandlerId, object]:
        name, text = data
        self.held[name] = text
        return name, text

    def merge(self, message_id: HandlerId, payload: object) -> bool:
        self.merges.append(message_id)
        if message_id in self.held:
            return False
        self.held[message_id] = payload
        return True

    def is_stale(self, message_id: HandlerId) -> bool:
        return message_id in self.held

    def graft(self, message_id: HandlerId) -> object | None:
        return self.held.get(message_id)

    def exchange(self, peer: Peer) -> Iterable[HandlerId] | None:
        return list(self.held)

"""`NaiveMesh`: a membership strategy with planted bugs, for the swarm to find.

Everybody says Hello to everybody, once a second, until an answer comes. The bugs: who has just said something is not
believed to be down; and a Hello from a neighbour is taken for a repetition and not answered. Through a one-way cut a
Hello comes that cannot be answered: from then on its receiver believes in a link that there is not, and never says so.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from partisan_actors.messages import message
from partisan_actors.protocols.machine import (
    Connect,
    Disconnect,
    Effect,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)


@message("naive_mesh.hello")
@dataclass(frozen=True, slots=True)
class Hello:
    """Who the sender knows. One that does not answer another wants an answer."""

    known: tuple[Peer, ...]
    answers: bool


class NaiveMesh:
    messages: ClassVar[tuple[type, ...]] = (Hello,)

    def __init__(self, me: Peer, options: Mapping[str, Any], rng: random.Random) -> None:
        self.me = me
        self._mended = bool(options.get("mended"))
        self._heard: dict[Peer, float] = {}
        self._known: dict[Peer, None] = {}
        self._neighbours: dict[Peer, None] = {}

    @property
    def neighbours(self) -> Sequence[Peer]:
        return list(self._neighbours)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        return {"neighbours": list(self._neighbours)}

    def start(self, now: float) -> list[Effect]:
        return [SetTimer("hello", 1.0)]

    def join(self, contact: Peer, now: float) -> list[Effect]:
        self._known[contact] = None
        return [self._hello(contact, answers=False)]

    def leave(self, now: float) -> list[Effect]:
        effects = [effect for peer in list(self._neighbours) for effect in self._drop(peer, failed=False)]
        self._known.clear()
        return effects

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        if not isinstance(message, Hello):
            return []
        effects: list[Effect] = []
        self._heard[sender] = now
        was_neighbour = sender in self._neighbours
        if not message.answers and (not was_neighbour or self._mended):
            effects.append(self._hello(sender, answers=True))
        for peer in (sender, *message.known):
            if peer != self.me:
                self._known.setdefault(peer)
        if not was_neighbour:
            self._neighbours[sender] = None
            effects += [Connect(sender), NeighbourUp(sender)]
        return effects

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        if peer not in self._neighbours or (now - self._heard.get(peer, -1.0) < 0.5 and not self._mended):
            return []
        return self._drop(peer, failed=True)

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        lost = [peer for peer in self._known if peer not in self._neighbours]
        return [SetTimer("hello", 1.0), *(self._hello(peer, answers=False) for peer in lost)]

    def _drop(self, peer: Peer, *, failed: bool) -> list[Effect]:
        del self._neighbours[peer]
        return [NeighbourDown(peer, failed), Disconnect(peer)]

    def _hello(self, peer: Peer, *, answers: bool) -> Effect:
        return Send(peer, Hello(tuple(self._known), answers))


class Raises(NaiveMesh):
    """One that divides by zero when a connection opens."""

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return [Send(peer, 1 / 0)]


class Rallies(NaiveMesh):
    """One whose every Hello is answered, the answers too."""

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return [*super().receive(sender, message, now), self._hello(sender, answers=True)]

"""What is said about peers: which of two statements counts, and which statements go with the next packet.

SWIM's precedence (section 4.2), for statements about one peer:

    Alive(i)    beats   Suspect(j) and Alive(j)   for i > j
    Suspect(i)  beats   Suspect(j) for i > j, and Alive(j) for i >= j
    Confirm     beats   Alive and Suspect, whatever their incarnations

An incarnation is raised by the peer itself only, when it refutes a suspicion.
"""

from __future__ import annotations

import heapq
from typing import Final

from partisan_actors.messages import message
from partisan_actors.protocols.machine import Peer
from partisan_actors.values import dataclass

__all__ = ["ALIVE", "CONFIRM", "SUSPECT", "Rumours", "Update", "beats"]

ALIVE: Final = 0
SUSPECT: Final = 1
CONFIRM: Final = 2


@message("swim.update")
@dataclass(frozen=True, slots=True)
class Update:
    """A statement about `peer` in its `incarnation`; `by` is who found out."""

    status: int
    peer: Peer
    incarnation: int
    by: Peer


def beats(status: int, incarnation: int, held: tuple[int, int]) -> bool:
    """Whether a statement counts more than the `held` one, a status and an incarnation."""
    held_status, held_incarnation = held
    if held_status == CONFIRM:
        return False
    if status == CONFIRM:
        return True
    if status == SUSPECT and held_status == ALIVE:
        return incarnation >= held_incarnation
    return incarnation > held_incarnation


class _Rumour:
    __slots__ = ("number", "sent", "update")

    def __init__(self, update: Update, number: int) -> None:
        self.update = update
        self.number = number
        self.sent = 0


class Rumours:
    """The statements that ride on packets, each so many times.

    At `rumours_max` the one most often sent is dropped; a node with 0 passes nothing on.
    """

    def __init__(self, rumours_max: int) -> None:
        self._rumours_max = rumours_max
        self._rumours: dict[tuple[Peer, Peer | None], _Rumour] = {}
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._rumours)

    def add(self, update: Update) -> None:
        """Pass `update` on. What it makes obsolete is dropped; suspicions of several nodes go side by side."""
        if self._rumours_max == 0:
            return
        for key, rumour in list(self._rumours.items()):
            if key[0] == update.peer and not _stand_together(rumour.update, update):
                del self._rumours[key]
        self._numbers += 1
        by = update.by if update.status == SUSPECT else None
        self._rumours[update.peer, by] = _Rumour(update, self._numbers)
        if len(self._rumours) > self._rumours_max:
            del self._rumours[max(self._rumours, key=lambda key: _age(self._rumours[key]))]

    def forget(self, peer: Peer) -> None:
        """Say nothing more about `peer`."""
        for key in [key for key in self._rumours if key[0] == peer]:
            del self._rumours[key]

    def take(self, count: int, times_max: int) -> list[Update]:
        """At most `count` statements for one packet, those least often sent first; each goes `times_max` times."""
        if not self._rumours:
            return []
        taken = heapq.nsmallest(count, self._rumours.items(), key=lambda item: _age(item[1]))
        for key, rumour in taken:
            rumour.sent += 1
            if rumour.sent >= times_max:
                del self._rumours[key]
        return [rumour.update for _, rumour in taken]


def _age(rumour: _Rumour) -> tuple[int, int]:
    return rumour.sent, rumour.number


def _stand_together(one: Update, other: Update) -> bool:
    return one.status == other.status == SUSPECT and one.incarnation == other.incarnation

"""What one node holds of each peer that it watches: alive, suspect or confirmed down, since when, and who says so.

Rules kept here:

1. For each peer, Suspected and Cleared alternate, starting with Suspected, until Confirmed ends it.
2. A suspicion ends in Cleared when the peer refutes it, and in Confirmed when its time is up.
3. A statement is passed on when it changed this node's opinion, and so is each suspicion that counts as confirmation.
"""

from __future__ import annotations

from typing import TypeAlias

from partisan_actors.protocols.detector.rota import Rota
from partisan_actors.protocols.detector.rumours import ALIVE, CONFIRM, SUSPECT, Rumours, Update, beats
from partisan_actors.protocols.detector.suspicion import Suspicion
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import CancelTimer, Effect, Peer, SetTimer
from partisan_actors.values import dataclass

__all__ = ["Accused", "Cleared", "Confirmed", "DetectorEffect", "Opinions", "Suspected"]

SUSPICION_TIMER = "suspicion:"


@dataclass(frozen=True, slots=True)
class Suspected:
    """`peer` does not answer, says `by`, this node or another one: it has until the suspicion ends to refute that."""

    peer: Peer
    by: Peer


@dataclass(frozen=True, slots=True)
class Cleared:
    """`peer` was suspected, and lives."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class Confirmed:
    """`peer` is taken to be down, and is not watched any more."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class Accused:
    """Somebody suspects this node, which has raised its incarnation to refute that."""

    incarnation: int


DetectorEffect: TypeAlias = Effect | Suspected | Cleared | Confirmed | Accused


class Opinions:
    """One node's opinions, and the rumours it passes on; `rota` has whoever is watched."""

    def __init__(self, me: Peer, options: SwimOptions, rota: Rota) -> None:
        self.me = me
        self.rumours = Rumours(options.rumours_max if options.gossip_factor > 0 else 0)
        self._options = options
        self._rota = rota
        self._held: dict[Peer, tuple[int, int]] = {}  # status and incarnation of whoever is watched
        self._gone: dict[Peer, None] = {}
        self._suspicions: dict[Peer, Suspicion] = {}
        self._suspects: dict[str, Peer] = {}  # by the number in the timer's name
        self._numbers = 0

    @property
    def members(self) -> int:
        """The size of the group, as far as this node knows, itself included."""
        return len(self._rota) + 1

    @property
    def suspects(self) -> list[Peer]:
        """Who is suspected now, the longest first."""
        return list(self._suspicions)

    def knows(self, peer: Peer) -> bool:
        """Whether `peer` is watched."""
        return peer in self._held

    def suspicion(self, peer: Peer) -> Suspicion | None:
        """The suspicion against `peer`, if there is one."""
        return self._suspicions.get(peer)

    def incarnation(self, peer: Peer) -> int:
        """The incarnation that `peer` was last heard of in."""
        return self._held.get(peer, (ALIVE, 0))[1]

    def add(self, peer: Peer, incarnation: int) -> None:
        """Watch `peer`, which is not watched yet."""
        self._gone.pop(peer, None)
        self._held[peer] = (ALIVE, incarnation)
        self._rota.add(peer)

    def drop(self, peer: Peer) -> list[DetectorEffect]:
        """Watch `peer` no more, and say nothing more about it."""
        if self._held.pop(peer, None) is None:
            return []
        self._rota.remove(peer)
        self.rumours.forget(peer)
        return self._end_suspicion(peer)

    def suspect(self, update: Update, now: float) -> list[DetectorEffect]:
        """`update.by` finds that the peer does not answer."""
        peer, held = update.peer, self._held.get(update.peer)
        if held is None:
            return []
        suspicion = self._suspicions.get(peer)
        if suspicion is not None and update.incarnation == suspicion.incarnation:
            return self._confirm_suspicion(suspicion, update, now)
        if not beats(SUSPECT, update.incarnation, held):
            return []
        if not self._options.suspects:
            return self.confirm(Update(CONFIRM, peer, update.incarnation, update.by))
        return self._begin_suspicion(update, now)

    def _begin_suspicion(self, update: Update, now: float) -> list[DetectorEffect]:
        options, peer = self._options, update.peer
        # A confirmation can come from whoever is neither this node nor the suspect.
        enough = options.confirmations if self.members - 2 >= options.confirmations else 0
        is_new = peer not in self._suspicions
        effects = self._end_suspicion(peer)
        self._numbers += 1
        suspicion = self._suspicions[peer] = Suspicion(
            self._numbers, update.incarnation, update.by, now, enough, *options.suspicion_s(self.members)
        )
        self._suspects[str(suspicion.number)] = peer
        self._held[peer] = (SUSPECT, update.incarnation)
        self.rumours.add(update)
        effects.append(_timer(suspicion, now))
        return [*effects, Suspected(peer, update.by)] if is_new else effects

    def _confirm_suspicion(self, suspicion: Suspicion, update: Update, now: float) -> list[DetectorEffect]:
        if not suspicion.confirm(update.by):
            return []
        self.rumours.add(update)
        return [_timer(suspicion, now)]

    def alive(self, update: Update) -> list[DetectorEffect]:
        """`update.peer` lives in that incarnation."""
        held = self._held.get(update.peer)
        if held is None or not beats(ALIVE, update.incarnation, held):
            return []
        self._held[update.peer] = (ALIVE, update.incarnation)
        self.rumours.add(update)
        return self._ended_well(update.peer)

    def clear(self, peer: Peer) -> list[DetectorEffect]:
        """This node knows better than whoever suspects `peer`: end the suspicion here."""
        if peer not in self._suspicions:
            return []
        self._held[peer] = (ALIVE, self._held[peer][1])
        self.rumours.forget(peer)
        return self._ended_well(peer)

    def confirm(self, update: Update) -> list[DetectorEffect]:
        """`update.peer` is down: watch it no more, and remember that."""
        peer = update.peer
        if peer not in self._held:
            return []
        effects = self.drop(peer)
        self.rumours.add(update)
        self._gone[peer] = None
        if len(self._gone) > self._options.gone_max:
            del self._gone[next(iter(self._gone))]
        return [*effects, Confirmed(peer)]

    def is_gone(self, peer: Peer) -> bool:
        """Whether `peer` was confirmed, as far as is remembered."""
        return peer in self._gone

    def ended(self, number: str) -> list[DetectorEffect]:
        """The time of a suspicion is up."""
        peer = self._suspects.get(number)
        if peer is None:
            return []
        return self.confirm(Update(CONFIRM, peer, self._held[peer][1], self.me))

    def lateness(self, number: str, now: float) -> float:
        """By how much the timer of a suspicion is late."""
        peer = self._suspects.get(number)
        return 0.0 if peer is None else now - self._suspicions[peer].ends_at

    def postpone(self, seconds: float, now: float) -> list[DetectorEffect]:
        """Give every suspect so much longer."""
        for suspicion in self._suspicions.values():
            suspicion.postpone(seconds)
        return [_timer(suspicion, now) for suspicion in self._suspicions.values()]

    def _ended_well(self, peer: Peer) -> list[DetectorEffect]:
        return [*self._end_suspicion(peer), Cleared(peer)] if peer in self._suspicions else []

    def _end_suspicion(self, peer: Peer) -> list[DetectorEffect]:
        suspicion = self._suspicions.pop(peer, None)
        if suspicion is None:
            return []
        del self._suspects[str(suspicion.number)]
        return [CancelTimer(f"{SUSPICION_TIMER}{suspicion.number}")]


def _timer(suspicion: Suspicion, now: float) -> SetTimer:
    return SetTimer(f"{SUSPICION_TIMER}{suspicion.number}", max(0.0, suspicion.ends_at - now))

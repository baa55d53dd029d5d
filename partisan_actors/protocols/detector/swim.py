"""`Swim`: one node's part in watching a group of peers: pings, pings on behalf of others, suspicions and refutations.

A period, as in the paper (section 3 and 4): ping the next peer of a list that is shuffled after each pass; when it does
not answer in time, have `helpers` others ping it; when it has not answered at the period's end, suspect it. A suspect
is told first (Lifeguard's buddy system), and refutes by raising its incarnation. One that does not is confirmed down.

Rules kept here:

1. A peer that is watched is pinged at least once in 2n - 1 periods of this node, n being their number.
2. A period takes longer, and so does the timeout in it, the more there is to say that this node itself is slow: probes
   that failed without helpers having said that they failed, too, suspicions against it, its own timers running late.
3. A timer that is late means that this node stalled, and what the others sent is still unread: no verdict then; every
   suspect gets the time back, and the probe is forgotten.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import ClassVar, Final

from partisan_actors.protocols.detector.awareness import Awareness
from partisan_actors.protocols.detector.opinions import SUSPICION_TIMER, Accused, DetectorEffect, Opinions
from partisan_actors.protocols.detector.rota import Rota
from partisan_actors.protocols.detector.rumours import ALIVE, CONFIRM, SUSPECT, Update
from partisan_actors.protocols.detector.swim_messages import Ack, Nack, Ping, PingReq
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import CancelTimer, Peer, Send, SetTimer

__all__ = ["Swim"]

_PERIOD: Final = "period"
_ACK: Final = "ack"
_ERRAND: Final = "errand:"
# When a helper says that the target has not answered it, as a part of the asker's time (Lifeguard).
_NACK_AT: Final = 0.8


class _Probe:
    """The ping of this period."""

    __slots__ = ("expected", "is_acked", "number", "target")

    def __init__(self, target: Peer, number: int) -> None:
        self.target = target
        self.number = number
        self.is_acked = False
        self.expected: dict[Peer, None] | None = None  # the helpers that have not said anything yet, once asked


class _Errand:
    """A ping for somebody else."""

    __slots__ = ("asker", "number", "target")

    def __init__(self, asker: Peer, number: int, target: Peer) -> None:
        self.asker = asker
        self.number = number
        self.target = target


class Swim:
    """Watches the peers it is told to. Effects: Send, SetTimer, CancelTimer, and those of `opinions`."""

    messages: ClassVar[tuple[type, ...]] = (Ping, PingReq, Ack, Nack)

    def __init__(self, me: Peer, options: SwimOptions, rng: random.Random, incarnation: int = 0) -> None:
        self.me = me
        self.incarnation = incarnation
        self.health = Awareness(options.health_max)
        self._rota = Rota(rng)
        self.opinions = Opinions(me, options, self._rota)
        self.turns = 0  # how many periods have begun
        self.stalls = 0  # how often this node found that it had stood still
        self._options = options
        self._rng = rng
        self._heard: dict[Peer, float] = {}
        self._probe: _Probe | None = None
        self._errands: dict[int, _Errand] = {}
        self._numbers = 0
        self._due: dict[str, float] = {}  # when the period and the answer are due

    # ---- who is watched ---------------------------------------------------------------------------------------

    def start(self, now: float) -> list[DetectorEffect]:
        """Begin; the first period begins at a random time within one, so that nodes started together spread out."""
        phase = self._rng.random() if self._options.spreads_start else 0.0
        return [self._set(_PERIOD, phase * self._options.period_s, now)]

    def watch(self, peer: Peer, now: float, incarnation: int = 0) -> list[DetectorEffect]:
        """Watch `peer` from now on; it takes its turn at a random place. Nothing happens when it is watched already."""
        if peer != self.me and not self.opinions.knows(peer):
            self.opinions.add(peer, incarnation)
        return []

    def unwatch(self, peer: Peer, now: float) -> list[DetectorEffect]:
        """Watch `peer` no more; what was thought of it is forgotten."""
        self._heard.pop(peer, None)
        return self.opinions.drop(peer)

    @property
    def upcoming(self) -> Peer | None:
        """Whose turn the next period is: it is pinged then, unless it is heard of before."""
        return self._rota.upcoming

    @property
    def awaited(self) -> list[Peer]:
        """Of whom any sign of life would be news: whoever was pinged and has not answered, and the suspects."""
        probe = self._probe
        waiting = [probe.target] if probe is not None and not probe.is_acked else []
        return [*waiting, *self.opinions.suspects]

    # ---- what others know -------------------------------------------------------------------------------------

    def heard(self, peer: Peer, now: float) -> list[DetectorEffect]:
        """`peer` gave a sign of life of whatever kind, straight to this node."""
        if not self.opinions.knows(peer):
            return []
        self._heard[peer] = now
        if self._probe is not None and self._probe.target == peer:
            self._probe.is_acked = True
        return self.opinions.clear(peer)

    def suspected(self, peer: Peer, by: Iterable[Peer], now: float) -> list[DetectorEffect]:
        """Others suspect `peer`, this node has learned: it counts if this node does, too, which is found out next."""
        suspicion = self.opinions.suspicion(peer)
        if suspicion is None:
            if self.opinions.knows(peer):
                self._rota.hurry(peer)
            return []
        effects: list[DetectorEffect] = []
        for other in by:
            effects += self.opinions.suspect(Update(SUSPECT, peer, suspicion.incarnation, other), now)
        return effects

    def refuted(self, peer: Peer, now: float) -> list[DetectorEffect]:
        """`peer` has shown the others that it lives."""
        return self.opinions.clear(peer)

    def accused(self, now: float, incarnation: int | None = None) -> list[DetectorEffect]:
        """Others suspect this node, in that incarnation or in any: it is probably slow, and it says that it lives."""
        self.health.worse()
        self.incarnation = (self.incarnation if incarnation is None else incarnation) + 1
        self.opinions.rumours.add(self._my_word)
        return [Accused(self.incarnation)]

    def peer_down(self, peer: Peer, now: float) -> list[DetectorEffect]:
        """`peer` could not be reached: whoever asked for a ping of it need not wait. It is no verdict here."""
        effects: list[DetectorEffect] = []
        for number in [number for number, errand in self._errands.items() if errand.target == peer]:
            effects += [CancelTimer(f"{_ERRAND}{number}"), *self._give_up_errand(number)]
        return effects

    # ---- messages ---------------------------------------------------------------------------------------------

    def receive(self, sender: Peer, message: object, now: float) -> list[DetectorEffect]:
        """One of `messages` arrived from `sender`."""
        effects = self.heard(sender, now) if self._options.counts_traffic else []
        match message:
            case Ping(number, updates):
                effects += self._take(sender, updates, now)
                effects.append(Send(sender, Ack(number, self._updates_for(sender, updates))))
            case PingReq(number, target, updates):
                effects += self._take(sender, updates, now)
                effects += self._run_errand(_Errand(sender, number, target))
            case Ack(number, updates):
                effects += self._take(sender, updates, now)
                effects += self._acknowledged(number)
            case Nack(number):
                probe = self._probe
                if probe is not None and probe.number == number and probe.expected is not None:
                    probe.expected.pop(sender, None)
        return effects

    def _acknowledged(self, number: int) -> list[DetectorEffect]:
        if self._probe is not None and self._probe.number == number:
            self._probe.is_acked = True
            return []
        errand = self._errands.pop(number, None)
        if errand is None:
            return []
        return [
            CancelTimer(f"{_ERRAND}{number}"),
            Send(errand.asker, Ack(errand.number, self._updates_for(errand.asker))),
        ]

    def _run_errand(self, errand: _Errand) -> list[DetectorEffect]:
        if errand.target == self.me:
            return [Send(errand.asker, Ack(errand.number, self._updates_for(errand.asker)))]
        if len(self._errands) >= self._options.errands_max:
            return []
        self._numbers += 1
        self._errands[self._numbers] = errand
        patience_s = _NACK_AT * (self._options.period_s - self._options.timeout_s)
        return [
            Send(errand.target, Ping(self._numbers, self._updates_for(errand.target))),
            SetTimer(f"{_ERRAND}{self._numbers}", patience_s),
        ]

    def _give_up_errand(self, number: int) -> list[DetectorEffect]:
        errand = self._errands.pop(number, None)
        if errand is None or self._options.health_max == 0:
            return []
        return [Send(errand.asker, Nack(errand.number))]

    # ---- time -------------------------------------------------------------------------------------------------

    def timer_fired(self, name: str, now: float) -> list[DetectorEffect]:
        """A timer this machine set ran out."""
        if name.startswith(_ERRAND):
            return self._give_up_errand(int(name.removeprefix(_ERRAND)))
        suspicion = name.removeprefix(SUSPICION_TIMER)
        is_suspicion = suspicion != name
        late_s = self.opinions.lateness(suspicion, now) if is_suspicion else now - self._due.pop(name, now)
        if self._options.health_max > 0 and late_s > self._options.timeout_s / 2:
            return self._stalled(late_s, now)
        if is_suspicion:
            return self.opinions.ended(suspicion)
        if name == _ACK:
            return self._ask_helpers()
        return [*self._conclude(now), *self._begin(now), self._set(_PERIOD, self._options.period_s, now)]

    def _stalled(self, late_s: float, now: float) -> list[DetectorEffect]:
        self.stalls += 1
        self.health.worse()
        self._probe = None
        self._due.pop(_ACK, None)
        # What is unread by now is read long before a timeout has passed.
        grace_s = self._options.timeout_s
        effects: list[DetectorEffect] = [CancelTimer(_ACK), *self.opinions.postpone(late_s + grace_s, now)]
        return [*effects, self._set(_PERIOD, grace_s, now)]

    def _conclude(self, now: float) -> list[DetectorEffect]:
        """The period is over: did its target answer?"""
        probe, self._probe = self._probe, None
        if probe is None or not self.opinions.knows(probe.target):
            return []
        if probe.is_acked:
            self.health.better()
            return []
        # Helpers that say that they got no answer either vouch for this node. The paper counts the failed probe in any
        # case; its authors' implementation, and this one, only when there was nobody to vouch.
        self.health.worse(1 if probe.expected is None else len(probe.expected))
        update = Update(SUSPECT, probe.target, self.opinions.incarnation(probe.target), self.me)
        return self.opinions.suspect(update, now)

    def _begin(self, now: float) -> list[DetectorEffect]:
        """Ping whose turn it is, unless it was heard of in the last period."""
        self.turns += 1
        target = self._rota.take()
        if target is None:
            return []
        is_spared = self._options.counts_traffic and self.opinions.suspicion(target) is None
        if is_spared and now - self._heard.get(target, -self._options.period_s) < self._options.period_s:
            self.health.better()
            return []
        self._numbers += 1
        self._probe = _Probe(target, self._numbers)
        return [
            Send(target, Ping(self._numbers, self._updates_for(target))),
            self._set(_ACK, self._options.timeout_s, now),
        ]

    def _ask_helpers(self) -> list[DetectorEffect]:
        probe = self._probe
        if probe is None or probe.is_acked:
            return []
        helpers = self._rota.some(self._options.helpers, {probe.target, *self.opinions.suspects})
        if helpers:
            probe.expected = dict.fromkeys(helpers if self._options.health_max > 0 else ())
        return [Send(peer, PingReq(probe.number, probe.target, self._updates_for(peer))) for peer in helpers]

    def _set(self, name: str, delay_s: float, now: float) -> SetTimer:
        delay_s *= self.health.factor
        self._due[name] = now + delay_s
        return SetTimer(name, delay_s)

    # ---- statements -------------------------------------------------------------------------------------------

    @property
    def _my_word(self) -> Update:
        return Update(ALIVE, self.me, self.incarnation, self.me)

    def _updates_for(self, receiver: Peer, heard: Iterable[Update] = ()) -> tuple[Update, ...]:
        """What goes with a packet: what the receiver needs first of all, then rumours."""
        updates: list[Update] = []
        suspicion = self.opinions.suspicion(receiver)
        if suspicion is not None:
            updates.append(Update(SUSPECT, receiver, suspicion.incarnation, self.me))
        if any(update.peer == self.me for update in heard):
            updates.append(self._my_word)
        options = self._options
        if options.gossip_factor > 0:
            room = max(0, options.updates_max - len(updates))
            updates += self.opinions.rumours.take(room, options.times_max(self.opinions.members))
        return tuple(updates)

    def _take(self, sender: Peer, updates: Iterable[Update], now: float) -> list[DetectorEffect]:
        effects: list[DetectorEffect] = []
        for update in updates:
            if update.peer == self.me:
                if update.status == SUSPECT and update.incarnation >= self.incarnation:
                    effects += self.accused(now, update.incarnation)
            elif self._options.gossip_factor > 0 or update.peer == sender:
                effects += self._hear_of(update, now)
        return effects

    def _hear_of(self, update: Update, now: float) -> list[DetectorEffect]:
        opinions = self.opinions
        match update.status:
            case status if status == SUSPECT:
                return opinions.suspect(update, now)
            case status if status == CONFIRM:
                return opinions.confirm(update)
            case status if status == ALIVE and opinions.knows(update.peer):
                return opinions.alive(update)
            case status if status == ALIVE and self._options.gossip_factor > 0 and not opinions.is_gone(update.peer):
                opinions.rumours.add(update)
                return self.watch(update.peer, now, update.incarnation)
        return []

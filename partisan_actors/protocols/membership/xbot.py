"""X-BOT: HyParView whose links become cheap ones, by an oracle of costs, while every node keeps as many as it had.

After Leitão, Marques, Pereira, Rodrigues, "X-BOT: a protocol for resilient optimization of unstructured overlays"
(SRDS 2009). Every period a node i with a full active view looks at some passive peers. When a candidate c is better
than a neighbour o, four nodes swap: (i, o) and (c, d) become (i, c) and (d, o).

    i  Optimization ──> c  Replace ──> d  Switch ──> o  which drops i (DisconnectWait ──> i), takes d
    i <── OptimizationReply  c <── ReplaceReply  d <── SwitchReply

i has found c better than o, and d has found o better than c. So where all agree about costs, the sum of them falls
with every swap, and swapping ends. The rules of this module:

1. No node gives up, as i or c, one of its `unbiased` most expensive links (one of unknown cost counts as more expensive
   than any other): they keep the overlay random enough to be connected. As d it looks at the gain alone, as o at
   nothing, as in the paper. Were o and d to spare those links too, hardly any could be swapped: among 200 points in the
   unit square the mean link then costs 0.33 in the end, not 0.18. A link in a reserved place is given up by nobody.
2. A node is in one swap at a time as i, c or d, and refuses the others. As o it answers at once, and refuses when it
   is giving up that very link in a swap of its own.
3. New links are asked for and answered by HyParView's own rules, under its numbers: `Optimization` and `Switch` are
   requests, so crossing requests, stale replies, failures and peers that have left end as they do there.
4. Whoever waits does so for a limited time (i longer than c, c longer than d). Whatever breaks off a swap leaves links
   with two ends; an answer that comes too late is told `Disconnect`. At worst one of the four is left with a free
   place, which HyParView fills.
5. After `DisconnectWait`, i keeps the place for c. Only requests of high priority may take it.

What the paper leaves open: where c has a free place it takes i at once, and i drops o; a candidate's cost is looked
at one period after it was chosen, so that it can be measured; and d, which mostly has never heard of o, measures it
before it answers. A link that would be made is never one that exists or is being asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from random import Random
from typing import ClassVar

from partisan_actors.protocols.machine import CancelTimer, Effect, Peer, Send, SetTimer
from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.protocols.membership.hyparview_messages import Disconnect
from partisan_actors.protocols.membership.hyparview_requests import Request
from partisan_actors.protocols.membership.redial import ROUNDING_S
from partisan_actors.protocols.membership.xbot_messages import (
    DisconnectWait,
    Optimization,
    OptimizationReply,
    Probe,
    ProbeReply,
    Replace,
    ReplaceReply,
    Switch,
    SwitchReply,
)
from partisan_actors.protocols.membership.xbot_options import XBotOptions
from partisan_actors.protocols.membership.xbot_oracle import Oracle, RoundTrips

__all__ = ["XBot", "XBotOptions"]

OPTIMISE, SWAP = "optimise", "swap"


class _Role(Enum):
    """Who this node is in its swap. The fourth, o, has nothing to wait for."""

    INITIATOR = auto()
    CANDIDATE = auto()
    DISCONNECTED = auto()


@dataclass(slots=True)
class _Swap:
    """The link to `gives`, which has the number `link` here, is to be given up for one to `takes`."""

    role: _Role
    gives: Peer
    link: int
    takes: Peer
    deadline: float = inf  # of what is not a request
    asked: Optimization | Replace | None = None  # what c or d is asked for
    is_held: bool = False  # i: the old link is gone, its place kept


class XBot(HyParView):
    """One node's X-BOT (a `MembershipStrategy`). `me` is its id in the others' eyes."""

    messages: ClassVar[tuple[type, ...]] = (
        *HyParView.messages,
        Optimization, OptimizationReply, Replace, ReplaceReply, Switch, SwitchReply, DisconnectWait, Probe, ProbeReply,
    )  # fmt: skip
    options_type: ClassVar[type] = XBotOptions

    def __init__(self, me: Peer, options: XBotOptions, rng: Random) -> None:
        super().__init__(me, options, rng)
        self._settings = options
        self._round_trips = RoundTrips(options.measured_max) if options.oracle is None else None
        self._oracle: Oracle = self._round_trips or options.oracle  # type: ignore[assignment]  # one of them is there
        self._candidates: list[Peer] = []
        self._swap: _Swap | None = None

    # Inputs.

    def leave(self, now: float) -> list[Effect]:
        """As HyParView; a swap ends."""
        self._swap = None
        self._candidates.clear()
        if self._running:
            self._effects += [CancelTimer(OPTIMISE), CancelTimer(SWAP)]
        return super().leave(now)

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """Handle one of `messages`; anything else is ignored."""
        if not self._running or sender == self.me:
            return super().receive(sender, message, now)
        match message:
            case Probe(number):
                self._send(sender, ProbeReply(number))
            case ProbeReply():
                self._on_probe_reply(sender, message, now)
            case Optimization():
                self._on_optimization(sender, message, now)
            case Replace():
                self._on_replace(sender, message, now)
            case Switch():
                self._on_switch(sender, message, now)
            case DisconnectWait():
                self._on_disconnect_wait(sender, message, now)
            case SwitchReply():
                self._on_switch_reply(sender, message, now)
            case ReplaceReply():
                self._on_replace_reply(sender, message, now)
            case OptimizationReply():
                self._on_optimization_reply(sender, message, now)
            case _:
                return super().receive(sender, message, now)
        return self._answer()

    def supersede(self, former: Peer, later: Peer, now: float) -> list[Effect]:
        """As HyParView; a swap with `former` is off."""
        swap = self._swap
        if swap is not None and former in (swap.gives, swap.takes):
            self._refuse(swap)
        self._candidates = [peer for peer in self._candidates if peer != former]
        effects = super().supersede(former, later, now)
        return [effect for effect in effects if not (isinstance(effect, Send) and effect.peer == former)]

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """Optimise, give up a swap, or what HyParView does."""
        if not self._running or name not in (OPTIMISE, SWAP):
            return super().timer_fired(name, now)
        if name == OPTIMISE:
            self._effects.append(SetTimer(OPTIMISE, self._settings.optimisation_period_s * self._rng.uniform(0.5, 1.5)))
            self._optimise(now)
        elif self._swap is not None and self._swap.deadline <= now + ROUNDING_S:
            self._refuse(self._swap)
        return self._answer()

    # Messages, in the order of a swap. Each handler says who this node is.

    def _optimise(self, now: float) -> None:
        """As i: start a swap for the most expensive link that a candidate betters."""
        chosen, self._candidates = self._candidates, self._passive.sample(self._rng, self._settings.candidates)
        for peer in (*self._links, *self._candidates):
            self._measure(peer, now)
        if self._swap is not None or self._links.free_places() > 0:
            return
        candidates = [peer for peer in chosen if peer in self._passive]
        for old in self._biasable():
            for candidate in candidates:
                if self._is_better(candidate, old) and self._requests.may_ask(candidate):
                    link = self._links[old]
                    message = Optimization(self._number(now), old, link.theirs, self.options.tag)
                    self._ask(candidate, message, now, 3 * self._settings.swap_timeout_s)
                    self._swap = _Swap(_Role.INITIATOR, old, link.own, candidate)
                    return

    def _on_optimization(self, initiator: Peer, message: Optimization, now: float) -> None:
        """As c: take i where there is a place, or ask d to make one."""
        known = initiator in self._links or initiator in self._requests
        if known or self._free_places(message.tag) > 0:
            self._accept(initiator, message.own, message.tag, now, False, OptimizationReply)
            return
        others = [] if self._swap else [peer for peer in self._biasable() if peer not in (initiator, message.old)]
        if not others:
            self._send(initiator, OptimizationReply(message.own, False, 0))
            return
        link = self._links[others[0]]
        self._begin(_Swap(_Role.CANDIDATE, others[0], link.own, initiator, asked=message), 2, now)
        self._send(others[0], Replace(link.theirs, link.own, initiator, message.old, message.old_link))

    def _on_replace(self, candidate: Peer, message: Replace, now: float) -> None:
        """As d: find out whether o is better than c."""
        link = self._links.get(candidate)
        if (
            link is None
            or link.own != message.link
            or self._swap is not None
            or self.me in (message.initiator, message.old)
        ):
            self._send(candidate, ReplaceReply(message.own, False))
            return
        self._begin(_Swap(_Role.DISCONNECTED, candidate, link.own, message.old, asked=message), 1, now)
        if self._oracle.cost(message.old) is None and self._measure(message.old, now):
            return  # decided by `_on_probe_reply`, or by the timer
        self._decide(now)

    def _on_probe_reply(self, peer: Peer, message: ProbeReply, now: float) -> None:
        if self._round_trips is None or not self._round_trips.answered(peer, message.number, now):
            return
        if self._round_trips.cost(peer) is None:
            self._measure(peer, now)
        elif self._swap is not None and self._swap.takes == peer and self._swap.role is _Role.DISCONNECTED:
            self._decide(now)

    def _decide(self, now: float) -> None:
        """As d: ask o, or refuse."""
        swap = self._swap
        if swap is None or not isinstance(swap.asked, Replace) or swap.deadline == inf:
            return
        link = self._links.get(swap.gives)
        message = Switch(self._number(now), swap.asked.initiator, swap.asked.old_link, self.options.tag)
        if (
            link is not None
            and link.own == swap.link
            and swap.gives not in self._links.reserved()
            and swap.takes not in self._links
            and self._is_better(swap.takes, swap.gives)
            and self._ask(swap.takes, message, now, self._settings.swap_timeout_s)
        ):
            swap.deadline = inf
        else:
            self._refuse(swap)

    def _on_switch(self, disconnected: Peer, message: Switch, now: float) -> None:
        """As o: drop i and take d."""
        link = self._links.get(message.initiator)
        if (
            link is None
            or link.own != message.old_link
            or disconnected in self._links
            or disconnected in self._requests
            or message.initiator in self._links.reserved()
            or (self._swap is not None and self._swap.gives == message.initiator)
            or self._free_places(message.tag) < 0
        ):
            self._send(disconnected, SwitchReply(message.own, False, 0))
            return
        self._exchange(message.initiator, DisconnectWait(link.theirs))
        self._accept(disconnected, message.own, message.tag, now, False, SwitchReply)

    def _on_disconnect_wait(self, old: Peer, message: DisconnectWait, now: float) -> None:
        """As i: keep the place for c."""
        swap = self._swap
        link = self._links.get(old)
        if link is None or link.own != message.link:
            return
        if swap is None or swap.role is not _Role.INITIATOR or (swap.gives, swap.link) != (old, link.own):
            self._on_disconnect(old, Disconnect(message.link, False), now)
            return
        swap.is_held = True
        self._drop(old, failed=False)
        self._passive.remember(old)

    def _on_switch_reply(self, old: Peer, message: SwitchReply, now: float) -> None:
        """As d: drop c and take o."""
        swap = self._finish(_Role.DISCONNECTED, old, message.link)
        if swap is not None and isinstance(swap.asked, Replace):
            link = self._links.get(swap.gives)
            if message.accepted and link is not None and link.own == swap.link:
                self._exchange(swap.gives, ReplaceReply(link.theirs, True))
            else:
                self._send(swap.gives, ReplaceReply(swap.asked.own, message.accepted))
        self._on_reply(old, message.link, message.accepted, message.own, message.tag, now)

    def _on_replace_reply(self, disconnected: Peer, message: ReplaceReply, now: float) -> None:
        """As c: drop d and take i."""
        swap, link = self._swap, self._links.get(disconnected)
        is_lost = message.accepted and link is not None and link.own == message.link
        if (
            swap is None
            or not isinstance(swap.asked, Optimization)
            or (swap.gives, swap.link) != (disconnected, message.link)
        ):
            if is_lost:
                self._on_disconnect(disconnected, Disconnect(message.link, False), now)
            return
        if not message.accepted:
            self._refuse(swap)
            return
        self._swap = None
        if is_lost:
            self._drop(disconnected, failed=False)
            self._passive.remember(disconnected)
        self._accept(swap.takes, swap.asked.own, swap.asked.tag, now, False, OptimizationReply)

    def _on_optimization_reply(self, candidate: Peer, message: OptimizationReply, now: float) -> None:
        """As i: drop o, if it is still there, and take c."""
        swap = self._finish(_Role.INITIATOR, candidate, message.link)
        if swap is not None and message.accepted:
            link = self._links.get(swap.gives)
            if link is not None and link.own == swap.link:
                self._exchange(swap.gives, Disconnect(link.theirs, False))
        self._on_reply(candidate, message.link, message.accepted, message.own, message.tag, now)

    def _decline(self, peer: Peer, message: object) -> None:
        match message:
            case (
                Optimization(own)
                | Switch(own)
                | Replace(_, own)
                | OptimizationReply(_, True, own)
                | SwitchReply(_, True, own)
            ):
                self._send(peer, Disconnect(own, True))
            case _:
                super()._decline(peer, message)

    # Where HyParView has to know of a swap.

    def _start(self, now: float) -> None:
        if not self._running:
            self._effects.append(SetTimer(OPTIMISE, self._settings.optimisation_period_s * self._rng.random()))
        super()._start(now)

    def _free_places(self, tag: str = "") -> int:
        return super()._free_places(tag) - (self._swap is not None and self._swap.is_held)

    def _end_request(self, peer: Peer) -> Request | None:
        request, swap = super()._end_request(peer), self._swap
        if request is not None and swap is not None and swap.takes == peer and swap.deadline == inf:
            self._refuse(swap)
        return request

    def _drop(self, peer: Peer, *, failed: bool) -> None:
        super()._drop(peer, failed=failed)
        swap = self._swap
        if swap is not None and swap.gives == peer and swap.role is _Role.CANDIDATE:
            self._refuse(swap)

    # A swap.

    def _begin(self, swap: _Swap, timeouts: int, now: float) -> None:
        delay = timeouts * self._settings.swap_timeout_s * self._requests.patience(now)
        swap.deadline = now + delay
        self._swap = swap
        self._effects.append(SetTimer(SWAP, delay))

    def _finish(self, role: _Role, takes: Peer, number: int) -> _Swap | None:
        """The swap that an answer from `takes` to the request `number` ends, or None when it is not the one."""
        swap, request = self._swap, self._requests.get(takes)
        if swap is None or swap.role is not role or swap.takes != takes or request is None or request.own != number:
            return None
        self._swap = None
        return swap

    def _refuse(self, swap: _Swap) -> None:
        """The swap is off: tell who waits for it."""
        self._swap = None
        match swap.asked:
            case Optimization(own):
                self._send(swap.takes, OptimizationReply(own, False, 0))
            case Replace(_, own):
                self._send(swap.gives, ReplaceReply(own, False))

    def _exchange(self, peer: Peer, goodbye: object) -> None:
        """Give up the link to `peer`, which goes where HyParView keeps those it dropped."""
        self._part(peer, goodbye)
        self._passive.remember(peer)

    # Costs.

    def _measure(self, peer: Peer, now: float) -> bool:
        """Whether `peer` is probed: not where the costs are another oracle's."""
        if self._round_trips is None:
            return False
        self._send(peer, Probe(self._round_trips.probe(peer, now)))
        return True

    def _is_better(self, peer: Peer, old: Peer) -> bool:
        cost, former = self._oracle.cost(peer), self._oracle.cost(old)
        if cost is None or former is None:
            return False
        gain = former - cost
        return gain > 0 and gain >= max(self._settings.gain_min, self._settings.gain_share * former)

    def _biasable(self) -> list[Peer]:
        """The neighbours that may be given up in a swap, the most expensive first."""
        costs = {peer: self._oracle.cost(peer) for peer in self._links}
        ranked = sorted(costs, key=lambda peer: inf if (cost := costs[peer]) is None else cost, reverse=True)
        reserved = self._links.reserved()
        return [peer for peer in ranked[self._settings.unbiased :] if costs[peer] is not None and peer not in reserved]

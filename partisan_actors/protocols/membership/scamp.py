"""SCAMP: views that find their own size. Every node keeps about (c + 1) ln(n) others, though nobody knows n.

After Ganesh, Kermarrec, Massoulié, "SCAMP: peer-to-peer lightweight membership service for large-scale group
communication" (NGC 2001) and "Peer-to-peer membership management for gossip-based protocols" (IEEE TC 2003). Each node
has a *PartialView* (those it sends to) and an *InView* (those that have it in theirs). Where x has y in its PartialView
there is an *arc* from x to y, which x owns. The papers' mechanisms:

1. *Subscription*: the contact sends a copy of the newcomer's subscription to each member of its PartialView, and `c`
   more copies (version 2: c - 1) to random ones. Whoever gets a copy and does not hold the newcomer yet keeps it with
   probability 1 / (1 + size of its PartialView), or else hands it on to a random member: a copy is destroyed only with
   the node that holds it. It goes `walk_ttl` hops at most, and is kept where they end. A hop to a node that holds the
   newcomer already counts for `holder_hops`: in a small group all do, and a copy would find no place ever.
2. *Indirection*: before that, the subscription walks over all neighbours until its budget is used up, and where it
   stops is the contact. A step from a node of degree d takes an exponential time of mean 1/d, which makes every node
   equally likely, however many come through the same one. `indirection` 0: the node that was asked is the contact.
3. *Unsubscription*: of l in-neighbours, all but the last c + 1 (version 2: c - 1) replace the leaver by one of its
   PartialView, taken in turn; the rest drop it (but one that would hold nobody then takes a successor all the same).
4. *Heartbeats* go along every arc once a period. A node that has had none for `isolation_periods` subscribes again,
   through a random member of its PartialView. Under churn (Baldoni et al., "Evaluation of unstructured overlay
   maintenance protocols under churn", 2006) it is this that keeps nodes in the overlay.

What upper layers need and the papers do not give:

* Arcs have one direction, broadcast trees have none: *neighbours are PartialView and InView together*, and both ends
  say so. A peer is a neighbour once it was heard of by itself, so walks with the names of dead nodes make none.
* The heartbeat (`Kept`) is also what an InView rests on: one that stays away for `silence_periods` ends the arc at its
  far end, one that comes unexpectedly begins it. So after any loss both ends agree within so many periods.
* A member of the PartialView that fails is tried again with back-off, and its arc comes back when it answers: a network
  that was split grows together with as many arcs as before. Contacts given to `join` are tried until the subscription
  is spread. They, and whoever was a neighbour since, are remembered: a node that is left with nobody goes back to them.
* Nodes of a small island hear each other's heartbeats. So one with c neighbours or fewer asks a former one each period.

Left out is the papers' lease, after which every subscription is made anew. Here connections tell of dead peers sooner
than any lease; and the rule as published, with its c more copies each time, makes the number of arcs grow for ever.

Not promised: that an island of more than c + 1 nodes notices that it is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Disconnect,
    Effect,
    NeighbourDown,
    NeighbourUp,
    Peer,
    SetTimer,
)
from partisan_actors.protocols.membership.collecting import REDIAL, Collecting, Contacts
from partisan_actors.protocols.membership.redial import Redial
from partisan_actors.protocols.membership.scamp_messages import (
    Confirmed,
    ForwardedSubscription,
    Kept,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from partisan_actors.protocols.membership.scamp_options import ScampOptions

__all__ = ["ScampOptions", "ScampV1", "ScampV2"]

HEARTBEAT = "heartbeat"
GONE = Unsubscribe(None, False)
NAMED_MAX = 3  # peers that a newcomer is told of, should the one that it holds fail at once


class ScampV1(Collecting):
    """One node's SCAMP (a `MembershipStrategy`). `me` is its id in the others' eyes."""

    messages: ClassVar[tuple[type, ...]] = (Subscribe, Subscribed, ForwardedSubscription, Kept, Confirmed, Unsubscribe)
    options_type: ClassVar[type] = ScampOptions

    def __init__(self, me: Peer, options: ScampOptions, rng: Random) -> None:
        super().__init__()
        self.me = me
        self.options = options
        self._extra_copies = options.c
        self._droppers = options.c + 1
        self._rng = rng
        self._running = False
        self._partial: dict[Peer, int] = {}  # 0: confirmed; else how often it was asked to confirm
        self._in: dict[Peer, int] = {}  # heartbeat periods since it was heard
        self._neighbours: dict[Peer, None] = {}
        # Contacts whose answer is to come; they wait in `_redial`. False: one of several that would do.
        self._joining: dict[Peer, bool] = {}
        self._contacts = Contacts(options.contacts_max)
        self._left: dict[Peer, None] = {}  # said so since the last heartbeat: nobody's heirs lead to them again
        self._heirs: tuple[Peer, ...] = ()  # of this node, once it has left: named to those who did not know
        self._redial = Redial(options.redial, rng)
        self._unheard = 0  # heartbeat periods since any heartbeat came

    @property
    def neighbours(self) -> Sequence[Peer]:
        """PartialView and InView together, without those that have not confirmed yet."""
        return list(self._neighbours)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        """Both views; "partial" has members that have not confirmed yet, too."""
        return {"partial": list(self._partial), "in": list(self._in)}

    # Inputs. Each one lets private methods add to `_effects` and answers with what came together.

    def start(self, now: float) -> list[Effect]:
        """Begin to answer and to send heartbeats. The first ones come at a random moment of the first period."""
        if not self._running:
            self._running = True
            self._effects.append(SetTimer(HEARTBEAT, self.options.heartbeat_period_s * self._rng.random()))
        return self._answer()

    def join(self, contact: Peer, now: float) -> list[Effect]:
        """Subscribe through `contact`, again with back-off until that is spread. Starts a node that left."""
        if contact == self.me:
            return []
        effects = self.start(now)
        self._enter(contact, now)
        return effects + self._answer()

    def leave(self, now: float) -> list[Effect]:
        """Unsubscribe: the in-neighbours replace or drop this node. It forgets everybody, contacts too."""
        self._heirs = tuple(self._neighbours)[: self.options.contacts_max]
        told = dict.fromkeys(self._partial, GONE)
        told.update(self._unsubscription())
        for peer, farewell in told.items():
            was_neighbour = peer in self._neighbours
            if was_neighbour:
                del self._neighbours[peer]
                self._effects.append(NeighbourDown(peer, failed=False))
            self._send(peer, farewell)
            if was_neighbour:
                self._effects.append(Disconnect(peer))
        for known in (self._partial, self._in, self._joining, self._contacts):
            known.clear()
        self._redial.clear()
        self._unheard = 0
        if self._running:
            self._running = False
            self._effects += [CancelTimer(HEARTBEAT), CancelTimer(REDIAL)]
        return self._answer()

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """Handle one of `messages`; anything else is ignored."""
        if sender == self.me:
            return []
        if not self._running:
            self._decline(sender, message)
            return self._answer()
        match message:
            case Kept():
                self._on_kept(sender, message)
            case ForwardedSubscription():
                self._on_forwarded_subscription(message)
            case Subscribe():
                self._on_subscribe(message)
            case Subscribed():
                self._on_subscribed(sender, message)
            case Confirmed():
                if sender in self._partial or (sender in self._redial and sender not in self._joining):
                    self._take(sender)
            case Unsubscribe():
                self._on_unsubscribe(sender, message, now)
        return self._answer()

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        """A connection alone means nothing here: arcs are made by messages."""
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        """It leaves both views. One that was in the PartialView is tried again later."""
        if self._running and self._partial.get(peer) == 0:
            self._redial.add(peer, now)
            self._set_redial_timer(now)
        self._forget(peer, failed=True)
        self._recover_alone(now)
        return self._answer()

    def supersede(self, former: Peer, later: Peer, now: float) -> list[Effect]:
        """Nothing is left of `former`; where it is a contact, `later` is one. See `strategy.Superseding`."""
        self._forget(former, failed=False)
        self._left.pop(former, None)
        self._redial.discard(former)
        self._heirs = tuple(heir for heir in self._heirs if heir != former)
        is_wanted = self._joining.pop(former, None)
        if later == self.me:
            self._contacts.pop(former, None)
        elif self._contacts.supersede(former, later) and is_wanted is not None:
            self._joining[later] = is_wanted
            self._redial.add(later, now)
            self._set_redial_timer(now)
        self._recover_alone(now)
        return self._answer()

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """Send the heartbeats and look whose are missing, or dial again, by the timer's name."""
        if not self._running:
            return []
        if name == HEARTBEAT:
            self._effects.append(SetTimer(HEARTBEAT, self.options.heartbeat_period_s))
            self._beat()
            self._miss(now)
        elif name == REDIAL:
            self._dial_again(now)
        return self._answer()

    # Subscriptions.

    def _enter(self, contact: Peer, now: float) -> None:
        self._remember(contact)
        if contact not in self._neighbours:
            self._joining[contact] = True
            self._redial.add(contact, now)
            self._set_redial_timer(now)
            self._subscribe(contact)

    def _subscribe(self, contact: Peer) -> None:
        self._send(contact, Subscribe(self.me, contact, self.options.indirection))

    def _on_subscribe(self, message: Subscribe) -> None:
        subscriber = message.subscriber
        if subscriber == self.me:
            return
        steps = [peer for peer in self._neighbours if peer != subscriber]
        budget = min(message.budget, self.options.indirection)
        budget -= self._rng.expovariate(len(steps)) if steps else budget
        if budget > 0:
            self._send(self._rng.choice(steps), Subscribe(subscriber, message.contact, budget))
            return
        targets = [peer for peer in self._partial if peer != subscriber]
        copies = [*targets, *(self._rng.choice(targets) for _ in range(self._extra_copies if targets else 0))]
        for peer in copies:
            self._send(peer, ForwardedSubscription(subscriber, self.options.walk_ttl))
        if not targets:
            self._keep(subscriber)
        self._send(subscriber, Subscribed(message.contact, tuple(targets[:NAMED_MAX])))

    def _on_forwarded_subscription(self, message: ForwardedSubscription) -> None:
        subscriber = message.subscriber
        is_new = subscriber != self.me and subscriber not in self._partial
        ttl = min(message.ttl, self.options.walk_ttl) - (1 if is_new else self.options.holder_hops)
        steps = [peer for peer in self._partial if peer != subscriber] if ttl > 0 else []
        has_place = len(self._partial) < self.options.view_max
        if is_new and has_place and (not steps or self._rng.random() * (1 + len(self._partial)) < 1):
            self._keep(subscriber)
        elif steps:
            self._send(self._rng.choice(steps), ForwardedSubscription(subscriber, ttl))

    def _on_subscribed(self, sender: Peer, message: Subscribed) -> None:
        was_asked = message.contact in self._joining
        if was_asked:
            for contact in [each for each in self._joining if each == message.contact or not self._joining[each]]:
                del self._joining[contact]
                self._redial.discard(contact)
            for peer in message.others[:NAMED_MAX]:
                self._remember(peer)
        if sender not in self._partial and (was_asked or not self._partial):
            self._take(sender)
            self._send(sender, Kept(False))

    def _unsubscription(self) -> dict[Peer, Unsubscribe]:
        """What each in-neighbour is told: the first replace this node, the last `_droppers` drop it."""
        heirs = list(self._partial)
        replacing = len(self._in) - self._droppers
        told: dict[Peer, Unsubscribe] = {}
        for place, peer in enumerate(self._in):
            choice = [heir for heir in heirs or self._in if heir != peer]  # nobody is its own successor
            successor = choice[place % len(choice)] if choice else None
            told[peer] = Unsubscribe(successor, spare=place >= replacing or not heirs)
        return told

    def _decline(self, sender: Peer, message: object) -> None:
        """This node has left: who asks it for something is told of an heir, a walk goes on to one."""
        heirs = [heir for heir in self._heirs if heir != sender]
        match message:
            case Subscribe(subscriber, contact, budget) if heirs and budget > 0 and sender != subscriber:
                budget = min(budget, self.options.indirection) - self._rng.expovariate(len(heirs))
                self._send(self._rng.choice(heirs), Subscribe(subscriber, contact, budget))
            case ForwardedSubscription(subscriber, ttl) if heirs and ttl > self.options.holder_hops:
                ttl = min(ttl, self.options.walk_ttl) - self.options.holder_hops
                self._send(self._rng.choice(heirs), ForwardedSubscription(subscriber, ttl))
            case Kept() | Confirmed() | Subscribed() | Subscribe():
                self._send(sender, Unsubscribe(self._rng.choice(heirs), spare=True) if heirs else GONE)

    def _on_unsubscribe(self, sender: Peer, message: Unsubscribe, now: float) -> None:
        successor, was_held = message.successor, sender in self._partial
        if sender not in self._joining:
            self._redial.discard(sender)
        self._forget(sender, failed=False)
        self._left[sender] = None
        if sender not in self._joining:
            self._contacts.pop(sender, None)
        is_open = successor is not None and successor != self.me and successor not in self._left
        if is_open and len(self._left) <= self.options.view_max:
            if sender in self._joining:  # it may still come; here is one that is in
                self._enter(successor, now)
            elif was_held and not (message.spare and self._partial):
                self._keep(successor)
        self._recover_alone(now)

    # Arcs.

    def _keep(self, peer: Peer) -> None:
        """Begin an arc to `peer`, unless there is one; it becomes a neighbour when it confirms."""
        if peer in self._partial:
            return
        self._redial.discard(peer)
        is_heard = peer in self._in
        self._partial[peer] = 0 if is_heard else 1
        self._send(peer, Kept(not is_heard))

    def _take(self, peer: Peer) -> None:
        """An arc to `peer`, who has just been heard."""
        self._redial.discard(peer)
        self._partial[peer] = 0
        self._up(peer)

    def _on_kept(self, sender: Peer, message: Kept) -> None:
        self._unheard = 0
        self._left.pop(sender, None)
        if sender not in self._in and len(self._in) >= self.options.view_max:
            self._send(sender, GONE)
            return
        self._in[sender] = 0
        self._up(sender, Confirmed() if message.confirm else None)
        if sender in self._partial:
            self._partial[sender] = 0
        elif sender in self._redial and sender not in self._joining:
            self._take(sender)
            self._send(sender, Kept(False))

    def _up(self, peer: Peer, saying: object = None) -> None:
        is_new = peer not in self._neighbours
        if is_new:
            self._remember(peer)
            self._neighbours[peer] = None
            self._effects.append(Connect(peer))
        if saying is not None:  # before the layers above, told by NeighbourUp, send anything of theirs
            self._send(peer, saying)
        if is_new:
            self._effects.append(NeighbourUp(peer))

    def _forget(self, peer: Peer, *, failed: bool) -> None:
        self._partial.pop(peer, None)
        self._in.pop(peer, None)
        self._down_unless_known(peer, failed=failed)

    def _down_unless_known(self, peer: Peer, *, failed: bool) -> None:
        if peer in self._neighbours and peer not in self._partial and peer not in self._in:
            del self._neighbours[peer]
            self._effects += [NeighbourDown(peer, failed), Disconnect(peer)]

    # Periods.

    def _beat(self) -> None:
        self._left.clear()
        for peer, asked in list(self._partial.items()):
            if asked > self.options.silence_periods:
                self._partial.pop(peer)
                continue
            self._send(peer, Kept(asked > 0))
            self._partial[peer] = asked + 1 if asked else 0

    def _miss(self, now: float) -> None:
        for peer, silence in list(self._in.items()):
            self._in[peer] = silence + 1
            if silence >= self.options.silence_periods:
                del self._in[peer]
                self._down_unless_known(peer, failed=False)
        self._unheard += 1
        if self._unheard >= self.options.isolation_periods:
            self._unheard = 0
            if self._partial:
                self._subscribe(self._rng.choice(list(self._partial)))
        if len(self._neighbours) <= self.options.c:
            self._look_further(now)
        self._recover_alone(now)

    def _remember(self, peer: Peer) -> None:
        if peer != self.me:
            self._contacts.remember(peer)

    def _look_further(self, now: float) -> None:
        """So few neighbours may be an island, whose nodes hear each other's heartbeats: ask one known from before."""
        others = [peer for peer in self._contacts if peer not in self._neighbours and peer not in self._joining]
        if self._neighbours and others:
            contact = self._rng.choice(others)
            self._joining[contact] = False
            self._redial.add(contact, now)
            self._set_redial_timer(now)
            self._subscribe(contact)

    def _recover_alone(self, now: float) -> None:
        """A node that knows nobody goes back to those it knew, one after the other, until one answers."""
        if self._running and not self._partial and not self._in:
            for contact in self._contacts:
                self._joining.setdefault(contact, False)
                self._redial.add(contact, now)
            self._set_redial_timer(now)

    def _dial_again(self, now: float) -> None:
        for peer in self._redial.due(now, give_up=bool(self._neighbours)):
            is_wanted = self._joining.get(peer)
            if is_wanted is None:
                self._send(peer, Kept(True))
            elif is_wanted or not self._neighbours:
                self._subscribe(peer)
            else:
                self._redial.discard(peer)
            if peer not in self._redial:
                self._joining.pop(peer, None)
        self._set_redial_timer(now)


class ScampV2(ScampV1):
    """SCAMP with one extra copy less, and leavers that only c - 1 in-neighbours drop: views of about c ln(n)."""

    def __init__(self, me: Peer, options: ScampOptions, rng: Random) -> None:
        """Raises ValueError when `options.c` is 0."""
        if options.c < 1:
            raise ValueError(f"c = {options.c!r} is not valid: expected an int of at least 1")
        super().__init__(me, options, rng)
        self._extra_copies = options.c - 1
        self._droppers = options.c - 1

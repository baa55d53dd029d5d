"""HyParView: every node keeps a few symmetric links (the active view) and some addresses to repair it from (passive).

After Leitão, Pereira, Rodrigues, "HyParView: a membership protocol for reliable gossip-based broadcast" (DSN 2007 and
its technical report). Handlers have the paper's names. The rules of this module:

1. This node is in neither view, the views share nobody, and neither exceeds its maximum.
2. A peer enters the active view only when both ends have agreed: the end that asks waits for `NeighborReply`.
3. A link has two ends, and each end numbers its own; a node never uses a number twice, and a later life that starts
   at a later `now` uses greater ones. A message about a link names the *receiver's* number in `link`, the sender's in
   `own`. A number that is no longer in use makes the message stale: it changes nothing. So no epoch is kept on disk.
4. Whoever is told of a link it does not hold answers `Disconnect`. `KeepAlive`, sent to one active peer in turn with
   every shuffle, makes sure it is told: a link held by one end only lasts `active_max` shuffle periods at most.

What the paper leaves open, and what is done here:

* A walk stops where its ttl is 0 or where at most one peer is active (that one is where it came from). It never goes
  back to its sender nor to the newcomer; with nobody else to go to, it stops.
* The node where a walk stops asks the newcomer (`Neighbor`, high), which answers. `Join` is answered too.
* A low request is accepted only when a place is free, a high one always; a random peer makes place, but none that holds
  a place reserved for its tag. A reply that comes when a low request's place is gone is answered by `Disconnect`.
* Requests that cross make one link: each end takes the other's number from the other's request. A request from a peer
  that is active already means that it lost its end: the link is renewed under a new number, without a down and an up.
* After `Disconnect` a free place is filled after `promotion_backoff_s` (None: with the next shuffle, as in the paper's
  cycles), after a failure at once. That holds for the last link too: nodes that know one other only would take its
  places from each other as fast as messages travel. A node without links asks a contact by `Join`, which starts walks.
  A refusal moves on to the next candidate; after `promotion_refusals_max` of them, or when nobody is left, the next
  shuffle starts over. Places are asked for all at once, with high priority as long as fewer than `active_min` peers are
  certain (1: as in the paper, only a node without any).
* A shuffle goes `shuffle_ttl` hops (the paper gives no figure). The reply goes to its origin and holds as many passive
  peers as came, or fewer when there are fewer. Room is made first by those sent in the same exchange.
* A node that leaves says so in `Disconnect`, and answers so until it starts again. A walk whose newcomer is gone ends
  with that answer, with `peer_down` or with a timeout; nothing remains of it.
* An answer that comes when its request was given up still makes a link where a place is free; see `hyparview_requests`.

Two things are added. Contacts given to `join` are tried until they answer, and remembered: a node with both views
empty goes back to them. And a neighbour that failed is tried again with back-off, with high priority: the paper's
overlay, once split by the network and repaired on both sides, has full views and would never grow together again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import ClassVar, TypeAlias

from partisan_actors.protocols import machine
from partisan_actors.protocols.machine import CancelTimer, Connect, Effect, NeighbourDown, NeighbourUp, Peer, SetTimer
from partisan_actors.protocols.membership.collecting import REDIAL, Collecting, Contacts
from partisan_actors.protocols.membership.hyparview_messages import (
    Disconnect,
    ForwardJoin,
    Join,
    KeepAlive,
    Neighbor,
    NeighborReply,
    Shuffle,
    ShuffleReply,
)
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions, own_options
from partisan_actors.protocols.membership.hyparview_requests import Asking, Request, Requests
from partisan_actors.protocols.membership.hyparview_views import ActiveView, Link, PassiveView
from partisan_actors.protocols.membership.redial import Redial

__all__ = ["HyParView", "HyParViewOptions"]

SHUFFLE, PROMOTE, NEIGHBOR_TIMEOUT = "shuffle", "promote", "neighbor_timeout"

# Makes the answer to a request: the asker's number, whether it is accepted, and this end's number and tag.
Reply: TypeAlias = Callable[[int, bool, int, str], object]


class HyParView(Collecting):
    """One node's HyParView (a `MembershipStrategy`). `me` is its id in the others' eyes."""

    messages: ClassVar[tuple[type, ...]] = (
        Join, ForwardJoin, Neighbor, NeighborReply, Disconnect, KeepAlive, Shuffle, ShuffleReply,
    )  # fmt: skip
    joins: ClassVar[tuple[type, ...]] = (Join,)
    options_type: ClassVar[type] = HyParViewOptions
    own_options = staticmethod(own_options)

    def __init__(self, me: Peer, options: HyParViewOptions, rng: Random) -> None:
        super().__init__()
        self.me = me
        self.options = options
        self._rng = rng
        self._running = False
        self._links = ActiveView(options.active_max, options.reservations)
        self._passive = PassiveView(me, options, self._links, rng)
        self._requests = Requests(options.requests_max, options.neighbor_timeout_s)
        self._refused: set[Peer] = set()  # in this round of promotion; only ever asked for membership
        self._contacts = Contacts(options.contacts_max)
        self._redial = Redial(options.redial, rng)
        self._shuffles = 0
        self._last_number = 0

    @property
    def neighbours(self) -> Sequence[Peer]:
        """The active view, in the order in which the links were made."""
        return list(self._links)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        """Both views, by the paper's names."""
        return {"active": list(self._links), "passive": list(self._passive)}

    # Inputs. Each one lets private methods add to `_effects` and answers with what came together.

    def start(self, now: float) -> list[Effect]:
        """Begin to answer and to shuffle. The first shuffle comes at a random moment of the first period."""
        self._start(now)
        return self._answer()

    def join(self, contact: Peer, now: float) -> list[Effect]:
        """Ask `contact` for a link and for walks, again with back-off until it answers. Starts a node that left."""
        if contact == self.me:
            return []
        self._start(now)
        self._contacts.remember(contact)
        if contact not in self._links:
            self._redial.add(contact, now)
            self._request(contact, now, join=True)
            self._set_redial_timer(now)
        return self._answer()

    def leave(self, now: float) -> list[Effect]:
        """Say goodbye to the active peers and forget everybody, contacts too."""
        for peer in list(self._links):
            self._part(peer, Disconnect(self._links[peer].theirs, True))
        self._passive.clear()
        self._requests.clear()
        self._refused.clear()
        self._contacts.clear()
        self._redial.clear()
        if self._running:
            self._running = False
            self._effects += [CancelTimer(name) for name in (SHUFFLE, PROMOTE, NEIGHBOR_TIMEOUT, REDIAL)]
        return self._answer()

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """Handle one of `messages`; anything else is ignored."""
        if sender == self.me:
            return []
        if not self._running:
            self._decline(sender, message)
            return self._answer()
        match message:
            case Shuffle():
                self._on_shuffle(sender, message)
            case ShuffleReply():
                self._passive.settle(message.peers)
            case KeepAlive():
                self._on_keep_alive(sender, message)
            case ForwardJoin():
                self._on_forward_join(sender, message, now)
            case Neighbor():
                self._accept(sender, message.own, message.tag, now, high=message.high)
            case NeighborReply(link, accepted, own, tag):
                self._on_reply(sender, link, accepted, own, tag, now)
            case Disconnect():
                self._on_disconnect(sender, message, now)
            case Join():
                self._on_join(sender, message, now)
        return self._answer()

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        """A connection alone means nothing here: links are made by messages."""
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        """A failed neighbour is replaced at once and tried again later; a failed candidate is forgotten.

        Said of anybody else it changes nothing: it may be the end of a connection that a `Disconnect` closed.
        """
        if peer in self._links:
            self._drop(peer, failed=True)
            self._redial.add(peer, now)
            self._set_redial_timer(now)
            self._start_promotion(now)
        elif self._end_request(peer):
            self._passive.discard(peer)
            self._fill(now)
        return self._answer()

    def supersede(self, former: Peer, later: Peer, now: float) -> list[Effect]:
        """Nothing is left of `former`; where it is a contact, `later` is one. See `strategy.Superseding`."""
        if former in self._links:
            self._drop(former, failed=False)
        self._end_request(former)
        self._passive.discard(former)
        self._refused.discard(former)
        was_tried = self._redial.discard(former)
        if later != self.me and self._contacts.supersede(former, later) and was_tried:
            self._redial.add(later, now)
            self._set_redial_timer(now)
        if self._running:
            self._fill(now)
        return self._answer()

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """Shuffle, promote, give up requests or dial again, by the timer's name."""
        if not self._running:
            return []
        if name == SHUFFLE:
            self._effects.append(SetTimer(SHUFFLE, self.options.shuffle_period_s))
            self._shuffle()
            self._start_promotion(now)
        elif name == PROMOTE:
            self._start_promotion(now)
        elif name == NEIGHBOR_TIMEOUT:
            self._give_up_requests(now)
        elif name == REDIAL:
            self._dial_again(now)
        return self._answer()

    # Messages.

    def _on_join(self, newcomer: Peer, message: Join, now: float) -> None:
        self._accept(newcomer, message.own, message.tag, now, high=True)
        walk = ForwardJoin(newcomer, self.options.arwl)
        for peer in self._links:
            if peer != newcomer:
                self._send(peer, walk)

    def _on_forward_join(self, sender: Peer, message: ForwardJoin, now: float) -> None:
        newcomer, ttl = message.newcomer, min(message.ttl, self.options.arwl)
        if newcomer == self.me:
            return
        step = self._next_hop(ttl, sender, newcomer)
        if step is not None:
            if ttl == self.options.prwl:
                self._passive.remember(newcomer)
            self._send(step, ForwardJoin(newcomer, ttl - 1))
        elif newcomer not in self._links:
            self._request(newcomer, now, high=True)

    def _accept(self, peer: Peer, theirs: int, tag: str, now: float, high: bool, reply: Reply = NeighborReply) -> None:
        link = self._links.get(peer)
        if link is not None:
            if theirs < link.theirs:
                return  # overtaken by a later request
            if theirs > link.theirs:
                link.own, link.theirs = self._number(now), theirs
            self._send(peer, reply(theirs, True, link.own, self.options.tag))
            return
        request = self._requests.get(peer)
        high = high or (request is not None and request.high)
        if not self._has_place(tag, high=high):
            self._send(peer, reply(theirs, False, 0, ""))
            return
        self._establish(peer, Link(self._number(now) if request is None else request.own, theirs, tag), reply)

    def _on_reply(self, peer: Peer, number: int, accepted: bool, theirs: int, tag: str, now: float) -> None:
        request = self._requests.get(peer)
        asked = request is not None and request.own == number
        is_late = self._requests.answered(peer, number, now)
        if not accepted:
            if asked:  # else our requests crossed, and the answer to theirs decides
                self._end_request(peer)
                self._refused.add(peer)
                self._fill(now)
            return
        link = self._links.get(peer)
        if asked or (is_late and request is None and link is None):
            if self._has_place(tag, high=request is not None and request.high):
                self._establish(peer, Link(number, theirs, tag))
                return
            self._end_request(peer)
        if link is not None and link.own == number:
            link.theirs = max(link.theirs, theirs)
        elif link is None or link.theirs != theirs:
            self._send(peer, Disconnect(theirs, False))

    def _on_disconnect(self, peer: Peer, message: Disconnect, now: float) -> None:
        link, request = self._links.get(peer), self._requests.get(peer)
        if link is not None and link.own == message.link:
            self._drop(peer, failed=False)
            if not message.leaving:
                self._passive.remember(peer)
        elif request is not None and request.own == message.link:
            self._end_request(peer)
            self._refused.add(peer)
        else:
            link = request = None
        if message.leaving:
            self._passive.discard(peer)
            if peer not in self._contacts:
                self._redial.discard(peer)
        back_off = self.options.promotion_backoff_s
        if request is not None or (link is not None and not self._links and back_off is None):
            self._fill(now)
        elif link is not None and back_off is not None:
            self._effects.append(SetTimer(PROMOTE, back_off * self._rng.uniform(0.5, 1.5)))

    def _on_keep_alive(self, peer: Peer, message: KeepAlive) -> None:
        link = self._links.get(peer)
        if link is None or link.own != message.link:
            self._send(peer, Disconnect(message.own, False))
        else:
            link.theirs = max(link.theirs, message.own)

    def _on_shuffle(self, sender: Peer, message: Shuffle) -> None:
        if message.origin == self.me:
            return
        ttl = min(message.ttl, self.options.shuffle_ttl) - 1
        step = self._next_hop(ttl, sender, message.origin)
        if step is not None:
            self._send(step, Shuffle(message.origin, ttl, message.peers))
            return
        sample = self._passive.exchange(message.origin, message.peers)
        if sample:
            self._send(message.origin, ShuffleReply(sample))

    def _next_hop(self, ttl: int, *excluding: Peer) -> Peer | None:
        """Where a walk goes on to, or None when it stops here."""
        if ttl <= 0 or len(self._links) <= 1:
            return None
        others = [peer for peer in self._links if peer not in excluding]
        return others[int(self._rng.random() * len(others))] if others else None

    def _decline(self, peer: Peer, message: object) -> None:
        match message:
            case Join(own) | Neighbor(own) | KeepAlive(_, own) | NeighborReply(_, True, own):
                self._send(peer, Disconnect(own, True))

    # The active view.

    def _has_place(self, tag: str, *, high: bool) -> bool:
        """Whether a peer with `tag` may enter; for one of high priority, somebody is dropped where that helps."""
        if self._free_places(tag) > 0 or (high and self._links.free_places(tag) > 0):
            return True
        victim = self._links.victim(self._rng) if high else None
        if victim is not None:
            self._part(victim, Disconnect(self._links[victim].theirs, False))
            self._passive.remember(victim)
        return victim is not None

    def _free_places(self, tag: str = "") -> int:
        """How many places low requests may have."""
        return self._links.free_places(tag)

    def _establish(self, peer: Peer, link: Link, reply: Reply | None = None) -> None:
        self._end_request(peer)
        self._passive.discard(peer)
        self._redial.discard(peer)
        self._links[peer] = link
        self._effects.append(Connect(peer))
        if reply is not None:  # before the layers above, told by NeighbourUp, send anything of theirs
            self._send(peer, reply(link.theirs, True, link.own, self.options.tag))
        self._effects.append(NeighbourUp(peer))

    def _part(self, peer: Peer, goodbye: object) -> None:
        del self._links[peer]
        self._effects.append(NeighbourDown(peer, failed=False))
        self._send(peer, goodbye)
        self._effects.append(machine.Disconnect(peer))

    def _drop(self, peer: Peer, *, failed: bool) -> None:
        del self._links[peer]
        self._effects += [NeighbourDown(peer, failed), machine.Disconnect(peer)]

    # Requests.

    def _request(self, peer: Peer, now: float, high: bool = False, join: bool = False, promote: bool = False) -> None:
        if join:
            self._end_request(peer)  # a new one, since only Join starts walks
        elif peer in self._requests:
            return
        own, tag = self._number(now), self.options.tag
        message = Join(own, tag) if join else Neighbor(own, high, tag)
        if not self._ask(peer, message, now, self.options.neighbor_timeout_s, high or join, promote):
            self._passive.remember(peer)

    def _ask(
        self, peer: Peer, message: Asking, now: float, timeout_s: float, high: bool = False, promote: bool = False
    ) -> bool:
        """Whether `peer` was sent `message`: not while it has not answered another, and not at `requests_max`."""
        if not self._requests.may_ask(peer):
            return False
        timeout_s *= self._requests.patience(now)
        if self._requests.is_first(now + timeout_s):
            self._effects.append(SetTimer(NEIGHBOR_TIMEOUT, timeout_s))
        self._requests[peer] = Request(message.own, high, promote, now, now + timeout_s)
        self._send(peer, message)
        return True

    def _end_request(self, peer: Peer) -> Request | None:
        """Forget what `peer` was asked, whether or not it has answered."""
        return self._requests.end(peer)

    def _give_up_requests(self, now: float) -> None:
        for peer in self._requests.overdue(now):
            self._requests.gave_up(peer, self._end_request(peer), now)
            self._passive.discard(peer)
        delay = self._requests.next_delay(now)
        if delay is not None:
            self._effects.append(SetTimer(NEIGHBOR_TIMEOUT, delay))
        self._fill(now)

    def _start_promotion(self, now: float) -> None:
        self._refused.clear()
        self._fill(now)

    def _fill(self, now: float) -> None:
        """Ask as many passive peers as there are free places, with high priority as far as `active_min` is not met."""
        pending = [request for request in self._requests.values() if request.promotion]
        certain = len(self._links) + sum(request.high for request in pending)
        for _ in range(self._free_places() - len(pending)):
            high = certain < self.options.active_min
            if not high and len(self._refused) >= self.options.promotion_refusals_max:
                break
            candidate = self._passive.choice(self._rng, {*self._requests, *(() if high else self._refused)})
            if candidate is None:
                break
            certain += high
            join = not self._links and candidate in self._contacts
            self._request(candidate, now, high=high, join=join, promote=True)
        if not self._links and not self._requests:
            for contact in self._contacts:
                self._redial.add(contact, now)
            self._set_redial_timer(now)

    def _dial_again(self, now: float) -> None:
        for peer in self._redial.due(now, give_up=bool(self._links)):
            if peer in self._links:
                self._redial.discard(peer)
            elif peer not in self._requests:
                self._request(peer, now, high=True, join=peer in self._contacts)
        self._set_redial_timer(now)

    # Shuffles.

    def _shuffle(self) -> None:
        if not self._links:
            return
        active = list(self._links)
        checked = active[self._shuffles % len(active)]
        self._shuffles += 1
        self._send(checked, KeepAlive(self._links[checked].theirs, self._links[checked].own))
        offer = self._passive.offer()
        self._send(self._rng.choice(active), Shuffle(self.me, self.options.shuffle_ttl, offer))

    def _start(self, now: float) -> None:
        if not self._running:
            self._running = True
            self._effects.append(SetTimer(SHUFFLE, self.options.shuffle_period_s * self._rng.random()))

    def _number(self, now: float) -> int:
        self._last_number = max(self._last_number + 1, int(now * 1000))
        return self._last_number

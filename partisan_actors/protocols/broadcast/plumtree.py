"""Plumtree: broadcast along a tree that grows out of a flood's duplicates and repairs itself by lazy announcements.

After Leitao, Pereira and Rodrigues, "Epidemic Broadcast Trees" (SRDS 2007). Each neighbour is *eager* (gets payloads)
or *lazy* (gets announcements, IHAVE). All start eager, so the first broadcast is a flood; every duplicate turns one
link lazy (PRUNE), until the eager links are a spanning tree: n-1 payloads a broadcast. A node that is told of a
message and does not get it in time asks an announcer for it (GRAFT), which puts that link back into the tree.

Assumed of the overlay: it is connected, and being neighbours is symmetric once it is at rest. Rules kept here:

1. A neighbour is either eager or lazy; peers that are not neighbours are neither, whatever they send.
2. A message is delivered at most once, within the memory of `SeenIds`, and never on the node that broadcast it: who
   calls `broadcast` already has the payload.
3. A payload or announcement never goes back to the neighbour it came from.

Departures from the paper: ids are (origin, counter), so that what was seen fits in a few intervals; a graft waits for
longer where messages were seen to come late by themselves; announcements leave in batches, and since a batch usually
follows the payload, the hop-count optimisation (section 3.8) is also tried when an announcement comes after the message
it names; where links may lose messages, announcements can be repeated until they are confirmed. All origins share one
tree, the paper's cheaper variant, or each has its own: see `trees`. The paper's own experiments have
`announcements_max=1` and thresholds of 3 (one sender) and 7 (many).

With `announcers_max`, not all lazy neighbours announce: see `announcers`. With `lately_s`, new neighbours tell each
other what came to them lately: in the paper, a node whose neighbours are exchanged while a message goes round may get
it from none of them.

What is not promised: an order between messages, though those of one origin come in order while the tree stands; and
that a node that had no neighbours for longer while a message went round gets it later (`exchange` is for state that
everybody must end up with).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import field
from functools import partial
from itertools import islice
from math import inf
from typing import ClassVar

from partisan_actors.protocols.broadcast.announcements import Announcement, Announcements, MessageId
from partisan_actors.protocols.broadcast.announcers import Announcers
from partisan_actors.protocols.broadcast.held import LATELY_MAX, Held
from partisan_actors.protocols.broadcast.lateness import Lateness
from partisan_actors.protocols.broadcast.plumtree_messages import Announce, Gossip, Graft, Have, IHave, Lately, Prune
from partisan_actors.protocols.broadcast.plumtree_options import EAGER, PlumtreeOptions
from partisan_actors.protocols.broadcast.seen import SeenIds
from partisan_actors.protocols.broadcast.trees import Links, Trees
from partisan_actors.protocols.machine import CancelTimer, Deliver, Effect, Peer, Send, SetTimer
from partisan_actors.values import dataclass

__all__ = [
    "HEARTBEAT_TOPIC",
    "Announce",
    "Gossip",
    "Graft",
    "Have",
    "IHave",
    "Lately",
    "Plumtree",
    "PlumtreeOptions",
    "Prune",
]

# Heartbeats are broadcasts under this topic, with nothing in them.
HEARTBEAT_TOPIC = "heartbeat"

_LAZY_TIMER = "lazy"
_REPEAT_TIMER = "repeat"
_HEARTBEAT_TIMER = "heartbeat"


@dataclass(slots=True)
class _Missing:
    """A message announced but not received. `announcers`, each with how many hops, are in the order they came."""

    timer: str
    since: float
    announcers: dict[Peer, int] = field(default_factory=dict)
    asked: list[Peer] = field(default_factory=list)


class Plumtree:
    """The broadcast tree as seen by one node. Effects: Send, SetTimer, CancelTimer, Deliver."""

    messages: ClassVar[tuple[type, ...]] = (Gossip, IHave, Have, Lately, Announce, Prune, Graft)

    def __init__(
        self,
        me: Peer,
        options: PlumtreeOptions,
        rng: random.Random,
        repaired: Callable[[str], bool] | None = None,
    ) -> None:
        """`repaired`: whether what a node missed of that topic comes to it by other means than `lately_s`."""
        self._me = me
        self._options = options
        self._rng = rng
        self._counter = 0
        self._trees = Trees(options.trees, options.roots_max, options.root_idle_s)
        self._seen = SeenIds(options.origins_max, options.intervals_max)
        self._held = Held(
            options.store_max,
            options.store_bytes_max,
            options.lately_s,
            partial(_is_repaired, repaired),
        )
        self._in_since = inf  # when this node had its first neighbour
        self._missing: dict[MessageId, _Missing] = {}
        self._graft_timers: dict[str, MessageId] = {}
        self._timers_made = 0
        self._lateness = Lateness()
        self._announcements = Announcements(
            options.announcements_max, options.store_max if options.repeat_s is not None else 0
        )
        self._announcers = Announcers(options.announcers_max, rng)
        self.unrecovered = 0  # announced messages that no announcer sent
        self.ignored = 0  # announcements beyond missing_max

    @property
    def eager(self) -> list[Peer]:
        """The neighbours that payloads of this node go to."""
        return [peer for peer, eager in self.links().items() if eager]

    @property
    def lazy(self) -> list[Peer]:
        """The neighbours that announcements of this node's messages go to."""
        return [peer for peer, eager in self.links().items() if not eager]

    def links(self, root: Peer | None = None) -> Links:
        """The neighbours, and whether each is eager in the tree of `root`; of this node when there is none."""
        return dict(self._trees.look(self._me if root is None else root))

    def start(self, now: float) -> list[Effect]:
        """The node is up: set going what is periodic, if anything is."""
        effects: list[Effect] = []
        if self._options.repeat_s is not None:
            effects.append(SetTimer(_REPEAT_TIMER, self._options.repeat_s))
        return effects + self._next_heartbeat()

    def broadcast(self, topic: str, payload: object, now: float) -> list[Effect]:
        """Send `payload` to every other node of the overlay. No Deliver comes back on this node."""
        self._counter += 1
        self._seen.add(self._me, self._counter)
        gossip = Gossip(self._me, self._counter, topic, 0, payload)
        return self._push(gossip, self._me, self._trees.of(self._me, now), now)

    def neighbour_up(self, peer: Peer, now: float) -> list[Effect]:
        """`peer` is a neighbour now. If it is eager, payloads go to it until it prunes this node."""
        self._in_since = min(self._in_since, now)
        lately = self._held.lately(now)
        effects: list[Effect] = [] if lately is None else [Send(peer, lately)]
        if self._options.new_links == EAGER:
            self._trees.up(peer, eager=True)
            return effects
        needs_it = not any(self._trees.common.values())
        self._trees.up(peer, eager=needs_it)
        return [Send(peer, Graft(self._me, None)), *effects] if needs_it else effects

    def neighbour_down(self, peer: Peer, now: float) -> list[Effect]:
        """`peer` is no neighbour any more. It may be there still, so what only it announced is asked of it yet."""
        was_eager = self._trees.down(peer)
        self._announcements.forget(peer)
        instead = self._announcers.down(peer)
        effects: list[Effect] = [] if instead is None else [Send(instead, Announce(True))]
        untold = self._announcers.some_not_told() if was_eager else []
        lately = self._held.lately(now) if untold else None
        return effects if lately is None else [*effects, *(Send(each, lately) for each in untold)]

    def leave(self, now: float) -> list[Effect]:
        """This node goes, and will answer no graft: what it was about to announce goes out whole.

        So its last words reach every neighbour, though the tree may lead through others that go with it.
        """
        self._in_since = inf
        last_words = [
            (peer, self._held.get((origin, counter)), hops)
            for peer, batch in self._announcements.take()
            for origin, counter, hops in batch
        ]
        return [
            Send(peer, Gossip(held.gossip.origin, held.gossip.counter, held.gossip.topic, hops, held.gossip.payload))
            for peer, held, hops in last_words
            if held is not None
        ]

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """One of `messages` arrived from `sender`."""
        match message:
            case Gossip():
                return self._gossip(sender, message, now)
            case IHave():
                return self._ihave(sender, message, now)
            case Lately():
                return self._lately(sender, message, now)
            case Announce():
                return self._announce_to(sender, message, now)
            case Have():
                self._announcements.confirmed(sender, message.message_ids)
            case Prune():
                _move(self._trees.of(message.root, now), sender, eager=False)
            case Graft():
                return self._graft(sender, message, now)
        return []

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """Something periodic is due, or an announced message has not come."""
        if name == _LAZY_TIMER:
            return [Send(peer, IHave(batch)) for peer, batch in self._announcements.take()]
        if name == _REPEAT_TIMER and self._options.repeat_s is not None:
            again: list[Effect] = [SetTimer(_REPEAT_TIMER, self._options.repeat_s)]
            return again + [Send(peer, IHave(batch)) for peer, batch in self._announcements.repeat(self._held)]
        if name == _HEARTBEAT_TIMER:
            return self._next_heartbeat() + self.broadcast(HEARTBEAT_TOPIC, None, now)
        message_id = self._graft_timers.get(name)
        return [] if message_id is None else self._ask(message_id, now)

    def _next_heartbeat(self) -> list[Effect]:
        period_s = self._options.heartbeat_period_s
        return [] if period_s is None else [SetTimer(_HEARTBEAT_TIMER, period_s * self._rng.uniform(0.75, 1.25))]

    def _gossip(self, sender: Peer, gossip: Gossip, now: float) -> list[Effect]:
        links = self._trees.of(gossip.origin, now)
        if self._options.repeat_s is not None:
            self._announcements.confirmed(sender, ((gossip.origin, gossip.counter),))
        if not self._seen.add(gossip.origin, gossip.counter):
            if sender not in links:
                return []
            links[sender] = False
            self._lateness.came_again((gossip.origin, gossip.counter), now)
            return [Send(sender, Prune(gossip.origin))]
        _move(links, sender, eager=True)
        # Forwarding comes first: the subscriber's work is not on the way of the other nodes.
        effects = self._push(gossip, sender, links, now)
        missing = self._missing.pop((gossip.origin, gossip.counter), None)
        is_grafted = missing is not None and sender in missing.asked
        effects.append(Deliver(gossip.topic, gossip.origin, sender, gossip.hops, gossip.payload, is_grafted))
        if missing is not None:
            del self._graft_timers[missing.timer]
            effects.append(CancelTimer(missing.timer))
            if is_grafted:
                self._lateness.grafted((gossip.origin, gossip.counter), missing.since)
            else:
                self._lateness.came(missing.since, now)
            if missing.announcers:
                nearest = min(missing.announcers, key=missing.announcers.__getitem__)
                effects += self._optimise(gossip, sender, nearest, missing.announcers[nearest], links)
        return effects

    def _push(self, gossip: Gossip, sender: Peer, links: Links, now: float) -> list[Effect]:
        """Keep the message for grafts; send it to the eager neighbours, queue its announcement to the lazy ones."""
        self._held.keep(gossip, sender, now)
        onward = Gossip(gossip.origin, gossip.counter, gossip.topic, gossip.hops + 1, gossip.payload)
        announcement = (gossip.origin, gossip.counter, gossip.hops + 1)
        effects: list[Effect] = []
        for peer, eager in links.items():
            if peer == sender:
                continue
            if eager:
                effects.append(Send(peer, onward))
                self._announcements.expect(peer, announcement)
            elif self._announcers.tells(peer):
                effects += self._announce(peer, announcement, now)
        return effects

    def _announce(self, peer: Peer, announcement: Announcement, now: float) -> list[Effect]:
        was_waiting = bool(self._announcements)
        batch = self._announcements.add(peer, announcement)
        if batch:
            return [Send(peer, IHave(batch))]
        if was_waiting:
            return []
        # Nodes that got a message together must not all announce it in the same instant. Where messages come late by
        # themselves, nobody asks for one soon, and more announcements can share theirs.
        tick_s = max(self._options.lazy_tick_s, min(self._lateness.worst_s(now), self._options.graft_timeout_max_s) / 2)
        return [SetTimer(_LAZY_TIMER, tick_s * (0.5 + 0.5 * self._rng.random()))]

    def _ihave(self, sender: Peer, ihave: IHave, now: float) -> list[Effect]:
        effects: list[Effect] = []
        silenced = self._announcers.announced(sender) if sender in self._trees.common else None
        if silenced is not None:
            effects.append(Send(silenced, Announce(False)))
        have: list[MessageId] = []
        for origin, counter, hops in ihave.announcements:
            message_id = (origin, counter)
            missing = self._missing.get(message_id)
            if missing is not None:
                missing.announcers.setdefault(sender, hops)
            elif message_id in self._seen:
                have.append(message_id)
                held = self._held.get(message_id)
                if held is not None:
                    links = self._trees.of(origin, now)
                    effects += self._optimise(held.gossip, held.sender, sender, hops, links)
            else:
                effects += self._wait_for(message_id, sender, hops, now)
        if have and self._options.repeat_s is not None:
            effects.append(Send(sender, Have(tuple(have))))
        return effects

    def _announce_to(self, sender: Peer, announce: Announce, now: float) -> list[Effect]:
        if sender not in self._trees.common:
            return []
        self._announcers.asked(sender, wanted=announce.wanted)
        lately = self._held.lately(now) if announce.wanted else None
        return [] if lately is None else [Send(sender, lately)]

    def _lately(self, sender: Peer, lately: Lately, now: float) -> list[Effect]:
        """A new neighbour says what came before it: what was missed between two neighbours is asked for.

        A newcomer leaves alone what was broadcast before it was there.
        """
        messages = (
            (origin, counter, hops)
            for origin, first, last, hops, age_s in lately.runs
            if now - age_s >= self._in_since
            for counter in range(first, last + 1)
        )
        effects: list[Effect] = []
        for origin, counter, hops in islice(messages, LATELY_MAX):
            missing = self._missing.get((origin, counter))
            if missing is not None:
                missing.announcers.setdefault(sender, hops)
            elif (origin, counter) not in self._seen:
                effects += self._wait_for((origin, counter), sender, hops, now)
        return effects

    def _wait_for(self, message_id: MessageId, announcer: Peer, hops: int, now: float) -> list[Effect]:
        if len(self._missing) >= self._options.missing_max:
            self.ignored += 1
            return []
        self._timers_made += 1
        missing = _Missing(f"graft {self._timers_made}", now, {announcer: hops})
        self._missing[message_id] = missing
        self._graft_timers[missing.timer] = message_id
        return [SetTimer(missing.timer, self._patient(self._options.graft_timeout_s, now))]

    def _patient(self, timeout_s: float, now: float) -> float:
        longer_s = min(1.5 * self._lateness.worst_s(now), self._options.graft_timeout_max_s)
        return max(timeout_s, longer_s) if timeout_s else 0.0

    def _ask(self, message_id: MessageId, now: float) -> list[Effect]:
        missing = self._missing[message_id]
        if not missing.announcers:
            del self._missing[message_id]
            del self._graft_timers[missing.timer]
            self.unrecovered += 1
            return []
        root, counter = message_id
        links = self._trees.of(root, now)
        first = next((peer for peer in missing.announcers if peer in links), next(iter(missing.announcers)))
        del missing.announcers[first]
        missing.asked.append(first)
        _move(links, first, eager=True)
        return [
            Send(first, Graft(root, counter)),
            SetTimer(missing.timer, self._patient(self._options.graft_retry_s, now)),
        ]

    def _graft(self, sender: Peer, graft: Graft, now: float) -> list[Effect]:
        _move(self._trees.of(graft.root, now), sender, eager=True)
        held = self._held.get((graft.root, graft.wanted)) if graft.wanted is not None else None
        if held is None:
            return []
        gossip = held.gossip
        return [Send(sender, Gossip(gossip.origin, gossip.counter, gossip.topic, gossip.hops + 1, gossip.payload))]

    def _optimise(self, gossip: Gossip, parent: Peer, announcer: Peer, hops: int, links: Links) -> list[Effect]:
        """Swap the link the message came by for the announcer's, when that saves enough hops.

        The announcer's hops are strictly fewer, so it is not below this node in that message's tree and no swap,
        alone or together with others over the same message, can close a cycle.
        """
        threshold = self._options.optimise_threshold
        if threshold is None or gossip.hops - hops < threshold:
            return []
        if not links.get(parent, False) or links.get(announcer, True):
            return []
        links[parent] = False
        links[announcer] = True
        return [Send(announcer, Graft(gossip.origin, None)), Send(parent, Prune(gossip.origin))]


def _is_repaired(repaired: Callable[[str], bool] | None, topic: str) -> bool:
    return topic == HEARTBEAT_TOPIC or (repaired is not None and repaired(topic))


def _move(links: Links, peer: Peer, *, eager: bool) -> None:
    if peer in links:
        links[peer] = eager

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

Departures from the paper: one tree is shared by all origins (its cheaper variant); ids are (origin, counter), so that
what was seen fits in a few intervals; announcements leave in batches, and since a batch usually follows the payload,
the hop-count optimisation (section 3.8) is also tried when an announcement comes after the message it names. What is
not promised: a node that had no neighbours while a message went round does not get it later (`exchange` is for state
that everybody must end up with).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import ClassVar

from partisan_actors.errors import ConfigError
from partisan_actors.messages import message
from partisan_actors.protocols.broadcast.seen import SeenIds
from partisan_actors.protocols.machine import CancelTimer, Deliver, Effect, Peer, Send, SetTimer

__all__ = ["Gossip", "Graft", "IHave", "Plumtree", "PlumtreeOptions", "Prune"]

_LAZY_TIMER = "lazy"


@message("plumtree.gossip")
@dataclass(frozen=True, slots=True)
class Gossip:
    """A payload on its way. `hops` is the number of links crossed on arrival: 1 at the origin's neighbours."""

    origin: Peer
    counter: int
    topic: str
    hops: int
    payload: object


@message("plumtree.ihave")
@dataclass(frozen=True, slots=True)
class IHave:
    """The sender holds these messages: (origin, counter, hops its Gossip would carry)."""

    announcements: tuple[tuple[Peer, int, int], ...]


@message("plumtree.prune")
@dataclass(frozen=True, slots=True)
class Prune:
    """Stop sending me payloads, announce them: I get them from somebody else."""


@message("plumtree.graft")
@dataclass(frozen=True, slots=True)
class Graft:
    """Send me payloads from now on, and now the one named by (origin, counter), if any."""

    wanted: tuple[Peer, int] | None


@dataclass(frozen=True, slots=True)
class PlumtreeOptions:
    """The bounds and times of `Plumtree`. Raises ConfigError when a value makes no sense.

    `graft_timeout_s` (timeout1 of the paper) is how long an announced message may take to come by itself; 0 asks at
    once. `graft_retry_s` (timeout2) is how long an asked announcer has before the next one is asked.
    """

    lazy_tick_s: float = 0.1  # announcements wait at most this long for others to share their message
    announcements_max: int = 512  # in one IHave; a fuller batch leaves before the tick
    graft_timeout_s: float = 0.5
    graft_retry_s: float = 0.25
    optimise_threshold: int | None = 7  # hops to be saved before a link is swapped; None never swaps
    store_max: int = 1024  # messages kept for grafts; the oldest goes first, and its grafts stay unanswered
    missing_max: int = 4096  # announced messages waited for; further announcements are ignored and counted
    origins_max: int = 16384  # see SeenIds
    intervals_max: int = 64  # see SeenIds

    def __post_init__(self) -> None:
        for name in ("lazy_tick_s", "graft_timeout_s"):
            if not getattr(self, name) >= 0:
                raise ConfigError(name, getattr(self, name), "seconds, 0 or more")
        if not self.graft_retry_s > 0:
            raise ConfigError("graft_retry_s", self.graft_retry_s, "seconds, more than 0")
        if self.optimise_threshold is not None and self.optimise_threshold < 1:
            raise ConfigError("optimise_threshold", self.optimise_threshold, "None or a number of hops, 1 or more")
        for name in ("announcements_max", "store_max", "missing_max", "origins_max", "intervals_max"):
            if getattr(self, name) < 1:
                raise ConfigError(name, getattr(self, name), "1 or more")


@dataclass(slots=True)
class _Held:
    """A message kept for grafts, and where it came from."""

    gossip: Gossip
    sender: Peer


@dataclass(slots=True)
class _Missing:
    """A message announced but not received: its timer, and who announced it with how many hops, first come first."""

    timer: str
    announcers: dict[Peer, int] = field(default_factory=dict)


class Plumtree:
    """The broadcast tree as seen by one node. Effects: Send, SetTimer, CancelTimer, Deliver."""

    messages: ClassVar[tuple[type, ...]] = (Gossip, IHave, Prune, Graft)

    def __init__(self, me: Peer, options: PlumtreeOptions, rng: random.Random) -> None:
        self._me = me
        self._options = options
        self._rng = rng
        self._counter = 0
        self._is_eager: dict[Peer, bool] = {}
        self._seen = SeenIds(options.origins_max, options.intervals_max)
        self._held: dict[tuple[Peer, int], _Held] = {}
        self._missing: dict[tuple[Peer, int], _Missing] = {}
        self._graft_timers: dict[str, tuple[Peer, int]] = {}
        self._timers_made = 0
        self._announcing: dict[Peer, list[tuple[Peer, int, int]]] = {}
        self.unrecovered = 0  # announced messages that no announcer sent
        self.ignored = 0  # announcements beyond missing_max

    @property
    def eager(self) -> list[Peer]:
        """The neighbours that payloads go to."""
        return [peer for peer, eager in self._is_eager.items() if eager]

    @property
    def lazy(self) -> list[Peer]:
        """The neighbours that announcements go to."""
        return [peer for peer, eager in self._is_eager.items() if not eager]

    def start(self, now: float) -> list[Effect]:
        """The node is up. Nothing to do: every timer here waits for something that happened."""
        return []

    def broadcast(self, topic: str, payload: object, now: float) -> list[Effect]:
        """Send `payload` to every other node of the overlay. No Deliver comes back on this node."""
        self._counter += 1
        self._seen.add(self._me, self._counter)
        return self._push(Gossip(self._me, self._counter, topic, 0, payload), self._me)

    def neighbour_up(self, peer: Peer, now: float) -> list[Effect]:
        """`peer` is a neighbour now: payloads go to it until it prunes this node."""
        self._is_eager.setdefault(peer, True)
        return []

    def neighbour_down(self, peer: Peer, now: float) -> list[Effect]:
        """`peer` is no neighbour any more. What only it announced is given up when its timer runs out."""
        self._is_eager.pop(peer, None)
        self._announcing.pop(peer, None)
        for missing in self._missing.values():
            missing.announcers.pop(peer, None)
        return []

    def leave(self, now: float) -> list[Effect]:
        """This node goes, and will answer no graft: what it was about to announce goes out whole.

        So its last words reach every neighbour, though the tree may lead through others that go with it.
        """
        batches, self._announcing = self._announcing, {}
        held = self._held
        last_words = [
            (peer, held[origin, counter].gossip, hops)
            for peer, waiting in batches.items()
            for origin, counter, hops in waiting
            if (origin, counter) in held
        ]
        return [
            Send(peer, Gossip(gossip.origin, gossip.counter, gossip.topic, hops, gossip.payload))
            for peer, gossip, hops in last_words
        ]

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """One of `messages` arrived from `sender`."""
        match message:
            case Gossip():
                return self._gossip(sender, message)
            case IHave():
                return self._ihave(sender, message)
            case Prune():
                self._move(sender, eager=False)
            case Graft():
                return self._graft(sender, message)
        return []

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """The batch of announcements is due, or an announced message has not come."""
        if name == _LAZY_TIMER:
            return self._announce_all()
        message_id = self._graft_timers.get(name)
        return [] if message_id is None else self._ask(message_id)

    def _gossip(self, sender: Peer, gossip: Gossip) -> list[Effect]:
        if not self._seen.add(gossip.origin, gossip.counter):
            if sender not in self._is_eager:
                return []
            self._move(sender, eager=False)
            return [Send(sender, Prune())]
        self._move(sender, eager=True)
        # Forwarding comes first: the subscriber's work is not on the way of the other nodes.
        effects = self._push(gossip, sender)
        effects.append(Deliver(gossip.topic, gossip.origin, sender, gossip.hops, gossip.payload))
        missing = self._missing.pop((gossip.origin, gossip.counter), None)
        if missing is not None:
            del self._graft_timers[missing.timer]
            effects.append(CancelTimer(missing.timer))
            if missing.announcers:
                nearest = min(missing.announcers, key=missing.announcers.__getitem__)
                effects += self._optimise(gossip, sender, nearest, missing.announcers[nearest])
        return effects

    def _push(self, gossip: Gossip, sender: Peer) -> list[Effect]:
        """Keep the message for grafts; send it to the eager neighbours, queue its announcement to the lazy ones."""
        if len(self._held) >= self._options.store_max:
            del self._held[next(iter(self._held))]
        self._held[(gossip.origin, gossip.counter)] = _Held(gossip, sender)
        onward = Gossip(gossip.origin, gossip.counter, gossip.topic, gossip.hops + 1, gossip.payload)
        announcement = (gossip.origin, gossip.counter, gossip.hops + 1)
        effects: list[Effect] = []
        for peer, eager in self._is_eager.items():
            if peer == sender:
                continue
            if eager:
                effects.append(Send(peer, onward))
            else:
                effects += self._announce(peer, announcement)
        return effects

    def _announce(self, peer: Peer, announcement: tuple[Peer, int, int]) -> list[Effect]:
        effects: list[Effect] = []
        if not self._announcing:
            # Nodes that got a message together must not all announce it in the same instant.
            effects.append(SetTimer(_LAZY_TIMER, self._options.lazy_tick_s * (0.5 + 0.5 * self._rng.random())))
        waiting = self._announcing.setdefault(peer, [])
        waiting.append(announcement)
        if len(waiting) >= self._options.announcements_max:
            effects.append(Send(peer, IHave(tuple(waiting))))
            waiting.clear()
        return effects

    def _announce_all(self) -> list[Effect]:
        batches, self._announcing = self._announcing, {}
        return [Send(peer, IHave(tuple(waiting))) for peer, waiting in batches.items() if waiting]

    def _ihave(self, sender: Peer, ihave: IHave) -> list[Effect]:
        effects: list[Effect] = []
        for origin, counter, hops in ihave.announcements:
            message_id = (origin, counter)
            missing = self._missing.get(message_id)
            if missing is not None:
                missing.announcers.setdefault(sender, hops)
            elif message_id in self._seen:
                held = self._held.get(message_id)
                if held is not None:
                    effects += self._optimise(held.gossip, held.sender, sender, hops)
            elif len(self._missing) >= self._options.missing_max:
                self.ignored += 1
            else:
                effects.append(self._wait_for(message_id, sender, hops))
        return effects

    def _wait_for(self, message_id: tuple[Peer, int], announcer: Peer, hops: int) -> SetTimer:
        self._timers_made += 1
        missing = _Missing(f"graft {self._timers_made}", {announcer: hops})
        self._missing[message_id] = missing
        self._graft_timers[missing.timer] = message_id
        return SetTimer(missing.timer, self._options.graft_timeout_s)

    def _ask(self, message_id: tuple[Peer, int]) -> list[Effect]:
        missing = self._missing[message_id]
        if not missing.announcers:
            del self._missing[message_id]
            del self._graft_timers[missing.timer]
            self.unrecovered += 1
            return []
        first = next(iter(missing.announcers))
        del missing.announcers[first]
        self._move(first, eager=True)
        return [Send(first, Graft(message_id)), SetTimer(missing.timer, self._options.graft_retry_s)]

    def _graft(self, sender: Peer, graft: Graft) -> list[Effect]:
        self._move(sender, eager=True)
        held = self._held.get(graft.wanted) if graft.wanted is not None else None
        if held is None:
            return []
        gossip = held.gossip
        return [Send(sender, Gossip(gossip.origin, gossip.counter, gossip.topic, gossip.hops + 1, gossip.payload))]

    def _optimise(self, gossip: Gossip, parent: Peer, announcer: Peer, hops: int) -> list[Effect]:
        """Swap the link the message came by for the announcer's, when that saves enough hops.

        The announcer's hops are strictly fewer, so it is not below this node in that message's tree and no swap,
        alone or together with others over the same message, can close a cycle.
        """
        threshold = self._options.optimise_threshold
        if threshold is None or gossip.hops - hops < threshold:
            return []
        if not self._is_eager.get(parent, False) or self._is_eager.get(announcer, True):
            return []
        self._is_eager[parent] = False
        self._is_eager[announcer] = True
        return [Send(announcer, Graft(None)), Send(parent, Prune())]

    def _move(self, peer: Peer, *, eager: bool) -> None:
        if peer in self._is_eager:
            self._is_eager[peer] = eager

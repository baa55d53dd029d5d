"""An overlay of your own: a ring in the order of the names' hashes, with chords across it so that no way is long."""

import math
import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from partisan_actors.messages import message
from partisan_actors.protocols import machine
from partisan_actors.protocols.machine import Connect, Disconnect, Effect, NeighbourDown, NeighbourUp, Peer, Send
from partisan_actors.protocols.membership.member_set import MemberSet


@message("ring.members")
@dataclass(frozen=True, slots=True)
class Members:
    peers: tuple[Peer, ...]
    lengths: tuple[int, ...]
    answer: bool


@dataclass(frozen=True, slots=True)
class RingOptions:
    gossip_period_s: float = 1.0

    def __post_init__(self) -> None:
        if not self.gossip_period_s > 0:
            raise ValueError(f"gossip_period_s = {self.gossip_period_s!r} is not valid: expected a number above 0")


class Ring:
    messages = (Members,)
    options_type = RingOptions

    def __init__(self, me: Peer, options: RingOptions, rng: random.Random) -> None:
        self.me, self.options, self.rng = me, options, rng
        self.members, self.links, self.contacts = MemberSet(removed_max=128), list[Peer](), list[Peer]()

    @property
    def neighbours(self) -> Sequence[Peer]:
        return list(self.links)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        return {"active": self.neighbours, "members": self.members.members}

    def start(self, now: float) -> list[Effect]:
        self.members.add(self.me)
        return [machine.SetTimer("gossip", self.options.gossip_period_s)]

    def join(self, contact: Peer, now: float) -> list[Effect]:
        self.contacts.append(contact)
        return [*self.start(now), *self.tell([contact], answer=True)]

    def leave(self, now: float) -> list[Effect]:
        self.members.remove(self.me)
        effects = [*self.tell(self.links), *[e for p in self.links for e in (NeighbourDown(p, False), Disconnect(p))]]
        self.members, self.links, self.contacts = MemberSet(removed_max=128), [], []
        return [*effects, machine.CancelTimer("gossip")]

    def receive(self, sender: Peer, news: object, now: float) -> list[Effect]:
        if not isinstance(news, Members) or not self.members.members:  # not running
            return []
        changes = self.members.merge(zip(news.peers, news.lengths, strict=False))
        if self.me not in self.members:  # somebody took this node for dead
            self.members.add(self.me)
        return self.relink() + self.tell([sender] if news.answer else []) + self.tell(self.links if changes else [])

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        if peer not in self.links:
            return []
        self.links.remove(peer)
        self.members.remove(peer)
        return [NeighbourDown(peer, True), Disconnect(peer), *self.relink(), *self.tell(self.links)]

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        # Somebody at random, also of those that were removed: they may have been cut off, and not be dead.
        known = [peer for peer, _ in self.members.entries() if peer != self.me] or self.contacts
        asked = self.rng.sample(known, min(1, len(known)))
        return [machine.SetTimer("gossip", self.options.gossip_period_s), *self.tell(asked, answer=True)]

    def tell(self, peers: Sequence[Peer], answer: bool = False) -> list[Effect]:
        names, lengths = zip(*self.members.entries(), strict=True)
        return [Send(peer, Members(names, lengths, answer)) for peer in peers if peer != self.me]

    def relink(self) -> list[Effect]:
        """Both ends of a link come to it by the same reckoning, so that they need not agree on it."""
        ring = sorted(self.members.members, key=lambda peer: (zlib.crc32(str(peer).encode()), str(peer)))
        place, chord = ring.index(self.me), math.isqrt(len(ring))
        wanted = dict.fromkeys(ring[(place + step) % len(ring)] for step in (1, -1, chord, -chord))
        old = [peer for peer in self.links if peer not in wanted]
        new = [peer for peer in wanted if peer not in self.links and peer != self.me]
        self.links = [peer for peer in self.links if peer in wanted] + new
        ups: list[Effect] = [effect for peer in new for effect in (Connect(peer), NeighbourUp(peer))]
        return ups + [effect for peer in old for effect in (NeighbourDown(peer, False), Disconnect(peer))]

"""Links between two nodes that both of them agree on, and that are made again when they break.

What `static` and `star` have in common: who links with whom is theirs to say, how it comes about is said here. Rules:

1. One end asks (`Ask`), the other accepts or refuses. Whoever accepts holds the link from then on, whoever asked from
   when it hears so. Requests that cross make one link.
2. Who was asked is asked again with back-off until it answers, and so is a peer that failed, if it is still wanted.
3. Once a period a node tells one of its peers in turn that it holds their link (`Check`). Who does not hold it says so,
   and the link is made anew or ends. So even after lost messages both ends agree within as many periods as there are
   peers.
4. A later life of a name takes the place of an earlier one, which has failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from partisan_actors.messages import message
from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Disconnect,
    Effect,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.protocols.membership.member_set import life_of, name_of
from partisan_actors.protocols.membership.redial import Redial, RedialOptions

__all__ = ["CHECK", "REDIAL", "Accept", "Ask", "Check", "LinkOptions", "Links", "Part", "Refuse"]

CHECK: Final = "check"
REDIAL: Final = "redial"


@message("links.ask")
@dataclass(frozen=True, slots=True)
class Ask:
    """Link with me. `note` is what the strategy says of the sender."""

    note: str


@message("links.accept")
@dataclass(frozen=True, slots=True)
class Accept:
    """The answer to `Ask`: I hold the link."""

    note: str


@message("links.refuse")
@dataclass(frozen=True, slots=True)
class Refuse:
    """The other answer. `reason` is for people."""

    reason: str


@message("links.part")
@dataclass(frozen=True, slots=True)
class Part:
    """I do not hold a link with you (any more). `leaving`: I am not in the overlay at all."""

    leaving: bool


@message("links.check")
@dataclass(frozen=True, slots=True)
class Check:
    """I hold our link. Answered only by one that does not."""


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How often links are checked, and how patiently they are asked for. Raises ValueError when a value is not valid.

    `redial.peers_max` bounds how many peers are asked at once: the one that was asked first is given up for another.
    """

    check_period_s: float = 10.0
    redial: RedialOptions = field(default_factory=lambda: RedialOptions(peers_max=256))

    def __post_init__(self) -> None:
        if not self.check_period_s > 0:
            raise ValueError(f"check_period_s = {self.check_period_s!r} is not valid: expected seconds, more than 0")


class Links:
    """One node's links. Methods add to `effects`, which `answer` hands over; `note` goes with what this node asks."""

    def __init__(self, me: Peer, options: LinkOptions, rng: Random, note: str = "") -> None:
        self.me = me
        self.options = options
        self.up: dict[Peer, None] = {}
        self.asked = Redial(options.redial, rng)
        self.effects: list[Effect] = []
        self.is_running = False
        self._rng = rng
        self._note = note
        self._checks = 0

    def start(self) -> None:
        """Begin to check, at a random moment of the first period."""
        if not self.is_running:
            self.is_running = True
            self.effects.append(SetTimer(CHECK, self.options.check_period_s * self._rng.random()))

    def ask(self, peer: Peer, now: float) -> None:
        """Ask `peer` now, and again until it answers."""
        if peer != self.me and peer not in self.up:
            self.send(peer, Ask(self._note))
            self.ask_later(peer, now)

    def ask_later(self, peer: Peer, now: float) -> None:
        """Ask `peer` after one back-off, and again until it answers."""
        self.asked.add(peer, now)
        self.set_timer(now)

    def accept(self, peer: Peer) -> None:
        """Answer the `Ask` of `peer`: the link is there."""
        self._establish(peer, Accept(self._note))

    def establish(self, peer: Peer) -> None:
        """`peer` says that it holds the link: so does this node now."""
        self._establish(peer, None)

    def _establish(self, peer: Peer, saying: Accept | None) -> None:
        is_new = peer not in self.up
        self.asked.discard(peer)
        if is_new:
            self.up[peer] = None
            self.effects.append(Connect(peer))
        if saying is not None:  # before the layers above, told by NeighbourUp, send anything of theirs
            self.send(peer, saying)
        if is_new:
            self.effects.append(NeighbourUp(peer))

    def drop(self, peer: Peer, *, failed: bool) -> bool:
        """Whether there was a link to end."""
        if peer not in self.up:
            return False
        del self.up[peer]
        self.effects += [NeighbourDown(peer, failed), Disconnect(peer)]
        return True

    def leave(self) -> None:
        """Say goodbye to every peer, and ask nobody any more."""
        for peer in list(self.up):
            del self.up[peer]
            self.effects += [NeighbourDown(peer, failed=False), Send(peer, Part(True)), Disconnect(peer)]
        self.asked.clear()
        if self.is_running:
            self.is_running = False
            self.effects += [CancelTimer(CHECK), CancelTimer(REDIAL)]

    def decline(self, sender: Peer, message: object) -> None:
        """This node has left: say so to whoever takes it for a peer."""
        if isinstance(message, Ask | Accept | Check):
            self.send(sender, Part(True))

    def checked(self, sender: Peer) -> bool:
        """`sender` holds our link. Whether this node does too, if need be from now on because it asked for it."""
        if sender not in self.up:
            if sender not in self.asked:
                self.send(sender, Part(False))
                return False
            self.establish(sender)
        return True

    def check_next(self) -> None:
        """Tell one peer that its link is held, and set the timer for the next."""
        self.effects.append(SetTimer(CHECK, self.options.check_period_s))
        if self.up:
            self.send(list(self.up)[self._checks % len(self.up)], Check())
            self._checks += 1

    def replace(self, peer: Peer) -> Peer | None:
        """End what there is with an earlier life of `peer`; that life, or None when there is none or a later one."""
        known: Peer
        for known in (*self.up, *self.asked):
            if name_of(known) == name_of(peer) and life_of(known) < life_of(peer):
                self.asked.discard(known)
                self.drop(known, failed=True)
                return known
        return None

    def is_outdated(self, peer: Peer) -> bool:
        """Whether a later life of `peer` is linked with this node or asked."""
        return any(
            name_of(known) == name_of(peer) and life_of(known) > life_of(peer) for known in (*self.up, *self.asked)
        )

    def set_timer(self, now: float) -> None:
        """Wake up when somebody is due to be asked again."""
        delay = self.asked.next_delay(now)
        if delay is not None:
            self.effects.append(SetTimer(REDIAL, delay))

    def send(self, peer: Peer, message: object) -> None:
        """Say `message` to `peer`."""
        self.effects.append(Send(peer, message))

    def answer(self) -> list[Effect]:
        """What has come together since the last answer."""
        effects, self.effects = self.effects, []
        return effects

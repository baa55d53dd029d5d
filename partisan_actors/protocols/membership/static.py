"""Static: exactly the links that were configured. Nothing is learned, from anybody, of anybody else.

`join` names a peer that this node shall be linked with; one end's `join` is enough, and both ends have the link then.
Rules, beside those of `links`:

1. A peer is asked, and a lost one asked again, for ever: at most once in `redial.longest_s` each, when it stays away
   (`redial.tries_max` means nothing here). Only `leave`, of either end, ends a link for good.
2. A node has at most `peers_max` peers, those that it asks included. A further `join` is answered by `JoinRefused`,
   and so is one to a peer that is full.
3. When a later life of a peer's name asks, or is found at the other end of a connection, it takes the earlier one's
   place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

from partisan_actors.protocols.machine import Effect, JoinRefused, Peer
from partisan_actors.protocols.membership.links import (
    CHECK,
    REDIAL,
    Accept,
    Ask,
    Check,
    LinkOptions,
    Links,
    Part,
    Refuse,
)
from partisan_actors.protocols.membership.redial import RedialOptions

__all__ = ["Static", "StaticOptions"]


@dataclass(frozen=True, slots=True)
class StaticOptions:
    """Bounds and periods. Raises ValueError when a value is not valid."""

    peers_max: int = 256
    check_period_s: float = 10.0
    redial: RedialOptions = field(default_factory=lambda: RedialOptions(peers_max=256))

    def __post_init__(self) -> None:
        LinkOptions(self.check_period_s, self.redial)
        if not isinstance(self.peers_max, int) or not 1 <= self.peers_max <= self.redial.peers_max:
            raise ValueError(
                f"peers_max = {self.peers_max!r} is not valid: "
                f"expected an int from 1 to redial.peers_max = {self.redial.peers_max}"
            )


class Static:
    """One node's configured links (a `MembershipStrategy`). `me` is its id in the others' eyes."""

    messages: ClassVar[tuple[type, ...]] = (Ask, Accept, Refuse, Part, Check)
    options_type: ClassVar[type] = StaticOptions

    def __init__(self, me: Peer, options: StaticOptions, rng: Random) -> None:
        self.me = me
        self.options = options
        self._links = Links(me, LinkOptions(options.check_period_s, options.redial), rng)

    @property
    def neighbours(self) -> Sequence[Peer]:
        """The peers whose links are there, in the order in which they came."""
        return list(self._links.up)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        """Those that are linked, and those that are asked."""
        return {"linked": list(self._links.up), "asked": list(self._links.asked)}

    def start(self, now: float) -> list[Effect]:
        """Begin to answer."""
        self._links.start()
        return self._links.answer()

    def join(self, contact: Peer, now: float) -> list[Effect]:
        """Be linked with `contact`, from as soon as it can be reached. Starts a node that left."""
        if contact != self.me:
            self._links.start()
            self._links.replace(contact)
            if contact not in self._links.up and contact not in self._links.asked and self._is_full:
                why = f"this node has peers_max = {self.options.peers_max} peers already"
                self._links.effects.append(JoinRefused(contact, why))
            else:
                self._links.ask(contact, now)
        return self._links.answer()

    def leave(self, now: float) -> list[Effect]:
        """End every link for good, and forget whom this node was to be linked with."""
        self._links.leave()
        return self._links.answer()

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """Handle one of `messages`; anything else is ignored."""
        links = self._links
        if sender == self.me:
            return []
        if not links.is_running:
            links.decline(sender, message)
            return links.answer()
        match message:
            case Ask():
                self._on_ask(sender)
            case Accept():
                links.checked(sender)
            case Check():
                links.checked(sender)
            case Refuse(reason) if links.asked.discard(sender):
                links.effects.append(JoinRefused(sender, reason))
            case Part(leaving):
                was_linked = links.drop(sender, failed=False)
                if leaving:
                    links.asked.discard(sender)
                elif was_linked:
                    links.ask_later(sender, now)
        return links.answer()

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        """A later life of a peer is there: it is asked in the place of the earlier one."""
        if self._links.is_running and self._links.replace(peer) is not None:
            self._links.ask(peer, now)
        return self._links.answer()

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        """A link broke: its peer is asked again."""
        if self._links.drop(peer, failed=True):
            self._links.ask_later(peer, now)
        return self._links.answer()

    def supersede(self, former: Peer, later: Peer, now: float) -> list[Effect]:
        """The later life is asked in the place of the earlier one."""
        return self.peer_up(later, now)

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """Check a link, or ask those whose time has come."""
        if self._links.is_running and name == CHECK:
            self._links.check_next()
        elif self._links.is_running and name == REDIAL:
            for peer in self._links.asked.due(now, give_up=False):
                self._links.send(peer, Ask(""))
            self._links.set_timer(now)
        return self._links.answer()

    @property
    def _is_full(self) -> bool:
        return len(self._links.up) + len(self._links.asked) >= self.options.peers_max

    def _on_ask(self, sender: Peer) -> None:
        links = self._links
        if links.is_outdated(sender):
            links.send(sender, Refuse("a later life of this node is linked already"))
            return
        links.replace(sender)
        if sender not in links.up and sender not in links.asked and self._is_full:
            links.send(sender, Refuse(f"this peer has peers_max = {self.options.peers_max} peers already"))
        else:
            links.accept(sender)

"""Client-server: servers link with every server, clients with one of them, and clients never with each other.

Every node says what it is, its *tag*. Who may link with whom, either of them asking:

| | server | client | undefined |
|---|---|---|---|
| server | yes | yes | no |
| client | yes | no | no |
| undefined | no | no | yes |

Nodes without a tag ("undefined") make a full mesh of their own; below, what is said of servers holds for them, too.

1. A request that the table forbids is refused with the reason, which comes out as `JoinRefused` at the node that asked.
   It is not repeated: a node's tag is for life. The node that refused tells nobody; it has nothing to mend.
2. Servers learn of each other from whichever server they join, and ask each other until all are linked. One that
   failed is asked again `redial.tries_max` times, and then forgotten; for ever by a server that has no other.
3. A client is told of all servers, and of changes. When its server fails or leaves it asks another one, chosen at
   random so that the orphans of one do not all go to the same, and goes on through those it knows until one answers.
   Told to join a second server it keeps both links.
4. From client to client messages go through servers: that is ordinary relay, over the links there are.

Links are made and kept as `links` says. Bounds: a server takes `clients_max` clients and `servers_max` servers and
refuses further ones; a client that knows `servers_max` forgets the one it met first, of those it has no link with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, Final

from partisan_actors.messages import message
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

__all__ = ["ClientServer", "ClientServerOptions", "Servers"]

SERVER: Final = "server"
CLIENT: Final = "client"
UNDEFINED: Final = "undefined"
ACCEPTED: Final = frozenset({(SERVER, SERVER), (SERVER, CLIENT), (CLIENT, SERVER), (UNDEFINED, UNDEFINED)})


@message("star.servers")
@dataclass(frozen=True, slots=True)
class Servers:
    """Servers that the sender, one itself, is linked with, and such as are `gone`."""

    peers: tuple[Peer, ...]
    gone: tuple[Peer, ...]


@dataclass(frozen=True, slots=True)
class ClientServerOptions:
    """What this node is, bounds and periods. Raises ValueError when a value is not valid."""

    tag: str = UNDEFINED
    servers_max: int = 64
    clients_max: int = 4096
    check_period_s: float = 10.0
    redial: RedialOptions = field(default_factory=lambda: RedialOptions(peers_max=64))

    def __post_init__(self) -> None:
        if self.tag not in (SERVER, CLIENT, UNDEFINED):
            raise ValueError(f'tag = {self.tag!r} is not valid: expected "server", "client" or "undefined"')
        LinkOptions(self.check_period_s, self.redial)
        for name in ("servers_max", "clients_max"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} = {value!r} is not valid: expected an int of at least 1")


class ClientServer:
    """One node's place in the star (a `MembershipStrategy`). `me` is its id in the others' eyes."""

    messages: ClassVar[tuple[type, ...]] = (Ask, Accept, Refuse, Part, Check, Servers)
    options_type: ClassVar[type] = ClientServerOptions

    def __init__(self, me: Peer, options: ClientServerOptions, rng: Random) -> None:
        self.me = me
        self.options = options
        self._rng = rng
        self._tag = options.tag
        self._links = Links(me, LinkOptions(options.check_period_s, options.redial), rng, note=options.tag)
        self._servers: dict[Peer, None] = {}  # known, linked or not

    @staticmethod
    def own_options(joins: bool) -> Mapping[str, Any]:
        """What each node says for itself: who starts a star is its server, and who joins one a client."""
        return {"tag": CLIENT if joins else SERVER}

    @property
    def neighbours(self) -> Sequence[Peer]:
        """The peers whose links are there, in the order in which they came."""
        return list(self._links.up)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        """The servers that are known, and the clients that are linked; nodes without a tag are among the former."""
        return {"servers": list(self._servers), "clients": self._clients}

    def start(self, now: float) -> list[Effect]:
        """Begin to answer."""
        self._links.start()
        return self._links.answer()

    def join(self, contact: Peer, now: float) -> list[Effect]:
        """Ask `contact` for a link, again with back-off until it answers. Starts a node that left."""
        if contact != self.me:
            self._links.start()
            self._links.ask(contact, now)
        return self._links.answer()

    def leave(self, now: float) -> list[Effect]:
        """Say goodbye to every peer and forget all servers."""
        self._links.leave()
        self._servers.clear()
        return self._links.answer()

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """Handle one of `messages`; anything else is ignored."""
        if sender == self.me:
            return []
        if not self._links.is_running:
            self._links.decline(sender, message)
            return self._links.answer()
        match message:
            case Ask(tag):
                self._on_ask(sender, tag)
            case Accept(tag):
                self._on_accept(sender, tag)
            case Check():
                self._on_check(sender)
            case Refuse(reason) if self._links.asked.discard(sender):
                self._forget([sender])
                self._links.effects.append(JoinRefused(sender, reason))
                self._seek(now)
            case Part(leaving):
                self._on_part(sender, leaving, now)
            case Servers() if sender in self._links.up and sender in self._servers:
                self._on_servers(message, now)
        return self._links.answer()

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        """A connection alone means nothing here: links are made by messages."""
        return []

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        """A link broke. A server is asked again; a client without one asks another; a client is left to come back."""
        if self._links.drop(peer, failed=True) and peer in self._servers:
            self._links.ask_later(peer, now)
        self._seek(now)
        return self._links.answer()

    def supersede(self, former: Peer, later: Peer, now: float) -> list[Effect]:
        """A server is asked in its later life, by servers at once; a client is left to come back."""
        links = self._links
        was_wanted = links.asked.discard(former) or former in self._servers
        links.drop(former, failed=False)
        self._forget([former])
        if was_wanted and later not in links.up and later != self.me:
            if self._tag == CLIENT:
                self._remember(later)
            else:
                links.ask(later, now)
        self._seek(now)
        return links.answer()

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """Check a link, or ask those whose time has come."""
        if self._links.is_running and name == CHECK:
            self._links.check_next()
        elif self._links.is_running and name == REDIAL:
            self._ask_again(now)
        return self._links.answer()

    # Messages.

    def _on_ask(self, sender: Peer, tag: str) -> None:
        links = self._links
        reason = self._reason_against(sender, tag)
        if reason is not None:
            links.send(sender, Refuse(reason))
            return
        former = links.replace(sender)
        if former is not None:
            self._forget([former])
        links.accept(sender)
        self._meet(sender, tag)

    def _reason_against(self, sender: Peer, tag: str) -> str | None:
        if (self._tag, tag) not in ACCEPTED:
            if (self._tag, tag) == (CLIENT, CLIENT):
                return "a client takes no clients: join through a server"
            return f"this node's tag is {self._tag!r}, which does not go with {tag[:16]!r}"
        if self._links.is_outdated(sender):
            return "a later life of this node is linked already"
        if sender in self._links.up:
            return None
        if tag != CLIENT and sender not in self._servers and len(self._servers) >= self.options.servers_max:
            return f"this server has servers_max = {self.options.servers_max} servers already"
        if tag == CLIENT and len(self._clients) >= self.options.clients_max:
            return f"this server has clients_max = {self.options.clients_max} clients already"
        return None

    def _on_accept(self, sender: Peer, tag: str) -> None:
        if (self._tag, tag) not in ACCEPTED:  # it should have refused
            self._links.asked.discard(sender)
            self._links.send(sender, Part(False))
        elif self._links.checked(sender):
            self._meet(sender, tag)

    def _on_check(self, sender: Peer) -> None:
        # Whoever asked hears what the other is from its answer to that: it does not take a mere check for one.
        if sender not in self._links.up:
            self._links.send(sender, Part(False))

    def _on_part(self, sender: Peer, leaving: bool, now: float) -> None:
        was_linked = self._links.drop(sender, failed=False)
        if leaving:
            self._links.asked.discard(sender)
            self._forget([sender])
        elif was_linked and sender in self._servers:
            self._links.ask_later(sender, now)
        self._seek(now)

    def _on_servers(self, message: Servers, now: float) -> None:
        for peer in message.gone:
            if self._tag == CLIENT and peer not in self._links.up:
                self._servers.pop(peer, None)
                self._links.asked.discard(peer)
        for peer in message.peers[: self.options.servers_max]:
            if peer == self.me or peer in self._servers or peer in self._links.asked or self._links.is_outdated(peer):
                continue
            if self._tag == CLIENT:
                self._remember(peer)
            elif len(self._servers) < self.options.servers_max:
                self._links.ask(peer, now)

    # Servers.

    def _meet(self, peer: Peer, tag: str) -> None:
        """A link is there: tell the peer of the servers, and the others of it if it is one."""
        is_server = tag != CLIENT
        if self._tag != CLIENT and (others := [server for server in self._linked_servers if server != peer]):
            self._links.send(peer, Servers(tuple(others), ()))
        if is_server and peer not in self._servers:
            self._remember(peer)
            self._tell(Servers((peer,), ()), excluding=peer)

    def _remember(self, server: Peer) -> None:
        if len(self._servers) >= self.options.servers_max:
            idle = next((known for known in self._servers if known not in self._links.up), None)
            self._servers.pop(idle, None)
        self._servers[server] = None

    def _forget(self, peers: Iterable[Peer]) -> None:
        gone = tuple(peer for peer in peers if peer in self._servers)
        for peer in gone:
            del self._servers[peer]
        if gone:
            self._tell(Servers((), gone))

    def _tell(self, news: Servers, excluding: Peer = None) -> None:
        if self._tag != CLIENT:
            for peer in self._links.up:
                if peer != excluding:
                    self._links.send(peer, news)

    def _seek(self, now: float) -> None:
        """A client without a server asks one that it knows, and the others later unless that one answers."""
        links = self._links
        if not links.is_running or self._tag != CLIENT or links.up:
            return
        idle = [server for server in self._servers if server not in links.asked]
        if idle:
            links.ask(self._rng.choice(idle), now)
            for server in idle:
                links.ask_later(server, now)

    def _ask_again(self, now: float) -> None:
        links = self._links
        has_server = bool(self._linked_servers)
        for peer in links.asked.due(now, give_up=has_server):
            if self._tag == CLIENT and has_server and peer in self._servers:
                links.asked.discard(peer)  # another one has answered meanwhile
            else:
                links.send(peer, Ask(self._tag))
                if peer not in links.asked:
                    self._forget([peer])
        links.set_timer(now)

    @property
    def _linked_servers(self) -> list[Peer]:
        return [server for server in self._servers if server in self._links.up]

    @property
    def _clients(self) -> list[Peer]:
        return [peer for peer in self._links.up if peer not in self._servers]

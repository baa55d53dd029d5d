"""How two nodes come to trust a connection: a challenge-response handshake as a pure machine.

    dialler                                           acceptor
      Hello(cluster, me, expected, nonce, resume) ->    checks version and cluster
                                               <- Challenge(me, nonce, proof)
      checks identity and the proof
      Proof(proof)                              ->    checks the proof; its owner may object
                                               <- Welcome(received), or Declined(why, for ever or not)

A proof is HMAC-SHA256, keyed with the cluster's cookie, over the role, both nonces and everything both sides said, so
it cannot be replayed, reflected or spliced; the cookie itself never travels. Any refusal is told to the other side as
`Refused(reason)` before the connection closes, so both logs name the reason. Until `Handshake.done`, nothing but
these six messages is read, and nothing is ever unpickled.

A connection begins a session of its own, called by its `connection_id`, or goes on with one that lost its connection:
then Hello and Welcome say how many frames of it each side has received.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final, TypeGuard

import msgpack

from partisan_actors.errors import AuthenticationError, ProtocolError, ResumeDeclined
from partisan_actors.ids import NodeId
from partisan_actors.values import dataclass
from partisan_actors.wire.compression import readable

__all__ = ["MAGIC", "PROTOCOL_VERSION", "Handshake", "Identity", "Resume"]

PROTOCOL_VERSION: Final = 4
MAGIC: Final = "partisan-actors"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a node says of itself: its id, cluster, where it can be dialled, and its channels' lanes.

    `observer` is True for a client that only asks questions and never joins the overlay.
    """

    node: NodeId
    cluster: str
    addresses: tuple[str, ...]
    channels: Mapping[str, int]
    observer: bool = False

    def plain(self) -> dict[str, Any]:
        """As a msgpack map."""
        return {
            "name": self.node.name,
            "incarnation": self.node.incarnation,
            "cluster": self.cluster,
            "addresses": list(self.addresses),
            "channels": dict(self.channels),
            "observer": self.observer,
        }

    @classmethod
    def parse(cls, plain: Any) -> Identity:
        """The inverse of `plain`. Raises ProtocolError for anything else."""
        match plain:
            case {
                "name": str() as name,
                "incarnation": int() as incarnation,
                "cluster": str() as cluster,
                "addresses": list() as addresses,
                "channels": dict() as channels,
                "observer": bool() as observer,
            } if (
                name
                and all(isinstance(address, str) for address in addresses)
                and all(isinstance(key, str) and isinstance(lanes, int) for key, lanes in channels.items())
            ):
                return cls(NodeId(name, incarnation), cluster, tuple(addresses), channels, observer)
        raise ProtocolError("malformed identity in the handshake")


@dataclass(frozen=True, slots=True)
class Resume:
    """A session that is to go on: its id, and how many frames of it the dialler has received, modulo 2**32."""

    session: bytes
    received: int


@dataclass
class Handshake:
    """One side of the handshake of one connection. `output` collects the frames to send.

    The dialler gives the channel and lane the connection is for, and `expected`, the node it means to reach: either a
    full NodeId, or None when only an address is known. After `done`, `peer`, `channel` and `lane` are set.
    `approve`, if given, is asked about who the other side says it is, and raises AuthenticationError to refuse it.
    Raises AuthenticationError when the other side is not one of ours or refuses us, ProtocolError for garbage.

    On the side that accepts, once `is_asked`, the other side has proven itself, and somebody has to answer with
    `welcome`, `decline` or `refuse`. `resume` is what the dialler wants to go on with, if it does; it learns
    `received_there`, or ResumeDeclined is raised.
    `sessions` is what this side can do and becomes what both can; `checksums` what it wants, and what either wants.
    `read_there` becomes the names of the compressions that the other side reads: none, if it does not know of any.
    """

    me: Identity
    cookie: bytes
    nonce: bytes
    dialler: bool
    channel: str = ""
    lane: int = 0
    expected: NodeId | None = None
    resume: Resume | None = None
    sessions: bool = True
    checksums: bool = False
    read_there: tuple[str, ...] = ()
    peer: Identity | None = None
    done: bool = False
    approve: Callable[[Identity], None] | None = None
    is_asked: bool = False
    received_there: int = 0
    output: list[bytes] = field(default_factory=list)
    _said: bytes = b""
    _heard: bytes = b""
    _nonces: bytes = b""

    @property
    def connection_id(self) -> bytes:
        """What both sides call this connection, once it is open."""
        half = len(self.nonce) // 2
        return self._nonces[:half] + self._nonces[-half:]

    def start(self) -> None:
        """Called once the connection is made; the dialler speaks first."""
        if self.dialler:
            hello = {
                "type": "hello",
                "magic": MAGIC,
                "version": PROTOCOL_VERSION,
                "me": self.me.plain(),
                "expected": list(self.expected) if self.expected else None,
                "channel": self.channel,
                "lane": self.lane,
                "nonce": self.nonce,
                "resume": [self.resume.session, self.resume.received] if self.resume else None,
                **self._abilities(),
            }
            self._said = self._say(hello)

    def receive(self, body: bytes) -> None:
        """One HELLO frame arrived."""
        try:
            said = msgpack.unpackb(body)
        except (msgpack.UnpackException, ValueError) as error:
            raise ProtocolError("the handshake is not msgpack") from error
        match said:
            case {"type": "hello"} if not self.dialler and not self._heard:
                self._on_hello(said, body)
            case {"type": "challenge"} if self.dialler and not self._heard:
                self._on_challenge(said, body)
            case {"type": "proof", "proof": bytes() as proof} if not self.dialler and self._heard:
                self._check(proof, b"dialler")
                self.is_asked = True
            case {"type": "welcome", "received": int() as received} if self.dialler and self._heard:
                self.received_there = received
                self.done = True
            case {"type": "declined", "why": str() as why, "for_ever": bool() as for_ever} if self._asked():
                raise ResumeDeclined(self._peer_name(), why[:500], for_ever)
            case {"type": "refused", "reason": str() as reason}:
                raise AuthenticationError(self._peer_name(), f"refused us: {reason[:500]}")
            case _:
                raise ProtocolError("unexpected message in the handshake")

    def welcome(self, received: int) -> None:
        """The connection is open: with `received` frames of its session here."""
        self.is_asked = False
        self._say({"type": "welcome", "received": received})
        self.done = True

    def decline(self, why: str, *, for_ever: bool) -> None:
        """The session does not go on on this connection: not now, or, `for_ever`, on no other one either."""
        self.is_asked = False
        self._say({"type": "declined", "why": why, "for_ever": for_ever})

    def refuse(self, reason: str) -> None:
        """Tell the other side why the connection is about to close."""
        self.is_asked = False
        self._say({"type": "refused", "reason": reason})

    def _on_hello(self, said: dict[str, Any], body: bytes) -> None:
        if said.get("magic") != MAGIC:
            raise ProtocolError("not a partisan_actors node")
        if said.get("version") != PROTOCOL_VERSION:
            raise AuthenticationError(
                "the dialling node", f"protocol version {said.get('version')!r}, this node speaks {PROTOCOL_VERSION}"
            )
        self.peer = Identity.parse(said.get("me"))
        channel, lane, nonce, expected = said.get("channel"), said.get("lane"), said.get("nonce"), said.get("expected")
        if not isinstance(channel, str) or not isinstance(lane, int) or not self._is_nonce(nonce):
            raise ProtocolError("malformed hello")
        self._check_cluster(self.peer)
        if expected is not None and list(self.me.node) != expected:
            raise AuthenticationError(
                str(self.peer.node), f"it wanted another node than {self.me.node}, which listens here now"
            )
        if not 0 <= lane < self.me.channels.get(channel, 0):
            raise AuthenticationError(
                str(self.peer.node), f"channel {channel!r} lane {lane} is not configured here: {dict(self.me.channels)}"
            )
        self.channel, self.lane = channel, lane
        self.resume = _resume(said.get("resume"))
        self._heard = body
        self._nonces = nonce + self.nonce
        challenge = {"type": "challenge", "me": self.me.plain(), "nonce": self.nonce, **self._abilities()}
        self._agree(said)
        self._said = msgpack.packb(challenge)
        challenge["proof"] = self._proof(b"acceptor")
        self._say(challenge)

    def _on_challenge(self, said: dict[str, Any], body: bytes) -> None:
        proof, nonce = said.pop("proof", b""), said.get("nonce")
        self.peer = Identity.parse(said.get("me"))
        if not isinstance(proof, bytes) or not self._is_nonce(nonce):
            raise ProtocolError("malformed challenge")
        self._check_cluster(self.peer)
        if self.expected is not None and self.peer.node != self.expected:
            raise AuthenticationError(str(self.peer.node), f"unexpected peer, {self.expected} was dialled")
        self._heard = msgpack.packb(said)
        self._nonces = self.nonce + nonce
        self._check(proof, b"acceptor")
        self._agree(said)
        self._say({"type": "proof", "proof": self._proof(b"dialler")})

    def _abilities(self) -> dict[str, Any]:
        return {"sessions": self.sessions, "checksums": self.checksums, "compressions": list(readable())}

    def _agree(self, said: dict[str, Any]) -> None:
        self.sessions = self.sessions and said.get("sessions") is True
        self.checksums = self.checksums or said.get("checksums") is True
        names = said.get("compressions")
        self.read_there = tuple(name for name in readable() if name in names) if isinstance(names, list) else ()

    def _asked(self) -> bool:
        return self.dialler and bool(self._heard) and self.resume is not None

    def _is_nonce(self, value: object) -> TypeGuard[bytes]:
        return isinstance(value, bytes) and len(value) == len(self.nonce)

    def _check_cluster(self, peer: Identity) -> None:
        # A node that joins may not know the name yet: it takes the one it finds, once the cookie is proven.
        if peer.cluster and self.me.cluster and peer.cluster != self.me.cluster:
            raise AuthenticationError(
                str(peer.node), f"it belongs to cluster {peer.cluster!r}, this node to {self.me.cluster!r}"
            )
        if self.approve is not None:
            self.approve(peer)

    def _check(self, proof: bytes, role: bytes) -> None:
        if not hmac.compare_digest(proof, self._proof(role)):
            raise AuthenticationError(self._peer_name(), "the cookies differ: use the same cookie on every node")

    def _proof(self, role: bytes) -> bytes:
        # The dialler's hello always comes first, whoever computes.
        first, second = (self._said, self._heard) if self.dialler else (self._heard, self._said)
        return hmac.digest(self.cookie, role + b"|" + self._nonces + b"|" + first + b"|" + second, "sha256")

    def _peer_name(self) -> str:
        return str(self.peer.node) if self.peer else "the other side"

    def _say(self, plain: dict[str, Any]) -> bytes:
        body: bytes = msgpack.packb(plain)
        self.output.append(body)
        return body


def _resume(plain: object) -> Resume | None:
    match plain:
        case None:
            return None
        case [bytes() as session, int() as received] if 0 <= received < 2**32:
            return Resume(session, received)
    raise ProtocolError("malformed session in the handshake")

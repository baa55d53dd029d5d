"""The shape of every protocol: what a driver may tell it (inputs) and what it answers (effects).

A machine never does I/O, never reads a clock and never draws from a global random source: it is told what
happened and `now` (seconds, a float that only grows), and answers with a list of effects, carried out in order.
Timers are named; setting a timer that is already set replaces it; firing happens at most once per setting.
Machines are not re-entrant and belong to one driver.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol, TypeAlias, runtime_checkable

from partisan_actors.values import dataclass

__all__ = [
    "CancelTimer",
    "Connect",
    "Deliver",
    "Disconnect",
    "Effect",
    "Evicted",
    "JoinRefused",
    "Machine",
    "NeighbourDown",
    "NeighbourUp",
    "Peer",
    "Send",
    "SetTimer",
    "StrategyFault",
]

# A NodeId in a cluster, a plain int in a simulation: anything hashable, ordered and immutable.
Peer: TypeAlias = Hashable


@dataclass(frozen=True, slots=True)
class Send:
    """Send `message` to `peer`, over a connection made for it if none is open.

    Whether it arrives is another input's business: a peer that cannot be reached comes back as `peer_down`.
    """

    peer: Peer
    message: object


@dataclass(frozen=True, slots=True)
class Connect:
    """Hold a connection to `peer` open until `Disconnect`; answered by `peer_up` or `peer_down`."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Stop holding the connection to `peer`; messages already sent are still written."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Call `timer_fired(name)` after `delay_s` seconds; replaces an earlier timer of that name."""

    name: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget the timer `name`; nothing happens when it is not set."""

    name: str


@dataclass(frozen=True, slots=True)
class NeighbourUp:
    """`peer` is now a neighbour: broadcast and relay may use it."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class NeighbourDown:
    """`peer` is no longer a neighbour. `failed` tells a lost peer from one that was merely dropped from a view."""

    peer: Peer
    failed: bool


@dataclass(frozen=True, slots=True)
class Deliver:
    """A broadcast reached this node: hand `payload` to the subscriber of `topic`.

    `origin` sent it first, `sender` is the neighbour it came from (`origin` itself on the sending node) and `hops`
    counts the links it crossed. `is_grafted` says that it had to be asked for, as it did not come by the tree.
    """

    topic: str
    origin: Peer
    sender: Peer
    hops: int
    payload: object
    is_grafted: bool = False


@dataclass(frozen=True, slots=True)
class JoinRefused:
    """`contact` does not take this node in, and says why: it is not asked again. For whoever asked to join."""

    contact: Peer
    reason: str


@dataclass(frozen=True, slots=True)
class Evicted:
    """`by` removed this node from the overlay. It has left, as by `leave`: it stands alone until it joins again."""

    by: Peer


@dataclass(frozen=True, slots=True)
class StrategyFault:
    """A membership strategy did what it must not; see `protocols.contained`, which alone emits this.

    `strategy` is its class, `kind` what it did in words that are the same each time, `text` the same with particulars,
    `told` the input that led to it, and `error` what was raised, if something was.
    """

    strategy: str
    kind: str
    text: str
    told: str
    error: Exception | None = None

    def __str__(self) -> str:
        after = f", told {self.told}" if self.told else ""
        return f"the overlay's {self.strategy} {self.text}{after}"


Effect: TypeAlias = (
    Send
    | Connect
    | Disconnect
    | SetTimer
    | CancelTimer
    | NeighbourUp
    | NeighbourDown
    | Deliver
    | JoinRefused
    | Evicted
    | StrategyFault
)


@runtime_checkable
class Machine(Protocol):
    """What a driver may tell a protocol. Every answer is a list of effects."""

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        """`message` arrived from `sender`."""
        ...

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        """A connection to `peer` is open, whoever opened it."""
        ...

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        """`peer` could not be reached, its connection broke, or the failure detector gave it up."""
        ...

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        """The timer `name` ran out."""
        ...

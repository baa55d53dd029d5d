"""What SCAMP's nodes say to each other. `Kept` is the papers' heartbeat too; `Confirmed` is an addition."""

from __future__ import annotations

from dataclasses import dataclass

from partisan_actors.messages import message
from partisan_actors.protocols.machine import Peer

__all__ = ["Confirmed", "ForwardedSubscription", "Kept", "Subscribe", "Subscribed", "Unsubscribe"]


@message("scamp.subscribe")
@dataclass(frozen=True, slots=True)
class Subscribe:
    """`subscriber`, who asked `contact`, looks for who spreads its subscription; `budget` of its walk is left."""

    subscriber: Peer
    contact: Peer
    budget: float


@message("scamp.subscribed")
@dataclass(frozen=True, slots=True)
class Subscribed:
    """The answer to a subscriber from where the walk that began at `contact` stopped: the subscription is spread.

    `others` are some whom the sender holds.
    """

    contact: Peer
    others: tuple[Peer, ...]


@message("scamp.forwarded_subscription")
@dataclass(frozen=True, slots=True)
class ForwardedSubscription:
    """A copy of a subscription, to be kept or handed on; `ttl` hops are left."""

    subscriber: Peer
    ttl: int


@message("scamp.kept")
@dataclass(frozen=True, slots=True)
class Kept:
    """You are in my PartialView: said when that begins, and then as the heartbeat. `confirm` asks for `Confirmed`."""

    confirm: bool


@message("scamp.confirmed")
@dataclass(frozen=True, slots=True)
class Confirmed:
    """You are in my InView."""


@message("scamp.unsubscribe")
@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The sender is not in the overlay (any more). Whoever has it in its PartialView takes `successor` instead.

    A `spare` successor is only for one that would hold nobody otherwise.
    """

    successor: Peer | None
    spare: bool

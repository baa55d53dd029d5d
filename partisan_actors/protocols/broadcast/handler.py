"""`BroadcastHandler`: what a user's own state has to offer, so that broadcasts carry it about and exchanges repair it.

With the messages of those exchanges. `handlers` has the machine, and how an exchange goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias

from partisan_actors.messages import message
from partisan_actors.protocols.machine import Effect, Peer
from partisan_actors.values import dataclass

__all__ = [
    "BroadcastHandler",
    "HandlerEffect",
    "HandlerFailed",
    "HandlerGrafted",
    "HandlerId",
    "HandlerOffer",
    "HandlerWant",
]

HandlerId: TypeAlias = int | str | bytes


class BroadcastHandler(Protocol):
    """State that is carried about by broadcasts of one topic. Every method is called on the node's loop, and returns.

    Ids are int, str or bytes; payloads are what msgpack takes (None, bool, int, float, str, bytes, and lists and dicts
    of those). A class may have an attribute `channel`, the channel its payloads travel on: "broadcast" otherwise.
    """

    topic: str

    def broadcast_data(self, data: Any) -> tuple[HandlerId, object]:
        """What is to be broadcast, as an id and a payload. Whoever broadcasts has it merged already."""
        ...

    def merge(self, message_id: HandlerId, payload: Any) -> bool:
        """Take what a broadcast or an exchange brought. Returns whether it was news."""
        ...

    def is_stale(self, message_id: HandlerId) -> bool:
        """Whether the state holds this already, or something newer."""
        ...

    def graft(self, message_id: HandlerId) -> object | None:
        """The payload of that id; None when it is stale, and need not be had."""
        ...

    def exchange(self, peer: Peer) -> Iterable[HandlerId] | None:
        """The ids that this state holds, to be compared with those of `peer`; None to leave it be this time."""
        ...


@dataclass(frozen=True, slots=True)
class HandlerFailed:
    """The handler of `topic` raised `error` in `method`; it is as if it had had nothing to say."""

    topic: str
    method: str
    error: Exception


HandlerEffect: TypeAlias = Effect | HandlerFailed


@message("handlers.offer")
@dataclass(frozen=True, slots=True)
class HandlerOffer:
    """The beginner of exchange `number` holds these."""

    topic: str
    number: int
    ids: tuple[int | str | bytes, ...]


@message("handlers.want")
@dataclass(frozen=True, slots=True)
class HandlerWant:
    """Of what was offered, `wanted`; and the sender holds `ids`."""

    topic: str
    number: int
    wanted: tuple[int | str | bytes, ...]
    ids: tuple[int | str | bytes, ...]


@message("handlers.grafted")
@dataclass(frozen=True, slots=True)
class HandlerGrafted:
    """What was wanted, as pairs of id and payload, and what is `wanted` back: nothing, from whoever was asked."""

    topic: str
    number: int
    grafted: tuple[tuple[int | str | bytes, object], ...]
    wanted: tuple[int | str | bytes, ...]
    is_last: bool  # sent by whoever was asked: the exchange is over

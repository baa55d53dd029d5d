"""`Held`: the messages that a node keeps for those who ask for them, and what a new neighbour is told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from partisan_actors.messages import Sealed
from partisan_actors.protocols.broadcast.announcements import MessageId
from partisan_actors.protocols.broadcast.plumtree_messages import Gossip, Lately
from partisan_actors.protocols.machine import Peer

__all__ = ["LATELY_MAX", "Held", "HeldMessage"]

# A new neighbour is told of so many messages, the latest.
LATELY_MAX: Final = 1024
# Messages of one origin in a row are told of together when they came within this time: so exact are the times told.
RUN_S: Final = 0.05


class HeldMessage(NamedTuple):
    """A message, the neighbour it came from, and when it did."""

    gossip: Gossip
    sender: Peer
    at: float


class Held:
    """The last `count_max` messages, or fewer when they have more than `bytes_max` bytes of payload.

    New neighbours are told of those that came within `lately_s`, but for topics that are `repaired` by other means.
    """

    def __init__(self, count_max: int, bytes_max: int, lately_s: float, repaired: Callable[[str], bool]) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._lately_s = lately_s
        self._repaired = repaired
        self._messages: dict[MessageId, HeldMessage] = {}
        self._bytes = 0

    def __contains__(self, message_id: object) -> bool:
        return message_id in self._messages

    def get(self, message_id: MessageId) -> HeldMessage | None:
        """The message of that id, if it is still here."""
        return self._messages.get(message_id)

    def keep(self, gossip: Gossip, sender: Peer, now: float) -> None:
        """Keep this one, at the price of the oldest. One that is here already, and no longer known, becomes new."""
        held = self._messages
        message_id = (gossip.origin, gossip.counter)
        former = held.pop(message_id, None)
        held[message_id] = HeldMessage(gossip, sender, now)
        self._bytes += _size(gossip) - (_size(former.gossip) if former is not None else 0)
        while len(held) > self._count_max or (self._bytes > self._bytes_max and len(held) > 1):
            self._bytes -= _size(held.pop(next(iter(held))).gossip)

    def lately(self, now: float) -> Lately | None:
        """What a new neighbour is told of the messages that came before it; None when there are none."""
        by_origin: dict[Peer, list[HeldMessage]] = {}
        for message in self._latest(now):
            by_origin.setdefault(message.gossip.origin, []).append(message)
        runs = tuple(run for messages in by_origin.values() for run in _runs(messages, now))
        return Lately(runs) if runs else None

    def _latest(self, now: float) -> Iterator[HeldMessage]:
        if self._lately_s <= 0:
            return
        for number, message in enumerate(reversed(self._messages.values())):
            if number == LATELY_MAX or now - message.at > self._lately_s:
                return
            if not self._repaired(message.gossip.topic):
                yield message


def _runs(messages: list[HeldMessage], now: float) -> Iterator[tuple[Peer, int, int, int, float]]:
    """One origin's messages, put together where their counters follow each other and they came together."""
    messages.sort(key=lambda message: message.gossip.counter)
    run: list[HeldMessage] = []
    for message in messages:
        if run and (message.gossip.counter != run[-1].gossip.counter + 1 or abs(message.at - run[0].at) > RUN_S):
            yield _run(run, now)
            run = []
        run.append(message)
    yield _run(run, now)


def _run(messages: list[HeldMessage], now: float) -> tuple[Peer, int, int, int, float]:
    first, last = messages[0].gossip, messages[-1].gossip
    hops = 1 + max(message.gossip.hops for message in messages)
    return first.origin, first.counter, last.counter, hops, now - max(message.at for message in messages)


def _size(gossip: Gossip) -> int:
    return len(gossip.payload) if isinstance(gossip.payload, bytes | Sealed) else 0

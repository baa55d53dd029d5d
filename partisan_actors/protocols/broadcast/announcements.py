"""`Announcements`: what a node has yet to announce to its lazy neighbours, and what they have not confirmed.

Announcements to one neighbour wait for each other and leave in batches. Where links may lose messages, what was
announced is announced again until the neighbour has said that it holds it, and so is what was sent to an eager one;
over TCP that would be work for nothing, as a link that loses something is down.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TypeAlias

from partisan_actors.protocols.machine import Peer

__all__ = ["Announcement", "Announcements", "MessageId"]

MessageId: TypeAlias = tuple[Peer, int]  # origin, counter
Announcement: TypeAlias = tuple[Peer, int, int]  # origin, counter, hops
Batch: TypeAlias = tuple[Announcement, ...]


class _Unconfirmed:
    """What one neighbour was told of, by message id: since the last repetition, and before."""

    __slots__ = ("earlier", "lately")

    def __init__(self) -> None:
        self.lately: dict[MessageId, int] = {}
        self.earlier: dict[MessageId, int] = {}


class Announcements:
    """Batches by neighbour. `batch_max` 1 means that nothing waits; `unconfirmed_max` 0 that nothing is repeated.

    At `unconfirmed_max` messages of one neighbour the oldest is not repeated any more.
    """

    def __init__(self, batch_max: int, unconfirmed_max: int) -> None:
        self._batch_max = batch_max
        self._unconfirmed_max = unconfirmed_max
        self._waiting: dict[Peer, list[Announcement]] = {}
        self._unconfirmed: dict[Peer, _Unconfirmed] = {}

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def add(self, peer: Peer, announcement: Announcement) -> Batch:
        """Queue it; the batch that is full with it and leaves at once, or nothing."""
        if self._batch_max == 1:
            return self._sent(peer, (announcement,))
        waiting = self._waiting.setdefault(peer, [])
        waiting.append(announcement)
        if len(waiting) < self._batch_max:
            return ()
        del self._waiting[peer]
        return self._sent(peer, tuple(waiting))

    def take(self) -> list[tuple[Peer, Batch]]:
        """Everything that waits, to be sent now."""
        waiting, self._waiting = self._waiting, {}
        return [(peer, self._sent(peer, tuple(batch))) for peer, batch in waiting.items()]

    def expect(self, peer: Peer, announcement: Announcement) -> None:
        """`peer` was sent the message itself: it is announced only if that is not confirmed in time."""
        if self._unconfirmed_max:
            self._sent(peer, (announcement,))

    def confirmed(self, peer: Peer, message_ids: Iterable[MessageId]) -> None:
        """`peer` holds these messages."""
        unconfirmed = self._unconfirmed.get(peer)
        if unconfirmed is not None:
            for message_id in message_ids:
                unconfirmed.lately.pop(message_id, None)
                unconfirmed.earlier.pop(message_id, None)

    def repeat(self, held: Container[MessageId]) -> list[tuple[Peer, Batch]]:
        """What was announced before the last repetition, is not confirmed, and can still be sent."""
        batches: list[tuple[Peer, Batch]] = []
        for peer, unconfirmed in self._unconfirmed.items():
            due = [(*message_id, hops) for message_id, hops in unconfirmed.earlier.items() if message_id in held]
            unconfirmed.earlier = {(origin, counter): hops for origin, counter, hops in due} | unconfirmed.lately
            unconfirmed.lately = {}
            size = self._batch_max
            batches += [(peer, tuple(due[start : start + size])) for start in range(0, len(due), size)]
        return batches

    def forget(self, peer: Peer) -> None:
        """`peer` is told nothing more."""
        self._waiting.pop(peer, None)
        self._unconfirmed.pop(peer, None)

    def _sent(self, peer: Peer, batch: Batch) -> Batch:
        if self._unconfirmed_max:
            unconfirmed = self._unconfirmed.setdefault(peer, _Unconfirmed())
            for origin, counter, hops in batch:
                unconfirmed.lately[origin, counter] = hops
                if len(unconfirmed.lately) + len(unconfirmed.earlier) > self._unconfirmed_max:
                    oldest = unconfirmed.earlier or unconfirmed.lately
                    del oldest[next(iter(oldest))]
        return batch

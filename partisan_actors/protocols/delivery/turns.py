"""Large messages beside small ones: they take another way, and yet their turn among the messages of their stream.

A stream is what one sender sends one receiver on one channel. A large message is split: its head goes where the whole
would have gone, its buffers go another way, as a numbered *transfer*. The rules of this module:

1. `Departures`, at the sender, knows the streams that have a transfer under way. Only what is sent in one of those is
   marked as a message *in turn*; everything else goes as if there were no large messages.
2. `Arrivals`, at the receiver, holds a message in turn back while something before it in its stream waits for its
   buffers. It never holds back anything else.
3. The receiver tells when the buffers of a transfer are there. Until it has heard so of all that went before, the
   sender goes on to mark; marking too much costs a few bytes, and nothing waits for it.
4. A transfer is given up when its sender says that it is lost, or when neither it nor any other made progress for
   PATIENCE_S. The messages behind it go on.
5. At most HELD_MAX messages of a peer are held back, and at most EARLY_MAX transfers are kept whose heads are not here
   yet; beyond that the message is refused, or the oldest transfer is forgotten, whose head is then given up in time.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple

__all__ = ["EARLY_MAX", "HELD_MAX", "PATIENCE_S", "Arrivals", "Departures", "Ready"]

PATIENCE_S: Final = 30.0
HELD_MAX: Final = 100_000
EARLY_MAX: Final = 1024


class Departures:
    """The sending end. `streams` counts the transfers under way of each stream that has any."""

    __slots__ = ("_last", "_transfers", "streams")

    def __init__(self) -> None:
        self.streams: dict[int, int] = {}
        self._transfers: dict[int, tuple[int, Any, int]] = {}
        self._last = 0

    def begin(self, stream: int, way: Any, lane: int = 0) -> int:
        """A large message of that stream leaves, its head that way, its buffers on that lane of those for buffers.

        Returns the number of its transfer, from 1.
        """
        self._last += 1
        self._transfers[self._last] = stream, way, lane
        self.streams[stream] = self.streams.get(stream, 0) + 1
        return self._last

    def end(self, transfer: int) -> None:
        """The receiver has it, or has given it up, or it is lost. What is not under way is ignored."""
        under_way = self._transfers.pop(transfer, None)
        if under_way is None:
            return
        stream = under_way[0]
        self.streams[stream] -= 1
        if not self.streams[stream]:
            del self.streams[stream]

    def end_lane(self, lane: int) -> list[tuple[int, Any]]:
        """All that are under way on that lane are lost; returns their numbers, each with the way its head went."""
        lost = [(transfer, way) for transfer, (_, way, taken) in self._transfers.items() if taken == lane]
        for transfer, _ in lost:
            self.end(transfer)
        return lost


class Ready(NamedTuple):
    """A message whose turn has come. `buffers` is None for one without."""

    item: Any
    buffers: Any


class _Held:
    """A message that is held back. `transfer` is 0 once it has all that belongs to it."""

    __slots__ = ("buffers", "item", "since", "stream", "transfer")

    def __init__(self, stream: int, transfer: int, item: Any, buffers: Any, since: float) -> None:
        self.stream = stream
        self.transfer = transfer
        self.item = item
        self.buffers = buffers
        self.since = since


class Arrivals:
    """The receiving end. Messages are opaque; time is in seconds."""

    __slots__ = ("_early", "_heads", "_held", "_queues")

    def __init__(self) -> None:
        # Of each stream that is held back, what waits; the first always lacks its buffers.
        self._queues: dict[int, deque[_Held]] = {}
        self._heads: dict[int, _Held] = {}
        self._early: dict[int, tuple[Any, float]] = {}
        self._held = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for anything."""
        return not self._heads and not self._early

    @property
    def held_count(self) -> int:
        """How many messages are held back."""
        return self._held

    def take(self, stream: int, transfer: int, item: Any, buffers: Any, now: float) -> list[Ready]:
        """A message in turn is here; its buffers are, too, unless `transfer` is not 0. Returns what can be delivered.

        Raises OverflowError, and takes nothing, at the bound of rule 5; ValueError for a transfer that was here before.
        """
        if transfer in self._heads:
            raise ValueError(f"transfer {transfer} came twice")
        queue = self._queues.get(stream)
        is_ready = queue is None and (not transfer or transfer in self._early)
        if self._held >= HELD_MAX and not is_ready:
            raise OverflowError(f"{HELD_MAX} messages are held back already")
        early = self._early.pop(transfer, None) if transfer else None
        if early is not None:
            transfer, buffers = 0, early[0]
        if queue is None:
            if not transfer:
                return [Ready(item, buffers)]
            queue = self._queues[stream] = deque()
        held = _Held(stream, transfer, item, buffers, now)
        queue.append(held)
        self._held += 1
        if transfer:
            self._heads[transfer] = held
        return []

    def arrived(self, transfer: int, buffers: Any, now: float) -> list[Ready]:
        """The buffers of a transfer are here. Returns what can be delivered."""
        held = self._heads.pop(transfer, None)
        if held is None:
            self._early[transfer] = (buffers, now)
            if len(self._early) > EARLY_MAX:
                del self._early[next(iter(self._early))]
            return []
        held.transfer, held.buffers = 0, buffers
        return self._release(held.stream)

    def give_up(self, transfer: int) -> tuple[Any, list[Ready]]:
        """A transfer will not come. Returns the message that waits for it, if any, and what can now be delivered."""
        self._early.pop(transfer, None)
        held = self._heads.pop(transfer, None)
        if held is None:
            return None, []
        self._queues[held.stream].remove(held)
        self._held -= 1
        return held.item, self._release(held.stream)

    def waiting(self) -> list[int]:
        """The transfers that a message here waits for."""
        return list(self._heads)

    def expired(self, now: float, heard_at: float) -> list[int]:
        """The transfers to be given up by rule 4, those without a head among them. `heard_at`: of the last progress."""
        if now - heard_at < PATIENCE_S:
            return []
        waiting = [number for number, held in self._heads.items() if now - held.since >= PATIENCE_S]
        return waiting + [number for number, (_, since) in self._early.items() if now - since >= PATIENCE_S]

    def _release(self, stream: int) -> list[Ready]:
        queue, ready = self._queues[stream], []
        while queue and not queue[0].transfer:
            held = queue.popleft()
            ready.append(Ready(held.item, held.buffers))
        self._held -= len(ready)
        if not queue:
            del self._queues[stream]
        return ready

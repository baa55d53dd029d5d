"""Acknowledgement and retransmission between two nodes: each message arrives, in order and once, or is given up.

What a connection cannot promise: it may break with messages on it. So the sender keeps what it has sent until the
receiver says that it is in the mailbox. The rules of this module:

1. The messages of one stream (a peer, and one lane of a channel) are numbered from 1 in its *epoch*. The receiver takes
   them in that order and each once; what comes early waits, what comes again is only acknowledged again. An
   acknowledgement names the last number up to which all are there, and those beyond it that wait.
2. A message that is not acknowledged is sent again after `retransmit_s`; after STEADY_TRIES of that the wait doubles,
   up to `retransmit_longest_s`. Waits vary by JITTER, so that many senders do not meet. A large message has longer, by
   what it takes at BYTES_PER_S. Acknowledgements that make progress restart nothing but their own messages.
3. A message that is not acknowledged `give_up_s` after it was handed in is given up. As all of a stream have the same
   time, those are always the oldest. Every message says which number is the first that is still kept, the *base*: the
   receiver does not wait for any before it. Where nothing is left to say so, a notice is sent until acknowledged.
4. At most `messages_max` messages of `bytes_max` in all are kept; whoever hands in another one is refused.

At least once therefore becomes effectively once, within one life of both ends: a life that follows has streams of its
own. Given up does not mean that it did not arrive; nobody can know that. Partisan (v5) keeps no record of what it has
received, and gives nothing up; its option `ack` stands for rules 1 and 2.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Generic, TypeVar

from partisan_actors.values import dataclass

__all__ = ["AckOptions", "Arrived", "Kept", "Outbox", "Window"]

STEADY_TRIES: Final = 3
JITTER: Final = 0.1
BYTES_PER_S: Final = 4 * 1024 * 1024
# What is sent again in one go, and what an acknowledgement names beyond its last number.
AGAIN_BYTES_MAX: Final = 8 * 1024 * 1024
EARLY_NAMED_MAX: Final = 256
# What a receiver keeps that came early; beyond that it drops, and it is sent again.
EARLY_MESSAGES_MAX: Final = 8192
EARLY_BYTES_MAX: Final = 64 * 1024 * 1024


KeptT = TypeVar("KeptT", bound="Kept")


@dataclass(frozen=True, slots=True)
class AckOptions:
    """The bounds of acknowledged messages, for each lane of each channel to each peer. Seconds and bytes.

    Raises ValueError with what is allowed.
    """

    retransmit_s: float = 1.0
    retransmit_longest_s: float = 8.0
    give_up_s: float = 30.0
    messages_max: int = 100_000
    bytes_max: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in ("retransmit_s", "retransmit_longest_s", "give_up_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise ValueError(f"{name} must be a positive number of seconds")
        for name in ("messages_max", "bytes_max"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive whole number")
        if self.retransmit_longest_s < self.retransmit_s:
            raise ValueError("retransmit_longest_s must not be less than retransmit_s")


class Kept:
    """A message that is kept until it is acknowledged. What it says is the business of a class made of this one."""

    __slots__ = ("born", "is_early", "number", "sent_at", "size", "tries")

    def __init__(self, size: int, now: float) -> None:
        self.number = 0  # until it is pushed
        self.size = size
        self.born = self.sent_at = now
        self.tries = 0
        self.is_early = False  # the receiver has it, but not all before it


class Outbox(Generic[KeptT]):
    """The sending end of one stream. `epoch` must be greater than that of every stream before it to that peer."""

    def __init__(self, epoch: int, options: AckOptions, rng: random.Random) -> None:
        self.epoch = epoch
        self.bytes_kept = 0
        self._options = options
        self._rng = rng
        self._kept: deque[KeptT] = deque()
        self._last = 0
        self._acknowledged = 0
        self._lost_at = float("-inf")
        self._notice_at = 0.0
        self._notices = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def base(self) -> int:
        """The first number that the receiver should still wait for."""
        return self._kept[0].number if self._kept else self._last + 1

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to be said."""
        return not self._kept and self._acknowledged >= self._last

    def has_room(self, size: int) -> bool:
        """Whether another message of that size is within the bounds of rule 4; the first one always is."""
        is_full = len(self._kept) >= self._options.messages_max or self.bytes_kept + size > self._options.bytes_max
        return not is_full or not self._kept

    def push(self, kept: KeptT) -> None:
        """Number a message and keep it; the caller sends it, and has asked whether there is room."""
        self._last = kept.number = self._last + 1
        self._kept.append(kept)
        self.bytes_kept += kept.size

    def acknowledge(self, epoch: int, last: int, early: Iterable[int]) -> list[KeptT]:
        """The receiver has all up to `last`, and those that are `early`. Returns what is done with."""
        if epoch != self.epoch:
            return []
        self._acknowledged = max(self._acknowledged, min(last, self._last))
        done: list[KeptT] = []
        waiting, size = self._kept, 0
        while waiting and waiting[0].number <= last:
            kept = waiting.popleft()
            size += kept.size
            done.append(kept)
        self.bytes_kept -= size
        named = frozenset(early)
        if named:
            for kept in waiting:
                kept.is_early = kept.is_early or kept.number in named
        return done

    def connection_lost(self, now: float) -> None:
        """What was sent up to now may be lost, and is due at once."""
        self._lost_at = now
        self._notice_at = now

    def due(self, now: float) -> list[KeptT]:
        """What is to be sent again because its time has come, the oldest first, and no more than AGAIN_BYTES_MAX."""
        if not self._kept or not self._is_due(self._kept[0], now):
            return []
        again: list[KeptT] = []
        size = 0
        for kept in self._kept:
            if kept.is_early or not self._is_due(kept, now):
                continue
            size += kept.size
            if again and size > AGAIN_BYTES_MAX:
                break
            kept.tries += kept.sent_at > self._lost_at
            kept.sent_at = now
            again.append(kept)
        return again

    def items(self) -> list[KeptT]:
        """What is kept, the oldest first."""
        return list(self._kept)

    def notice_due(self, now: float) -> bool:
        """Whether the receiver is to be told, by a message without a number, that what it waits for was given up."""
        if self._kept or self.is_idle or now < self._notice_at:
            return False
        self._notice_at = now + self._wait_s(self._notices)
        self._notices += 1
        return True

    def expire(self, now: float) -> list[KeptT]:
        """Give up what is too old. Returns it, the oldest first."""
        given_up: list[KeptT] = []
        while self._kept and now - self._kept[0].born >= self._options.give_up_s:
            given_up.append(self._kept.popleft())
            self.bytes_kept -= given_up[-1].size
        if given_up:
            self._notices, self._notice_at = 0, now
        return given_up

    def clear(self) -> list[KeptT]:
        """That life of the receiver is over. Returns what was not acknowledged."""
        items = list(self._kept)
        self._kept.clear()
        self.bytes_kept = 0
        self._acknowledged = self._last
        return items

    def _is_due(self, kept: Kept, now: float) -> bool:
        return kept.sent_at <= self._lost_at or now - kept.sent_at >= self._wait_s(kept.tries)

    def _wait_s(self, tries: int) -> float:
        options = self._options
        wait_s = options.retransmit_s * 2.0 ** max(0, min(tries - STEADY_TRIES + 1, 30))
        varied_s = min(wait_s, options.retransmit_longest_s) * self._rng.uniform(1.0 - JITTER, 1.0)
        return varied_s + self.bytes_kept / BYTES_PER_S


@dataclass(frozen=True, slots=True)
class Arrived:
    """What follows from a message that arrived: what can be handled now, in order, and how many never will be."""

    ready: list[Any]
    given_up: int = 0


class Window:
    """The receiving end of one stream. `epoch`, `last` and `early()` are what an acknowledgement says."""

    def __init__(self) -> None:
        self.epoch = 0
        self.last = 0
        self.duplicates = 0
        self._early: dict[int, tuple[Any, int]] = {}
        self._early_bytes = 0

    def early(self) -> list[int]:
        """The first numbers beyond `last` that are here."""
        return sorted(self._early)[:EARLY_NAMED_MAX]

    def takes_next(self, epoch: int, base: int, number: int) -> bool:
        """Whether a message that arrived is just the next one; then it is taken. Else `accept` says what follows."""
        if number != self.last + 1 or epoch != self.epoch or base > number or self._early:
            return False
        self.last = number
        return True

    def accept(self, epoch: int, base: int, number: int, item: Any, size: int) -> Arrived:
        """A message of that number arrived, or, with number 0, a notice that only says what `base` is."""
        if epoch < self.epoch:
            self.duplicates += 1
            return Arrived([])
        if epoch > self.epoch:
            self.epoch, self.last, self._early_bytes = epoch, 0, 0
            self._early.clear()
        ready, given_up = self._skip_to(base)
        if number and self._takes(number, size):
            self._early[number] = item, size
            self._early_bytes += size
            ready += self._in_order()
        return Arrived(ready, given_up)

    def _takes(self, number: int, size: int) -> bool:
        if number <= self.last or number in self._early:
            self.duplicates += 1
            return False
        if number == self.last + 1:
            return True
        return len(self._early) < EARLY_MESSAGES_MAX and self._early_bytes + size <= EARLY_BYTES_MAX

    def _skip_to(self, base: int) -> tuple[list[Any], int]:
        """The sender keeps nothing before `base` any more: what of that is here is handled, the rest never comes."""
        if base - 1 <= self.last:
            return [], 0
        here = sorted(number for number in self._early if number < base)
        given_up = base - 1 - self.last - len(here)
        ready = [self._pop(number) for number in here]
        self.last = base - 1
        return ready + self._in_order(), given_up

    def _in_order(self) -> list[Any]:
        ready = []
        while self.last + 1 in self._early:
            self.last += 1
            ready.append(self._pop(self.last))
        return ready

    def _pop(self, number: int) -> Any:
        item, size = self._early.pop(number)
        self._early_bytes -= size
        return item

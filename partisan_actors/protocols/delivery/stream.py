"""A stream of messages between two nodes without a connection: in order, each once, whatever is lost on the way.

Nodes in between may die with what they were to pass on, or take two messages by different ways. So both ends keep
account, as TCP does. The rules of this module:

1. Messages are numbered from 1. The receiver takes them in order and each once, and answers with the last number up to
   which it has all of them.
2. The sender keeps a message until it is acknowledged. At most WINDOW_MESSAGES of WINDOW_BYTES in all are under way
   (one, if it is larger than that); the others wait, up to QUEUE_BYTES_MAX.
3. What is not acknowledged is sent again after RESEND_AFTER_S, then after twice that, and so on up to RESEND_LONGEST_S.
4. When nothing at all was acknowledged for GIVE_UP_S, the sender gives up what it has and begins anew, from number 1,
   in the next epoch. The receiver sees the epoch, and with it that something may have been lost.
5. A sender that has forgotten the stream begins another life of it, whose epochs are all later: the receiver, which may
   remember, takes none of its messages for a former one. Whoever hears for the first time and in the first epoch of a
   life has lost nothing.

A large message takes its time: the waiting of rules 3 and 4 is longer by what it takes at BYTES_PER_S.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from partisan_actors.values import dataclass

__all__ = ["GIVE_UP_S", "LIFE_EPOCHS", "QUEUE_BYTES_MAX", "Incoming", "Outgoing", "Parcel"]

WINDOW_MESSAGES: Final = 1024
WINDOW_BYTES: Final = 8 * 1024 * 1024
QUEUE_BYTES_MAX: Final = 64 * 1024 * 1024
RESEND_AFTER_S: Final = 1.0
RESEND_LONGEST_S: Final = 2.0
GIVE_UP_S: Final = 12.0
BYTES_PER_S: Final = 4 * 1024 * 1024
# How many epochs a life has room for. At one in GIVE_UP_S, that is four months without progress.
LIFE_EPOCHS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Parcel:
    """A numbered message. `item` is the sender's and means nothing here; `size` is its bytes."""

    number: int
    item: Any
    size: int


class Outgoing:
    """The sending end, in the given life of the stream: see rule 5."""

    def __init__(self, life: int = 0) -> None:
        self.epoch = life * LIFE_EPOCHS + 1
        self._last = 0
        self._under_way: deque[Parcel] = deque()
        self._waiting: deque[Parcel] = deque()
        self._bytes_under_way = 0
        self._bytes_waiting = 0
        self._tries = 0
        self._sent_at = 0.0
        self._progress_at = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether all was acknowledged."""
        return not self._under_way and not self._waiting

    def push(self, item: Any, size: int, *, must: bool = False) -> bool:
        """Take a message to be sent; `take` gives it out. False, and nothing is taken, at the bound of rule 2.

        With `must` the bound does not count: for an answer, of which there is one for each question that was taken.
        """
        if not must and self._waiting and self._bytes_waiting + size > QUEUE_BYTES_MAX:
            return False
        self._last += 1
        self._waiting.append(Parcel(self._last, item, size))
        self._bytes_waiting += size
        return True

    def take(self, now: float, *, whole: bool = False) -> list[Parcel]:
        """What may be sent now for the first time; with `whole`, all that waits, however much it is."""
        if not self._under_way:
            self._tries, self._sent_at, self._progress_at = 0, now, now
        taken = []
        while self._waiting and (whole or self._has_room(self._waiting[0].size)):
            parcel = self._waiting.popleft()
            self._bytes_waiting -= parcel.size
            self._bytes_under_way += parcel.size
            self._under_way.append(parcel)
            taken.append(parcel)
        return taken

    def acknowledge(self, epoch: int, number: int, now: float) -> None:
        """The receiver has all up to `number` of that epoch."""
        if epoch != self.epoch:
            return
        while self._under_way and self._under_way[0].number <= number:
            self._bytes_under_way -= self._under_way.popleft().size
            self._tries, self._sent_at, self._progress_at = 0, now, now

    def again(self, now: float, *, hurry: bool = False) -> list[Parcel]:
        """What is to be sent again because its time has come, or, with `hurry`, because it may just have been lost."""
        wait_s = min(RESEND_AFTER_S * 2.0**self._tries, RESEND_LONGEST_S) + self._way_s()
        if not self._under_way or (not hurry and now - self._sent_at < wait_s):
            return []
        if not hurry:
            self._tries += 1
        self._sent_at = now
        return list(self._under_way)

    def is_hopeless(self, now: float) -> bool:
        """Whether it is time for `give_up`."""
        return bool(self._under_way) and now - self._progress_at >= GIVE_UP_S + self._way_s()

    def give_up(self) -> int:
        """Forget all that was not acknowledged, and begin the next epoch. Returns how many messages that were."""
        lost = len(self._under_way) + len(self._waiting)
        self._under_way.clear()
        self._waiting.clear()
        self._bytes_under_way = self._bytes_waiting = self._last = 0
        self.epoch += 1
        return lost

    def _has_room(self, size: int) -> bool:
        if not self._under_way:
            return True
        return len(self._under_way) < WINDOW_MESSAGES and self._bytes_under_way + size <= WINDOW_BYTES

    def _way_s(self) -> float:
        return self._bytes_under_way / BYTES_PER_S


class Incoming:
    """The receiving end. `epoch` and `last` are what the sender is told: all up to `last` of `epoch` is here.

    Nothing was heard yet in epoch 0.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.last = 0
        self._early: dict[int, Any] = {}

    def sees(self, epoch: int) -> bool:
        """The sender is in that epoch. Returns whether it has begun anew, so that something may have been lost."""
        if epoch <= self.epoch:
            return False
        is_first = self.epoch == 0 and epoch % LIFE_EPOCHS == 1
        self.epoch, self.last = epoch, 0
        self._early.clear()
        return not is_first

    def accept(self, epoch: int, number: int, item: Any) -> list[Any]:
        """A message arrived. Returns what can be handled now, in order; nothing for what was here before."""
        is_wanted = self.last < number <= self.last + 2 * WINDOW_MESSAGES and number not in self._early
        if epoch != self.epoch or not is_wanted:
            return []
        self._early[number] = item
        ready = []
        while self.last + 1 in self._early:
            self.last += 1
            ready.append(self._early.pop(self.last))
        return ready

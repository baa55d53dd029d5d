"""A session: what both ends of a lane remember across its connections, so that nothing is lost and nothing comes twice.

Pure: no socket, no clock. The rules of this module:

1. Frames that count (BATCH, LARGE, CHUNK) are numbered by both ends alike, modulo 2**32, and no number is on the wire.
   Each frame says how many its sender has received.
2. The sender keeps a frame until the other end has said that it has it. At WINDOW_COST it sends no more, as to a slow
   peer, until half of that is acknowledged. A frame costs its bytes, and FRAME_COST.
3. Who has received frames worth ACKNOWLEDGED_WEIGHT and sent nothing since, says so with a frame that does not count.
4. On the next connection each end says first how many frames it has received, and sends again what the other lacks.
   A frame that had arrived in part comes again as a whole; of a large message the chunks that were complete do not.

One end writes from several threads, of which one at a time has the lock, and reads in one that does not. So `keep`,
`take_back` and `is_full` belong to whoever writes, and the reader only notes in `heard` what the other end says; kept
frames are forgotten by the next writer that finds too many of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from partisan_actors.errors import ProtocolError
from partisan_actors.transport.large import Incoming

__all__ = ["ACKNOWLEDGED_WEIGHT", "FRAME_COST", "WINDOW_COST", "Frame", "Session", "pieces_of"]

WINDOW_COST: Final = 32 * 1024 * 1024
FRAME_COST: Final = 4 * 1024
# What is kept is looked through when it has grown by so much.
LOOK_COST: Final = 256 * 1024
# A frame weighs one, and one more for each 64 KiB.
ACKNOWLEDGED_WEIGHT: Final = 64
WEIGHT_SHIFT: Final = 16
# So many connections in a row may break because of damaged frames without any progress.
FRUITLESS_MAX: Final = 16
_NUMBERS: Final = 2**32
_MASK: Final = _NUMBERS - 1

# As it was written: in one piece, or in several, of which none may change.
Frame = bytes | Sequence[Any]


class Session:
    """One end. With `is_kept` False it only counts, for a peer that cannot go on with sessions, or is not to.

    `identity` is what both ends call it; `is_ours` says that this end dialled first.
    """

    __slots__ = (
        "_cost",
        "_forgotten",
        "_fruitless",
        "_kept",
        "_look_at",
        "_progress",
        "heard",
        "identity",
        "is_kept",
        "is_ours",
        "large",
        "received",
        "untold",
    )

    def __init__(self, identity: bytes, *, is_ours: bool, is_kept: bool = True) -> None:
        self.identity = identity
        self.is_ours = is_ours
        self.is_kept = is_kept
        self._progress = (0, 0)
        self._fruitless = 0
        # Outgoing: how many the other end has, as it last said; the frames that are kept, what they cost, and how many
        # were forgotten before them.
        self.heard = 0
        self._kept: deque[Frame] = deque()
        self._cost = 0
        self._look_at = LOOK_COST
        self._forgotten = 0
        # Incoming: how many are here, modulo 2**32, the weight of those that the other end does not know of, and the
        # large message that is here in part.
        self.received = 0
        self.untold = 0
        self.large: Incoming | None = None

    # ---- sending ----------------------------------------------------------------------------------------------

    def keep(self, frame: Frame, size: int) -> bool:
        """`frame`, of `size` bytes, is about to be written, and says how many were received.

        Returns whether nothing more may be sent after it.
        """
        self.untold = 0
        if not self.is_kept:
            return False
        self._kept.append(frame)
        self._cost += size + FRAME_COST
        if self._cost < self._look_at:
            return False
        self._forget()
        return self._cost >= WINDOW_COST

    def take_back(self, size: int) -> None:
        """No byte of the last frame was written."""
        if self.is_kept:
            self._kept.pop()
            self._cost -= size + FRAME_COST

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be sent now."""
        return self._cost >= WINDOW_COST

    @property
    def oldest_unacknowledged(self) -> tuple[int, int] | None:
        """The number of the oldest frame that the other end has not acknowledged, and its size; None: it has all."""
        number = self.heard
        try:
            frame = self._kept[(number - self._forgotten) & _MASK]
        except IndexError:
            return None
        return number, len(frame) if type(frame) is bytes else sum(map(len, frame))

    def makes_room(self) -> bool:
        """The other end was heard, while this one may not send: whether it may go on.

        Raises ProtocolError when the other end acknowledges what was never sent.
        """
        news = (self.heard - self._forgotten) & _MASK
        if len(self._kept) < news < _NUMBERS // 2:
            raise ProtocolError("it acknowledges what was never sent")
        self._forget()
        return self._cost <= WINDOW_COST // 2

    def can_resume(self, received: int) -> bool:
        """Whether the other end can go on with `received` frames: nothing that it lacks is forgotten."""
        return (received - self._forgotten) & _MASK <= len(self._kept)

    def missing(self, received: int) -> Sequence[Frame]:
        """The next connection is open, and the other end has `received` frames: what it lacks, in order."""
        self.heard = received
        self._forget()
        return self._kept

    def is_hopeless(self) -> bool:
        """A connection was lost to a damaged frame: whether FRUITLESS_MAX were, and nothing was received between."""
        progress = self.heard, self.received
        self._fruitless = self._fruitless + 1 if progress == self._progress else 1
        self._progress = progress
        return self._fruitless >= FRUITLESS_MAX

    def _forget(self) -> None:
        heard, kept = self.heard, self._kept
        news = (heard - self._forgotten) & _MASK
        if news <= len(kept):  # else it is old news, from a frame that was sent again
            cost = self._cost - news * FRAME_COST
            for _ in range(news):
                frame = kept.popleft()
                cost -= len(frame) if type(frame) is bytes else sum(map(len, frame))
            self._cost, self._forgotten = cost, heard
        self._look_at = min(self._cost + LOOK_COST, WINDOW_COST)

    # ---- receiving --------------------------------------------------------------------------------------------

    def take(self, size: int) -> None:
        """A frame with a body of `size` bytes has arrived and was handled."""
        self.received = (self.received + 1) & _MASK
        self.untold += 1 + (size >> WEIGHT_SHIFT)


def pieces_of(frame: Frame) -> Sequence[Any]:
    """What is to be written, in order."""
    return (frame,) if type(frame) is bytes else frame

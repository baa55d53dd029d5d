"""Messages whose buffers are pieces of shared memory: a message between the number of its transfer and the pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from partisan_actors.wire.frames import Kind
from partisan_actors.wire.in_turn import spliced

__all__ = ["MAPPED_FIELDS", "mapped"]

# What stands before the fields of the message itself: kind, transfer, the number of pieces.
MAPPED_FIELDS: Final = 3


def mapped(message: bytes, transfer: int, pieces: Sequence[list[int] | None]) -> bytes:
    """The packed message with its pieces; None is for a buffer that travels. Its own fields are not packed again.

    >>> mapped(pack([Kind.TELL, 7]), 5, [[1, 2]]) == pack([Kind.MAPPED, 5, 1, Kind.TELL, 7, [1, 2]])
    True
    """
    return spliced([Kind.MAPPED, transfer, len(pieces)], message, pieces)

"""Messages that reached nobody and that nobody waits for: counted, the last of them kept, and some of them logged."""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

__all__ = ["DeadLetters"]

logger = logging.getLogger(__name__)

DEAD_LETTERS_MAX: Final = 200


class DeadLetters:
    """Those of one node: for whom, which method, and why it did not arrive."""

    def __init__(self) -> None:
        self.last: deque[tuple[str, str, str]] = deque(maxlen=DEAD_LETTERS_MAX)
        self.count = 0

    def add(self, whom: str, method: str, why: str) -> None:
        """One more."""
        self.count += 1
        self.last.append((whom, method, why))
        count = self.count
        if count & (count - 1) == 0:  # the first, second, fourth ...: a flood of them must not flood the log
            logger.warning("dead letter %d: %s of %s: %s", count, method, whom, why)

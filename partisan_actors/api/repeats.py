"""`Repeats`: the same line of many processes is shown once, and then how often it came.

As Ray does it: two lines are the same when they differ in words with digits only. What one process repeats is shown as
often as it says it, until another one says it as well. Pure: it is told the time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from partisan_actors.node.printed import Line

__all__ = ["KNOWN_MAX", "WINDOW_S", "Repeats"]

# For so long after a line was shown, the same ones of other processes are counted, and then told in one line.
WINDOW_S: Final = 5.0
# Of so many lines at once; the oldest is told then, and forgotten.
KNOWN_MAX: Final = 1000

_WITH_DIGITS: Final = re.compile(r"\S*\d\S*")


class _Known:
    """A line that was shown lately, and those that came since."""

    __slots__ = ("count", "first", "last", "since")

    def __init__(self, first: Line, since: float) -> None:
        self.first = first
        self.last = first
        self.since = since
        self.count = 0


class Repeats:
    """Decides which lines are shown, and when."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], _Known] = {}  # the oldest first

    def take(self, line: Line, now: float) -> list[str]:
        """A line has come; returns what is to be shown now, in this order."""
        if line.is_record or not line.text.strip():
            return [str(line)]
        key = _WITH_DIGITS.sub("#", line.text), line.is_error
        known = self._known.get(key)
        if known is None:
            self._known[key] = _Known(line, now)
            crowded = [next(iter(self._known))] if len(self._known) > KNOWN_MAX else []
            return [*self._told(crowded), str(line)]
        if known.count == 0 and _process_of(known.first) == _process_of(line):
            return [str(line)]
        known.last = line
        known.count += 1
        return []

    def due(self, now: float) -> list[tuple[str, bool]]:
        """What is to be told by now, each with whether it was written to standard error; forgets those lines."""
        late = [key for key, known in self._known.items() if known.since + WINDOW_S <= now]
        return [(text, key[1]) for key in late for text in self._told([key])]

    def next_due(self) -> float | None:
        """When something is to be told next, or forgotten; None when nothing is known."""
        return next((known.since + WINDOW_S for known in self._known.values()), None)

    def _told(self, keys: Sequence[tuple[str, bool]]) -> list[str]:
        gone = [self._known.pop(key) for key in keys]
        return [_text(known) for known in gone if known.count]


def _process_of(line: Line) -> tuple[int, str]:
    return line.writer.pid, line.writer.node


def _text(known: _Known) -> str:
    repeated = f" [repeated {known.count}x across the cluster]" if known.count > 1 else ""
    return f"{known.last}{repeated}"

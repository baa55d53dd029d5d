"""`Printer`: shows on this process's output what others have printed, on a thread, because a terminal may be slow.

At most LINES_MAX lines wait. Who brings more waits for room, WAIT_S at most; what finds none then is dropped, and the
number of lines that were is shown.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from partisan_actors.api.repeats import Repeats
from partisan_actors.node.printed import Line

__all__ = ["LINES_MAX", "Printer"]

LINES_MAX: Final = 10_000
WAIT_S: Final = 0.2


class Printer:
    """Its thread begins with the first line."""

    def __init__(self, *, repeats: Repeats | None) -> None:
        """`repeats` chooses what is shown; without, every line is."""
        self._repeats = repeats
        self._lines: deque[Line] = deque()
        self._dropped = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """How many lines were dropped and are not told of yet."""
        return self._dropped

    def take(self, lines: Sequence[Line], *, waits: bool = True) -> None:
        """Show these lines soon. From any thread; with `waits`, and only then, it may wait for room, as said above."""
        with self._changed:
            if self._is_closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._main, name="printer", daemon=True)
                self._thread.start()
            if waits and len(self._lines) >= LINES_MAX and not self._dropped:
                self._changed.wait_for(lambda: len(self._lines) < LINES_MAX, WAIT_S)
            room = max(0, LINES_MAX - len(self._lines))
            self._lines.extend(lines[:room])
            self._dropped += len(lines[room:])
            self._changed.notify_all()

    def close(self, timeout_s: float) -> None:
        """Show what is there, for that long at most, and end. May be called twice."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _main(self) -> None:
        is_over = False
        while not is_over:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._lines) or self._is_closed, self._patience())
                lines, dropped = list(self._lines), self._dropped
                self._lines.clear()
                self._dropped = 0
                is_over = self._is_closed
                self._changed.notify_all()
            self._show(lines, dropped, is_over)

    def _patience(self) -> float | None:
        due = self._repeats.next_due() if self._repeats is not None else None
        return None if due is None else max(0.0, due - time.monotonic())

    def _show(self, lines: Sequence[Line], dropped: int, is_over: bool) -> None:
        texts: dict[bool, list[str]] = {False: [], True: []}
        for line in lines:
            shown = [str(line)] if self._repeats is None else self._repeats.take(line, time.monotonic())
            texts[line.is_error] += shown
        if self._repeats is not None:
            for text, is_error in self._repeats.due(float("inf") if is_over else time.monotonic()):
                texts[is_error].append(text)
        if dropped:
            texts[True].append(f"(partisan_actors) {dropped} lines are not shown: they came faster than they could be")
        for is_error, found in texts.items():
            _write(found, is_error)


def _write(texts: Sequence[str], is_error: bool) -> None:
    if texts:
        target = sys.stderr if is_error else sys.stdout
        whole = "".join(f"{text}\n" for text in texts)
        with suppress(OSError, ValueError, AttributeError):  # there may be nobody to read it, or nothing to write to
            try:
                target.write(whole)
            except UnicodeEncodeError as error:  # one character that the terminal has not must not cost all lines
                target.write(whole.encode(error.encoding, "backslashreplace").decode(error.encoding))
            target.flush()

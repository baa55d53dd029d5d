"""What the processes of a node write to their standard output and error: read line by line, with who wrote it.

One thread reads for all of them, and hands the lines to whoever shows them or passes them on. Of each process it keeps
the last lines written to standard error.
"""

from __future__ import annotations

import os
import selectors
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from partisan_actors.node.printed import Line, Lines, Writer

__all__ = ["TAIL_LINES", "Output", "Outputs", "TakeLines", "show_here"]

# Is given lines, in the order in which they were written; from any thread, and it does not block for long.
TakeLines = Callable[[Sequence[Line]], None]

READ_BYTES: Final = 65536
TAIL_LINES: Final = 10
# How often, at the end, it is looked whether there is more: somebody may write for ever.
LAST_TURNS_MAX: Final = 1000
TAIL_LINE_MAX: Final = 300


def show_here(lines: Sequence[Line]) -> None:
    """Write lines to this process's own output and error, behind who wrote them."""
    for is_error, target in ((False, sys.stdout), (True, sys.stderr)):
        text = "".join(f"{line}\n" for line in lines if line.is_error is is_error)
        if text:
            # There may be nobody to read it, or nothing to write to.
            with suppress(OSError, ValueError, AttributeError):
                target.write(text)
                target.flush()


class Output:
    """One stream of one process. `tail` are its last lines, for what is told of its end."""

    def __init__(self, descriptor: int, lines: Lines, take: TakeLines, at_end: Callable[[], None]) -> None:
        """Lines are given to `take`; `at_end` is called, on the thread, when nobody can write any more."""
        self.descriptor = descriptor
        self.tail: tuple[str, ...] = ()
        self._lines = lines
        self._take = take
        self._at_end = at_end

    def belongs_to(self, writer: Writer) -> None:
        """Who writes what is not marked, from now on."""
        self._lines.writer = writer

    def end(self) -> None:
        """Nobody will read any more: pass on what there is of a last line."""
        self._pass_on(self._lines.end())

    def read(self) -> bool:
        """Pass on what is there; returns False at the end."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self._pass_on(self._lines.feed(data) if data else self._lines.end())
        if not data:
            self._at_end()
        return bool(data)

    def _pass_on(self, lines: list[Line]) -> None:
        self.tail = (*self.tail, *(line.text[:TAIL_LINE_MAX] for line in lines))[-TAIL_LINES:]
        if lines:
            self._take(lines)


class Outputs:
    """The thread that reads. It begins with the first of these, and ends with `close`."""

    def __init__(self, take: TakeLines) -> None:
        """What is read is given to `take`, on the thread."""
        self._take = take
        self._selector = selectors.DefaultSelector()
        self._new: deque[Output] = deque()
        # Set once everything that is in the pipes now has been read.
        self._flushed: deque[threading.Event] = deque()
        self._open = 0
        self._all_ended = threading.Condition()
        self._is_closed = False
        self._waking = threading.Lock()
        self._is_over = False
        self._wake, self._wake_end = os.pipe()
        os.set_blocking(self._wake, False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._main, name="outputs", daemon=True)
        self._thread.start()

    def add(self, descriptor: int, writer: Writer, *, is_error: bool, at_end: Callable[[], None]) -> Output:
        """Read `descriptor` until its end, and close it then. After `close` it may be closed unread."""
        os.set_blocking(descriptor, False)
        output = Output(descriptor, Lines(writer, is_error=is_error), self._take, at_end)
        with self._waking:
            if self._is_over:
                os.close(descriptor)
                return output
            with self._all_ended:
                self._open += 1
            self._new.append(output)
        self._wake_up()
        return output

    def flush(self, timeout_s: float) -> None:
        """Wait until what processes have written so far has been read, but no longer than that. Not on the thread."""
        event = threading.Event()
        with self._waking:
            if self._is_over:
                return
            self._flushed.append(event)
        self._wake_up()
        event.wait(timeout_s)

    def wait_closed(self, timeout_s: float) -> None:
        """After `close`: wait until what was in the pipes has been passed on, but no longer than that."""
        self._thread.join(timeout_s)

    def wait_ended(self, timeout_s: float) -> None:
        """Wait until all streams have come to their ends, but no longer than that."""
        with self._all_ended:
            self._all_ended.wait_for(lambda: self.have_ended, timeout_s)

    @property
    def have_ended(self) -> bool:
        """Whether all streams have come to their ends."""
        return self._open == 0

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended, which it does after `close`."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """Read what is in the pipes now, and end. Returns at once; what is written later is lost."""
        self._is_closed = True
        self._wake_up()

    def _wake_up(self) -> None:
        # Not once it is over: that descriptor may be somebody else's by then.
        with self._waking, suppress(BlockingIOError):  # then there is enough in it to be woken by
            if not self._is_over:
                os.write(self._wake_end, b"!")

    def _main(self) -> None:
        while not self._is_closed:
            flushed = [self._flushed.popleft() for _ in range(len(self._flushed))]
            ready = self._selector.select(0 if flushed else None)
            has_read = [self._look_at(key) for key, _ in ready]
            if any(has_read):
                self._flushed.extendleft(reversed(flushed))  # there may be more
            else:
                for event in flushed:
                    event.set()
        for _ in range(LAST_TURNS_MAX):
            if not [self._look_at(key) for key, _ in self._selector.select(0)]:
                break
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                key.data.end()
                os.close(key.fd)
        self._selector.close()
        with self._waking:
            self._is_over = True
            os.close(self._wake)
            os.close(self._wake_end)
            while self._new:  # came when nobody looked any more
                os.close(self._new.popleft().descriptor)
        while self._flushed:
            self._flushed.popleft().set()

    def _look_at(self, key: selectors.SelectorKey) -> bool:
        """Read what is ready; returns whether there was something of a process, or may be in the next turn."""
        output: Output | None = key.data
        if output is None:
            with suppress(BlockingIOError):
                os.read(self._wake, READ_BYTES)
            while self._new:
                new = self._new.popleft()
                self._selector.register(new.descriptor, selectors.EVENT_READ, new)
            return True
        if not output.read():
            self._selector.unregister(output.descriptor)
            os.close(output.descriptor)
            with self._all_ended:
                self._open -= 1
                self._all_ended.notify_all()
        return True

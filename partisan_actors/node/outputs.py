"""What the processes of a node write to their standard output and error: passed on line by line, with who wrote it.

One thread reads for all of them, because whoever reads what it passes on may be slow: then it stops reading, and the
processes that write wait, as with any pipe. Of each process it keeps the last lines written to standard error.
"""

from __future__ import annotations

import os
import selectors
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Final

__all__ = ["LINE_BYTES_MAX", "TAIL_LINES", "Output", "Outputs"]

READ_BYTES: Final = 65536
# A longer line is passed on in pieces.
LINE_BYTES_MAX: Final = 65536
TAIL_LINES: Final = 10
TAIL_LINE_MAX: Final = 300


# How a line of log in JSON begins: it says itself whose it is, and with anything before it would be no JSON.
RECORD: Final = '{"time": "'


class Output:
    """One stream of one process. `tail` are its last lines, for what is told of its end."""

    def __init__(self, descriptor: int, prefix: str, target: Callable[[], IO[str]], at_end: Callable[[], None]) -> None:
        """Lines go to `target()` behind `prefix`; `at_end` is called, on the thread, when nobody can write any more."""
        self.descriptor = descriptor
        self.tail: tuple[str, ...] = ()
        self._prefix = prefix
        self._target = target
        self._at_end = at_end
        self._rest = b""

    def read(self) -> bool:
        """Pass on what is there; returns False at the end."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            if self._rest:
                self._pass_on([self._rest])
            self._at_end()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_BYTES_MAX:
            lines.append(self._rest)
            self._rest = b""
        self._pass_on(lines)
        return True

    def _pass_on(self, lines: list[bytes]) -> None:
        texts = [line.decode(errors="replace").rstrip("\r") for line in lines]
        self.tail = (*self.tail, *(text[:TAIL_LINE_MAX] for text in texts))[-TAIL_LINES:]
        with suppress(OSError, ValueError):  # there may be nobody to read it
            target = self._target()
            target.write("".join(f"{'' if text.startswith(RECORD) else self._prefix}{text}\n" for text in texts))
            target.flush()


class Outputs:
    """The thread that reads. It begins with the first stream, and ends with `close`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._new: deque[Output] = deque()
        self._is_closed = False
        self._wake, self._wake_end = os.pipe()
        os.set_blocking(self._wake, False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._main, name="outputs", daemon=True)
        self._thread.start()

    def add(self, descriptor: int, prefix: str, *, is_error: bool, at_end: Callable[[], None]) -> Output:
        """Read `descriptor` until its end, and close it then."""
        os.set_blocking(descriptor, False)
        output = Output(descriptor, prefix, _error if is_error else _standard, at_end)
        self._new.append(output)
        self._wake_up()
        return output

    def close(self) -> None:
        """End the thread, as soon as it may."""
        self._is_closed = True
        self._wake_up()

    def _wake_up(self) -> None:
        os.write(self._wake_end, b"!")

    def _main(self) -> None:
        while not self._is_closed:
            for key, _ in self._selector.select():
                output: Output | None = key.data
                if output is None:
                    with suppress(BlockingIOError):
                        os.read(self._wake, READ_BYTES)
                    while self._new:
                        new = self._new.popleft()
                        self._selector.register(new.descriptor, selectors.EVENT_READ, new)
                elif not output.read():
                    self._selector.unregister(output.descriptor)
                    os.close(output.descriptor)
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                os.close(key.fd)
        self._selector.close()
        os.close(self._wake)
        os.close(self._wake_end)


def _standard() -> IO[str]:
    return sys.stdout


def _error() -> IO[str]:
    return sys.stderr

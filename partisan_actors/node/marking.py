"""In a process whose output another one shows: what it prints, line by line, with which actor or task printed it.

`LineStream` stands in the place of `sys.stdout` or `sys.stderr`, and knows who runs. `Upwards` writes the lines to the
pipe that the process was given. Nobody who prints waits for a reader for longer than WAIT_MS: what does not fit then is
not written, and counted, and the reader is told how many lines there were.
"""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TextIO

from partisan_actors.node.outputs import TakeLines
from partisan_actors.node.printed import LINE_BYTES_MAX, Line, Writer, pieces_of

__all__ = ["LineStream", "Upwards", "mark_output"]

WAIT_MS: Final = 100
# Lines that have no end yet: of so many who print at once.
BEGUN_MAX: Final = 1000

# Tells who runs here and now; None for nobody that is known.
WhoRuns = Callable[[], Writer | None]


class LineStream(io.TextIOBase):
    """A text stream that passes on whole lines. What nobody who is known prints goes to `before` as it is.

    A line is passed on at its end, or when whoever prints it flushes the stream.
    """

    def __init__(self, before: TextIO, who_runs: WhoRuns, take: TakeLines, *, is_error: bool) -> None:
        self._before = before
        self._who_runs = who_runs
        self._take = take
        self._is_error = is_error
        self._begun: dict[tuple[int, Writer], str] = {}

    def write(self, text: str) -> int:
        """Take `text`; returns how long it is."""
        writer = self._who_runs()
        if writer is None:
            count = self._before.write(text)
            if "\n" in text:
                self._before.flush()
            return count
        key = (threading.get_ident(), writer)
        *texts, rest = (self._begun.pop(key, "") + text).split("\n")
        if len(rest) > LINE_BYTES_MAX:
            texts.append(rest)
        elif rest:
            self._begun[key] = rest
        lines = [Line(writer, each, self._is_error) for each in texts]
        if len(self._begun) > BEGUN_MAX:
            # A copy is made in one step: an iterator raises when another thread prints between two.
            lines += self._take_begun(next(iter(list(self._begun)), key))
        if lines:
            self._take(lines)
        return len(text)

    def flush(self) -> None:
        """Pass on what the running code has printed, though its line has no end yet."""
        writer = self._who_runs()
        lines = self._take_begun((threading.get_ident(), writer)) if writer is not None else []
        if lines:
            self._take(lines)
        with suppress(OSError, ValueError):
            self._before.flush()

    def flush_all(self) -> None:
        """Pass on what anybody has printed. At the end of the process."""
        lines = [line for key in list(self._begun) for line in self._take_begun(key)]
        if lines:
            self._take(lines)
        self.flush()

    def _take_begun(self, key: tuple[int, Writer]) -> list[Line]:
        text = self._begun.pop(key, "")
        return [Line(key[1], text, self._is_error)] if text else []

    def writable(self) -> bool:
        """True."""
        return True

    def isatty(self) -> bool:
        """Whether the stream below is a terminal."""
        return self._before.isatty()

    def fileno(self) -> int:
        """The descriptor below, whose lines are not marked."""
        return self._before.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # it is never set
        """That of the stream below."""
        return self._before.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # it is never set
        """What becomes of text that cannot be encoded, in the stream below."""
        return self._before.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._before, name)


class Upwards:
    """Writes lines into the pipes that are this process's standard output and error. From any thread."""

    def __init__(self, process: Writer, output: int = 1, error: int = 2) -> None:
        """`process` is who tells how many lines were lost."""
        self._process = process
        self._pipes = {False: _Pipe(output), True: _Pipe(error)}
        os.register_at_fork(after_in_child=self._forked)

    def take(self, lines: Sequence[Line]) -> None:
        """Write them, as far as there is room."""
        for line in lines:
            pipe = self._pipes[line.is_error]
            with pipe.lock, suppress(OSError):  # nobody reads any more
                pipe.write(line, self._process)

    def _forked(self) -> None:
        for pipe in self._pipes.values():
            pipe.lock = threading.Lock()


class _Pipe:
    """One pipe, that nobody writes marked lines to but this process. The lock is taken by who uses it."""

    def __init__(self, descriptor: int) -> None:
        self.lock = threading.Lock()
        self.lost = 0
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, line: Line, process: Writer) -> None:
        if self.lost and self._has_room():
            lost, self.lost = self.lost, 0
            self._write(Line(process, f"... {lost} lines were lost here: nobody read them fast enough"))
        if self.lost or not self._write(line):
            self.lost += 1

    def _write(self, line: Line) -> bool:
        for piece in pieces_of(line):
            if not self._has_room():
                return False
            os.write(self._descriptor, piece)
        return True

    def _has_room(self) -> bool:
        # Once lines are lost, the next ones do not wait: a slow reader costs one wait, and not one a line.
        return bool(self._poll.poll(0 if self.lost else WAIT_MS))


def mark_output(who_runs: WhoRuns, take: TakeLines) -> Callable[[], None]:
    """Have this process's output marked from now on. Returns what passes on the rest, at the end of the process."""
    streams = (
        LineStream(sys.stdout, who_runs, take, is_error=False),
        LineStream(sys.stderr, who_runs, take, is_error=True),
    )
    sys.stdout, sys.stderr = streams

    def finish() -> None:
        for stream in streams:
            stream.flush_all()

    return finish

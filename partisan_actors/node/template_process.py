"""A template process as its node sees it: it is started, asked for forks, and heard of what became of them.

A process with threads or a running loop cannot be forked safely, so a node does not fork itself: it starts a template,
a process of one thread that has imported everything, and asks that for forks, over a socket. A request is one line, a
number, and the three descriptors that the fork gets: its control channel, and where its standard output and error go.
The template answers ``forked NUMBER PID`` or ``failed NUMBER ERRNO``, and later ``ended PID STATUS``, with the status
as `os.waitpid` gives it. After LAST there are no more requests, and it need not stay a template.

The template ends when that socket does, however its node came to its end, and takes with it every process that it has
forked.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from partisan_actors.node.spawner import Spawner

__all__ = ["FORK_S", "LAST", "Asked", "TemplateProcess"]

# How long the template may take to answer: at first it imports everything, on a machine that may be busy.
FORK_S: Final = 60.0
# How long its end may take to be known once its socket has ended.
STATUS_S: Final = 5.0
LINE_BYTES_MAX: Final = 65536
LAST: Final = b"last"
GONE: Final = "the template process has ended"


class Asked(Protocol):
    """One fork that was asked for; it is told what becomes of it, within `TemplateProcess.hear` and `close`."""

    def forked(self, pid: int) -> None:
        """It is there."""

    def failed(self, error: OSError) -> None:
        """There is none, and will be none."""

    def ended(self, status: int | None) -> None:
        """It has ended, with that status; with None, the template has, and so it has or will soon."""


class TemplateProcess:
    """Nothing happens by itself: who has one calls `hear` when there is something to read. Not for several threads."""

    def __init__(self, module: str, arguments: Sequence[str], settings: Mapping[str, Any], spawner: Spawner) -> None:
        """Start ``python -m module arguments``, which is told `settings`. Raises OSError when that cannot be."""
        self._numbers = itertools.count(1)
        self._asked: dict[int, Asked] = {}
        self._forked: dict[int, Asked] = {}
        self._data = b""
        self.is_over = False
        # Called when it can fork no more, while its socket is still open.
        self.on_over: Callable[[], object] = lambda: None
        ours, theirs = socket.socketpair()
        try:
            for end in (ours, theirs):
                end.setblocking(True)  # a program may have set another default with `socket.setdefaulttimeout`
            command = [sys.executable, "-m", module, *arguments]
            stdin = theirs.fileno()
            self._process: subprocess.Popen[bytes] = spawner.run(
                lambda: subprocess.Popen(command, stdin=stdin, close_fds=True)
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._socket = ours
        self._send(json.dumps(dict(settings)).encode(), (), socket.MSG_DONTWAIT)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fileno(self) -> int:
        """What becomes readable when there is something to hear."""
        return self._socket.fileno()

    def ask(self, asked: Asked, descriptors: Sequence[int], *, waits: bool) -> None:
        """Ask for a fork that gets these three descriptors. Raises OSError when the template has ended.

        With `waits` it may take until the template has imported everything; without, OSError is raised then.
        """
        number = next(self._numbers)
        self._asked[number] = asked
        try:
            self._send(str(number).encode(), descriptors, 0 if waits else socket.MSG_DONTWAIT)
        except BaseException:
            del self._asked[number]
            raise

    def ask_no_more(self) -> None:
        """Nothing else will be asked for; raises OSError when the template has ended. It ends with its last fork then.

        One that has been told so does not notice the end of the socket, only that of the process of its node.
        """
        self._send(LAST, (), 0)

    def hear(self) -> None:
        """Read what the template has said, and tell those whom it concerns. Does not wait."""
        while not self.is_over:
            try:
                data = self._socket.recv(LINE_BYTES_MAX, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            *lines, self._data = (self._data + data).split(b"\n")
            for line in lines:
                word, first, second = line.decode().split()
                self._told(word, int(first), int(second))

    def close(self) -> None:
        """End it, and everything that it has forked. Returns at once.

        Whatever it is asked for it does before it sees that; so when there is something yet, a signal says it at once.
        """
        if self.is_over:
            return
        gone = self._gone(0.0)
        if self._asked:
            self._process.terminate()
        self.is_over = True
        self.on_over()
        with contextlib.suppress(OSError):
            self._socket.close()
        for asked in self._asked.values():
            asked.failed(gone)
        for asked in self._forked.values():
            asked.ended(None)
        self._asked.clear()
        self._forked.clear()

    def wait(self, timeout_s: float = FORK_S) -> None:
        """Block until it has ended, which it does by itself after `close`; one that does not is killed."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def poll(self) -> bool:
        """Whether it has ended and was collected."""
        return self._process.poll() is not None

    def _send(self, line: bytes, descriptors: Sequence[int], flags: int) -> None:
        if self.is_over:
            raise self._gone(0.0)
        try:
            socket.send_fds(self._socket, [line + b"\n"], list(descriptors), flags)
        except (BrokenPipeError, ConnectionResetError) as error:
            # Who may wait waits a moment for what there is to say of it.
            raise self._gone(0.0 if flags & socket.MSG_DONTWAIT else STATUS_S) from error

    def _gone(self, timeout_s: float) -> BrokenPipeError:
        """That it has ended, and how, if that is known within so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return BrokenPipeError(f"{GONE} with exit status {self._process.wait(timeout_s)}")
        return BrokenPipeError(GONE)

    def _told(self, word: str, first: int, second: int) -> None:
        if word == "forked":
            asked = self._forked[second] = self._asked.pop(first)
            asked.forked(second)
        elif word == "failed":
            self._asked.pop(first).failed(OSError(second, os.strerror(second)))
        elif word == "ended":
            self._forked.pop(first).ended(second)

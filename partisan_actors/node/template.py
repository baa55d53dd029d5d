"""The template: a process of one thread that has imported everything, and forks at once what takes long to start.

A process with threads or a running loop cannot be forked safely, so a node does not fork itself: it starts a template
and asks that for forks, over a socket. A request is one line, a number, and the three descriptors that the fork gets:
its control socket, and where its standard output and error go. The template answers ``forked NUMBER PID``, and later
``ended PID STATUS``, with the status as `os.waitpid` gives it.

The template ends when that socket does, however its node came to its end, and takes with it every process that it has
forked, and those that they have started.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from partisan_actors.node.workers import Spawner

__all__ = ["FORK_S", "Forked", "Template", "status_text"]

# How long the template may take to answer: at first it imports everything, on a machine that may be busy.
FORK_S: Final = 60.0
LINE_BYTES_MAX: Final = 65536


class Forked:
    """One process that the template has forked. `ended` gets its status, or None when the template itself has ended."""

    def __init__(self, pid: int, loop: asyncio.AbstractEventLoop) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int | None] = loop.create_future()


class Template:
    """The template of one node, as the node sees it. Everything belongs to the loop's thread."""

    def __init__(self, module: str, settings: Mapping[str, Any], spawner: Spawner) -> None:
        """Start ``python -m module``, which is told `settings`. Raises OSError when that cannot be."""
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Forked]] = {}
        self._forked: dict[int, Forked] = {}
        self._data = b""
        self.is_over = False
        self.on_over: Callable[[], None] = lambda: None
        ours, theirs = socket.socketpair()
        try:
            command = [sys.executable, "-m", module]
            stdin = theirs.fileno()
            self._process: subprocess.Popen[bytes] = spawner.run(
                lambda: subprocess.Popen(command, stdin=stdin, close_fds=True)
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._socket = ours
        self._send(json.dumps(dict(settings)).encode(), ())
        self._loop.add_reader(ours, self._readable)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def fork(self, descriptors: Sequence[int]) -> Forked:
        """A new process, which gets these three descriptors. Raises OSError when the template cannot, or has ended."""
        number = next(self._numbers)
        answer: asyncio.Future[Forked] = self._loop.create_future()
        self._asked[number] = answer
        try:
            self._send(str(number).encode(), descriptors)
            async with asyncio.timeout(FORK_S):
                return await answer
        finally:
            self._asked.pop(number, None)

    def close(self) -> None:
        """End it, and everything that it has forked. Returns at once."""
        self._over()

    def wait(self) -> None:
        """Block until it has ended, which it does by itself after `close`; one that does not is killed."""
        try:
            self._process.wait(FORK_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def poll(self) -> bool:
        """Whether it has ended and was collected."""
        return self._process.poll() is not None

    def _send(self, line: bytes, descriptors: Sequence[int]) -> None:
        if self.is_over:
            raise BrokenPipeError("the template process has ended")
        socket.send_fds(self._socket, [line + b"\n"], list(descriptors))

    def _readable(self) -> None:
        try:
            data = self._socket.recv(LINE_BYTES_MAX)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._over()
            return
        *lines, self._data = (self._data + data).split(b"\n")
        for line in lines:
            word, *numbers = line.decode().split()
            self._told(word, *map(int, numbers))

    def _told(self, word: str, first: int, second: int) -> None:
        if word == "forked":
            forked = self._forked[second] = Forked(second, self._loop)
            answer = self._asked.get(first)
            if answer is not None and not answer.done():
                answer.set_result(forked)
        elif word == "failed":
            answer = self._asked.get(first)
            if answer is not None and not answer.done():
                answer.set_exception(OSError(second, os.strerror(second)))
        elif word == "ended":
            ended = self._forked.pop(first, None)
            if ended is not None and not ended.ended.done():
                ended.ended.set_result(second)

    def _over(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._loop.remove_reader(self._socket)
        with contextlib.suppress(OSError):
            self._socket.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(BrokenPipeError("the template process has ended"))
        for forked in self._forked.values():
            if not forked.ended.done():
                forked.ended.set_result(None)
        self._forked.clear()
        self.on_over()


def status_text(pid: int, status: int | None, *, for_want_of_memory: bool = False) -> str:
    """How a process ended, in words; `status` is as in `Forked.ended`."""
    if for_want_of_memory:
        return (
            f"the kernel most likely ended its process (pid {pid}) for want of memory: by signal 9 (SIGKILL), "
            "and its count of such ends (oom_kill) has grown"
        )
    if status is None:
        return f"its process (pid {pid}) ended with the template process that had forked it"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"its process (pid {pid}) was ended by signal {number} ({signal_name(number)})"
    return f"its process (pid {pid}) ended with exit code {os.waitstatus_to_exitcode(status)}"


def signal_name(number: int) -> str:
    """SIGKILL for 9, and so on."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"

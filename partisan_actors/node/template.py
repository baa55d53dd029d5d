"""The template of a node with a running loop: its forks and their ends are futures there. See `template_process`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from partisan_actors.node.spawner import Spawner
from partisan_actors.node.template_process import FORK_S, TemplateProcess

__all__ = ["Forked", "Template", "status_text"]


class Forked:
    """One process that the template has forked. `ended` gets its status, or None when the template itself has ended."""

    def __init__(self, pid: int, loop: asyncio.AbstractEventLoop) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int | None] = loop.create_future()


class Template:
    """Everything belongs to the loop's thread."""

    def __init__(self, module: str, settings: Mapping[str, Any], spawner: Spawner) -> None:
        """Start ``python -m module``, which is told `settings`. Raises OSError when that cannot be."""
        self._loop = asyncio.get_running_loop()
        self._process = TemplateProcess(module, (), settings, spawner)
        reading = self._process.fileno()
        self._process.on_over = lambda: self._loop.remove_reader(reading)
        self._loop.add_reader(reading, self._process.hear)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it can fork no more."""
        return self._process.is_over

    async def fork(self, descriptors: Sequence[int]) -> Forked:
        """A new process, which gets these three descriptors. Raises OSError when the template cannot, or has ended."""
        asked = _Asked(self._loop)
        self._process.ask(asked, descriptors, waits=False)
        async with asyncio.timeout(FORK_S):
            return await asked.answer

    def close(self) -> None:
        """End it, and everything that it has forked. Returns at once."""
        self._process.close()

    def poll(self) -> bool:
        """Whether it has ended and was collected."""
        return self._process.poll()


class _Asked:
    """A fork that was asked for, and then the process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answer: asyncio.Future[Forked] = loop.create_future()
        self._process: Forked | None = None

    def forked(self, pid: int) -> None:
        self._process = Forked(pid, self.answer.get_loop())
        if not self.answer.done():
            self.answer.set_result(self._process)

    def failed(self, error: OSError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def ended(self, status: int | None) -> None:
        assert self._process is not None, "it was forked before"
        if not self._process.ended.done():
            self._process.ended.set_result(status)


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
        return f"signal {number} ({signal_name(number)}) ended its process (pid {pid})"
    return f"its process (pid {pid}) ended with exit code {os.waitstatus_to_exitcode(status)}"


def signal_name(number: int) -> str:
    """SIGKILL for 9, and so on."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"

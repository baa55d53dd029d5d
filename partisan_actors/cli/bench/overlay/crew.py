"""The coordinator's hold on the processes that play the nodes: starts, asks and kills them, leaves none behind."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from tempfile import TemporaryFile
from typing import IO, Any, Final

from partisan_actors.cli.bench.environment import child_environment
from partisan_actors.cli.bench.overlay.host import LINE_BYTES_MAX

__all__ = ["Crew", "Member", "MemberLost"]

ANSWER_S: Final = 60.0
"""A process that has hundreds of nodes to run may be slow to answer; one that takes longer than this hangs."""
STOP_S: Final = 3.0
COMPLAINT_CHARACTERS_MAX: Final = 500


class MemberLost(Exception):
    """A process of the crew ended, hangs or failed: nothing that was measured counts."""


class Member:
    """One process that plays nodes."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, complaints: IO[bytes]) -> None:
        self.number = number
        self.process = process
        self.complaints = complaints
        self._turn = asyncio.Lock()

    async def ask(self, do: str, **said: Any) -> Any:
        """Have it do something, and wait for what it answers. Raises MemberLost."""
        async with self._turn:
            await self.tell({"do": do, **said})
            assert self.process.stdout is not None
            try:
                line = await asyncio.wait_for(self.process.stdout.readline(), ANSWER_S)
            except TimeoutError as error:
                raise MemberLost(f"process {self.number} did not answer {do!r} within {ANSWER_S:g} s") from error
        if not line:
            await self.process.wait()
            raise MemberLost(f"process {self.number} ended with status {self.process.returncode}: {self._last_words()}")
        reply = json.loads(line)
        if "error" in reply:
            raise MemberLost(f"process {self.number} could not {do}: {reply['error']}")
        return reply["ok"]

    async def tell(self, plain: dict[str, Any]) -> None:
        """Send one line."""
        assert self.process.stdin is not None
        with suppress(ConnectionError):  # that it is gone shows when it does not answer
            self.process.stdin.write(json.dumps(plain).encode() + b"\n")
            await self.process.stdin.drain()

    def kill(self) -> None:
        """SIGKILL: to its peers, the nodes just stop."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)

    def _last_words(self) -> str:
        self.complaints.seek(0)
        lines = [line.strip() for line in self.complaints.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:COMPLAINT_CHARACTERS_MAX] if lines else "it said nothing"


class Crew:
    """All processes of one run."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = list(members)

    @classmethod
    @asynccontextmanager
    async def started(cls, count: int, settings: dict[str, Any]) -> AsyncIterator[Crew]:
        """So many processes, which know the settings. All of them are gone when the block is left, however it is."""
        members: list[Member] = []
        try:
            for number in range(count):
                complaints = TemporaryFile()  # noqa: SIM115 - closed with its process
                # A session of its own: Ctrl-C at the terminal reaches this process alone, and it ends the others.
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "partisan_actors.cli.bench.overlay.host",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=complaints,
                    env=child_environment(),
                    start_new_session=True,
                    limit=LINE_BYTES_MAX,
                )
                members.append(Member(number, process, complaints))
                await members[-1].tell(settings)
            yield cls(members)
        finally:
            for member in members:
                member.kill()
            for member in members:
                await member.process.wait()
                member.complaints.close()

    async def ask(self, do: str, **said: Any) -> list[Any]:
        """Have all of them do something at once; their answers in order. Raises MemberLost."""
        return list(await asyncio.gather(*(member.ask(do, **said) for member in self.members)))

    def kill_last(self) -> Member:
        """Kill one process, and ask it no more."""
        member = self.members.pop()
        member.kill()
        return member

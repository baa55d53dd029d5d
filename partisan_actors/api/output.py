"""What the processes of a session print, at the terminal of the program for which they ran.

Processes form a tree: workers below `init` or `partisan start`, isolated ones below their host. Each writes marked
lines into a pipe of its parent's, so nothing of a process is lost when it crashes. At the root, which is a session, the
rules are:

1. A program shows what was printed for it, and what nobody is known to have printed. The rest is for other programs.
2. `partisan start` shows all on its own output, and passes on what was printed for programs.
3. What is passed on goes to the node of that program, in batches, one after the other. What is for nobody who can be
   told is shown where it came from.

Nobody waits for a terminal, or for another node: what finds no room is dropped, counted, and told of. Lines, in all,
that wait: LINES_MAX for each program, and those of the `Printer`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.context import current_cell
from partisan_actors.api.printer import Printer
from partisan_actors.api.repeats import Repeats
from partisan_actors.errors import ConfigError, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.marking import WhoRuns
from partisan_actors.node.outputs import Outputs
from partisan_actors.node.printed import Line, Writer
from partisan_actors.tasks.running import current_task

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.api.runtime import Runtime

__all__ = ["DEDUP", "OUTPUT", "SessionOutput", "who_runs_in"]

OUTPUT: Final = "output"
# "0": every line is shown.
DEDUP: Final = "PARTISAN_DEDUP_LOGS"
LINES_MAX: Final = 2_000
BATCH_CHARS_MAX: Final = 256 * 1024
SEND_S: Final = 10.0
# How long the end of a session may take because of lines that are under way.
LAST_LINES_S: Final = 5.0
FLUSH_S: Final = 5.0
FLUSHED_NODES_MAX: Final = 64
LOOK_S: Final = 0.005
# Programs that want no lines, as they have said; the oldest are forgotten.
UNWILLING_MAX: Final = 1_000


def who_runs_in(pid: int, node: str) -> WhoRuns:
    """Tells which actor or task runs here and now, in this process, which is called `node`."""

    def who_runs() -> Writer | None:
        cell = current_cell.get()
        if cell is not None:
            owner = cell.options.owner
            return Writer(cell.definition.interface.class_name, pid, node, "" if owner is None else str(owner))
        task = current_task.get()
        return None if task is None else Writer(task.name, pid, node, str(task.owner))

    return who_runs


class SessionOutput:
    """The root of a tree of processes. `shows_all`: it is no program's, but that of `partisan start`."""

    def __init__(self, *, is_wanted: bool = True, shows_all: bool = False) -> None:
        """Without `is_wanted`, nothing is shown. Raises ConfigError when it is no bool."""
        if not isinstance(is_wanted, bool):
            raise ConfigError("log_to_driver", is_wanted, "True or False")
        self._is_wanted = is_wanted
        self._shows_all = shows_all
        has_repeats = not shows_all and os.environ.get(DEDUP) != "0"
        self._printer = Printer(repeats=Repeats() if has_repeats else None)
        self._of_workers: Outputs | None = None
        self._runtime: Runtime | None = None
        self._forwarding: _Forwarding | None = None

    @property
    def of_workers(self) -> Outputs:
        """What reads the pipes of the session's own workers; made when it is needed."""
        if self._of_workers is None:
            self._of_workers = Outputs(self.take)
        return self._of_workers

    def attach(self, runtime: Runtime) -> None:
        """The session's node is there: from now on, others may be told, and tell."""
        self._runtime = runtime
        self._forwarding = _Forwarding(runtime.system, self._not_taken)
        runtime.scheduler.processes.take_lines = self.take
        runtime.system.serve(OUTPUT, self)

    def take(self, lines: Sequence[Line]) -> None:
        """Lines of the tree. From any thread."""
        forwarding = self._forwarding
        me = "" if self._runtime is None else str(self._runtime.system.me)
        others = [line for line in lines if line.writer.owner not in ("", me)] if forwarding is not None else []
        if self._shows_all or not others:
            self._show(lines)
        elif len(others) < len(lines):
            self._show([line for line in lines if line.writer.owner in ("", me)])
        if others and forwarding is not None:
            forwarding.take(others)

    def _show(self, lines: Sequence[Line]) -> None:
        if self._is_wanted:
            is_on_loop = self._runtime is not None and self._runtime.system.thread_id == threading.get_ident()
            self._printer.take(lines, waits=not is_on_loop)

    def _not_taken(self, lines: Sequence[Line]) -> None:
        if not self._shows_all:
            self._show(lines)

    async def lines(self, peer: Any, rows: list[list[Any]], lost: int) -> bool:
        """Another node has lines for this program; returns whether it is to send more. `lost` more were dropped."""
        self._show([Line(Writer(*writer), text, is_error) for *writer, text, is_error in rows])
        if lost:
            where = Writer("", 0, peer.node.name)
            self._show([Line(where, f"... {lost} lines were lost here: they came too fast", is_error=True)])
        return self._is_wanted

    async def flush(self, peer: Any) -> None:
        """Answered when what was printed so far for the asking program has been sent; or after FLUSH_S."""
        assert self._runtime is not None and self._forwarding is not None
        loop = self._runtime.system.loop
        readers = [each for each in (self._of_workers, self._runtime.scheduler.processes.outputs) if each is not None]
        await asyncio.gather(*(loop.run_in_executor(None, each.flush, FLUSH_S / 2) for each in readers))
        deadline = loop.time() + FLUSH_S / 2
        while self._forwarding.is_busy_for(str(peer.node)) and loop.time() < deadline:  # noqa: ASYNC110 - a few turns
            await asyncio.sleep(LOOK_S)

    async def collect(self) -> None:
        """Have others send what was printed for this program, before it ends; no longer than FLUSH_S."""
        if self._runtime is None or not self._is_wanted or self._shows_all:
            return
        system = self._runtime.system
        records = [each for each in system.node.directory.live() if each.hosts_actors and each.node != system.me]
        asked = [
            system.request(record.node, OUTPUT, "flush", timeout_s=FLUSH_S) for record in records[:FLUSHED_NODES_MAX]
        ]
        await asyncio.gather(*asked, return_exceptions=True)

    def close(self) -> None:
        """Show what there is yet, once the workers have ended; no longer than LAST_LINES_S. May be called twice."""
        if self._of_workers is not None:
            self._of_workers.close()
            self._of_workers.wait_closed(LAST_LINES_S)
        self._printer.close(LAST_LINES_S)


class _Queue:
    """What waits for one program."""

    __slots__ = ("lines", "lost")

    def __init__(self) -> None:
        self.lines: deque[Line] = deque()
        self.lost = 0


class _Forwarding:
    """Sends lines to the nodes of the programs that they are for. `not_taken` gets those that nobody there takes."""

    def __init__(self, system: ActorSystem, not_taken: Callable[[Sequence[Line]], None]) -> None:
        self._system = system
        self._not_taken = not_taken
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}  # by owner; each has a job that sends what is in it
        self._unwilling: dict[str, None] = {}  # the oldest first

    def is_busy_for(self, owner: str) -> bool:
        """Whether there is something that was not sent to that node yet."""
        return owner in self._queues

    def take(self, lines: Sequence[Line]) -> None:
        """Send these. From any thread."""
        with self._lock:
            for line in lines:
                owner = line.writer.owner
                if owner in self._unwilling:
                    continue
                queue = self._queues.get(owner)
                if queue is None:
                    queue = self._queues[owner] = _Queue()
                    self._system.post(self._start, owner, queue)
                if len(queue.lines) < LINES_MAX:
                    queue.lines.append(line)
                else:
                    queue.lost += 1

    def _start(self, owner: str, queue: _Queue) -> None:
        self._system.background.start(self._send(owner, queue), f"pass output on to {owner}")

    async def _send(self, owner: str, queue: _Queue) -> None:
        while (batch := self._next_batch(owner, queue)) is not None:
            lines, lost = batch
            rows = [[*line.writer, line.text, line.is_error] for line in lines]
            try:
                node = NodeId.parse(owner)
                is_willing = await self._system.request(node, OUTPUT, "lines", rows, lost, timeout_s=SEND_S)
            except (PartisanError, ValueError):
                self._not_taken(lines)
            else:
                if not is_willing:
                    with self._lock:
                        self._unwilling[owner] = None
                        if len(self._unwilling) > UNWILLING_MAX:  # that one is gone by now, or says so again
                            del self._unwilling[next(iter(self._unwilling))]
                        queue.lines.clear()

    def _next_batch(self, owner: str, queue: _Queue) -> tuple[list[Line], int] | None:
        with self._lock:
            if not queue.lines and not queue.lost:
                del self._queues[owner]
                return None
            batch: list[Line] = []
            count = 0
            while queue.lines and count < BATCH_CHARS_MAX:
                batch.append(queue.lines.popleft())
                count += len(batch[-1].text) + 100
            lost, queue.lost = queue.lost, 0
            return batch, lost

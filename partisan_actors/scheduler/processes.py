"""The processes of one node: each a node of its own for one isolated actor, or for tasks one after the other.

A process is forked by the node's template, joins the cluster through this node, and is marked in its record as hosted
by it, so nobody takes it for a place; what is sent to it goes there directly. This node, and only it, knows how the
process ended, and tells everybody. When this node ends, they all do.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from partisan_actors.errors import WorkerCrashed
from partisan_actors.ids import NodeId
from partisan_actors.node.directory import PREFIX, NodeRecord
from partisan_actors.node.memory_kills import MemoryKills
from partisan_actors.node.outputs import Output, Outputs, TakeLines, show_here
from partisan_actors.node.printed import Writer
from partisan_actors.node.spawner import Spawner
from partisan_actors.node.template import Forked, Template, status_text

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.node.node import Node
    from partisan_actors.scheduler.environment import Environment

__all__ = ["Process", "Processes", "Share", "record_from", "record_of"]

logger = logging.getLogger(__name__)

TEMPLATE_MODULE: Final = "partisan_actors.api.template"
# How many processes one node has at once.
PROCESSES_MAX: Final = 1000
# How many are started at once: more would only slow each other down.
STARTS_MAX: Final = 8
# How long a process may take to become a node, and how long to end when it is asked to.
START_S: Final = 60.0
STOP_S: Final = 1.5
KILL_S: Final = 2.0
KNOWN_S: Final = 5.0
# How long the last words of a process that has ended may take to get here.
LAST_WORDS_S: Final = 0.5
LOOK_S: Final = 0.005
LINE_BYTES_MAX: Final = 65536
VERDICTS_MAX: Final = 1024


class Share(NamedTuple):
    """What of the node a process may use: so many threads to compute with, and the GPUs of these numbers."""

    threads: int = 1
    gpus: tuple[int, ...] = ()

    def variables(self) -> dict[str, str]:
        """What libraries look at, unless whoever started all this has said it: threads, and GPUs."""
        said = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(self.threads)}
        gpus = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, self.gpus))} if self.gpus else {}
        return {**said, **gpus}


class Process:
    """One of them. `ended` gets, as text, how it ended."""

    def __init__(
        self, name: str, label: str, forked: Forked, control: socket.socket, output: Output, errors: Output
    ) -> None:
        self.name = name
        self.label = label
        self.pid = forked.pid
        self.node: NodeId | None = None
        self.addresses: tuple[str, ...] = ()
        self.why = ""
        self.ended: asyncio.Future[str] = forked.ended.get_loop().create_future()
        self.forked = forked
        self.output = output
        self.errors = errors
        self._control = control

    def __str__(self) -> str:
        return f"process {self.pid} of {self.label}"

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.forked.ended.done()

    def works_for(self, who: str, host: str, owner: str) -> None:
        """What it prints without a mark is that actor's or task's from now on."""
        for output in (self.output, self.errors):
            output.belongs_to(Writer(who, self.pid, host, owner))

    def last_word(self) -> str:
        """Why its actor ended, as the process said before it ended too; "" when it did not, as one that crashes."""
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(self._control.recv(LINE_BYTES_MAX)).get("why", ""))
        return ""

    def ask_to_stop(self) -> None:
        """Let it leave the cluster and end."""
        with contextlib.suppress(OSError):
            self._control.send(b"stop\n")

    def kill(self, why: str = "") -> None:
        """End it now; `why` is the reason that others are told, in place of how it ended."""
        if not self.is_over:
            self.why = self.why or why
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def stop(self, patience_s: float) -> None:
        """Let it end, and end it when it takes longer than `patience_s`."""
        self.ask_to_stop()
        await asyncio.wait([self.ended], timeout=patience_s)
        self.kill()
        await asyncio.shield(self.ended)


class Processes:
    """Starts processes, watches them, and tells how they end."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._node = system.node
        self._loop = system.loop
        # What the face tells of this node; None where there can be no processes, as in a simulation.
        self.settings: Callable[[], dict[str, Any]] | None = None
        self._template: Template | None = None
        self._spawner: Spawner | None = None
        # Where what they print goes; the face knows a better place.
        self.take_lines: TakeLines = show_here
        self.outputs: Outputs | None = None
        self._running: dict[str, Process] = {}
        self._names: set[str] = set()  # of those, and of those that are being started
        self._starting = asyncio.Semaphore(STARTS_MAX)
        # How processes ended that others do not know of yet.
        self._verdicts: dict[NodeId, str] = {}
        self._is_closed = False
        self._memory_kills = MemoryKills()
        self._node.on_sweep.append(self._sweep)
        self._node.directory.on_up.append(self._node_up)

    @property
    def can_isolate(self) -> bool:
        """Whether there can be processes here."""
        return self.settings is not None

    @property
    def running(self) -> list[Process]:
        """Those that have not ended."""
        return list(self._running.values())

    async def start(self, label: str, environment: Environment, share: Share, placed: Sequence[str] = ()) -> Process:
        """A process that is a node, known here, with its `share` of this one.

        `placed` are what the packages of the environment have become here. Raises WorkerCrashed when it ends before it
        is a node, or cannot be started.
        """
        name = self._free_name()
        self._names.add(name)
        try:
            async with self._starting:
                process = await self._fork(name, label, environment, share, placed)
                try:
                    await self._wait_ready(process)
                except BaseException:
                    process.kill()
                    raise
            return process
        finally:
            if name not in self._running:
                self._names.discard(name)

    def warm_up(self) -> None:
        """Start the template, so that the first process need not wait for it."""
        with contextlib.suppress(OSError):
            self._ready_template()

    async def close(self) -> None:
        """End them all, the template too."""
        self._is_closed = True
        for process in self.running:
            process.ask_to_stop()
        await self._until(lambda: not self._running, STOP_S)
        template = self._template
        if template is not None:
            template.close()
            await self._until(template.poll, KILL_S)
        if self._spawner is not None:
            self._spawner.close()
        if self.outputs is not None:
            outputs = self.outputs
            outputs.close()
            await self._until(lambda: outputs.is_over, KILL_S)

    async def _until(self, condition: Callable[[], bool], patience_s: float) -> None:
        deadline = self._loop.time() + patience_s
        while not condition() and self._loop.time() < deadline:  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(LOOK_S)

    # ---- starting ---------------------------------------------------------------------------------------------

    def _ready_template(self) -> Template:
        if self._is_closed:
            raise BrokenPipeError("this node has stopped")
        if self._template is None or self._template.is_over:
            if self._spawner is None:
                self._spawner = Spawner()
            paths = [os.path.abspath(path) for path in sys.path if isinstance(path, str)]
            assert self.settings is not None
            self._template = Template(TEMPLATE_MODULE, {**self.settings(), "sys_path": paths}, self._spawner)
        return self._template

    async def _fork(
        self, name: str, label: str, environment: Environment, share: Share, placed: Sequence[str]
    ) -> Process:
        assert self.settings is not None
        try:
            forked, ours, out, errors = await self._forked()
        except OSError as error:
            raise WorkerCrashed(str(self._node.me), f"no process could be forked for {label} ({error})") from error
        if self.outputs is None:
            self.outputs = Outputs(self.take_lines)
        closed = asyncio.Event()
        writer = Writer(label, forked.pid, self._node.me.name)
        printed = self.outputs.add(out, writer, is_error=False, at_end=lambda: None)
        said = self.outputs.add(errors, writer, is_error=True, at_end=lambda: self._system.post(closed.set))
        if not self._running:
            self._memory_kills.look()
        process = self._running[name] = Process(name, label, forked, ours, printed, said)
        self._system.background.start(self._watch(process, closed), f"watch {process}")
        ours.setblocking(False)
        mine = {
            "name": name,
            "hosted_by": self._node.me.name,
            "records": [
                record_of(self._node, record.node) for record in self._node.directory.live() if not record.hosted_by
            ],
            "environ": {**share.variables(), **dict(environment.variables)},
            "gpus": list(share.gpus),
            "folder": placed[0] if environment.working_dir else "",
            "python_path": list(placed),
            "environment": environment.plain(),
        }
        try:
            await self._loop.sock_sendall(ours, json.dumps({**self.settings(), **mine}).encode() + b"\n")
        except OSError:  # it has ended already: who waits for it is told how
            pass
        except BaseException:
            process.kill()
            raise
        return process

    async def _forked(self) -> tuple[Forked, socket.socket, int, int]:
        """A fork, and our ends of its control, its output and its errors. Raises OSError; then nothing is open."""
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            control, its_control = socket.socketpair()
            ours.callback(control.close)
            theirs.callback(its_control.close)
            its_control.setblocking(True)  # a program may have set another default with `socket.setdefaulttimeout`
            pipes = []
            for _ in ("output", "errors"):
                pipes.append(pipe := os.pipe())
                ours.callback(os.close, pipe[0])
                theirs.callback(os.close, pipe[1])
            (out, its_out), (errors, its_errors) = pipes
            forked = await self._ready_template().fork((its_control.fileno(), its_out, its_errors))
            ours.pop_all()
            return forked, control, out, errors

    def _free_name(self) -> str:
        # Names come again, so that the records of the past do not become ever more. A name has 63 characters at most.
        names = (f"{self._node.me.name[:56]}-p{number}" for number in range(1, PROCESSES_MAX + 1))
        free = next((name for name in names if name not in self._names), None)
        if free is None:
            raise WorkerCrashed(str(self._node.me), f"it has {PROCESSES_MAX} processes already, and starts no more")
        return free

    async def _wait_ready(self, process: Process) -> None:
        reading = self._system.background.start(self._read_ready(process), f"wait for {process}")
        try:
            await asyncio.wait([reading, process.ended], timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done() or reading.result() is None:
                slow = f"{process} was no node after {START_S:g} s"
                raise WorkerCrashed(str(self._node.me), process.ended.result() if process.ended.done() else slow)
        finally:
            reading.cancel()
        facts = json.loads(reading.result() or "")
        process.node = NodeId(*facts["node"])
        process.addresses = tuple(facts["addresses"])
        self._node.addresses.learn(process.node, process.addresses)
        record_from(self._node, facts["record"])
        # Once its record is here, what is told of its end reaches everybody.
        await self._until(lambda: self._is_known(process) or process.is_over, KNOWN_S)

    def _is_known(self, process: Process) -> bool:
        return process.node is not None and self._node.directory.is_up(process.node)

    async def _read_ready(self, process: Process) -> bytes | None:
        data = b""
        while b"\n" not in data:
            part = b""
            with contextlib.suppress(ConnectionError):
                part = await self._loop.sock_recv(process._control, LINE_BYTES_MAX)
            if not part:
                await asyncio.wait([process.ended], timeout=KILL_S)
                return None
            data += part
        return data.partition(b"\n")[0]

    # ---- ending -----------------------------------------------------------------------------------------------

    async def _watch(self, process: Process, said_all: asyncio.Event) -> None:
        status = await asyncio.shield(process.forked.ended)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await said_all.wait()
        # What it told over the network may have been lost with its connections.
        process.why = process.why or process.last_word()
        is_oom = not process.why and self._memory_kills.explains(status)
        why = process.why or status_text(process.pid, status, for_want_of_memory=is_oom)
        if status != 0 and not process.why and process.errors.tail:
            why += "; it last wrote:\n" + "\n".join(f"    {line}" for line in process.errors.tail)
        if status != 0 and not process.why:
            kind = "process.out_of_memory" if is_oom else "process.crashed"
            self._node.feed.tell(kind, process.label, pid=process.pid, why=why)
        self._running.pop(process.name, None)
        self._names.discard(process.name)
        process._control.close()
        node = process.node
        if node is not None:
            self._verdicts[node] = why
            if len(self._verdicts) > VERDICTS_MAX:
                del self._verdicts[next(iter(self._verdicts))]
        process.ended.set_result(why)
        # What it held is free before anybody hears of its end, and makes its actor again here.
        await asyncio.sleep(0)
        if node is not None and self._node.directory.is_up(node):
            self._tell_end(node)

    def _sweep(self) -> None:
        if self._running:
            self._memory_kills.look()

    def _node_up(self, record: NodeRecord) -> None:
        if record.node in self._verdicts:
            self._loop.call_soon(self._tell_end, record.node)

    def _tell_end(self, node: NodeId) -> None:
        why = self._verdicts.pop(node, None)
        if why is not None and not self._node.is_closing:
            self._node.declare_down(node, why)


def record_of(node: Node, other: NodeId) -> list[Any] | None:
    """What this node knows of that one, for one that has heard of nobody yet, as JSON can say it."""
    record = node.directory.find(other)
    stamp = node.directory.stamps.get(other.name)
    if record is None or stamp is None:
        return None
    return [other.name, list(stamp), base64.b64encode(record.packed()).decode()]


def record_from(node: Node, told: list[Any] | None) -> None:
    """The inverse of `record_of`: this node knows it from now on."""
    if told is not None:
        name, stamp, packed = told
        node.driver.hear(PREFIX + name, tuple(stamp), base64.b64decode(packed))

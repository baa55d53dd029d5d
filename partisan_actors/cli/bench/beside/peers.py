"""Small calls between two nodes, while other peers of the caller give it trouble: the same calls by turns.

The caller is this process; it has the calls to one worker, and its troubles with others.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.actors.context import current_system
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.drills import drills_of
from partisan_actors.api.session import system as running_system
from partisan_actors.cli.bench.beside.load import LoadPlan, small_calls
from partisan_actors.cli.bench.samples import Summary
from partisan_actors.errors import PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.loop import new_event_loop
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["TROUBLES", "PeerResult", "measure_peers"]

WARM_UP_CALLS: Final = 200
SILENT_PEERS: Final = 8
# Somebody wants something of each peer that is in trouble, so often.
EVERY_S: Final = 0.005
BREAKS_EVERY_S: Final = 0.05
# What the stopped process is told, until it is refused.
BLOCK: Final = bytes(16 * 1024)


@dataclass(frozen=True, slots=True)
class PeerResult:
    """Seconds that small calls took, by themselves and beside the trouble, and how often that was met meanwhile."""

    trouble: str
    alone: Summary
    beside: Summary
    count: int

    @property
    def ratio(self) -> float:
        """How many times as long as alone 99 of 100 calls take at most."""
        return self.beside.p99 / self.alone.p99

    def to_json(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return asdict(self)


@pa.actor(num_cpus=0)
class Peer:
    """Answers."""

    async def add(self, number: int) -> int:
        """One more."""
        return number + 1

    async def take(self, block: bytes) -> None:
        """Takes what it is told."""

    async def where(self) -> tuple[str, int]:
        """Its node and its process."""
        system = current_system.get()
        assert system is not None, "a method has one"
        return system.me.name, os.getpid()


@dataclass(frozen=True, slots=True)
class _Scene:
    """The peer that makes trouble: its actor, its node and its process; and how often that was met."""

    system: ActorSystem
    other: Any
    name: str
    process: int
    met: list[int]


@asynccontextmanager
async def _silent(scene: _Scene) -> AsyncIterator[None]:
    """Nodes whose ports accept connections and never say a word: a dial of each is always under way."""
    node = scene.system.node
    with ExitStack() as stack:
        for number in range(SILENT_PEERS):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
            silent = NodeId(f"silent-{number}", 1)
            node.addresses.learn(silent, [f"127.0.0.1:{listener.getsockname()[1]}"])
            node.router.peer(silent)

        def want() -> None:
            for number in range(SILENT_PEERS):
                with suppress(PartisanError):
                    node.router.peer(NodeId(f"silent-{number}", 1)).send(pack([Kind.TELL, b"nobody", "add"]))
                    scene.met[0] += 1

        async with _again(EVERY_S, want):
            yield


@asynccontextmanager
async def _breaking(scene: _Scene) -> AsyncIterator[None]:
    """A node whose connections break, and are dialled again, while it is told things."""
    drills = drills_of(scene.system)

    def reset() -> None:
        drills.interception.reset(lambda name: name == scene.name)
        scene.met[0] += 1

    async with _again(BREAKS_EVERY_S, reset), _again(EVERY_S, lambda: scene.other.take.tell(BLOCK)):
        yield


@asynccontextmanager
async def _stopped(scene: _Scene) -> AsyncIterator[None]:
    """A node that stands still (SIGSTOP), and is told more than it reads: up to the bound, and then it is refused."""

    def tell() -> None:
        for _ in range(8):
            scene.other.take.tell(BLOCK)
            scene.met[0] += 1

    os.kill(scene.process, signal.SIGSTOP)
    try:
        async with _again(EVERY_S, tell):
            yield
    finally:
        os.kill(scene.process, signal.SIGCONT)


TROUBLES: Final[Mapping[str, Callable[[_Scene], AbstractAsyncContextManager[None]]]] = {
    f"{SILENT_PEERS} peers that do not answer dials": _silent,
    f"a peer that reconnects {1 / BREAKS_EVERY_S:.0f} times a second": _breaking,
    "a peer that stands still, and is told things": _stopped,
}


def measure_peers(trouble: str, plan: LoadPlan) -> PeerResult:
    """Measure beside one of TROUBLES, in a cluster of its own: this process and two workers."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_measure(trouble, plan))


async def _measure(trouble: str, plan: LoadPlan) -> PeerResult:
    alone: list[list[float]] = []
    beside: list[list[float]] = []
    logging.getLogger("partisan_actors").setLevel(logging.ERROR)  # what is refused is told now and then
    async with pa.init(workers=2, routing="direct"):
        peer, other = (Peer.options(placement="spread").remote() for _ in range(2))
        here, (name, process) = await peer.where.remote(), await other.where.remote()
        assert here[0] != name, "they are spread over two workers"
        scene = _Scene(running_system(), other, name, process, [0])
        for _ in range(WARM_UP_CALLS):
            await peer.add.remote(1)
        # By turns, so that whatever else this machine does disturbs both alike.
        for _ in range(plan.turns):
            alone.append(await small_calls(peer, plan))
            async with TROUBLES[trouble](scene):
                beside.append(await small_calls(peer, plan))
            await other.add.remote(1)  # it has read what it was told
        return PeerResult(trouble, Summary.of(alone), Summary.of(beside), scene.met[0])


@asynccontextmanager
async def _again(every_s: float, act: Callable[[], None]) -> AsyncIterator[None]:
    """Do it every now and then until the block ends."""

    async def go_on() -> None:
        while True:
            act()
            await asyncio.sleep(every_s)

    job = asyncio.ensure_future(go_on())
    try:
        yield
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job

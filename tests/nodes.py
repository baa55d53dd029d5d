"""Whole nodes in one process, over memory instead of sockets, and what tests ask of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from partisan_actors.node.config import NodeConfig
from partisan_actors.node.node import Node
from partisan_actors.node.overlays import with_own_options
from partisan_actors.node.router import Peer
from partisan_actors.transport.memory import MemoryNetwork, MemoryTransport
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

COOKIE = b"a cookie of tests"
DEADLINE_S = 60.0


async def until(condition: Callable[[], Any], what: str = "") -> None:
    """Return once `condition()` holds; fail after DEADLINE_S."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"not in {DEADLINE_S:g} s: {what or condition}"
        await asyncio.sleep(0.001)


async def quiet(turns: int = 50) -> None:
    """Let the loop run until what was started by now has come to its end: over memory, nothing waits for time."""
    for _ in range(turns):
        await asyncio.sleep(0)


def stop_the_clock() -> None:
    """What is waiting for some time now waits for ever: shuffles, exchanges and the like get in nobody's way."""
    for timer in asyncio.get_running_loop()._scheduled:  # type: ignore[attr-defined]  # of asyncio's own loop
        timer.cancel()


class TestNode(Node):
    """A node that writes down the tells it gets, and answers calls when it is told to."""

    __test__ = False

    def __init__(self, config: NodeConfig, network: MemoryNetwork | None) -> None:
        loop = asyncio.get_running_loop()
        transport = MemoryTransport(loop, network) if network is not None else None  # real sockets
        super().__init__(config, loop, transport=transport, incarnation=1)
        self.told: list[Any] = []
        self.asked: list[tuple[Peer, int]] = []
        self.lost: list[str] = []
        self.dispatch[Kind.TELL] = lambda peer, m, buffers=None: self.told.append(m[3])
        self.dispatch[Kind.CALL] = lambda peer, m, buffers=None: self.asked.append((peer, m[1]))
        self.dispatch[Kind.REPLY] = lambda peer, m, buffers=None: peer.pending.pop(m[1]).succeed(m[2])
        tell_driver = self.driver.peer_down

        def peer_down(node: Any) -> None:
            self.lost.append(node.name)
            tell_driver(node)

        self.driver.peer_down = peer_down  # type: ignore[method-assign]  # a spy

    def tell(self, other: Node, value: Any) -> None:
        """Send a plain message, which the other writes down."""
        self.peer(other).send(pack([Kind.TELL, b"actor", "method", value]))

    def ask(self, other: Node, number: int) -> Answer:
        """Send a call; the other answers with `answer_all`."""
        waiting = self.peer(other).pending[number] = Answer()
        self.peer(other).send(pack([Kind.CALL, number, b"actor", "method"]))
        return waiting

    def answer_all(self) -> None:
        """Answer the calls that came so far with their own numbers."""
        asked, self.asked = self.asked, []
        for peer, number in asked:
            peer.send(pack([Kind.REPLY, number, number]))

    def peer(self, other: Node) -> Peer:
        """What this node knows of the other."""
        return self.router.peer(other.me)

    def introduce(self, *others: Node) -> None:
        """Let this node know where the others can be dialled, without joining them."""
        for other in others:
            self.addresses.learn(other.me, [other.address])


class Answer:
    """Somebody who waits for a reply."""

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None

    def done(self) -> bool:
        return self.value is not None or self.error is not None

    def succeed(self, value: Any) -> None:
        self.value = value

    def fail(self, error: BaseException) -> None:
        self.error = error


def config_of(name: str, **settings: Any) -> NodeConfig:
    """A node's settings, with a seed made from its name."""
    defaults = {"cluster": "tests", "cookie": COOKIE, "seed": sum(name.encode()), "bind": f"{name}:1"}
    return NodeConfig(**{"name": name, **defaults, **settings})


@asynccontextmanager
async def nodes(*names: str, network: MemoryNetwork | None = None, **settings: Any) -> AsyncIterator[list[TestNode]]:
    """Nodes that are started, and know each other's addresses, but have not joined: nobody is anybody's neighbour."""
    network = network or MemoryNetwork()
    made = [TestNode(config_of(name, **settings), network) for name in names]
    try:
        for node in made:
            await node.start()
        for node in made:
            node.introduce(*made)
        yield made
    finally:
        for node in made:
            await node.close()
        await until(lambda: not any(node.dialling.connection_count for node in made), "every connection to be gone")


@asynccontextmanager
async def overlay(*names: str, network: MemoryNetwork | None = None, **settings: Any) -> AsyncIterator[list[TestNode]]:
    """Nodes of one cluster, joined through the first, each of which knows all of them."""
    network = network or MemoryNetwork()
    made: list[TestNode] = []
    try:
        for name in names:
            node = TestNode(with_own_options(config_of(name, **settings), joins=bool(made)), network)
            made.append(node)
            await node.start([made[0].address] if len(made) > 1 else [])
        await until(lambda: all(len(node.directory.live()) == len(made) for node in made), "everybody is known")
        yield made
    finally:
        for node in made:
            await node.close(graceful=False)

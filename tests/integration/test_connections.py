"""Connections over real sockets: as many as there are lanes, and none that is trusted although it delivers nothing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

import partisan_actors as pa
from partisan_actors.api import session as sessions
from partisan_actors.ids import NodeId
from partisan_actors.node.router import lane_of
from tests.integration.on_loop import on_loop
from tests.integration.programs import wait_until
from tests.nodes import TestNode, config_of, until

LANES = {"control": 1, "broadcast": 1, "calls": 16, "bulk": 16, "orders": 16, "stock": 16}
UP_WITHIN_S = 30.0


@pa.actor
class Door:
    async def open_lanes(self, peer: NodeId) -> dict[str, int]:
        return open_lanes(peer)


def open_lanes(peer: NodeId) -> dict[str, int]:
    """How many connections this node and `peer` have, by channel."""
    connections = sessions.current().runtime.node.router.peer(peer).open
    return dict(Counter(lane_of(connection)[0] for connection in connections))


def test_all_lanes_of_all_channels_are_up_at_once_and_there_is_one_connection_for_each() -> None:
    with pa.init(workers=1, channels=LANES) as session:
        node = session.runtime.node
        door = Door.remote()
        (worker,) = (record for record in on_loop(session, node.directory.live) if record.node != node.me)
        began = time.perf_counter()

        pa.join(worker.addresses[0], timeout=UP_WITHIN_S)

        print(f"{sum(LANES.values())} lanes were up after {time.perf_counter() - began:.3f} s")
        lanes = on_loop(session, lambda: dict(node.router.peer(worker.node).lanes))
        assert all(lane is not None for name in LANES for lane in lanes[name])
        wait_until(lambda: on_loop(session, lambda: open_lanes(worker.node)) == LANES, "all connections here")
        wait_until(lambda: pa.get(door.open_lanes.remote(node.me)) == LANES, "all connections there")


class Proxy:
    """Passes on what it gets, both ways; of the connections that there are, it can be told to swallow one direction."""

    def __init__(self) -> None:
        self.target = ""
        self.address = ""
        self.accepted = 0
        self.swallowed = 0
        self._swallows_before = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    def swallow(self) -> None:
        """Nothing more reaches the target on any connection that there is; what the target says still comes back."""
        self._swallows_before = self.accepted

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        host, _, port = self.target.rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        for source, sink, number in ((reader, back, self.accepted), (there, writer, 0)):
            task = asyncio.ensure_future(self._carry(source, sink, number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, number: int) -> None:
        try:
            while data := await source.read(65536):
                if 0 < number <= self._swallows_before:
                    self.swallowed += len(data)
                else:
                    sink.write(data)
        except ConnectionError:
            pass  # as good as the end
        finally:
            sink.close()


@pytest.mark.parametrize("load", [b"", bytes(300_000)], ids=["small", "large"])
async def test_what_one_direction_of_a_connection_swallows_arrives_on_the_next(load: bytes) -> None:
    proxy = Proxy()
    await proxy.start()
    settings: dict[str, Any] = {"bind": "127.0.0.1:0", "keep_alive_s": 0.2, "session_resume_s": 1000.0}
    a = TestNode(config_of("a", **settings), None)
    b = TestNode(config_of("b", **settings, advertise=proxy.address), None)
    try:
        await a.start()
        await b.start()
        proxy.target = b.address
        a.addresses.learn(b.me, [proxy.address])
        a.tell(b, "first")
        await until(lambda: b.told == ["first"])

        proxy.swallow()
        for number in range(30):
            a.tell(b, number)
            if load:
                a.tell(b, load)
        heard = [f"from b: {number}" for number in range(5)]
        for each in heard:
            b.tell(a, each)  # comes back on the same connection
        await until(lambda: a.told == heard)
        await until(lambda: len(b.told) == (61 if load else 31))
        assert [each for each in b.told if each != load] == ["first", *range(30)]
        # Either of them may be the first to notice: what would have acknowledged b's frames was swallowed, too.
        assert proxy.swallowed > 0 and a.sessions.resumed > 0
        assert a.keep_alive.one_way.cut_count + b.keep_alive.one_way.cut_count > 0
        assert a.lost == []
    finally:
        await a.close()
        await b.close()
        await proxy.stop()

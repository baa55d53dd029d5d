"""A process that plays many nodes in one event loop, and does what the coordinator says on standard input.

The first line holds the settings. Then one JSON object a line comes in, `{"do": NAME, ...}`, and one goes out for each,
`{"ok": ...}` or `{"error": TEXT}`.
When standard input ends, whoever started this process is gone, and it goes as well.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import psutil

from partisan_actors.api.runtime import Runtime
from partisan_actors.cli.bench.overlay.plan import OverlayPlan, raise_file_limit
from partisan_actors.errors import PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.loop import new_event_loop
from partisan_actors.node.node import Node
from partisan_actors.node.router import Peer
from partisan_actors.node.topics import wire_topic
from partisan_actors.wire.codec import unpack
from partisan_actors.wire.frames import Kind

__all__ = ["TOPIC", "Host", "main", "name_of", "number_of"]

TOPIC: Final = "bench"
LINE_BYTES_MAX: Final = 256 * 1024 * 1024
# Hundreds of nodes share this process's memory: to look through all of it as often as for one node would only measure
# the garbage collector.
GC_THRESHOLDS: Final = (100_000, 50, 100)
# And its open files: connections that nobody needs, as to candidates that became no neighbours, go sooner than usual.
IDLE_CLOSE_S: Final = 10.0


def name_of(number: int) -> str:
    """The name of a node, by its number."""
    return f"n{number}"


def number_of(name: str) -> int:
    """The inverse of `name_of`."""
    return int(name[1:])


class Host:
    """The nodes of one process, by number."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: dict[str, Any]) -> None:
        self._loop = loop
        self._settings = settings
        self._plan = OverlayPlan(**settings["plan"])
        self._runtimes: dict[int, Runtime] = {}
        self._nodes: dict[int, Node] = {}
        self._joining: set[asyncio.Task[None]] = set()
        self._failures: list[str] = []
        self._received: Counter[str] = Counter()
        self._copies: Counter[int] = Counter()
        self._latencies: dict[int, list[float]] = {}

    # ---- what the coordinator says ------------------------------------------------------------------------------

    async def start(self, numbers: list[int], contacts: list[str], begin: float, interval_s: float) -> list[int]:
        """Start nodes, number k at `begin` + k * `interval_s` of the machine's monotonic clock."""
        for number in numbers:
            due = begin + number * interval_s
            task = self._loop.create_task(self._start(number, contacts, due), name=name_of(number))
            self._joining.add(task)
            task.add_done_callback(self._joining.discard)
        return numbers

    async def addresses(self, numbers: list[int]) -> list[str]:
        """Where nodes of this process can be dialled, once they have all been started."""
        while any(number not in self._nodes or not self._nodes[number].address for number in numbers):
            if self._failures:
                raise RuntimeError(self._failures[0])
            await asyncio.sleep(0.001)
        return [self._nodes[number].address for number in numbers]

    async def look(self, expected: int) -> dict[str, Any]:
        """How far these nodes are: how many know `expected` nodes to be up, and who is whose neighbour."""
        links = {number: [number_of(peer.name) for peer in node.neighbours()] for number, node in self._nodes.items()}
        return {
            "joining": len(self._joining),
            "known": sum(node.directory.live_count == expected for node in self._nodes.values()),
            "fewest": min((node.directory.live_count for node in self._nodes.values()), default=0),
            "most": max((node.directory.live_count for node in self._nodes.values()), default=0),
            "links": links,
            "failures": self._failures,
        }

    async def broadcast(self, number: int, identity: int) -> None:
        """Let a node broadcast `identity` and the time."""
        node = self._nodes[number]
        self._latencies.setdefault(identity, [])
        node.broadcast(TOPIC, [identity, time.monotonic()])

    async def delivered(self, identity: int) -> dict[str, Any]:
        """What has come of a broadcast so far: seconds to each node that has it, and all the copies that came."""
        return {"latencies": self._latencies.get(identity, []), "copies": self._copies[identity]}

    async def count(self) -> dict[str, Any]:
        """Totals up to now, over all nodes of this process."""
        return {
            "at": time.monotonic(),
            "cpu_s": time.process_time(),
            "bytes": sum(node.dialling.bytes_in for node in self._nodes.values()),
            "messages": dict(self._received),
            "connections": sum(node.dialling.connection_count for node in self._nodes.values()),
            "refused": sum(node.refused_connections for node in self._nodes.values()),
            "broken": sum(node.broken_connections for node in self._nodes.values()),
            "files": _open_files(),
            "memory": int(psutil.Process().memory_info().rss),
        }

    async def _start(self, number: int, contacts: list[str], due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        config = NodeConfig(
            name=name_of(number),
            cluster=self._settings["cluster"],
            cookie=self._settings["cookie"].encode(),
            overlay=self._plan.overlay,
            overlay_options=self._plan.overlay_options(number),
            idle_close_s=IDLE_CLOSE_S,
        )
        if self._plan.runtime:
            runtime = self._runtimes[number] = Runtime(config)
            node, start = runtime.node, runtime.start
        else:
            node = Node(config, self._loop)
            start = node.start
        self._watch(node)
        self._nodes[number] = node
        try:
            await start(contacts)
        except PartisanError as error:
            self._failures.append(f"{name_of(number)}: {error}")

    # ---- counting -----------------------------------------------------------------------------------------------

    def _watch(self, node: Node) -> None:
        node.subscribe(TOPIC, self._on_broadcast)
        hand_on = node.dispatch[Kind.CONTROL]

        def on_control(sender: Peer, message: list[Any], buffers: object = None) -> None:
            tagged = message[1]
            self._received[tagged[0]] += 1
            if tagged[0].endswith(".gossip") and wire_topic(TOPIC) in tagged:
                identity, _ = unpack(tagged[-1].data)
                self._copies[identity] += 1
            hand_on(sender, message)

        pass_on = node.dispatch[Kind.RELAY]

        def on_relay(sender: Peer, message: list[Any], buffers: Any = None) -> None:
            self._received["relay"] += 1
            pass_on(sender, message, buffers)

        node.dispatch[Kind.CONTROL] = on_control
        node.dispatch[Kind.RELAY] = on_relay

    def _on_broadcast(self, origin: NodeId, payload: Any) -> None:
        identity, sent_at = payload  # as `broadcast` has sent it
        self._latencies.setdefault(identity, []).append(time.monotonic() - sent_at)


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:  # only Linux has it
        return 0


async def serve(loop: asyncio.AbstractEventLoop) -> None:
    """Do what comes on standard input until it ends."""
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    host = Host(loop, json.loads(await reader.readline()))
    commands: dict[str, Callable[..., Awaitable[Any]]] = {
        "start": host.start,
        "addresses": host.addresses,
        "look": host.look,
        "count": host.count,
        "broadcast": host.broadcast,
        "delivered": host.delivered,
    }
    while line := await reader.readline():
        said = json.loads(line)
        name = said.pop("do")
        try:
            reply = {"ok": await commands[name](**said)}
        except Exception as error:  # noqa: BLE001 - whatever it is, the coordinator has to hear of it
            reply = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Play nodes until standard input ends."""
    raise_file_limit()
    gc.set_threshold(*GC_THRESHOLDS)
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(serve(loop))
    finally:
        os._exit(0)  # nobody is left to whom hundreds of nodes could say goodbye in order


if __name__ == "__main__":
    main()

"""The floor: the same work by two processes with nothing but uvloop, one TCP connection and msgpack.

No framework can be faster than this with these parts, so it is what ours is compared with, in the same run. A request
is the array [number, method, argument], an answer [number, value]; msgpack finds the ends, so there is no frame around
them. Both sides write once per turn of their loop. Run as a module, this is the answering process: it prints the port
it listens on and ends when its standard input does, so it cannot outlive whoever started it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar, cast

import msgpack
import uvloop

from partisan_actors.cli.bench.environment import child_environment

__all__ = ["FloorPeer", "new_runner", "opened", "serving"]

ADD = 0
SIZE = 1
MESSAGE_BYTES_MAX = 64 << 20
SERVER_STOP_S = 2.0

T = TypeVar("T")


class _Stream(asyncio.Protocol):
    """One end of the connection: unpacks what arrives, and writes what was packed in one piece."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(max_buffer_size=MESSAGE_BYTES_MAX)
        self._pack: Callable[[object], bytes] = msgpack.Packer().pack
        self._outgoing: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's, so this can be told but not checked.
        self._transport = cast(asyncio.Transport, transport)

    def flush(self) -> None:
        """Write everything packed so far."""
        if self._outgoing and self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
            self._outgoing.clear()

    def close(self) -> None:
        """Close the connection once what was written has left."""
        if self._transport is not None:
            self._transport.close()


class _Answerer(_Stream):
    """The answering end: adds to one total per connection."""

    def __init__(self) -> None:
        super().__init__()
        self._total = 0

    def data_received(self, data: bytes) -> None:
        self._unpacker.feed(data)
        for number, method, argument in self._unpacker:
            if method == ADD:
                self._total += argument
                answer = self._total
            else:
                answer = len(argument)
            self._outgoing.append(self._pack((number, answer)))
        self.flush()


class FloorPeer(_Stream):
    """The calling end, as an `AwaitedPeer`. For the floor, a sync method is no different from an async one."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._number = 0
        self._flush_is_due = False

    @property
    def pid(self) -> int:
        """The answering process."""
        return self._pid

    def add(self, amount: int) -> asyncio.Future[int]:
        """Add to the total and answer with it."""
        return self._call(ADD, amount)

    add_sync = add

    def size(self, payload: bytes) -> asyncio.Future[int]:
        """The length of `payload`."""
        return self._call(SIZE, payload)

    def data_received(self, data: bytes) -> None:
        self._unpacker.feed(data)
        for number, answer in self._unpacker:
            future = self._waiting.pop(number)
            if not future.done():
                future.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error or ConnectionResetError("the floor's answering process went away"))
        self._waiting.clear()

    def _call(self, method: int, argument: object) -> asyncio.Future[int]:
        self._number += 1
        future: asyncio.Future[int] = self._loop.create_future()
        self._waiting[self._number] = future
        self._outgoing.append(self._pack((self._number, method, argument)))
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush_turn)
        return future

    def _flush_turn(self) -> None:
        self._flush_is_due = False
        self.flush()


def new_runner() -> asyncio.Runner:
    """A runner whose loop is uvloop's. Both sides of a comparison are called from such a loop."""
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a fresh uvloop."""
    with new_runner() as runner:
        return runner.run(main)


@contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """A floor's answering process while inside; gives its pid and its port."""
    command = [sys.executable, "-m", __name__ if __name__ != "__main__" else "partisan_actors.cli.bench.floor"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environment())
    assert server.stdin is not None and server.stdout is not None
    try:
        port = server.stdout.readline()
        if not port:
            raise RuntimeError(f"the floor's answering process ended with status {server.wait(SERVER_STOP_S)}")
        yield server.pid, int(port)
    finally:
        server.stdin.close()
        server.stdout.close()
        try:
            server.wait(SERVER_STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


async def connect(pid: int, port: int) -> FloorPeer:
    """Connect the running loop to a floor's answering process."""
    _, peer = await asyncio.get_running_loop().create_connection(lambda: FloorPeer(pid), "127.0.0.1", port)
    return peer


@asynccontextmanager
async def opened() -> AsyncIterator[FloorPeer]:
    """A floor of its own, connected to the running loop, while inside."""
    with serving() as (pid, port):
        peer = await connect(pid, port)
        try:
            yield peer
        finally:
            peer.close()


async def _answer_until_input_ends() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answerer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    loop.add_reader(sys.stdin.fileno(), read)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    run(_answer_until_input_ends())

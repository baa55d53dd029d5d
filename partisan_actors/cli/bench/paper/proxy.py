"""A proxy that makes loopback a long way: every byte is late, and each connection has a window of bytes on the way.

`netem` would do it in the kernel, and needs rights and modules that a machine seldom gives. This is a process with one
listener for each node: nodes advertise their listener's address, so that others dial them through it. It reads one JSON
object a line from standard input and answers each with one:

- ``{"do": "listen"}``                       opens a listener: ``{"ok": "127.0.0.1:40001"}``
- ``{"do": "target", "of": A, "to": B}``     what connects to listener A is connected to address B from now on

The loop waits with select(2), because its time-out is exact to the microsecond where epoll's is to the millisecond: a
round trip of 1 ms is two delays of 0.5 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import selectors
import sys
from typing import Any, Final

from partisan_actors.cli.bench.paper.delay_line import NEVER, DelayLine
from partisan_actors.wire.addresses import parse_address

__all__ = ["DelayProxy", "End", "main"]


READ_BYTES: Final = 256 * 1024


class End(asyncio.BufferedProtocol):
    """One end of a proxied connection. What comes in leaves by `other`, after a delay."""

    def __init__(self, line: DelayLine, loop: asyncio.AbstractEventLoop) -> None:
        self._line = line
        self._loop = loop
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._timer: asyncio.TimerHandle | None = None
        self._is_ended = False
        self._is_full = False
        self._is_told = False
        self._is_stalled = False
        self.other: End | None = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self.other is None:
            transport.pause_reading()  # type: ignore[attr-defined]  # a socket's has it

    def join(self, other: End) -> None:
        """Both ends are connected: let bytes through."""
        self.other = other
        if self.transport is not None:
            self.transport.resume_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        # Not a byte more is read than the window has room for: the rest waits in the sender's socket, as it would.
        return self._buffer[: max(1, min(READ_BYTES, self._line.room(self._loop.time())))]

    def buffer_updated(self, count: int) -> None:
        self._line.put(bytes(self._buffer[:count]), self._loop.time())
        self._go_on()

    def eof_received(self) -> bool:
        self._is_ended = True
        self._go_on()
        return True  # stay open: what is on the way still arrives

    def connection_lost(self, error: Exception | None) -> None:
        self._is_ended = True
        self.transport = None
        self._go_on()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other._is_stalled = True  # nothing arrives, and so nothing is acknowledged

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other._is_stalled = False
            self.other._go_on()

    def _go_on(self) -> None:
        """Deliver what is due, read if there is room, and look again when something changes."""
        now = self._loop.time()
        sink = self.other.transport if self.other is not None else None
        if not self._is_stalled:
            arrived = self._line.take(now)
            if arrived and sink is not None:
                sink.write(arrived[0] if len(arrived) == 1 else b"".join(arrived))
        is_full = self._line.room(now) <= 0
        if is_full != self._is_full and self.transport is not None and not self._is_ended:
            self._is_full = is_full
            (self.transport.pause_reading if is_full else self.transport.resume_reading)()
        if self._is_ended and self._line.is_empty:
            self._end(sink)
        else:
            self._look_again()

    def _look_again(self) -> None:
        due = self._line.next_event()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due != NEVER and not self._is_stalled:
            self._timer = self._loop.call_at(due, self._go_on)

    def _end(self, sink: Any) -> None:
        """Everything has arrived, and no more comes: the other end hears of it, and both close when both have ended."""
        if sink is None or (self.other is not None and self.other._is_ended and self.other._line.is_empty):
            for transport in (self.transport, sink):
                if transport is not None:
                    transport.close()
        elif self.transport is None:
            sink.close()
        elif not self._is_told:
            self._is_told = True
            sink.write_eof()


class DelayProxy:
    """Listeners on loopback, each with the address that it stands for."""

    def __init__(self, delay_s: float, window_bytes: int) -> None:
        self._delay_s = delay_s
        self._window_bytes = window_bytes
        self._targets: dict[str, str] = {}
        self._servers: list[asyncio.Server] = []
        self._dials: set[asyncio.Task[None]] = set()

    async def listen(self) -> str:
        """A new listener's address."""
        loop = asyncio.get_running_loop()
        address = ""
        server = await loop.create_server(lambda: self._accepted(address), "127.0.0.1", 0)
        self._servers.append(server)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return address

    def target(self, of: str, to: str) -> None:
        """Connect what comes to the listener `of` with the address `to`."""
        self._targets[of] = to

    def close(self) -> None:
        """Take no more connections."""
        for server in self._servers:
            server.close()

    def _line(self) -> DelayLine:
        return DelayLine(self._delay_s, self._window_bytes)

    def _accepted(self, listener: str) -> End:
        near = End(self._line(), asyncio.get_running_loop())
        task = asyncio.get_running_loop().create_task(self._dial(near, listener))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)
        return near

    async def _dial(self, near: End, listener: str) -> None:
        loop = asyncio.get_running_loop()
        host, port = parse_address(self._targets[listener], 0)
        await asyncio.sleep(2 * self._delay_s)  # TCP's own handshake takes a round trip, too
        try:
            _, far = await loop.create_connection(lambda: End(self._line(), loop), host, port)
        except OSError:
            if near.transport is not None:
                near.transport.abort()
            return
        near.join(far)
        far.join(near)


async def _serve(proxy: DelayProxy) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    while line := await reader.readline():
        said = json.loads(line)
        reply: Any = True
        if said["do"] == "listen":
            reply = await proxy.listen()
        else:
            proxy.target(said["of"], said["to"])
        sys.stdout.write(json.dumps({"ok": reply}) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Proxy until standard input ends."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--delay", type=float, required=True, help="seconds each way")
    arguments.add_argument("--window", type=int, required=True, help="bytes on the way, each connection and direction")
    given = arguments.parse_args()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_serve(DelayProxy(given.delay, given.window)))


if __name__ == "__main__":
    main()

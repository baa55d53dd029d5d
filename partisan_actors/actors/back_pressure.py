"""Back-pressure on threads: one that sends faster than its peer takes waits, after its message is queued."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from partisan_actors.actors.blocking import result_of
from partisan_actors.actors.ref import Location
from partisan_actors.wire.channels import BULK, ChannelOptions

__all__ = ["BackPressure"]

# What threads may have under way before they are held back.
CLOGGED_BYTES: Final = 8 * 1024 * 1024


class BackPressure:
    """That of one node.

    A thread that runs an event loop of its own is not held; it gets Overloaded at the bound, as coroutines do, and so
    does any thread on a channel that is not to wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, channels: Mapping[str, ChannelOptions]) -> None:
        self._loop = loop
        # Where threads are told of overload, and do not wait.
        self._without_waiting = frozenset(name for name, options in channels.items() if options.overflow == "error")
        self.bytes = 0  # of messages that wait for the loop, and are large, or go to a slow peer
        self.is_closed = False

    def hold_back(self, location: Location, message: bytes, buffers: list[Any] | None, channel: str) -> None:
        """Wait, on the thread that has sent this, if that is too much."""
        if channel in self._without_waiting:
            return
        self.bytes += len(message) + sum(map(len, buffers or ()))
        peer = location.peer
        ways = (channel, BULK) if buffers is not None else (channel,)
        lanes = [each for way in ways for each in peer.lanes[way]] if peer is not None else []
        is_clogged = any(connection is not None and connection.is_clogged for connection in lanes)
        if self.bytes < CLOGGED_BYTES and not is_clogged:
            return
        if asyncio._get_running_loop() is not None or self.is_closed:
            return

        async def wait() -> None:
            # By now the loop has drained the outbox.
            if peer is not None:
                for open_connection in peer.connections():
                    await open_connection.wait_unclogged()

        result_of(asyncio.run_coroutine_threadsafe(wait(), self._loop))

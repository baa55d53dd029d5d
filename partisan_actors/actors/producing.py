"""The producing end of a stream: a generator is run, and its items sent as messages to the node that called it.

Rules: an item has a number, so the order of arrival does not matter. The generator is not asked for an item while
`ahead` of them, or BYTES_AHEAD bytes, are with the consumer and not taken. Whoever waits for room waits outside of the
user's code, so a stream that nobody wants any more ends there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from partisan_actors.actors.encoding import Encoded, pack_payload, send_out_of_order
from partisan_actors.actors.host import Host
from partisan_actors.actors.replies import Reply
from partisan_actors.errors import Overloaded, PartisanError
from partisan_actors.node.router import Peer
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.payload import encode_call, is_scalars

__all__ = ["KEY", "Outgoing", "run_async", "run_sync"]

KEY: Final = b"@streams"
# What may be with a consumer that does not take it, whatever the number of items.
BYTES_AHEAD: Final = 64 * 1024 * 1024
OVERLOADED_S: Final = 0.05


class Outgoing:
    """One stream towards the node that called. Without a `peer`, nobody wants its items and there is always room."""

    def __init__(self, host: Host, peer: Peer | None, number: int, ahead: int, affinity: int, what: str) -> None:
        self._host = host
        self.peer = peer
        self.number = number
        self._ahead = ahead
        self._affinity = affinity
        self._what = what
        self.sent = 0
        self.sent_bytes = 0
        self.taken = 0
        self._taken_bytes = 0
        self._sizes: deque[int] = deque()  # of what was not taken
        self._changed: Reply[None] = Reply(host.loop)
        self._late: deque[Encoded] = deque()  # what the send queue had no room for
        self.is_stopped = False
        # Of a generator that runs on the loop: what it is cancelled by.
        self.task: Any = None

    # ---- for the generator, on the loop or on a thread ----------------------------------------------------------

    def has_room(self) -> bool:
        """Whether the generator may go on."""
        if self.peer is None or self.is_stopped:
            return True
        is_near = self.sent - self.taken < self._ahead and self.sent_bytes - self._taken_bytes < BYTES_AHEAD
        return is_near and not self._late

    def changed(self) -> Reply[None]:
        """What is done as soon as there may be room. Ask before `has_room`, or the news may be missed."""
        return self._changed

    def give(self, value: Any, is_on_loop: bool) -> None:
        """Send an item. Raises SerializationError."""
        if self.peer is None or self.is_stopped:
            return
        encoded = self._encode(value)
        size = len(encoded[0]) + sum(map(len, encoded[1] or ()))
        self._sizes.append(size)
        self.sent_bytes += size
        self.sent += 1
        if is_on_loop:
            self._send(encoded)
        else:
            self._host.post(self._send, encoded)

    def _encode(self, value: Any) -> Encoded:
        if is_scalars((value,)):
            try:
                return pack([Kind.TELL, KEY, "item", self.number, self.sent, value]), None
            except (OverflowError, ValueError):  # beyond 64 bits, or text that UTF-8 cannot carry
                pass
        what = f"item {self.sent} of {self._what}"
        payload = encode_call((value,), {}, what)
        return pack_payload(
            [Kind.TELL_PICKLED, KEY, "item", {"stream": self.number, "index": self.sent}],
            payload,
            self._host.copy_buffers,
            self.peer,
        )

    # ---- on the loop ----------------------------------------------------------------------------------------------

    def _send(self, encoded: Encoded) -> None:
        assert self.peer is not None
        if self._late:
            self._late.append(encoded)
            return
        try:
            send_out_of_order(self.peer, encoded, self._affinity)
        except Overloaded:
            self._late.append(encoded)
            self._host.loop.call_later(OVERLOADED_S, self._send_late)
        except PartisanError:  # the consumer's node is gone
            self.stop()

    def _send_late(self) -> None:
        late, self._late = self._late, deque()
        for encoded in late:
            self._send(encoded)
        self._tell_change()

    def failed(self) -> None:
        """The generator raised: say after how many items, before the error itself is sent."""
        if self.peer is not None and not self.is_stopped:
            self._send((pack([Kind.TELL, KEY, "failed_after", self.number, self.sent]), None))

    def took(self, count: int) -> None:
        """The consumer has taken that many in all."""
        for _ in range(min(count - self.taken, len(self._sizes))):
            self._taken_bytes += self._sizes.popleft()
        self.taken = max(self.taken, count)
        self._tell_change()

    def stop(self) -> None:
        """Nobody wants the rest."""
        if not self.is_stopped:
            self.is_stopped = True
            self._late.clear()
            self._tell_change()
            if self.task is not None:
                self.task.cancel()

    def _tell_change(self) -> None:
        changed, self._changed = self._changed, Reply(self._host.loop)
        changed.succeed(None)


async def run_async(out: Outgoing, begin: Callable[[], Awaitable[Any]]) -> int:
    """Run an async generator to its end, or until nobody wants more; returns how many items it gave."""
    out.task = asyncio.current_task()
    generator: Any = None
    try:
        generator = await begin()
        while True:
            changed = out.changed()
            while not out.has_room():
                await changed
                changed = out.changed()
            if out.is_stopped:
                break
            try:
                value = await anext(generator)
            except StopAsyncIteration:
                break
            out.give(value, is_on_loop=True)
    except asyncio.CancelledError:
        if not out.is_stopped:
            raise
        out.task.uncancel()
    except BaseException:
        out.failed()
        raise
    finally:
        out.task = None
        if generator is not None:
            await generator.aclose()
    return out.sent


def run_sync(host: Host, out: Outgoing, generator: Any) -> int:
    """On a thread: run a generator to its end, or until nobody wants more; returns how many items it gave."""
    try:
        while True:
            changed = out.changed()
            while not out.has_room():
                changed.wait()
                changed = out.changed()
            if out.is_stopped:
                break
            try:
                value = next(generator)
            except StopIteration:
                break
            out.give(value, is_on_loop=False)
    except BaseException:
        host.post(out.failed)
        raise
    finally:
        generator.close()
    return out.sent

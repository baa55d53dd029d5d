"""One connection, which is one lane of one channel to one peer: handshake, then frames in and frames out.

The rules this file keeps:

1. Until the handshake is done, nothing but HELLO frames is read, at most HELLO_BYTES_MAX each.
2. `send` only appends; everything appended in one loop turn leaves as one BATCH frame in one write (`Flusher`).
3. Messages leave and arrive in the order of the `send` calls, large ones included.
4. What arrives is handed to `dispatch[kind](peer, message, buffers)` at once, in the loop's own call-back.
5. Whatever the other side sends, the worst that happens is that this connection closes, with a reason.

`peer` is whatever the owner puts there in `opened`; this file never looks at it.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgpack

from partisan_actors.errors import AuthenticationError, Overloaded, PartisanError, ProtocolError
from partisan_actors.wire.codec import pack, unpacker
from partisan_actors.wire.frames import (
    BATCH,
    CHUNK,
    CHUNK_BYTES,
    FRAME_BYTES_MAX,
    HEADER,
    HELLO,
    HELLO_BYTES_MAX,
    LARGE,
)
from partisan_actors.wire.handshake import Handshake

__all__ = ["Connection", "ConnectionOwner", "Flusher"]

Handler = Callable[..., None]

_unpack_header = HEADER.unpack_from
_pack_header = HEADER.pack

# A turn of the loop that sends much is flushed on the way, so that the other side can begin: at so many messages, and
# the transport writes at once what is longer than so many bytes.
FLUSH_MESSAGES = 256
WRITE_AT_ONCE_BYTES = 2 * 1024


class Flusher:
    """Collects the connections that have something to send; each is flushed once per loop turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive_bytes: int = 256 * 1024) -> None:
        self._loop = loop
        self._dirty: list[Connection] = []
        self._scheduled = False
        self.receiving = False
        # Filled and emptied within one call-back of the loop, so every connection of a loop can share it.
        self.receive_view = memoryview(bytearray(receive_bytes))

    def mark(self, connection: Connection) -> None:
        """`connection` has output. Flushed when the current read is handled, or else in the next loop turn."""
        self._dirty.append(connection)
        if not self._scheduled and not self.receiving:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def flush_soon(self, connection: Connection) -> None:
        """From any thread: have `connection` flushed in the next loop turn."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the connection with it
            self._loop.call_soon_threadsafe(connection.flush_rest)

    def soon(self, call: Callable[[], None]) -> None:
        """Call when the running call-back of the loop is over."""
        self._loop.call_soon(call)

    def flush(self) -> None:
        """Write out everything that waits."""
        self._scheduled = False
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection._is_marked = False
            connection.flush()


class ConnectionOwner(Protocol):
    """Who is told what becomes of a connection."""

    @property
    def dispatch(self) -> Sequence[Handler]:
        """A handler for every message kind, called as ``handler(peer, message)`` or with a third, the buffers."""
        ...

    def opened(self, connection: Connection) -> None:
        """The handshake is done. Must set `connection.peer`; may raise AuthenticationError to refuse."""
        ...

    def closed(self, connection: Connection, error: BaseException | None) -> None:
        """The connection is gone; `error` is None when this side closed it."""
        ...

    def failed(self, connection: Connection, error: Exception) -> None:
        """A handler raised: a bug of ours. The connection goes on."""
        ...


class Connection(asyncio.BufferedProtocol):
    """One lane. Not thread-safe: every method belongs to the loop's thread."""

    def __init__(
        self,
        owner: ConnectionOwner,
        flusher: Flusher,
        handshake: Handshake,
        queue_bytes_max: int,
        message_bytes_max: int,
    ) -> None:
        self.owner = owner
        self.handshake = handshake
        self.peer: Any = None
        self.is_open = False
        self.bytes_in = 0
        self.bytes_out = 0
        self.close_reason: BaseException | None = None
        self._flusher = flusher
        self._queue_bytes_max = queue_bytes_max
        self._message_bytes_max = message_bytes_max
        self._transport: asyncio.Transport | None = None
        # Whether the peer is slower than we send.
        self.is_paused = False
        self._waiting: list[asyncio.Future[None]] = []
        self._queued = 0
        # Outgoing: message bytes, or a list [header, *buffers] for a large message.
        self._out: list[Any] = []
        self._is_marked = False
        self._thread_writer: _ThreadWriter | None = None
        # Incoming.
        self._unpacker = unpacker(FRAME_BYTES_MAX + 1)
        self._head = bytearray()
        self._kind = 0
        self._left = 0
        self._body = bytearray()
        self._large: _Incoming | None = None
        self._complete: _Incoming | None = None

    # ---- life -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_AT_ONCE_BYTES)
        self.handshake.start()
        self._write_hello()

    def connection_lost(self, error: BaseException | None) -> None:
        self.is_open = False
        self._transport = None
        self._out.clear()
        self._wake_waiting()
        if self._thread_writer is not None:
            with self._thread_writer.lock:
                self._thread_writer.socket.close()
            self._thread_writer = None
        self.owner.closed(self, self.close_reason or error or ConnectionResetError("the other side closed"))

    def close(self, reason: BaseException | None = None) -> None:
        """Write what waits, then close. `reason` is what the owner is told."""
        if self.close_reason is None:
            self.close_reason = reason
        if self._transport is not None:
            self.flush()
            self._transport.close()

    def abort(self, reason: BaseException) -> None:
        """Close at once; what waits is lost."""
        self.close_reason = self.close_reason or reason
        if self._transport is not None:
            self._transport.abort()

    # ---- sending ----------------------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        """Queue one packed message. Raises Overloaded when the peer is slow and the queue is at its bound."""
        if self.is_paused:
            self._admit(len(message))
        out = self._out
        out.append(message)
        if not self._is_marked:
            self._is_marked = True
            self._flusher.mark(self)
        elif len(out) == FLUSH_MESSAGES:
            self.flush()

    def send_large(self, message: bytes, buffers: Sequence[Any]) -> None:
        """Queue one message with out-of-band buffers, which must not change until they are written."""
        if self.is_paused:
            self._admit(len(message) + sum(len(buffer) for buffer in buffers))
        self._out.append((message, buffers))
        if not self._is_marked:
            self._is_marked = True
            self._flusher.mark(self)

    def send_from_thread(self, message: bytes) -> bool:
        """From any thread: write one packed message now, if nothing at all waits before it. Returns whether it did.

        Saves the loop a wake-up and the reply two context switches. The lock is never waited for.
        """
        writer = self._thread_writer
        if writer is None or not writer.lock.acquire(blocking=False):
            return False
        try:
            transport = self._transport
            if self._out or self.is_paused or transport is None or transport.get_write_buffer_size() or writer.rest:
                return False
            data = _pack_header(len(message), BATCH) + message
            try:
                sent = writer.socket.send(data)
            except (BlockingIOError, OSError):  # full, or closing: the loop finds out which
                return False
            self.bytes_out += sent
            writer.rest = data[sent:]
        finally:
            writer.lock.release()
            if writer.rest or writer.was_missed:
                writer.was_missed = False
                self._flusher.flush_soon(self)
        return True

    def allow_threads(self) -> None:
        """Let threads write to this connection by themselves, where it is a plain socket."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is not None and self._transport is not None and self._transport.get_extra_info("sslcontext") is None:
            # A descriptor of our own: the transport's may be closed, and its number used again, under a thread's hands.
            self._thread_writer = _ThreadWriter(socket.socket(fileno=os.dup(sock.fileno())))

    async def wait_writable(self) -> None:
        """Return once the peer keeps up again, or the connection is closed."""
        while self.is_paused and self._transport is not None:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    def flush(self) -> None:
        """Write everything queued as one frame; large messages as frames of their own, in their place."""
        # Stays marked when flushed on the way, until the turn's own flush.
        transport = self._transport
        if transport is None or self.is_paused or not self._out:
            return
        writer = self._thread_writer
        if writer is not None:
            if not writer.lock.acquire(blocking=False):
                writer.was_missed = True
                if not writer.lock.acquire(blocking=False):
                    return  # the thread sees that it was missed when it is done, and has us called again
                writer.was_missed = False
            try:
                if writer.rest:
                    transport.write(writer.rest)
                    writer.rest = b""
                self._flush_to(transport)
            finally:
                writer.lock.release()
            return
        self._flush_to(transport)

    def flush_rest(self) -> None:
        """Write what a thread could not, and what came meanwhile."""
        writer = self._thread_writer
        if writer is not None and writer.rest and self._transport is not None:
            with writer.lock:
                rest, writer.rest = writer.rest, b""
            self._transport.write(rest)
        self.flush()

    def _flush_to(self, transport: asyncio.Transport) -> None:
        out, self._out = self._out, []
        self._queued = 0
        try:
            body = b"".join(out)
        except TypeError:
            self._flush_mixed(transport, out)
            return
        if len(body) > FRAME_BYTES_MAX:
            self._flush_mixed(transport, out)
            return
        self.bytes_out += len(body)
        transport.write(_pack_header(len(body), BATCH) + body)

    def _flush_mixed(self, transport: asyncio.Transport, out: list[Any]) -> None:
        batch: list[bytes] = []
        size = 0
        pieces: list[Any] = []
        for item in out:
            if type(item) is bytes and size + len(item) <= FRAME_BYTES_MAX:
                batch.append(item)
                size += len(item)
                continue
            if batch:
                pieces += [HEADER.pack(size, BATCH), *batch]
                batch, size = [], 0
            if type(item) is bytes:
                batch, size = [item], len(item)
            else:
                pieces += _large_frames(*item)
        if batch:
            pieces += [HEADER.pack(size, BATCH), *batch]
        self.bytes_out += sum(map(len, pieces))
        transport.writelines(pieces)

    def _admit(self, size: int) -> None:
        self._queued += size
        if self._queued > self._queue_bytes_max:
            self._queued -= size
            raise Overloaded(str(self.peer), self._queue_bytes_max)

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self._wake_waiting()
        self.flush()

    def _wake_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _write_hello(self) -> None:
        output, self.handshake.output = self.handshake.output, []
        if self._transport is not None:
            for body in output:
                self._transport.write(HEADER.pack(len(body), HELLO) + body)

    # ---- receiving --------------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> Any:
        if self._complete is not None:
            self._hand_over()
        large = self._large
        if large is not None and self._left:
            # The rest of this chunk goes straight to where it belongs.
            return large.room(self._left)
        return self._flusher.receive_view

    def buffer_updated(self, count: int) -> None:
        self.bytes_in += count
        flusher = self._flusher
        flusher.receiving = True
        try:
            if self._large is not None and self._left:
                self._left -= count
                self._large.filled(count)
                if self._large.missing == 0:
                    # The loop still holds the memory it has just filled; only after this call-back can it be handed
                    # over uncopied, and before anything else is read.
                    self._complete, self._large = self._large, None
                    self._flusher.soon(self._hand_over)
            else:
                view = flusher.receive_view
                if self._left == 0 and self.is_open and count > 5 and not self._head and self._large is None:
                    length, kind = _unpack_header(view)
                    if kind == BATCH and length == count - 5:
                        # Exactly one whole batch, as nearly every read of small messages is.
                        self._dispatch(view[5:count])
                        return
                self._parse(view[:count])
        except AuthenticationError as error:
            self.handshake.refuse(error.why)
            self._write_hello()
            self.close(error)
        except PartisanError as error:
            self.abort(error)
        except (msgpack.UnpackException, ValueError, TypeError, IndexError, KeyError) as error:
            self.abort(_malformed(error))
        finally:
            flusher.receiving = False
            flusher.flush()

    def eof_received(self) -> None:
        return None

    def _parse(self, view: memoryview) -> None:
        position, end = 0, len(view)
        while position < end:
            if self._left == 0:
                position = self._parse_header(view, position, end)
                continue
            take = min(self._left, end - position)
            part = view[position : position + take]
            position += take
            self._left -= take
            if self._kind == BATCH:
                self._dispatch(part)
            elif self._kind == CHUNK and self._large is not None:
                self._large.copy(part)
                self._finish_large()
            else:
                self._body += part
                if self._left == 0:
                    body, self._body = bytes(self._body), bytearray()
                    self._parse_body(body)

    def _parse_header(self, view: memoryview, position: int, end: int) -> int:
        if not self._head and end - position >= HEADER.size:
            length, kind = HEADER.unpack_from(view, position)
            position += HEADER.size
        else:
            take = min(HEADER.size - len(self._head), end - position)
            self._head += view[position : position + take]
            position += take
            if len(self._head) < HEADER.size:
                return position
            length, kind = HEADER.unpack(self._head)
            self._head.clear()
        self._check_header(length, kind)
        self._left, self._kind = length, kind
        return position

    def _check_header(self, length: int, kind: int) -> None:
        if not self.is_open:
            if kind != HELLO or not 0 < length <= HELLO_BYTES_MAX:
                raise ProtocolError("the other side does not speak this protocol")
            return
        if (kind == CHUNK) != (self._large is not None) or kind not in (BATCH, LARGE, CHUNK):
            raise ProtocolError(f"frame of kind {kind} out of place")
        if not 0 < length <= FRAME_BYTES_MAX:
            raise ProtocolError(f"a frame of {length} bytes, the limit is {FRAME_BYTES_MAX}")
        if self._large is not None and length > self._large.missing:
            raise ProtocolError("more bytes than the large message announced")

    def _dispatch(self, part: memoryview) -> None:
        stream = self._unpacker
        stream.feed(part)
        dispatch, peer = self.owner.dispatch, self.peer
        while True:
            try:
                for message in stream:
                    dispatch[message[0]](peer, message)
                return
            except (PartisanError, msgpack.UnpackException, IndexError, TypeError, ValueError, KeyError):
                raise
            except Exception as error:
                self.owner.failed(self, error)

    def _parse_body(self, body: bytes) -> None:
        if self._kind == HELLO:
            self.handshake.receive(body)
            self._write_hello()
            if self.handshake.done:
                self.is_open = True
                self.owner.opened(self)
            return
        sizes, message = msgpack.unpackb(body, strict_map_key=False)
        if not sizes or not all(type(size) is int and size != 0 for size in sizes):
            raise ProtocolError("a large message without sizes")
        total = sum(map(abs, sizes))
        if total > self._message_bytes_max:
            raise ProtocolError(f"a message of {total} bytes, the limit is {self._message_bytes_max}")
        self._large = _Incoming(message, sizes)

    def _finish_large(self) -> None:
        if self._large is not None and self._large.missing == 0:
            self._complete, self._large = self._large, None
            self._hand_over()

    def _hand_over(self) -> None:
        large, self._complete = self._complete, None
        if large is None or not self.is_open:
            return
        try:
            self.owner.dispatch[large.message[0]](self.peer, large.message, large.buffers)
        except (PartisanError, IndexError, TypeError, ValueError, KeyError) as error:
            self.abort(error if isinstance(error, PartisanError) else _malformed(error))


def _malformed(error: Exception) -> ProtocolError:
    return ProtocolError(f"malformed input: {type(error).__name__}: {error}")


class _ThreadWriter:
    """What threads write with. `rest` is what the socket did not take, and must go before anything else."""

    __slots__ = ("lock", "rest", "socket", "was_missed")

    def __init__(self, own_socket: socket.socket) -> None:
        own_socket.setblocking(False)
        self.socket = own_socket
        self.lock = threading.Lock()
        self.rest = b""
        self.was_missed = False


class _Incoming:
    """A large message while its buffers arrive."""

    def __init__(self, message: list[Any], sizes: list[int]) -> None:
        self.message = message
        self.missing = sum(map(abs, sizes))
        self._targets = [bytearray(size) if size > 0 else _BytesTarget(-size) for size in sizes]
        self._views = [target.view if isinstance(target, _BytesTarget) else memoryview(target) for target in self._targets]
        self._index = 0
        self._filled = 0

    @property
    def buffers(self) -> list[bytes | bytearray]:
        """The buffers, once nothing is missing."""
        self._views.clear()
        return [target.finish() if isinstance(target, _BytesTarget) else target for target in self._targets]

    def room(self, most: int) -> memoryview:
        """Where the next bytes of this chunk go; never more than `most`."""
        view = self._views[self._index]
        return view[self._filled : min(len(view), self._filled + most)]

    def filled(self, count: int) -> None:
        """`count` bytes were written to what `room` gave."""
        self.missing -= count
        self._filled += count
        if self._filled == len(self._views[self._index]):
            self._index += 1
            self._filled = 0

    def copy(self, part: memoryview) -> None:
        """Bytes that came in the shared buffer."""
        while len(part):
            room = self.room(len(part))
            count = len(room)
            room[:] = part[:count]
            self.filled(count)
            part = part[count:]


class _BytesTarget:
    """Room for a `bytes` object that is filled from the socket and then handed over without a copy.

    BytesIO keeps its content in a bytes object and gives that very object away when nothing else looks into it:
    a megabyte costs 50 us here, against 630 us for a bytearray that is then copied.
    """

    __slots__ = ("_io", "view")

    def __init__(self, size: int) -> None:
        self._io = io.BytesIO()
        self._io.seek(size - 1)
        self._io.write(b"\0")
        self.view = self._io.getbuffer()

    def finish(self) -> bytes:
        """The bytes."""
        self.view.release()
        return self._io.getvalue()


def _large_frames(message: bytes, buffers: Sequence[Any]) -> list[Any]:
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    # Bytes arrive as bytes (a negative size says so), anything else as a buffer that may be written to. The message is
    # spliced in as it is: [[sizes], message].
    sizes = [-len(view) if type(buffer) is bytes else len(view) for view, buffer in zip(views, buffers, strict=True)]
    head = b"\x92" + pack(sizes) + message
    pieces: list[Any] = [HEADER.pack(len(head), LARGE), head]
    for view in views:
        for start in range(0, len(view), CHUNK_BYTES):
            chunk = view[start : start + CHUNK_BYTES]
            pieces += [HEADER.pack(len(chunk), CHUNK), chunk]
    return pieces

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
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgpack

from partisan_actors.errors import AuthenticationError, Overloaded, PartisanError, ProtocolError
from partisan_actors.transport.flusher import Flusher
from partisan_actors.transport.large import Incoming, mixed_frames
from partisan_actors.transport.thread_writer import ThreadWriter
from partisan_actors.wire.codec import unpacker
from partisan_actors.wire.frames import (
    BATCH,
    CHUNK,
    FRAME_BYTES_MAX,
    HEADER,
    HELLO,
    HELLO_BYTES_MAX,
    LARGE,
    not_ours,
)
from partisan_actors.wire.handshake import Handshake

__all__ = ["Connection", "ConnectionOwner"]

Handler = Callable[..., None]

_HEADER_BYTES = HEADER.size
_unpack_header = HEADER.unpack_from
_pack_header = HEADER.pack

# A turn of the loop that sends much is flushed on the way, so that the other side can begin: at so many messages, and
# the transport writes at once what is longer than so many bytes.
FLUSH_MESSAGES = 256
WRITE_AT_ONCE_BYTES = 2 * 1024
CLOGGED_BYTES = 1024 * 1024


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
        self.queue_bytes_max = queue_bytes_max
        self._message_bytes_max = message_bytes_max
        self._transport: asyncio.Transport | None = None
        # Whether the peer is slower than we send.
        self.is_paused = False
        self._waiting: list[asyncio.Future[None]] = []
        self._queued = 0
        # Outgoing: message bytes, or a list [header, *buffers] for a large message.
        self._out: list[Any] = []
        self.is_marked = False
        self._thread_writer: ThreadWriter | None = None
        # Incoming.
        self._unpacker = unpacker(FRAME_BYTES_MAX + 1)
        self._head = bytearray()
        self._is_at_frame = False  # whether the next byte is the first of a frame, and any frame may come
        self._kind = 0
        self._left = 0
        self._count = 0
        self._body = bytearray()
        self._large: Incoming | None = None
        self._complete: Incoming | None = None

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
            self._thread_writer.close()
            self._thread_writer = None
        self.owner.closed(self, self.close_reason or error or ConnectionResetError("the other side closed"))

    def close(self, reason: BaseException | None = None) -> None:
        """Write what waits, then close. `reason` is what the owner is told."""
        if self.close_reason is None:
            self.close_reason = reason
        if self._transport is not None:
            if self._thread_writer is not None:
                with self._thread_writer.lock:  # a thread that writes is done at once; then nothing keeps us from it
                    pass
            self.flush()
            self._transport.close()

    def abort(self, reason: BaseException) -> None:
        """Close at once; what waits is lost."""
        self.close_reason = self.close_reason or reason
        if self._transport is not None:
            self._transport.abort()

    @property
    def remote_address(self) -> tuple[str, int] | None:
        """Where the other end is; None when it is closed, or no socket."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        """What the other end has proven with TLS, as `ssl` describes it; None without."""
        return self._transport.get_extra_info("peercert") if self._transport is not None else None

    # ---- sending ----------------------------------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        """Queue one packed message. Raises Overloaded when the peer is slow and the queue is at its bound."""
        if self.is_paused:
            self._admit(len(message))
        out = self._out
        out.append(message)
        if not self.is_marked:
            self.is_marked = True
            self._flusher.mark(self)
        elif len(out) == FLUSH_MESSAGES:
            self.flush()

    def send_large(self, message: bytes, buffers: Sequence[Any]) -> None:
        """Queue one message with out-of-band buffers, which must not change until they are written."""
        if self.is_paused:
            self._admit(len(message) + sum(len(buffer) for buffer in buffers))
        self._out.append((message, buffers))
        if not self.is_marked:
            self.is_marked = True
            self._flusher.mark(self)

    def send_from_thread(self, message: bytes) -> bool:
        """From any thread: write one packed message now, if nothing at all waits before it. Returns whether it did."""
        writer = self._thread_writer
        if writer is None:
            self._flusher.soon_threadsafe(self._allow_threads)  # for the next one
            return False
        if not writer.lock.acquire(blocking=False):
            return False
        try:
            transport = self._transport
            if self._out or self.is_paused or transport is None or transport.get_write_buffer_size() or writer.rest:
                return False
            sent = writer.send(_pack_header(len(message), BATCH, 1) + message)
            self.bytes_out += sent
            return sent > 0
        finally:
            writer.lock.release()
            if writer.rest or writer.was_missed:
                writer.was_missed = False
                self._flusher.soon_threadsafe(self.flush)

    def _allow_threads(self) -> None:
        if self._thread_writer is None and self._transport is not None:
            self._thread_writer = ThreadWriter.of(self._transport)

    def send_waiting(self, waiting: Iterable[tuple[bytes, Sequence[Any] | None]]) -> None:
        """Queue messages that were admitted before the connection opened."""
        self._out += [message if buffers is None else (message, buffers) for message, buffers in waiting]
        if self._out and not self.is_marked:
            self.is_marked = True
            self._flusher.mark(self)

    async def wait_unclogged(self) -> None:
        """Return once the peer keeps up again, or the connection is closed."""
        while self.is_clogged and self._transport is not None:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    @property
    def is_clogged(self) -> bool:
        """Whether so much waits for a slow peer that those who can wait should."""
        return self.is_paused and self._queued > CLOGGED_BYTES

    def flush(self) -> None:
        """Write everything queued as one frame; large messages as frames of their own, in their place."""
        # Stays marked when flushed on the way, until the turn's own flush.
        transport = self._transport
        if transport is None or self.is_paused:
            return
        writer = self._thread_writer
        if writer is None:
            if self._out:
                self._write(transport)
        elif writer.claim_for_loop():
            try:
                if writer.rest:
                    transport.write(writer.rest)
                    writer.rest = b""
                if self._out:
                    self._write(transport)
            finally:
                writer.lock.release()

    def _write(self, transport: asyncio.Transport) -> None:
        out, self._out = self._out, []
        self._queued = 0
        try:
            body = b"".join(out)
        except TypeError:
            self._write_mixed(transport, out)
            return
        size = len(body)
        if size > FRAME_BYTES_MAX:
            self._write_mixed(transport, out)
            return
        self.bytes_out += size
        transport.write(_pack_header(size, BATCH, len(out)) + body)

    def _write_mixed(self, transport: asyncio.Transport, out: list[Any]) -> None:
        pieces = mixed_frames(out)
        self.bytes_out += sum(map(len, pieces))
        transport.writelines(pieces)

    def _admit(self, size: int) -> None:
        self._queued += size
        if self._queued > self.queue_bytes_max:
            self._queued -= size
            raise Overloaded(str(self.peer), self.queue_bytes_max)

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
                self._transport.write(HEADER.pack(len(body), HELLO, 0) + body)

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
                    self._is_at_frame = True
                    self._flusher.soon(self._hand_over)
            else:
                view = flusher.receive_view
                if self._is_at_frame and count > _HEADER_BYTES:
                    length, kind, messages = _unpack_header(view)
                    if kind == BATCH and length == count - _HEADER_BYTES:
                        # Exactly one whole batch, as nearly every read of small messages is.
                        self._count = messages
                        self._unpacker.feed(view[_HEADER_BYTES:count])
                        self._dispatch()
                        if self._count:
                            raise ProtocolError("a batch holds fewer messages than it announced")
                        return
                self._parse(view[:count])
                self._is_at_frame = self.is_open and self._left == 0 and not self._head and self._large is None
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
                self._unpacker.feed(part)
                self._dispatch()
                if self._left == 0 and self._count:
                    raise ProtocolError("a batch holds fewer messages than it announced")
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
            length, kind, count = HEADER.unpack_from(view, position)
            position += HEADER.size
        else:
            take = min(HEADER.size - len(self._head), end - position)
            self._head += view[position : position + take]
            position += take
            if len(self._head) < HEADER.size:
                return position
            length, kind, count = HEADER.unpack(self._head)
            self._head.clear()
        self._check_header(length, kind)
        self._left, self._kind, self._count = length, kind, count
        return position

    def _check_header(self, length: int, kind: int) -> None:
        if not self.is_open:
            if kind != HELLO or not 0 < length <= HELLO_BYTES_MAX:
                raise ProtocolError(not_ours(length))
            return
        if (kind == CHUNK) != (self._large is not None) or kind not in (BATCH, LARGE, CHUNK):
            raise ProtocolError(f"frame of kind {kind} out of place")
        if not 0 < length <= FRAME_BYTES_MAX:
            raise ProtocolError(f"a frame of {length} bytes, the limit is {FRAME_BYTES_MAX}")
        if self._large is not None and length > self._large.missing:
            raise ProtocolError("more bytes than the large message announced")

    def _dispatch(self) -> None:
        """Hand on the messages of this batch that are here in whole."""
        unpack = self._unpacker.unpack
        dispatch, peer = self.owner.dispatch, self.peer
        while self._count:
            try:
                message = unpack()
            except msgpack.OutOfData:
                return  # the rest of this message comes with the next read
            self._count -= 1
            try:
                dispatch[message[0]](peer, message)
            except (PartisanError, IndexError, TypeError, ValueError, KeyError):
                raise
            except Exception as error:  # noqa: BLE001 - a bug in a handler of ours, which must not cost the connection
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
        self._large = Incoming(message, sizes)

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

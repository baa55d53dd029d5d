"""One connection, which is one lane of one channel to one peer: handshake, then frames in and frames out.

The rules this file keeps, together with `receiver`, the half that reads:

1. Until the handshake is done, nothing but HELLO frames is read, at most HELLO_BYTES_MAX each.
2. `send` only appends; everything appended in one loop turn leaves as one BATCH frame in one write (`Flusher`).
3. Messages leave and arrive in the order of the `send` calls, large ones included.
4. What arrives is handed to `dispatch[kind](peer, message, buffers)` when its frame is here in whole, in the loop's own
   call-back.
5. Whatever the other side sends, the worst that happens is that this connection closes, with a reason.
6. When it breaks, and its owner wants that, it keeps what is to be sent, and goes on taking it, until another
   connection takes its session over. Whoever sends sees only a slow peer.

`peer` is whatever the owner puts there in `opened`; this file never looks at it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from partisan_actors.errors import ProtocolError
from partisan_actors.transport.backlog import Backlog
from partisan_actors.transport.flusher import Flusher
from partisan_actors.transport.framing import Framing
from partisan_actors.transport.large import Unframed, mixed_frames
from partisan_actors.transport.receiver import Receiver, ReceiverOwner
from partisan_actors.transport.round_trip import round_trip_s
from partisan_actors.transport.session import ACKNOWLEDGED_WEIGHT, Session, pieces_of
from partisan_actors.transport.superseding import Superseding, Waiting
from partisan_actors.transport.thread_writer import ThreadWriter
from partisan_actors.wire.frames import (
    ACK,
    BATCH,
    CHUNK_BYTES,
    END,
    HEADER,
    HELLO,
    HELLO_HEADER,
)
from partisan_actors.wire.handshake import Handshake

__all__ = ["Connection", "ConnectionOwner"]

_pack_header = HEADER.pack

# A turn of the loop that sends much is flushed on the way, so that the other side can begin: at so many messages, and
# the transport writes at once what is longer than so many bytes.
FLUSH_MESSAGES = 256
WRITE_AT_ONCE_BYTES = 2 * 1024
# Of large messages, a connection writes so much in a turn of the loop, and reads one chunk; then others have theirs.
TURN_BYTES = CHUNK_BYTES


class ConnectionOwner(ReceiverOwner, Protocol):
    """Who is told what becomes of a connection."""

    def admit(self, connection: Connection) -> int:
        """The dialling side has proven itself. Returns how many frames are here of the session it wants to resume.

        0 for a new session. A session that goes on must be taken over (`Connection.take_over`) by then. May raise
        AuthenticationError to refuse the connection, ResumeDeclined to refuse the session.
        """
        ...

    def opened(self, connection: Connection) -> None:
        """The handshake is done. Must set `connection.peer`; may raise AuthenticationError to refuse."""
        ...

    def broke(self, connection: Connection, error: BaseException) -> bool:
        """The connection is lost, but not its session. Returns whether the owner sees to it that it goes on."""
        ...

    def closed(self, connection: Connection, error: BaseException | None) -> None:
        """The connection is gone, and its session with it; `error` is None when this side closed it."""
        ...


class Connection(Superseding, Framing, Backlog, Receiver):
    """One lane. Not thread-safe: every method belongs to the loop's thread."""

    def __init__(
        self,
        owner: ConnectionOwner,
        flusher: Flusher,
        handshake: Handshake,
        queue_bytes_max: int,
        message_bytes_max: int,
    ) -> None:
        super().__init__(owner, flusher, handshake, message_bytes_max)
        self.owner = owner
        self.bytes_out = self.messages_out = 0
        self.close_reason: BaseException | None = None
        self.queue_bytes_max = queue_bytes_max
        self.priority = 0
        self.is_paused = self._is_choked = False
        # Whether the rest goes in the next turn of the loop: of what is large, and whatever is compressed.
        self._is_resting = False
        self.is_suspended = False
        # Whether one side has said that it closes, so that the session ends with this connection.
        self._is_ended = False
        self._waiting: list[asyncio.Future[None]] = []
        self._queued = 0
        # Outgoing: message bytes, or a pair (message, buffers) for a large message; and before them, frames of messages
        # that were not to be written in one go.
        self._out: list[Any] = []
        self._frames: deque[Unframed] = deque()
        self.is_marked = False
        self._thread_writer: ThreadWriter | None = None

    # ---- life -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_AT_ONCE_BYTES)
        self.handshake.start()
        self._write_hello()

    def connection_lost(self, error: BaseException | None) -> None:
        if self._transport is None:
            return  # another connection has the session
        can_go_on = self.can_go_on
        self._let_go()
        why = self.close_reason or error or ConnectionResetError("the other side closed")
        if can_go_on and not isinstance(why, ProtocolError) and self.owner.broke(self, why):
            self.is_suspended = self.is_paused = True
        else:
            self._end(why)

    def close(self, reason: BaseException | None = None) -> None:
        """Write what waits, then close; the session ends. `reason` is what the owner is told."""
        if self.close_reason is None:
            self.close_reason = reason
        transport = self._transport
        if transport is not None:
            was_open, self._is_ended = self.is_open and not self._is_ended, True
            writer = self._thread_writer
            if writer is not None:
                with writer.lock:  # a thread that writes is done at once; then nothing keeps us from it
                    self._write_rest(transport, writer)
            self._write_everything(transport)
            if was_open:
                transport.write(self._empty_frame(END))
            transport.close()
        elif self.is_suspended:
            self._end(reason)

    def abort(self, reason: BaseException) -> None:
        """Close at once, and the session with it; what waits is lost."""
        self._is_ended = True
        self.cut(reason)
        if self.is_suspended:
            self._end(self.close_reason)

    def cut(self, reason: BaseException) -> None:
        """Close at once, as if the network had; the session may go on on another connection."""
        self.close_reason = self.close_reason or reason
        if self._transport is not None:
            self._transport.abort()

    def _let_go(self) -> None:
        """Of the stream; the session stays."""
        if self._thread_writer is not None:
            self._thread_writer.close()
            self._thread_writer = None
        self._stop_receiving()
        self._transport = None

    def _end(self, why: BaseException | None) -> None:
        self.is_suspended = False
        self._out.clear()
        self._frames.clear()
        self._wake_waiting()
        self.owner.closed(self, why)

    @property
    def can_go_on(self) -> bool:
        """Whether the session can go on after this connection."""
        return (self.is_open or self.is_suspended) and self.session.is_kept and not self._is_ended

    @property
    def round_trip_s(self) -> float | None:
        """How long packets take to the other end and back, where that is known."""
        return round_trip_s(self._transport)

    # ---- sessions ---------------------------------------------------------------------------------------------

    def take_over(self, old: Connection) -> None:
        """Go on with the session of `old`, which is nothing any more after that. Sends nothing before `resume`."""
        if old._transport is not None:
            transport = old._transport
            old._let_go()
            transport.abort()
        old.is_suspended, old.is_paused = False, True
        self.session, self._large = old.session, old.session.large
        self.frame_with(old.packer)
        self.queue_bytes_max, self._queued = old.queue_bytes_max, old._queued
        self._out, old._out = old._out, []
        self._frames, old._frames = old._frames, deque()
        self.bytes_in += old.bytes_in
        self.bytes_out += old.bytes_out
        self.messages_in += old.messages_in
        self.messages_out += old.messages_out
        self._waits_since = old._waits_since
        self.is_paused = True
        old._wake_waiting()

    def resume(self, received_there: int) -> None:
        """Send again what the other end of the session lacks, and go on."""
        assert self._transport is not None
        pieces = [piece for frame in self.session.missing(received_there) for piece in pieces_of(frame)]
        if pieces:
            self._transport.writelines(pieces)
        self._is_full = self.session.is_full
        self._go_on()

    def acknowledge_if_due(self) -> None:
        """Say what was received, if anything was since we said something. It is not taken for a sign of life."""
        if self.session.untold and self.session.is_kept:
            self._acknowledge(1)

    def _acknowledge(self, count: int = 0) -> None:
        if self._transport is None or self._is_choked or self._is_ended:
            return  # as soon as anything can be written
        writer = self._thread_writer
        if writer is None:
            self._transport.write(self._empty_frame(ACK, count))
        elif writer.claim_for_loop():
            try:
                self._write_rest(self._transport, writer)
                self._transport.write(self._empty_frame(ACK, count))
            finally:
                writer.lock.release()

    def _heard(self) -> None:
        if self.session.makes_room():
            self._is_full = False
            self._go_on()

    def _ended(self) -> None:
        self._is_ended = True

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
        """Queue one message with out-of-band buffers, which must never change: they may be sent again."""
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
            transport, session = self._transport, self.session
            if self._out or self.is_paused or transport is None or transport.get_write_buffer_size() or writer.rest:
                return False
            if self._frames or session.is_full or self._is_ended:
                return False
            frame = b"".join(self._framed(BATCH, 1, message))
            # Kept before it is sent: its acknowledgement may be here before this thread is back.
            session.keep(frame, len(frame))
            sent = writer.send(frame)
            if not sent:
                session.take_back(len(frame))
            self.bytes_out += sent
            self.messages_out += sent > 0
            return sent > 0
        finally:
            writer.lock.release()
            if writer.rest or writer.was_missed:
                writer.was_missed = False
                self._flusher.soon_threadsafe(self.flush)

    def _allow_threads(self) -> None:
        if self._thread_writer is None and self._transport is not None:
            self._thread_writer = ThreadWriter.of(self._transport)

    def send_waiting(self, waiting: Waiting) -> None:
        """Queue messages that were admitted before the connection opened."""
        self._take_places(waiting)
        self._out += [message if buffers is None else (message, buffers) for message, buffers in waiting]
        if self._out and not self.is_marked:
            self.is_marked = True
            self._flusher.mark(self)

    async def wait_unclogged(self) -> None:
        """Return once the peer keeps up again, or the connection is no more."""
        while self.is_clogged and (self._transport is not None or self.is_suspended):
            await self.goes_on()

    def flush(self) -> None:
        """Write everything queued as one frame; large messages as frames of their own, in their place."""
        # Stays marked when flushed on the way, until the turn's own flush.
        transport = self._transport
        if transport is None or self.is_paused:
            return
        writer = self._thread_writer
        if writer is None:
            if self._out or self._frames:
                self._write(transport)
        elif writer.claim_for_loop():
            try:
                self._write_rest(transport, writer)
                if self._out or self._frames:
                    self._write(transport)
            finally:
                writer.lock.release()

    def _write_rest(self, transport: asyncio.Transport, writer: ThreadWriter) -> None:
        if writer.rest:
            transport.write(writer.rest)
            writer.rest = b""

    def _write(self, transport: asyncio.Transport) -> None:
        if self._frames:
            self._write_frames(transport)
            if self._frames or self.is_paused:
                return
        out, self._out = self._out, []
        self._queued = 0
        self.messages_out += len(out)
        try:
            body = b"".join(out)
        except TypeError:
            body = None
        if body is None or len(body) > self.batch_bytes_max or self.packer is not None:
            self._frames += mixed_frames(out, self.batch_bytes_max)
            self._write_frames(transport)
        elif body:
            session = self.session
            if self.is_plain:
                frame = _pack_header(len(body), BATCH, len(out), session.received, 0, 0) + body
            else:
                frame = b"".join(self._framed(BATCH, len(out), body))
            self.bytes_out += len(frame)
            is_full = session.keep(frame, len(frame))
            transport.write(frame)
            if is_full:
                self._is_full = self.is_paused = True

    def _write_frames(self, transport: asyncio.Transport) -> None:
        """Write a turn's worth of frames, or all of them when this is the end; the rest in the turns that follow."""
        frames, session = self._frames, self.session
        pieces: list[Any] = []
        written, is_full = 0, False
        while frames and (self._is_ended or (written < TURN_BYTES and not is_full)):
            kind, count, body = frames[0]
            if self.packer is not None and written and written + sum(map(len, body)) > TURN_BYTES:
                break
            frames.popleft()
            frame = self._framed(kind, count, *body)
            size = sum(map(len, frame))
            is_full = session.keep(frame, size)
            pieces += frame
            # Of what is compressed, a turn's worth is what it was before: that is what takes time.
            written += sum(map(len, body))
            self.bytes_out += size
        transport.writelines(pieces)
        if is_full:
            self._is_full = True
        elif (frames or self.packer is not None) and not self._is_resting and not self._is_ended:
            self._is_resting = True
            self._flusher.soon(self._rested)
        self.is_paused = self._is_choked or self._is_full or self._is_resting

    def _rested(self) -> None:
        self._is_resting = False
        if self._transport is not None:
            self._go_on()

    def _write_everything(self, transport: asyncio.Transport) -> None:
        """The end has come: leave nothing, however slow the peer is."""
        out, self._out = self._out, []
        self.messages_out += len(out)
        self._frames += mixed_frames(out, self.batch_bytes_max)
        if self._frames:
            self._write_frames(transport)

    def pause_writing(self) -> None:
        self._is_choked = self.is_paused = True

    def resume_writing(self) -> None:
        self._is_choked = False
        self._go_on()
        if self.session.untold >= ACKNOWLEDGED_WEIGHT:
            self._acknowledge()

    def _go_on(self) -> None:
        self.is_paused = self._is_choked or self._is_full or self._is_resting
        if not self.is_paused:
            self._wake_waiting()
            self.flush()

    def _wake_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    # ---- handshake ----------------------------------------------------------------------------------------------

    def _write_hello(self) -> None:
        output, self.handshake.output = self.handshake.output, []
        if self._transport is not None:
            for body in output:
                self._transport.write(HELLO_HEADER.pack(len(body), HELLO, 0) + body)

    def _shook_hands(self) -> None:
        handshake = self.handshake
        if handshake.is_asked:
            handshake.welcome(self.owner.admit(self))
        self._write_hello()
        if handshake.done:
            if handshake.resume is None:
                identity, is_ours = handshake.connection_id, handshake.dialler
                self.session = Session(identity, is_ours=is_ours, is_kept=handshake.sessions)
            self._is_checked = handshake.checksums
            self.frame_with(self.packer)
            self.is_open = True
            self.owner.opened(self)

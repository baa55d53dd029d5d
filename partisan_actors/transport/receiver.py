"""The incoming half of a connection: from bytes as they come to messages that are handled."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from zlib import crc32

import msgpack

from partisan_actors.errors import AuthenticationError, PartisanError, ProtocolError, ResumeDeclined
from partisan_actors.transport.flusher import Flusher
from partisan_actors.transport.large import Incoming
from partisan_actors.transport.session import ACKNOWLEDGED_WEIGHT, Session
from partisan_actors.wire.compression import PACKED, unpacked
from partisan_actors.wire.frames import (
    ACK,
    BATCH,
    CHUNK,
    CHUNK_BYTES,
    COUNTED,
    END,
    FRAME_BYTES_MAX,
    HEADER,
    HELLO,
    HELLO_BYTES_MAX,
    HELLO_HEADER,
    LARGE,
    PACKED_BYTES_MAX,
    checksums,
    not_ours,
)
from partisan_actors.wire.handshake import Handshake

__all__ = ["DamagedFrame", "Handler", "Receiver", "ReceiverOwner"]

Handler = Callable[..., None]

_HEADER_BYTES = HEADER.size
_unpack_header = HEADER.unpack_from


class DamagedFrame(ConnectionError):
    """A frame is not what was sent. As good as a lost connection: it comes again on the next one."""


class ReceiverOwner(Protocol):
    """Who handles what arrives."""

    @property
    def dispatch(self) -> Sequence[Handler]:
        """A handler for every message kind, called as ``handler(peer, message)`` or with a third, the buffers."""
        ...

    def failed(self, connection: Any, error: Exception) -> None:
        """A handler raised: a bug of ours. The connection goes on."""
        ...


class Receiver(asyncio.BufferedProtocol):
    """What arrives on one connection. What it means for the connection, `Connection` says in the abstract methods."""

    def __init__(self, owner: ReceiverOwner, flusher: Flusher, handshake: Handshake, message_bytes_max: int) -> None:
        self.handshake = handshake
        # Of nobody, until the handshake is done.
        self.session = Session(b"", is_ours=handshake.dialler, is_kept=False)
        self.peer: Any = None
        self.is_open = self.is_for_calls = False
        self.bytes_in = 0
        self.messages_in = 0
        self._is_full = False  # whether the other half waits for acknowledgements
        self._handlers = owner
        # By the kind of the message; the owner may put others there in `opened`.
        self.dispatch = owner.dispatch
        self._flusher = flusher
        self._message_bytes_max = message_bytes_max
        self._head = bytearray()
        self._is_at_frame = False  # whether the next byte is the first of a frame, and any frame may come
        self._is_checked = False
        # The frame that is here in part: its header, what it still lacks, and the checksum of what there is.
        self._is_in_frame = False
        self._length, self._kind, self._count, self._received_there, self._checksum = 0, 0, 0, 0, 0
        self._is_packed = False
        self._left = 0
        self._sum = 0
        self._body = bytearray()
        # How much came out of compressed frames in this turn of the loop, and what was read behind too much of it.
        self._unpacked = 0
        self._behind = b""
        self._transport: asyncio.Transport | None = None
        self._large: Incoming | None = None
        self._room = memoryview(b"")
        self._complete: Incoming | None = None

    @property
    def remote_address(self) -> tuple[str, int] | None:
        """Where the other end is; None when it is closed, or no socket."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        """What the other end has proven with TLS, as `ssl` describes it; None without."""
        return self._transport.get_extra_info("peercert") if self._transport is not None else None

    # ---- what the other half does -------------------------------------------------------------------------------

    @abstractmethod
    def abort(self, reason: BaseException) -> None:
        """Close at once, and the session with it."""

    @abstractmethod
    def cut(self, reason: BaseException) -> None:
        """Close at once; the session may go on."""

    @abstractmethod
    def close(self, reason: BaseException | None = None) -> None:
        """Write what waits, then close."""

    @abstractmethod
    def _write_hello(self) -> None:
        """Write what the handshake has to say."""

    @abstractmethod
    def _shook_hands(self) -> None:
        """A frame of the handshake was handled; perhaps it is done."""

    @abstractmethod
    def _heard(self) -> None:
        """The other end says what it has received, while the window of the session is full."""

    @abstractmethod
    def _acknowledge(self, count: int = 0) -> None:
        """Say what was received, for nothing was sent that says so."""

    @abstractmethod
    def _ended(self) -> None:
        """The other end has said that nothing comes any more."""

    # ---- bytes --------------------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> Any:
        if self._complete is not None:
            self._hand_over()
        large = self._large
        if large is not None:
            if self._left and not self._is_packed:
                # The rest of this chunk goes straight to where it belongs,
                self._room = large.room(self._left)
                return self._room
            # and nothing of it shall come together with its header, or what is before that.
            return self._flusher.receive_view[: self._left or _HEADER_BYTES - len(self._head)]
        return self._flusher.receive_view

    def buffer_updated(self, count: int) -> None:
        self.bytes_in += count
        flusher = self._flusher
        if self.is_for_calls and flusher.busy_wait is not None:
            flusher.busy_wait.heard()
        flusher.receiving = True
        try:
            if self._large is not None and self._left and not self._is_packed:
                self._filled(self._large, count)
            else:
                view = flusher.receive_view
                if self._is_at_frame and count > _HEADER_BYTES:
                    length, kind, messages, received, check, total = _unpack_header(view)
                    if kind == BATCH and length == count - _HEADER_BYTES:
                        # Exactly one whole batch, as nearly every read of small messages is.
                        body = view[_HEADER_BYTES:count]
                        if self._is_checked and (check, total) != checksums(length, kind, messages, received, body):
                            raise DamagedFrame("the checksum of a frame is wrong")
                        session = self.session
                        session.heard = received
                        if self._is_full:
                            self._heard()
                        self._dispatch(body, messages)
                        session.take(length)
                        return
                self._parse(view[:count])
                self._is_at_frame = self.is_open and not self._is_in_frame and not self._head and self._large is None
                self._is_at_frame = self._is_at_frame and not self._behind
        except AuthenticationError as error:
            if not self.handshake.done:
                self.handshake.refuse(error.why)
                self._write_hello()
            self.close(error)
        except ResumeDeclined as error:
            if not self.handshake.dialler:
                self.handshake.decline(error.why, for_ever=error.for_ever)
                self._write_hello()
            self.close(error)
        except DamagedFrame as error:
            self.cut(error)
        except PartisanError as error:
            self.abort(error)
        except MemoryError:
            self.abort(ProtocolError("no room for what it sends"))
        except (msgpack.UnpackException, ValueError, TypeError, IndexError, KeyError) as error:
            self.abort(_malformed(error))
        finally:
            flusher.receiving = False
            flusher.flush()
            if self.session.untold >= ACKNOWLEDGED_WEIGHT:
                self._acknowledge()

    def eof_received(self) -> None:
        return None

    def _filled(self, large: Incoming, count: int) -> None:
        """The loop has written to where a chunk belongs."""
        self._left -= count
        if self._is_checked:
            self._sum = crc32(self._room[:count], self._sum)
        large.filled(count)
        if self._left == 0:
            # The loop still holds the memory it has just filled; only after this call-back can it be handed over
            # uncopied, and before anything else is read.
            self._finish_frame(is_memory_held=True)
            self._is_at_frame = self._large is None
            # There may be more to read at once, but it is somebody else's turn.
            self._rest_from_reading()

    def _rest_from_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()
            self._flusher.soon(self._read_on)

    def _read_on(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._unpacked = 0
        if self._behind:
            self.buffer_updated(0)
        # Else there was too much once more, and this is called again.
        if not self._behind and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _parse(self, view: memoryview) -> None:
        if self._behind:
            view, self._behind = memoryview(self._behind + view), b""
        position, end = 0, len(view)
        while position < end:
            if not self._is_in_frame:
                position = self._parse_header(view, position, end)
                continue
            part = view[position : position + min(self._left, end - position)]
            position += len(part)
            self._left -= len(part)
            if self._is_checked:
                self._sum = crc32(part, self._sum)
            whole = None
            if self._kind == BATCH and len(part) == self._length and not self._is_packed:
                whole = part
            elif self._kind == CHUNK and self._large is not None and not self._is_packed:
                self._large.copy(part)
            else:
                self._body += part
            if self._left == 0:
                self._finish_frame(whole)
                if self._unpacked >= CHUNK_BYTES:
                    # A few bytes may have been much, and it is somebody else's turn.
                    self._behind = bytes(view[position:])
                    self._rest_from_reading()
                    return

    def _parse_header(self, view: memoryview, position: int, end: int) -> int:
        layout = HEADER if self.is_open else HELLO_HEADER
        take = min(layout.size - len(self._head), end - position)
        self._head += view[position : position + take]
        if len(self._head) == layout.size:
            length, kind, count, received, check, total = (*layout.unpack(self._head), 0, 0, 0)[:6]
            self._head.clear()
            if self._is_checked:
                self._sum, _ = checksums(length, kind, count, received)
                if self._sum != check:
                    raise DamagedFrame("the checksum of a header is wrong")
            self._is_packed = self.is_open and kind >= PACKED
            if self._is_packed:
                kind -= PACKED
            self._check_header(length, kind)
            self._length, self._kind, self._count = length, kind, count
            self._received_there, self._checksum = received, total
            self._left, self._is_in_frame = length, True
            if length == 0:
                self._finish_frame()
        return position + take

    def _check_header(self, length: int, kind: int) -> None:
        if not self.is_open:
            if kind != HELLO or not 0 < length <= HELLO_BYTES_MAX:
                raise ProtocolError(not_ours(length))
            return
        if kind in (ACK, END):
            if length:
                raise ProtocolError(f"a frame of kind {kind} with a body")
            return
        if (kind == CHUNK) != (self._large is not None) or kind not in COUNTED:
            raise ProtocolError(f"frame of kind {kind} out of place")
        most = PACKED_BYTES_MAX if self._is_packed else FRAME_BYTES_MAX
        if not 0 < length <= most:
            raise ProtocolError(f"a frame of {length} bytes, the limit is {most}")
        if self._large is not None and length > self._large.missing:
            raise ProtocolError("more bytes than the large message announced")

    # ---- frames -------------------------------------------------------------------------------------------------

    def _finish_frame(self, whole: memoryview | None = None, *, is_memory_held: bool = False) -> None:
        """A frame is here in whole. If it came so, `whole` is its body, and else `_body`."""
        if self._is_checked and self._sum != self._checksum:
            raise DamagedFrame("the checksum of a frame is wrong")
        self._is_in_frame = False
        if self._is_packed:
            self._unpack()
        if self._kind == HELLO:
            self.handshake.receive(self._take_body())
            self._shook_hands()
            return
        self.session.heard = self._received_there
        if self._is_full:
            self._heard()
        match self._kind:
            case kind if kind == BATCH:
                self._dispatch(self._take_body() if whole is None else whole, self._count)
            case kind if kind == LARGE:
                self._begin_large(self._take_body())
            case kind if kind == END:
                self._ended()
            case kind if kind == ACK and self._count:
                self.bytes_in -= _HEADER_BYTES
        if self._kind in COUNTED:
            self.session.take(self._length)
        if self._large is not None and self._large.missing == 0:
            self._complete, self._large = self._large, None
            if is_memory_held:
                self._flusher.soon(self._hand_over)
            else:
                self._hand_over()

    def _unpack(self) -> None:
        large = self._large
        most = PACKED_BYTES_MAX if large is None else min(large.missing, PACKED_BYTES_MAX)
        body = unpacked(self._take_body(), most)
        self._unpacked += len(body)
        if large is not None:
            large.copy(memoryview(body))
        else:
            self._body += body

    def _take_body(self) -> bytes:
        body, self._body = bytes(self._body), bytearray()
        return body

    def _dispatch(self, body: bytes | memoryview, count: int) -> None:
        """Hand on the messages of a batch."""
        self.messages_in += count
        flusher = self._flusher
        unpacker, unpack = flusher.unpacker, flusher.unpacker.unpack
        dispatch, peer = self.dispatch, self.peer
        flusher.fed_bytes += len(body)
        try:
            unpacker.feed(body)
            for _ in range(count):
                try:
                    message = unpack()
                except msgpack.OutOfData:
                    raise ProtocolError("a batch holds fewer messages than it announced") from None
                try:
                    dispatch[message[0]](peer, message)
                except (PartisanError, IndexError, TypeError, ValueError, KeyError):
                    raise
                except Exception as error:  # noqa: BLE001 - a bug in a handler of ours, which must not cost the connection
                    self._handlers.failed(self, error)
            if unpacker.tell() != flusher.fed_bytes:
                raise ProtocolError("a batch holds more messages than it announced")
        except BaseException:
            flusher.renew_unpacker()  # another connection uses it next, and must not find what is left in it
            raise

    def _begin_large(self, body: bytes) -> None:
        sizes, message = msgpack.unpackb(body, strict_map_key=False)
        if not sizes or not all(type(size) is int and size != 0 for size in sizes):
            raise ProtocolError("a large message without sizes")
        total = sum(map(abs, sizes))
        if total > self._message_bytes_max:
            raise ProtocolError(f"a message of {total} bytes, the limit is {self._message_bytes_max}")
        self._large = Incoming(message, sizes)

    def _hand_over(self) -> None:
        large, self._complete = self._complete, None
        if large is None:
            return
        self.messages_in += 1
        try:
            self.dispatch[large.message[0]](self.peer, large.message, large.buffers)
        except (PartisanError, IndexError, TypeError, ValueError, KeyError) as error:
            self.abort(error if isinstance(error, PartisanError) else _malformed(error))

    def _stop_receiving(self) -> None:
        """No byte comes any more. What is here in whole is handled, what is here in part will come again."""
        self._hand_over()
        large, self._large = self._large, None
        if large is not None and self._is_in_frame and self._kind == CHUNK and not self._is_packed:
            large.rewind(self._length - self._left)
        self._room = memoryview(b"")
        self.session.large = large
        self._is_at_frame = self.is_open = False


def _malformed(error: Exception) -> ProtocolError:
    return ProtocolError(f"malformed input: {type(error).__name__}: {error}")

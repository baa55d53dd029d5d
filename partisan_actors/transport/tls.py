"""TLS 1.3 over any byte stream: `TlsTransport` wraps the way to get streams, `TlsStream` is one of them, encrypted.

The loops' own TLS is not used, for three things that it lacks: who listens is told of every handshake that failed, and
why; each connection gets the certificates of its day, so new ones need no restart; and it runs over streams in memory.

The rules this file keeps:

1. The protocol above gets `connection_made` at once, so that it can give up a stream on which TLS never comes about.
   What it writes before waits, and is written once both sides are verified.
2. However a stream ends, `connection_lost` is called once; a failure of TLS comes as an AuthenticationError where a
   certificate was refused, as a ProtocolError where it was no TLS, in words for people.
3. The side that accepts goes on reading for LINGER_S after it has refused: a socket closed with bytes unread resets the
   connection, and with it the alert that tells the other side why.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from partisan_actors.errors import AuthenticationError, PartisanError, ProtocolError
from partisan_actors.transport.base import Transport
from partisan_actors.wire.addresses import format_address

__all__ = ["TlsStream", "TlsTransport", "explain_tls_error"]

RECEIVE_BYTES: Final = 256 * 1024
# So much is encrypted before it is handed on, however much is written at once.
PIECE_BYTES: Final = 256 * 1024
LINGER_S: Final = 1.0
# An alert, in the clear as it would be, for those who did not begin with TLS: OpenSSL says nothing to them. Twice, for
# a node of ours reads as much as the header of a frame before it looks.
NOT_TLS: Final = bytes((21, 3, 1, 0, 2, 2, 70)) * 2

# OpenSSL's words for the alerts of the other side, and what they mean here.
_REFUSALS: Final = {
    "CERTIFICATE_REQUIRED": "the other side wants a certificate, and this node has none",
    "CERTIFICATE_EXPIRED": "the other side refused this node's certificate: it has expired",
    "CERTIFICATE_REVOKED": "the other side refused this node's certificate: it was revoked",
    "UNKNOWN_CA": "the other side refused this node's certificate: it was issued by a CA that is not the other side's",
    "BAD_CERTIFICATE": "the other side refused this node's certificate",
    "UNSUPPORTED_CERTIFICATE": "the other side refused this node's certificate: it was issued for another purpose",
    "CERTIFICATE_UNKNOWN": "the other side refused this node's certificate",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the other side has no certificate",
}
_OLD: Final = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW")


class TlsTransport:
    """Another transport's streams, encrypted. `context(server_side)` is asked for each of them."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, door: Transport, context: Callable[[bool], ssl.SSLContext]
    ) -> None:
        self._loop = loop
        self._door = door
        self._context = context
        # Filled and emptied within one call-back of the loop, so all streams share it.
        self._view = memoryview(bytearray(RECEIVE_BYTES))

    async def listen(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> str:
        """As the other transport's: whoever connects gets a stream that begins with TLS."""
        return await self._door.listen(address, lambda: self._stream(factory(), server_side=True))

    async def dial(self, address: str, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """As the other transport's. Returns before TLS is agreed; a failure of that ends the stream."""
        await self._door.dial(address, lambda: self._stream(factory(), server_side=False))

    async def close(self) -> None:
        """Stop listening."""
        await self._door.close()

    def _stream(self, protocol: Any, *, server_side: bool) -> TlsStream:
        return TlsStream(self._loop, protocol, self._context(server_side), self._view, server_side=server_side)


class TlsStream(asyncio.Transport, asyncio.BufferedProtocol):
    """One encrypted stream: the transport of the protocol above it, and the protocol of the plain stream below."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: Any,
        context: ssl.SSLContext,
        view: memoryview,
        *,
        server_side: bool,
    ) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._context = context
        self._view = view
        self._server_side = server_side
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)
        self._raw: Any = None
        # What was written before TLS was agreed; None since then.
        self._early: list[bytes] | None = []
        self._failure: PartisanError | None = None
        self._is_closing = False
        self._is_reading = True

    # ---- the protocol of the stream below -----------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._raw = transport
        self._protocol.connection_made(self)
        self._shake_hands()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, count: int) -> None:
        if self._is_closing:
            return
        self._incoming.write(self._view[:count])
        if self._early is not None:
            self._shake_hands()
        if self._early is None:
            self._read()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, error: BaseException | None) -> None:
        is_cut_short = self._early is not None and not self._is_closing
        self._is_closing = True
        if is_cut_short and not self._server_side:
            error = ConnectionResetError("it closed the connection before TLS was agreed; perhaps it uses none")
        self._protocol.connection_lost(self._failure or error)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
            return
        except ssl.SSLError as error:
            self._fail(error)
            return
        early, self._early = self._early, None
        self.writelines(early or ())
        self._send()

    def _read(self) -> None:
        """Hand on what can be decrypted, as much at once as the protocol has room for."""
        tls: Any = self._tls  # whose types know no buffer but bytearray
        read, pending, incoming = tls.read, tls.pending, self._incoming
        while self._is_reading and not self._is_closing and (incoming.pending or pending()):
            room = memoryview(self._protocol.get_buffer(-1))
            size, filled = len(room), 0
            ending: Callable[[], None] | None = None
            try:
                while filled < size and (incoming.pending or pending()):
                    filled += read(size - filled, room[filled:])
            except ssl.SSLWantReadError:  # a part of a record
                ending = self._send
            except ssl.SSLZeroReturnError:  # the other side has said that it ends here
                ending = self.close
            except ssl.SSLError as error:
                ending = partial(self._fail, error)
            if filled:
                self._protocol.buffer_updated(filled)
            if ending is not None:
                ending()
                return

    def _fail(self, error: ssl.SSLError) -> None:
        if self._is_closing:
            return
        self._failure = explain_tls_error(error, self._where())
        if self._outgoing.pending:
            self._send()  # the alert
        elif self._server_side:
            self._raw.write(NOT_TLS)
        self._is_closing = True
        if self._server_side:
            self._loop.call_later(LINGER_S, self._raw.abort)
        else:
            self._raw.close()

    def _where(self) -> str:
        name = self._raw.get_extra_info("peername")
        return format_address(str(name[0]), int(name[1])) if isinstance(name, tuple) else "the other side"

    # ---- the transport of the protocol above --------------------------------------------------------------------

    def write(self, data: Any) -> None:
        self.writelines((data,))

    def writelines(self, pieces: Iterable[Any]) -> None:
        if self._is_closing:
            return
        if self._early is not None:
            self._early += map(bytes, pieces)
            return
        write, outgoing = self._tls.write, self._outgoing
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while len(rest):
                    rest = rest[write(rest[:PIECE_BYTES]) :]
                    if outgoing.pending >= PIECE_BYTES:
                        self._send()
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._send()

    def _send(self) -> None:
        if self._outgoing.pending and self._raw is not None:
            self._raw.write(self._outgoing.read())

    def pause_reading(self) -> None:
        self._is_reading = False
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._is_reading = True
        self._raw.resume_reading()
        self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        """What had arrived before it was paused comes first."""
        if self._early is None:
            self._read()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        size: int = self._raw.get_write_buffer_size()
        return size

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As of the stream below, with `peercert`, a map as of `ssl`, and `sslcontext`."""
        if name == "peercert":
            return self._tls.getpeercert() if self._early is None else default
        if name == "sslcontext":
            return self._context
        return self._raw.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """Say that this is the end, so that nobody can pretend it, and close the stream below."""
        if not self._is_closing:
            self._is_closing = True
            if self._early is None:
                try:
                    self._tls.unwrap()
                except ssl.SSLError:  # the other side has not said its part yet, and nobody waits for that
                    self._send()
        self._raw.close()

    def abort(self) -> None:
        self._is_closing = True
        self._raw.abort()


def explain_tls_error(error: ssl.SSLError, peer: str) -> PartisanError:
    """What became of TLS with `peer`, in words for people: an AuthenticationError, or a ProtocolError."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        hint = " (it was not issued by this node's CA)" if "issuer" in why or "self-signed" in why else ""
        return AuthenticationError(peer, f"its certificate is refused: {why}{hint}")
    reason = error.reason or ""
    for word, text in _REFUSALS.items():
        if reason.endswith(word):
            return AuthenticationError(peer, text)
    if reason.endswith(_OLD):
        return ProtocolError("the other side's TLS is too old: 1.3 is spoken here")
    if "ALERT" in reason:
        return ProtocolError(f"the other side gave up TLS: {reason.lower().replace('_', ' ')}")
    return ProtocolError(f"the other side does not speak TLS as this node does ({reason.lower().replace('_', ' ')})")

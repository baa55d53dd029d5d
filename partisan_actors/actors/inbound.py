"""The way in: messages of actors from the wire to their cells, and replies to those who wait.

Handlers run inside the loop's read call-back. A message that names no actor here is answered with why.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from partisan_actors.actors.context import current_system
from partisan_actors.actors.encoding import Encoded, pack_payload
from partisan_actors.actors.host import CopyBuffers, Host
from partisan_actors.actors.parcels import packed_again
from partisan_actors.actors.sent_refs import SentRefs, refs_in_message
from partisan_actors.actors.traced_calls import TakingTraced
from partisan_actors.errors import ActorStopped, ActorUnavailable, PartisanError, SerializationError, TaskFailed
from partisan_actors.node.router import Peer
from partisan_actors.portable import in_words
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.envelope import ASKS, REPLIES
from partisan_actors.wire.frames import INLINE_BYTES_MAX, Kind
from partisan_actors.wire.payload import Payload, can_be_sent, decode, encode, encode_value

__all__ = ["TINY", "Inbound", "encode_answer", "encode_reply", "encode_reply_error"]

# What a reply holds as it is, whatever it is, unless it is beyond 64 bits.
TINY: Final = frozenset({int, float, bool, type(None)})
_TEXT: Final = frozenset({str, bytes})
_REPLY: Final = Kind.REPLY


def encode_reply(
    number: int, value: Any, what: str, copy: CopyBuffers | None = None, peer: Peer | None = None
) -> Encoded:
    """The reply that carries `value`, encoded or not; `copy` as in `pack_payload`. Raises SerializationError."""
    kind = type(value)
    if kind in TINY or (kind in _TEXT and len(value) <= INLINE_BYTES_MAX):
        try:
            return pack([_REPLY, number, value]), None
        except (OverflowError, ValueError):  # beyond 64 bits, or text that UTF-8 cannot carry
            pass
    token = refs_in_message.set(SentRefs(returns=False))
    try:
        payload = value if kind is Payload else encode_value(value, what)
    finally:
        refs_in_message.reset(token)
    return pack_payload([Kind.REPLY_PICKLED, number], payload, copy, peer)


def encode_answer(
    number: int, value: Any, what: str, copy: CopyBuffers | None = None, peer: Peer | None = None
) -> Encoded:
    """The reply that carries `value`, or why that cannot be sent: whatever pickling it raises is its caller's."""
    try:
        return encode_reply(number, value, what, copy, peer)
    except SerializationError as error:
        return encode_reply_error(number, error)
    except BaseException as error:  # noqa: BLE001 - a `__reduce__` of users may even end the program: not this one
        path = f"value of type {type(value).__qualname__}"
        return encode_reply_error(number, SerializationError(what, path, in_words(error)))


def encode_reply_error(number: int, error: BaseException) -> Encoded:
    """The reply that carries `error`. What of it cannot be pickled is left behind: fields first, then its cause."""
    for lighten in (_whole, without_unpicklable, _bare):
        try:
            payload = encode(lighten(error), "the error")
            decode(payload.body, payload.buffers)  # some exceptions pickle, and then cannot be unpickled
            break
        except BaseException:  # noqa: BLE001 - pickling runs code of users, and every error must arrive somehow
            continue
    return pack_payload([Kind.REPLY_ERROR, number], payload)


def _whole(error: BaseException) -> BaseException:
    return error


def _bare(error: BaseException) -> TaskFailed:
    if isinstance(error, TaskFailed):
        return TaskFailed.of(None, error.where, error.remote_traceback, isinstance(error, ActorStopped))
    return TaskFailed.of(None, type(error).__name__, str(error))


def without_unpicklable(error: BaseException) -> BaseException:
    """`error` with a cause of the same class, but without the fields that cannot be sent."""
    if not isinstance(error, TaskFailed) or error.cause is None:
        return error
    cause = error.cause
    made = type(cause).__new__(type(cause))
    made.args = tuple(value if can_be_sent(value) else repr(value) for value in cause.args)
    made.__dict__.update({name: value for name, value in vars(cause).items() if can_be_sent(value)})
    return TaskFailed.of(made, error.where, error.remote_traceback, isinstance(error, ActorStopped))


class Inbound:
    """The handlers of one actor system."""

    def __init__(self, system: Host) -> None:
        self._system = system
        self._cells = system.cells
        dispatch = system.dispatch
        dispatch[Kind.CALL] = _make_on_call(system)
        dispatch[Kind.CALL_META] = _make_on_call_meta(system)
        dispatch[Kind.CALL_PICKLED] = self.on_call_pickled
        dispatch[Kind.TELL] = self.on_tell
        dispatch[Kind.TELL_META] = self.on_tell_meta
        dispatch[Kind.TELL_PICKLED] = self.on_tell_pickled
        dispatch[Kind.REPLY] = self.on_reply
        dispatch[Kind.REPLY_PICKLED] = self.on_reply_pickled
        dispatch[Kind.REPLY_ERROR] = self.on_reply_error

    def on_call_pickled(self, peer: Peer, m: list[Any], buffers: Any = None) -> None:
        cell = self._cells.get(m[2])
        if cell is not None:
            cell.deliver(peer, m[1], m[3], partial(_load, m[5], buffers), None, m[4])
        else:
            self._system.refuse(peer, m[1], m[2])

    def on_tell(self, peer: Peer, m: list[Any], buffers: Any = None) -> None:
        cell = self._cells.get(m[1])
        if cell is not None:
            cell.deliver(peer, None, m[2], m[3:])
        else:
            self._system.refuse(peer, None, m[1], packed_again(m[1], m[2], m[3:]))

    def on_tell_meta(self, peer: Peer, m: list[Any], buffers: Any = None) -> None:
        cell = self._cells.get(m[1])
        if cell is not None:
            cell.deliver(peer, None, m[2], m[4:], None, m[3])
        else:
            self._system.refuse(peer, None, m[1], packed_again(m[1], m[2], m[4:]))

    def on_tell_pickled(self, peer: Peer, m: list[Any], buffers: Any = None) -> None:
        cell = self._cells.get(m[1])
        args = partial(_load, m[4], buffers)  # decoded where they are needed: for a blocking method, on its thread
        if cell is not None:
            cell.deliver(peer, None, m[2], args, None, m[3])
        else:
            self._system.refuse(peer, None, m[1], packed_again(m[1], m[2], args))

    def on_reply(self, peer: Peer, m: list[Any], buffers: Any = None) -> None:
        reply = peer.pending.pop(m[1], None)
        if reply is not None:
            reply.succeed(m[2])

    def on_reply_pickled(self, peer: Peer, m: list[Any], buffers: Any = None) -> None:
        reply: Any = peer.pending.pop(m[1], None)
        if reply is not None:
            try:
                reply.succeed(self._decode(m[2], buffers))
                if buffers:
                    self._system.arrived_large(reply, m[2], buffers)
            except Exception as error:  # noqa: BLE001 - unpickling users' values may raise anything
                reply.fail(_undecodable(error))

    def on_reply_error(self, peer: Peer, m: list[Any], buffers: Any = None) -> None:
        reply = peer.pending.pop(m[1], None)
        if reply is not None:
            try:
                error = self._decode(m[2], buffers)
            except Exception as undecodable:  # noqa: BLE001 - as above
                error = _undecodable(undecodable)
            reply.fail(error)

    def message_lost(self, peer: Peer, m: list[Any], why: str) -> None:
        """A message whose large arguments did not arrive: whoever asked is told."""
        if m[0] in ASKS:
            self._system.reply_error(peer, m[1], ActorUnavailable(f"on node {self._system.me}", why))
        elif m[0] != Kind.ACKED and m[0] not in REPLIES:  # what is to be acknowledged comes again
            self._system.dead_letter(f"actor with key {m[1].hex()}", str(m[2]), why, peer.node.name)

    def _decode(self, body: bytes | None, buffers: Any) -> Any:
        token = current_system.set(self._system)
        try:
            return _load(body, buffers)
        finally:
            current_system.reset(token)


def _make_on_call(system: Host) -> Callable[..., None]:
    """The handler of plain calls. A closure, because it is the hottest function of all: no attribute is looked up."""
    find, refuse = system.cells.get, system.refuse

    def on_call(peer: Peer, m: list[Any], buffers: Any = None) -> None:
        cell = find(m[2])
        if cell is not None:
            cell.call(peer, m)
        else:
            refuse(peer, m[1], m[2])

    return on_call


def _make_on_call_meta(system: Host) -> Callable[..., None]:
    """The handler of plain calls with extras: mostly traced ones, which have nothing but their context."""
    find, refuse = system.cells.get, system.refuse

    def on_call_meta(peer: Peer, m: list[Any], buffers: Any = None) -> None:
        cell = find(m[2])
        if cell is None:
            refuse(peer, m[1], m[2])
        elif type(m[4]) is not bytes:
            cell.deliver(peer, m[1], m[3], m[5:], None, m[4])
        elif isinstance(cell, TakingTraced):
            cell.call_traced(peer, m)
        else:  # a service, for example
            cell.deliver(peer, m[1], m[3], m[5:], None, {"tc": m[4]})

    return on_call_meta


def _undecodable(error: Exception) -> PartisanError:
    return SerializationError("the reply", "value", f"it cannot be unpickled here: {in_words(error)}")


def _load(body: bytes | None, buffers: Any) -> Any:
    if body is None:
        body, *buffers = buffers
    return decode(body, buffers or ())


def send_encoded(peer: Peer, encoded: Encoded, affinity: int, channel: str = CALLS) -> None:
    """Queue a reply towards its caller; a caller that is gone hears nothing."""
    message, buffers = encoded
    try:
        connection = peer.calls
        if buffers is None and connection is not None and channel == CALLS:
            connection.send(message)
        elif buffers is None:
            peer.send(message, channel, affinity)
        else:
            peer.reply_large(message, buffers, channel, affinity)
    except PartisanError:
        return

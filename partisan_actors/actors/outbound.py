"""The way out: calls from any thread or coroutine of this process onto the lanes of the node.

A call from the node's own loop is encoded and queued on its lane at once. A call from any other thread is encoded
there, appended to an outbox, and the loop is woken once for as many as came meanwhile. A plain call makes no task, no
effect, and passes no machine.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from threading import get_ident
from time import sleep
from typing import Any, Final

from partisan_actors.actors.acked import Acked, Manner
from partisan_actors.actors.back_pressure import BackPressure
from partisan_actors.actors.deadlines import Deadlines
from partisan_actors.actors.encoding import as_sent, copies_of, pack_payload
from partisan_actors.actors.host import CopyBuffers, Host
from partisan_actors.actors.parcels import parcel_or_method
from partisan_actors.actors.ref import ALIVE, Location, Parked
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.sent_refs import SentRefs, has_read, refs_in_message
from partisan_actors.actors.traced_sends import CallTrace, QuickCalls, TellTrace, encode_traced_call, encode_traced_tell
from partisan_actors.actors.unready import Unready, UnreadyMessages, awaiting, values_of
from partisan_actors.errors import CallTimeout, PartisanError
from partisan_actors.node.router import Peer
from partisan_actors.telemetry.sent_meters import SentMeters
from partisan_actors.wire.channels import CALLS, ChannelOptions
from partisan_actors.wire.codec import pack
from partisan_actors.wire.envelope import asked_tell
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.payload import encode_call, is_scalars

__all__ = ["CopyBuffers", "Outbound", "as_sent", "copies_of", "pack_payload"]

_CALL, _TELL = Kind.CALL, Kind.TELL
# A thread that sends without pause gives the interpreter away after so many messages, so that the loop can begin to
# write them while it goes on; the shortest sleep there is.
TURN_MESSAGES: Final = 256
TURN_S: Final = 1e-6

_are_tiny = frozenset({int, float, bool, type(None)}).issuperset


class Outbound:
    """Sends calls and tells for one actor system."""

    def __init__(self, system: Host, acked: Acked, channels: Mapping[str, ChannelOptions]) -> None:
        self._system = self.host = system
        self._acked = acked
        self._loop = system.loop
        self._recorder = system.recorder
        self.sent = SentMeters(system.recorder.clock)
        self._quick = QuickCalls(system)
        self._thread_id = get_ident()
        self.next_number: Callable[[], int] = itertools.count(1).__next__
        self._outbox: deque[tuple[Any, ...]] = deque()
        self._pressure = BackPressure(system.loop, channels)
        self._is_awake = False
        self._deadlines = Deadlines(system.loop)
        self._closed: PartisanError | None = None
        self.unready = UnreadyMessages(system, self._send)

    # ---- from anywhere ----------------------------------------------------------------------------------------

    def ask(
        self,
        location: Location,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reply: Reply[Any],
        channel: str = CALLS,
        timeout_s: float | None = None,
        partition: int | None = None,
    ) -> None:
        """Call a method; `reply` gets the outcome. `partition` takes the place of sender and receiver as affinity.

        Raises SerializationError for what cannot be sent.
        """
        number = self.next_number()
        buffers: list[Any] | None = None
        if number >= self.sent.due:
            self.sent.call(number, location.class_name, method, reply)
        recorder = self._recorder
        if (
            recorder.enabled  # and then the gate, see `telemetry.recorder`
            and (number >= recorder.due or recorder.under() is not recorder.nothing or location.tracing is not None)
            and (context := recorder.begin_numbered(number, location.tracing)) is not None
        ):
            if (
                recorder.is_quick
                and channel is CALLS
                and partition is None
                and not kwargs
                and (_are_tiny(map(type, args)) or is_scalars(args))
                and (quick := self._quick.encode(context, number, location, method, args, reply)) is not None
            ):
                message = quick
            else:
                trace = CallTrace(self._system, context, location, method, channel, number, partition)
                message, buffers, channel = encode_traced_call(
                    self.pickled, trace, number, location, method, args, kwargs, reply, channel
                )
        elif not kwargs and (_are_tiny(map(type, args)) or is_scalars(args)):
            try:
                message = pack([_CALL, number, location.key, method, *args])
            except (OverflowError, ValueError):  # beyond 64 bits, or text that UTF-8 cannot carry
                message, buffers = self._pickled_call(number, location, method, args, kwargs, reply)
        elif not kwargs and (values := values_of(args)) is not None:
            message = pack([_CALL, number, location.key, method, *values])
        else:
            message, buffers = self._pickled_call(number, location, method, args, kwargs, reply)
            channel = awaiting(location, method, args, kwargs, channel, is_plain=True)
        if get_ident() == self._thread_id:
            peer = location.peer
            if peer is not None and buffers is None and channel is CALLS and not location.held_up:
                connection = peer.direct
                if connection is not None and not connection.is_paused:
                    # The usual case, spelled out: what `_submit` would do.
                    peer.pending[number] = reply
                    connection.send(message)
                    if timeout_s is not None:
                        self._deadlines.add(peer, number, location, timeout_s)
                    return
            self._submit(location, number, message, buffers, reply, channel, timeout_s, _sender(location, partition))
        else:
            self._post(location, number, message, buffers, reply, channel, timeout_s, _sender(location, partition))

    def dispatch(
        self,
        location: Location,
        number: int,
        message: bytes,
        buffers: list[Any] | None,
        reply: Reply[Any] | None,
        channel: str,
        timeout_s: float | None,
        partition: int | None,
    ) -> None:
        """Send what is encoded already, in its place among the other messages of this caller."""
        send = self._submit if get_ident() == self._thread_id else self._post
        send(location, number, message, buffers, reply, channel, timeout_s, _sender(location, partition))

    def tell(
        self,
        location: Location,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        channel: str = CALLS,
        partition: int | None = None,
    ) -> None:
        """Send a message nobody answers; `partition` as in `ask`. Raises SerializationError for what cannot be sent."""
        message, buffers, channel = self._encode_tell(location, method, args, kwargs, channel, partition)
        send = self._submit if get_ident() == self._thread_id else self._post
        send(location, 0, message, buffers, None, channel, None, _sender(location, partition))

    def tell_newest(
        self,
        location: Location,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        channel: str,
        partition: int | None = None,
    ) -> None:
        """As `tell`, in place of what the same sender told the same method, if that still waits to be written.

        It never waits for its arguments here: a newer one may not be held up by an older one.
        """
        message, buffers, _ = self._encode_tell(location, method, args, kwargs, channel, partition)
        sender = _sender(location, partition)
        affinity = location.affinity ^ (self._system.sender_affinity() if sender is None else sender)
        if get_ident() == self._thread_id:
            self._submit_newest(location, method, message, buffers, channel, affinity)
        else:
            self._system.post(self._submit_newest, location, method, message, buffers, channel, affinity)

    def tell_acked(
        self,
        location: Location,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reply: Reply[Any],
        channel: Manner,
        timeout_s: float | None = None,
        partition: int | None = None,
    ) -> None:
        """As `tell`; `reply` gets None once the message is in the actor's mailbox, or why it is not."""
        told, buffers, way = self._encode_tell(location, method, args, kwargs, channel, partition)
        number = self.next_number()
        message = asked_tell(number, told)
        self.dispatch(location, number, message, buffers, reply, way, timeout_s, partition)

    def _encode_tell(
        self,
        location: Location,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        channel: str,
        partition: int | None,
    ) -> tuple[bytes, list[Any] | None, str]:
        """The message, and its channel, which tells whether it has to wait for its arguments."""
        sent, recorder, number = self.sent, self._recorder, 0
        if sent.tells_left > 0:
            sent.tells_left -= 1
        else:
            sent.tell(location.class_name, method)
        if (
            recorder.enabled
            and (
                (number := self.next_number()) >= recorder.due
                or recorder.under() is not recorder.nothing
                or location.tracing is not None
            )
            and (context := recorder.begin_numbered(number, location.tracing)) is not None
        ):
            trace = TellTrace(self._system, context, location, method, channel, number, partition)
            encoded = encode_traced_tell(self.pickled, trace, location, method, args, kwargs)
        else:
            if not kwargs and is_scalars(args):
                with contextlib.suppress(OverflowError, ValueError):  # as in `ask`
                    return pack([_TELL, location.key, method, *args]), None, channel
            encoded = self._pickled_tell(location, method, args, kwargs)
        is_plain = not recorder.enabled
        return *encoded, awaiting(location, method, args, kwargs, channel, is_plain=is_plain)

    def _post(
        self,
        location: Location,
        number: int,
        message: bytes,
        buffers: list[Any] | None,
        reply: Reply[Any] | None,
        channel: str,
        timeout_s: float | None,
        sender: int | None = None,
    ) -> None:
        """Hand a message from another thread to the loop."""
        outbox = self._outbox
        if sender is None:
            sender = self._system.sender_affinity()
        outbox.append((location, number, message, buffers, reply, channel, timeout_s, sender))
        if not self._is_awake:
            self._wake()
        elif len(outbox) >= TURN_MESSAGES:
            sleep(TURN_S)
        peer = location.peer
        if (
            buffers is not None
            or channel is not CALLS
            or (peer is not None and (peer.calls is None or peer.calls.is_paused))
        ):
            self._pressure.hold_back(location, message, buffers, channel)

    def _pickled_call(
        self,
        number: int,
        location: Location,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reply: Reply[Any],
    ) -> tuple[bytes, list[Any] | None]:
        head = [Kind.CALL_PICKLED, number, location.key, method, None]
        return self.pickled(head, location, method, args, kwargs, reply)

    def _pickled_tell(
        self, location: Location, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[bytes, list[Any] | None]:
        return self.pickled([Kind.TELL_PICKLED, location.key, method, None], location, method, args, kwargs, None)

    def pickled(
        self,
        head: list[Any],
        location: Location,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reply: Reply[Any] | None,
    ) -> tuple[bytes, list[Any] | None]:
        """A message that begins with `head`, and ends with the arguments. Raises SerializationError."""
        refs = SentRefs(returns=reply is not None)
        token = refs_in_message.set(refs)
        try:
            payload = encode_call(args, kwargs, f"the arguments of {location.class_name}.{method}")
        finally:
            refs_in_message.reset(token)
        if refs and reply is not None:
            reply.add_waiter(partial(_release, refs, reply, location))
        return pack_payload(head, payload, self._system.copy_buffers, location.peer)

    # ---- on the loop ------------------------------------------------------------------------------------------

    def _submit(
        self,
        location: Location,
        number: int,
        message: bytes,
        buffers: list[Any] | None,
        reply: Reply[Any] | None,
        channel: str,
        timeout_s: float | None,
        sender: int | None = None,
    ) -> None:
        """Send, or keep until the actor has a place. `sender` is its affinity, unless the running code sends."""
        if timeout_s is not None and reply is not None:
            self._set_deadline(location, number, reply, timeout_s)
        if location.held_up or type(channel) is Unready:
            who = self._system.sender_affinity() if sender is None else sender
            if self.unready.keep(location, number, message, buffers, reply, channel, who):
                return
        self._send(location, number, message, buffers, reply, channel, sender)

    def _send(
        self,
        location: Location,
        number: int,
        message: bytes,
        buffers: list[Any] | None,
        reply: Reply[Any] | None,
        channel: str,
        sender: int | None,
    ) -> None:
        peer = location.peer
        if (buffers is not None or channel is not CALLS) and isinstance(reply, Reply):
            self._system.under_way(location, reply)
        if channel is not CALLS and isinstance(channel, Manner):
            who = self._system.sender_affinity() if sender is None else sender
            self._acked.submit(location, number, message, buffers, reply, channel, who)
            return
        try:
            if peer is None:
                who = self._system.sender_affinity() if sender is None else sender
                location.park(Parked(number, message, buffers, reply, channel, who))
                return
            if reply is not None:
                peer.pending[number] = reply
            connection = peer.direct
            if connection is not None and buffers is None and channel == CALLS:
                connection.send(message)
            else:
                affinity = location.affinity ^ (self._system.sender_affinity() if sender is None else sender)
                if buffers is None:
                    peer.send(message, channel, affinity)
                else:
                    peer.send_large(message, buffers, channel, affinity)
        except PartisanError as error:
            if peer is not None:
                peer.pending.pop(number, None)
            if reply is not None:
                reply.fail(error)
            else:
                self._system.dead_letter(location, parcel_or_method(message, buffers), error)

    def _submit_newest(
        self, location: Location, method: str, message: bytes, buffers: list[Any] | None, channel: str, affinity: int
    ) -> None:
        peer = location.peer
        try:
            if peer is None:
                location.park(Parked(0, message, buffers, None, channel, location.affinity ^ affinity))
            else:
                peer.send_newest(message, buffers, channel, affinity, (location.key, affinity, method))
        except PartisanError as error:
            self._system.dead_letter(location, method, error)

    def placed(self, location: Location, peer: Peer) -> None:
        """The actor has a place: send what waited, in order, and before what waits for arguments, maybe for these."""
        location.peer = peer
        location.state = ALIVE
        parked, location.parked = location.parked, type(location.parked)()
        for item in parked:
            if item.reply is None or not item.reply.done():
                reply: Any = item.reply  # a Reply, if any
                self._send(location, item.number, item.message, item.buffers, reply, item.channel, item.sender)

    def _set_deadline(self, location: Location, number: int, reply: Reply[Any], timeout_s: float) -> None:
        def expire() -> None:
            if not reply.done():
                if location.peer is not None:
                    location.peer.pending.pop(number, None)
                self._acked.forget(location, number)
                reply.fail(CallTimeout(f"a call to {location}", timeout_s))

        timer = self._loop.call_later(timeout_s, expire)
        reply.add_waiter(timer.cancel)

    # ---- from other threads -----------------------------------------------------------------------------------

    def _wake(self) -> None:
        """The loop sleeps as far as we know: have it drain the outbox."""
        if self._closed is not None:
            self.close(self._closed)
            return
        self._is_awake = True
        self._loop.call_soon_threadsafe(self._drain)

    def close(self, error: PartisanError) -> None:
        """The node has stopped: what is still to be sent, and whatever comes later, fails with `error`."""
        if self._closed is None:
            self._deadlines.close()
        self._closed = error
        self._pressure.is_closed = True
        self._is_awake = False
        while self._outbox:
            reply: Reply[Any] | None = self._outbox.popleft()[4]
            if reply is not None:
                reply.fail(error)

    def _drain(self) -> None:
        self._is_awake = False
        self._pressure.bytes = 0
        outbox = self._outbox
        for _ in range(len(outbox)):
            location, number, message, buffers, reply, channel, timeout_s, sender = outbox.popleft()
            peer = location.peer
            if peer is not None and buffers is None and reply is not None and channel is CALLS:
                connection = peer.direct
                if connection is not None and not connection.is_paused and not location.held_up:
                    peer.pending[number] = reply
                    connection.send(message)
                    if timeout_s is not None:
                        self._deadlines.add(peer, number, location, timeout_s)
                    continue
            self._submit(location, number, message, buffers, reply, channel, timeout_s, sender)


def _release(refs: SentRefs, reply: Reply[Any], location: Location) -> None:
    """The call is over that these were sent with."""
    peer = location.peer
    refs.release(peer.node if peer is not None and has_read(reply.failure) else None)


def _sender(location: Location, partition: int | None) -> int | None:
    """The sender's affinity that makes `partition` the affinity of the message."""
    return None if partition is None else location.affinity ^ partition

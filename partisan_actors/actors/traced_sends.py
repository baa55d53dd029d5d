"""Traced calls and tells on their way out: what they carry, and what the caller writes down of them.

A traced message carries its context in the map of extras, beside the arguments and never among them: ``tc`` is the
context in wire form, ``channel`` and ``lane`` say how it came when that is not the usual way, ``id`` numbers a tell.
A plain call on its usual way carries nothing but its context, and that stands in the place of the map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.tracing import is_full_for, note_failing
from partisan_actors.actors.unready import awaiting
from partisan_actors.errors import PartisanError
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.quick_records import AskedSite, QuickEntry, context_of, in_full, is_quick_wire
from partisan_actors.telemetry.records import AskFinished, Sending, TellSent
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.payload import is_scalars

if TYPE_CHECKING:
    from partisan_actors.actors.consuming import Incoming
    from partisan_actors.actors.encoding import Encoded
    from partisan_actors.actors.host import Host
    from partisan_actors.actors.ref import Location
    from partisan_actors.actors.replies import Reply, Trace
    from partisan_actors.node.router import Peer
    from partisan_actors.telemetry.records import Address

__all__ = ["CallTrace", "QuickCalls", "TellTrace", "encode_traced_call", "encode_traced_tell"]

# A shorter encoding is not worth an attribute.
SLOW_ENCODING_NS: Final = 1_000_000
# Less than this is not worth a look at the clock.
QUICK_BYTES: Final = 16_384

_CALL_META, _TELL_META = Kind.CALL_META, Kind.TELL_META


class _Sent:
    """What the traces of asks and tells have in common."""

    __slots__ = (
        "_channel",
        "_host",
        "_lane",
        "_location",
        "_method",
        "_number",
        "_queue_wait_ns",
        "_sending",
        "_started_ns",
        "attempt",
        "context",
        "reply",
    )

    def __init__(
        self,
        host: Host,
        context: TraceContext | bytes,
        location: Location,
        method: str,
        channel: str,
        number: int,
        partition: int | None = None,
    ) -> None:
        self.context = context_of(context) if isinstance(context, bytes) else context
        self._host = host
        self._location = location
        self._method = method
        self._channel = channel
        lanes = host.node.lanes[channel]
        if lanes == 1:
            self._lane = 0
        else:
            self._lane = (location.affinity ^ host.sender_affinity() if partition is None else partition) % lanes
        self._number = number
        self._sending: Sending | None = None
        self._queue_wait_ns = 0
        self._started_ns = host.recorder.clock()
        # Of an ask: its future, and how often it was sent.
        self.reply: Reply[Any] | None = None
        self.attempt = 1

    def meta(self) -> dict[str, Any]:
        """What travels with the message."""
        meta: dict[str, Any] = {"tc": self.context.pack()}
        if self._channel is not CALLS and self._channel != CALLS:
            meta["channel"] = self._channel
        if self._lane:
            meta["lane"] = self._lane
        return meta

    def encoded(self, message: bytes, buffers: Sequence[Any] | None) -> None:
        """The message is bytes, and will be queued."""
        recorder, override = self._host.recorder, self._location.tracing
        if buffers is None and len(message) < QUICK_BYTES and not recorder.full_enabled and override is None:
            return
        now = recorder.clock()
        is_full = is_full_for(recorder, override)
        if is_full or now - self._started_ns > SLOW_ENCODING_NS:
            self._sending = Sending(now, len(message) + sum(map(len, buffers or ())), is_full)

    def _connection(self) -> Any:
        """What it goes on, if that is known and leads to another node."""
        peer = self._location.peer
        return peer.lanes[self._channel][self._lane] if peer is not None and not peer.is_self else None

    def _look_when_written(self, connection: Any, then: Callable[[], object] | None) -> None:
        since_ns = self._host.recorder.clock()
        if get_ident() == self._host.thread_id:
            self._waits_for(connection, since_ns, then)
        else:
            self._host.post(self._waits_for, connection, since_ns, then)

    def _waits_for(self, connection: Any, since_ns: int, then: Callable[[], object] | None) -> None:
        """On the loop: `then` is called when what waits for that connection now is being written, or it is no more."""

        def written(future: object) -> None:
            self._queue_wait_ns = self._host.recorder.clock() - since_ns
            if then is not None:
                then()

        if connection.is_paused:
            connection.goes_on().add_done_callback(written)
        elif then is not None:
            then()


class CallTrace(_Sent):
    """The CLIENT span of one ask."""

    __slots__ = ()

    def over(self) -> None:
        """The reply is there."""
        assert self.reply is not None
        self.finished(self.reply.failure)

    def finished(self, error: BaseException | None, stream: Incoming | None = None) -> None:
        """The call has ended; that of a generator, with what has come through `stream`."""
        if error is not None:
            note_failing(self._host, self._location.actor, self.context, error)
        host, location = self._host, self._location
        recorder, peer = host.recorder, location.peer
        is_elsewhere = peer is not None and not peer.is_self
        server, first_hop = self._addresses(peer) if peer is not None and is_elsewhere else (None, None)
        # As in TraceContext.unpack: the same value, for half the time.
        fields = (
            self.context,
            self._started_ns,
            recorder.clock(),
            location.actor,
            location.class_name,
            self._method,
            Failure.of_call(error) if error is not None else None,
            self._channel if is_elsewhere else "",
            self._lane,
            peer.node if peer is not None else None,
            self.attempt,
            server,
            first_hop,
            self._number,
            None if stream is None else stream.came_items,
            location.name,
            self._sending,
            self._queue_wait_ns,
            self._round_trip_s(peer) if recorder.hops_enabled and is_elsewhere else None,
            None if stream is None else stream.came_bytes,
        )
        recorder.finish(tuple.__new__(AskFinished, fields))

    def look_at_queue(self) -> None:
        """The message is about to be queued: note how long it waits, if its connection cannot be written to now."""
        connection = self._connection()
        if connection is not None and connection.is_paused:
            self._look_when_written(connection, None)

    def _round_trip_s(self, peer: Peer | None) -> float | None:
        connection = self._host.node.first_connection(peer, self._channel, self._lane) if peer is not None else None
        return connection.round_trip_s if connection is not None else None

    def _addresses(self, peer: Peer) -> tuple[Address | None, Address | None]:
        """Those of the call, looked up once for each connection that calls of this actor have gone on."""
        location, connection = self._location, peer.direct
        if connection is None or self._lane or self._channel != CALLS:
            return self._host.addresses_for(peer, self._channel, self._lane)
        if location.ends is None or location.ends[0] is not connection:
            location.ends = (connection, self._host.addresses_for(peer, self._channel, self._lane))
        return location.ends[1]


class TellTrace(_Sent):
    """The PRODUCER span of one tell."""

    __slots__ = ()

    def meta(self) -> dict[str, Any]:
        """What travels with the message."""
        return {**super().meta(), "id": self._number}

    def sent(self, error: BaseException | None = None) -> None:
        """It is on its way, or could not be sent. Where its connection is full, how long it waits is known later."""
        ended_ns, connection = self._host.recorder.clock(), self._connection() if error is None else None
        if connection is not None and connection.is_paused:
            self._look_when_written(connection, lambda: self._finished(ended_ns, None))
        else:
            self._finished(ended_ns, error)

    def _finished(self, ended_ns: int, error: BaseException | None) -> None:
        location = self._location
        peer = location.peer
        self._host.recorder.finish(
            TellSent(
                self.context,
                self._started_ns,
                ended_ns,
                location.actor,
                location.class_name,
                self._method,
                Failure.of_call(error) if error is not None else None,
                self._channel if peer is None or not peer.is_self else "",
                self._lane,
                peer.node if peer is not None else None,
                self._number,
                location.name,
                self._sending,
                self._queue_wait_ns,
            )
        )


class QuickCalls:
    """The CLIENT spans of plain calls on their usual way, of which there is only to say that they were made.

    Whatever else there may be to say is said by a `CallTrace`.
    """

    __slots__ = ("_host", "_over", "_recorder")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._recorder = host.recorder
        self._over = _make_over(host)

    def encode(
        self,
        context: TraceContext | bytes,
        number: int,
        location: Location,
        method: str,
        args: tuple[Any, ...],
        reply: Reply[Any],
    ) -> bytes | None:
        """The message of a call whose span ends with its reply; None, and nothing done, for another kind of call.

        A context in wire form is that of a root that is sampled.
        """
        peer, sites = location.peer, location.sites
        connection = peer.direct if peer is not None else None
        if peer is None or connection is None or connection.is_paused:
            return None
        if isinstance(context, bytes):
            wire, parent_span_id = context, 0
        elif location.tracing is None and is_quick_wire(wire := context.pack()):
            parent_span_id = context.parent_span_id
        else:
            return None
        if sites is None or sites[0] is not connection:
            sites = location.sites = (connection, {})
        site = sites[1].get(method)
        if site is None:
            if peer.is_self or self._host.node.lanes[CALLS] != 1:
                return None
            ends = self._host.addresses_for(peer, CALLS, 0)
            site = sites[1][method] = AskedSite(
                location.actor, location.class_name, method, CALLS, 0, peer.node, *ends, location.name
            )
        started_ns = self._recorder.clock()
        try:
            message = pack([_CALL_META, number, location.key, method, wire, *args])
        except (OverflowError, ValueError):  # beyond 64 bits, or text that UTF-8 cannot carry
            return None
        if len(message) >= QUICK_BYTES:
            return None
        reply.note((self._over, site, wire, parent_span_id, started_ns, number))
        return message


def _make_over(host: Host) -> Callable[[Reply[Any], Trace], None]:
    """What is called with the reply of a quick call. A closure, as `_make_on_call` is."""
    recorder = host.recorder
    records, room, clock = recorder.records, recorder.room, recorder.clock

    def over(reply: Reply[Any], trace: Trace) -> None:
        _, site, wire, span_id, started_ns, number = trace
        error = reply._error
        if error is None and len(records) < room:
            records.extend((site, wire, span_id, started_ns, clock(), number))  # as `record_quick` does
        elif error is None:
            recorder.dropped += 1
        else:
            quick = in_full(QuickEntry(site, wire, span_id, started_ns, clock(), number))
            recorder.record(quick._replace(failure=Failure.of_call(error)))  # type: ignore[call-arg]  # an ask
            note_failing(host, quick.actor, quick.context, error)  # type: ignore[union-attr]  # as above

    return over


def encode_traced_call(
    pickled: Callable[..., Encoded],
    trace: CallTrace,
    number: int,
    location: Location,
    method: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    reply: Reply[Any],
    channel: str,
) -> tuple[bytes, list[Any] | None, str]:
    """The message of a traced call, whose span ends with its reply, and its channel as `awaiting` says.

    `pickled` is `Outbound.pickled`. Raises SerializationError.
    """
    meta = trace.meta()
    message, buffers = None, None
    if not kwargs and is_scalars(args):
        try:
            message = pack([_CALL_META, number, location.key, method, meta, *args])
        except (OverflowError, ValueError):  # beyond 64 bits, or text that UTF-8 cannot carry
            message = None
    if message is None:
        head = [Kind.CALL_PICKLED, number, location.key, method, meta]
        try:
            message, buffers = pickled(head, location, method, args, kwargs, reply)
        except PartisanError as error:
            trace.finished(error)
            raise
        channel = awaiting(location, method, args, kwargs, channel)
    trace.encoded(message, buffers)
    trace.reply = reply
    reply.add_waiter(trace.over)
    trace.look_at_queue()
    return message, buffers, channel


def encode_traced_tell(
    pickled: Callable[..., Encoded],
    trace: TellTrace,
    location: Location,
    method: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Encoded:
    """The message of a traced tell, whose span ends here. Raises SerializationError."""
    meta = trace.meta()
    encoded: Encoded | None = None
    if not kwargs and is_scalars(args):
        with suppress(OverflowError, ValueError):
            encoded = pack([_TELL_META, location.key, method, meta, *args]), None
    if encoded is None:
        head = [Kind.TELL_PICKLED, location.key, method, meta]
        try:
            encoded = pickled(head, location, method, args, kwargs, None)
        except PartisanError as error:
            trace.sent(error)
            raise
    trace.encoded(*encoded)
    trace.sent()
    return encoded

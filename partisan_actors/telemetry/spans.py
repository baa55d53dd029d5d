"""What records mean: each becomes one span, or two, as values that know nothing of opentelemetry.

This is the span model: names, kinds, parents, attributes and statuses, from `events`. Runs in the background only.
"""

from __future__ import annotations

from dataclasses import field
from typing import Final

from partisan_actors.telemetry import events
from partisan_actors.telemetry.context import LATE, TraceContext
from partisan_actors.telemetry.events import AttributeValue, CallStatus, Scope, SpanKind
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.records import (
    Address,
    AskFinished,
    AskServed,
    BroadcastProcessed,
    BroadcastSent,
    Lifecycle,
    LifecycleStep,
    ObjectMoved,
    OverlayMessage,
    Record,
    RelayHop,
    Sending,
    TellProcessed,
    TellSent,
)
from partisan_actors.telemetry.span_names import name_of
from partisan_actors.values import dataclass

__all__ = ["MAILBOX_SPAN_MIN_NS", "SpanEvent", "SpanValue", "has_more", "spans_of"]

# A shorter wait is an attribute only: a span for each would double the volume and show nothing.
MAILBOX_SPAN_MIN_NS: Final = 1_000_000
# A shorter one is what every message waits for the others of its turn of the loop.
QUEUE_WAIT_MIN_NS: Final = 1_000_000

# Erlang's word: who restarts an actor restarts that one, and no other.
ONE_FOR_ONE: Final = "one_for_one"

# A span inside another has the other's random id with these bits turned, so whoever reads a record makes the same ones.
_MAILBOX: Final = 0x6D61696C626F7831
_EXECUTE: Final = 0x6578656375746531
_ENQUEUE: Final = 0x656E717565756531

# What is told between two actors of one node takes no channel; had it to, it would be this one.
CALLS_CHANNEL: Final = "calls"

_NS_PER_S: Final = 1e9

Attributes = dict[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened at one moment of a span."""

    name: str
    at_ns: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanValue:
    """One finished span. Times are the recorder's clock's; `parent_is_remote` says the parent is on another node."""

    context: TraceContext
    name: str
    kind: SpanKind
    scope: Scope
    started_ns: int
    ended_ns: int
    attributes: Attributes
    failure: Failure | None = None
    parent_is_remote: bool = False
    happenings: tuple[SpanEvent, ...] = ()
    links: tuple[TraceContext, ...] = ()


def spans_of(record: Record) -> tuple[SpanValue, ...]:
    """The spans that `record` stands for, the same at every reading."""
    match record:
        case AskFinished():
            return (_ask_finished(record), *_enqueued(record))
        case AskServed():
            return (_ask_served(record), *_waited(record), *_executed(record))
        case TellSent():
            return (_tell_sent(record), *_enqueued(record))
        case TellProcessed():
            return (_tell_processed(record), *_executed(record))
        case RelayHop():
            return (_relay_hop(record),)
        case Lifecycle():
            return (_lifecycle(record),)
        case BroadcastSent():
            return (_broadcast_sent(record),)
        case BroadcastProcessed():
            return (_broadcast_processed(record),)
        case ObjectMoved():
            return (_object_moved(record),)
        case OverlayMessage():
            return (_overlay_message(record),)


def has_more(record: Record) -> bool:
    """Whether there may be a span inside the one that every record stands for."""
    match record:
        case AskServed():
            return record.running is not None or record.dequeued_ns - record.started_ns > MAILBOX_SPAN_MIN_NS
        case TellProcessed():
            return record.running is not None
        case AskFinished() | TellSent():
            return record.sending is not None and record.sending.is_full
    return False


def _ask_finished(record: AskFinished) -> SpanValue:
    attributes = _rpc(record)
    attributes[events.CALL_KIND] = "ask"
    attributes[events.ATTEMPT] = record.attempt
    _add_sending(attributes, record.sending, record.started_ns)
    _add_queue_wait(attributes, record.queue_wait_ns)
    if record.rtt_s is not None:
        attributes[events.PEER_RTT] = record.rtt_s
    _add_address(attributes, record.server, events.SERVER_ADDRESS, events.SERVER_PORT)
    _add_address(attributes, record.first_hop, events.NETWORK_PEER_ADDRESS, events.NETWORK_PEER_PORT)
    return _span(record, name_of(record)[0], SpanKind.CLIENT, Scope.CALLS, attributes, record.failure)


def _ask_served(record: AskServed) -> SpanValue:
    attributes = _rpc(record)
    _add_handling(attributes, record, record.started_ns)
    dequeued = SpanEvent("dequeued", record.dequeued_ns)
    # There is no event for the reply: the end of the span is when it was written.
    return _span(
        record,
        name_of(record)[0],
        SpanKind.SERVER,
        Scope.CALLS,
        attributes,
        record.failure,
        remote=True,
        event=dequeued,
    )


def _waited(record: AskServed) -> tuple[SpanValue, ...]:
    if record.running is None and record.dequeued_ns - record.started_ns <= MAILBOX_SPAN_MIN_NS:
        return ()
    attributes = _actor(record)
    attributes[events.MAILBOX_SIZE] = record.mailbox_size
    attributes[events.MAILBOX_POSITION] = record.mailbox_size + 1
    name = f"mailbox {record.class_name}"
    return (_inside(record.context, _MAILBOX, name, record.started_ns, record.dequeued_ns, attributes),)


def _executed(record: AskServed | TellProcessed) -> tuple[SpanValue, ...]:
    running = record.running
    if running is None:
        return ()
    attributes = _actor(record)
    if record.function:
        attributes[events.CODE_FUNCTION_NAME] = _function_name(record)
    if running.thread:
        attributes[events.THREAD_NAME] = running.thread
    if running.group:
        attributes[events.CONCURRENCY_GROUP] = running.group
    name = f"execute {record.class_name}.{record.method}"
    return (_inside(record.context, _EXECUTE, name, record.dequeued_ns, record.ended_ns, attributes),)


def _enqueued(record: AskFinished | TellSent) -> tuple[SpanValue, ...]:
    sending = record.sending
    if sending is None or not sending.is_full:
        return ()
    attributes = _route(record)
    _add_sending(attributes, sending, record.started_ns)
    attributes[events.CHANNEL_QUEUE_WAIT] = record.queue_wait_ns / _NS_PER_S
    name = f"enqueue {record.channel or CALLS_CHANNEL}"
    written_ns = sending.encoded_ns + record.queue_wait_ns
    return (_inside(record.context, _ENQUEUE, name, record.started_ns, written_ns, attributes),)


def _inside(
    context: TraceContext, mask: int, name: str, started_ns: int, ended_ns: int, attributes: Attributes
) -> SpanValue:
    """A span inside that of `context`, which nobody had to name while it happened."""
    _add_late(attributes, context)
    return SpanValue(
        context=context._replace(span_id=context.span_id ^ mask or mask, parent_span_id=context.span_id),
        name=name,
        kind=SpanKind.INTERNAL,
        scope=Scope.CALLS,
        started_ns=started_ns,
        ended_ns=max(started_ns, ended_ns),
        attributes=attributes,
    )


def _tell_sent(record: TellSent) -> SpanValue:
    attributes = _messaging("tell", "send", record.message_id)
    attributes[events.MESSAGING_DESTINATION_TEMPLATE] = record.class_name
    attributes |= _actor(record) | _route(record)
    attributes[events.ACTOR_METHOD] = record.method
    _add_sending(attributes, record.sending, record.started_ns)
    _add_queue_wait(attributes, record.queue_wait_ns)
    return _span(record, f"send {record.class_name}", SpanKind.PRODUCER, Scope.CALLS, attributes, record.failure)


def _tell_processed(record: TellProcessed) -> SpanValue:
    attributes = _messaging("process", "process", record.message_id)
    attributes[events.MESSAGING_DESTINATION_TEMPLATE] = record.class_name
    attributes |= _actor(record) | _route(record)
    attributes[events.ACTOR_METHOD] = record.method
    _add_handling(attributes, record, record.received_ns)
    _add_late(attributes, record.context)
    return SpanValue(
        context=record.context,
        name=f"process {record.class_name}",
        kind=SpanKind.CONSUMER,
        scope=Scope.CALLS,
        started_ns=record.dequeued_ns,  # the conventions: no span for a message the program does not hold yet
        ended_ns=max(record.ended_ns, record.dequeued_ns),
        attributes=attributes,
        failure=record.failure,
        parent_is_remote=record.link is None,
        happenings=_exception(record.failure, record.ended_ns),
        links=() if record.link is None else (record.link,),
    )


def _relay_hop(record: RelayHop) -> SpanValue:
    attributes: Attributes = {
        events.CHANNEL: record.channel,
        events.HOP_INDEX: record.hop_index,
        events.HOP_TTL: record.ttl,
        events.HOP_FROM: str(record.received_from),
        events.HOP_TO: str(record.sent_to),
    }
    if record.reason:
        attributes[events.HOP_REASON] = record.reason
    name = f"relay {record.channel}"
    return _span(record, name, SpanKind.INTERNAL, Scope.CALLS, attributes, None, remote=True)


def _lifecycle(record: Lifecycle) -> SpanValue:
    attributes = _actor(record)
    if record.peer is not None:
        attributes[events.PEER_NODE] = str(record.peer)
    if record.restart_count is not None:
        attributes[events.RESTART_COUNT] = record.restart_count
    if record.restart_limit is not None:
        attributes[events.SUPERVISOR_STRATEGY] = ONE_FOR_ONE
        attributes[events.RESTART_LIMIT] = record.restart_limit
    if record.reason:
        is_restart = record.step is LifecycleStep.RESTART
        attributes[events.RESTART_REASON if is_restart else events.STOP_REASON] = record.reason
    name, kind = name_of(record)
    return _span(
        record,
        name,
        kind,
        Scope.LIFECYCLE,
        attributes,
        record.failure,
        remote=kind is SpanKind.SERVER,
        links=record.links,
    )


def _broadcast_sent(record: BroadcastSent) -> SpanValue:
    attributes = _messaging("publish", "send", record.message_id)
    attributes[events.MESSAGING_DESTINATION_NAME] = record.topic
    return _span(record, f"publish {record.topic}", SpanKind.PRODUCER, Scope.CALLS, attributes, record.failure)


def _broadcast_processed(record: BroadcastProcessed) -> SpanValue:
    # The publisher is the parent and not a link as well: viewers draw a link to one's own parent as a second arrow.
    attributes = _messaging("process", "process", record.message_id)
    attributes[events.MESSAGING_DESTINATION_NAME] = record.topic
    attributes[events.BROADCAST_ROUND] = record.round_number
    attributes[events.HOP_COUNT] = record.hop_count
    if record.path:
        attributes[events.BROADCAST_PATH] = record.path
    if record.peer is not None:
        attributes[events.PEER_NODE] = str(record.peer)
    name = f"process {record.topic}"
    return _span(record, name, SpanKind.CONSUMER, Scope.CALLS, attributes, record.failure, remote=True)


def _object_moved(record: ObjectMoved) -> SpanValue:
    attributes: Attributes = {events.OBJECT_ID: str(record.object_id)}
    if record.size_bytes >= 0:
        attributes[events.OBJECT_SIZE] = record.size_bytes
    if record.source is not None:
        attributes[events.OBJECT_SOURCE] = str(record.source)
    if record.transport:
        attributes[events.OBJECT_TRANSPORT] = record.transport
    name, kind = name_of(record)
    return _span(record, name, kind, Scope.OBJECTS, attributes, record.failure)


def _overlay_message(record: OverlayMessage) -> SpanValue:
    attributes: Attributes = {
        events.PEER_NODE: str(record.peer),
        events.OVERLAY_ACTIVE_SIZE: record.active,
        events.OVERLAY_PASSIVE_SIZE: record.passive,
    }
    if record.ttl is not None:
        attributes[events.OVERLAY_TTL] = record.ttl
    return _span(record, record.what, SpanKind.INTERNAL, Scope.OVERLAY, attributes, None)


def _span(
    record: AskFinished
    | AskServed
    | TellSent
    | RelayHop
    | Lifecycle
    | BroadcastSent
    | BroadcastProcessed
    | ObjectMoved
    | OverlayMessage,
    name: str,
    kind: SpanKind,
    scope: Scope,
    attributes: Attributes,
    failure: Failure | None,
    *,
    remote: bool = False,
    event: SpanEvent | None = None,
    links: tuple[TraceContext, ...] = (),
) -> SpanValue:
    if failure is not None:
        attributes[events.ERROR_TYPE] = failure.error_type
    _add_late(attributes, record.context)
    return SpanValue(
        context=record.context,
        name=name,
        kind=kind,
        scope=scope,
        started_ns=record.started_ns,
        ended_ns=max(record.ended_ns, record.started_ns),
        attributes=attributes,
        failure=failure,
        parent_is_remote=remote,
        happenings=(() if event is None else (event,)) + _exception(failure, record.ended_ns),
        links=links,
    )


def _rpc(record: AskFinished | AskServed) -> Attributes:
    attributes: Attributes = {
        events.RPC_SYSTEM_NAME: events.SYSTEM,
        events.RPC_METHOD: name_of(record)[0],
        events.RPC_RESPONSE_STATUS_CODE: (record.failure.status if record.failure else CallStatus.OK).value,
        **_actor(record),
        **_route(record),
    }
    if record.message_id is not None:
        attributes[events.MESSAGE_ID] = str(record.message_id)
    if record.stream_items is not None:
        attributes[events.STREAM_ITEMS] = record.stream_items
    if record.stream_bytes is not None:
        attributes[events.STREAM_BYTES] = record.stream_bytes
    return attributes


def _messaging(operation: str, operation_type: str, message_id: object) -> Attributes:
    attributes: Attributes = {
        events.MESSAGING_SYSTEM: events.SYSTEM,
        events.MESSAGING_OPERATION_NAME: operation,
        events.MESSAGING_OPERATION_TYPE: operation_type,
    }
    if message_id is not None:
        attributes[events.MESSAGING_MESSAGE_ID] = str(message_id)
    return attributes


def _actor(record: AskFinished | AskServed | TellSent | TellProcessed | Lifecycle) -> Attributes:
    attributes: Attributes = {events.ACTOR_CLASS: record.class_name, events.ACTOR_ID: str(record.actor)}
    if record.name:
        attributes[events.ACTOR_NAME] = record.name
    return attributes


def _route(record: AskFinished | AskServed | TellSent | TellProcessed) -> Attributes:
    # A call between two actors of one node uses no channel, and then says nothing about one.
    attributes: Attributes = {}
    if record.channel:
        attributes[events.CHANNEL] = record.channel
        attributes[events.LANE] = record.lane
    if record.peer is not None:
        attributes[events.PEER_NODE] = str(record.peer)
    return attributes


def _add_handling(attributes: Attributes, record: AskServed | TellProcessed, received_ns: int) -> None:
    attributes[events.MAILBOX_WAIT] = (record.dequeued_ns - received_ns) / _NS_PER_S
    attributes[events.EXECUTE_DURATION] = (record.ended_ns - record.dequeued_ns) / _NS_PER_S
    attributes[events.MAILBOX_SIZE] = record.mailbox_size
    attributes[events.HOP_COUNT] = record.hop_count
    if record.function:
        attributes[events.CODE_FUNCTION_NAME] = _function_name(record)
    if record.failure is not None:
        attributes[events.ERROR_TYPE] = record.failure.error_type


def _function_name(record: AskServed | TellProcessed) -> str:
    function = record.function
    return function if isinstance(function, str) else f"{function.__module__}.{record.class_name}.{record.method}"


def _add_sending(attributes: Attributes, sending: Sending | None, started_ns: int) -> None:
    if sending is not None:
        attributes[events.PAYLOAD_SIZE] = sending.payload_bytes
        attributes[events.SERIALIZE_DURATION] = (sending.encoded_ns - started_ns) / _NS_PER_S


def _add_queue_wait(attributes: Attributes, queue_wait_ns: int) -> None:
    if queue_wait_ns > QUEUE_WAIT_MIN_NS:
        attributes[events.CHANNEL_QUEUE_WAIT] = queue_wait_ns / _NS_PER_S


def _add_late(attributes: Attributes, context: TraceContext) -> None:
    if context.flags & LATE:
        attributes[events.SAMPLED_LATE] = True


def _add_address(attributes: Attributes, address: Address | None, host_key: str, port_key: str) -> None:
    if address is not None:
        attributes[host_key], attributes[port_key] = address


def _exception(failure: Failure | None, at_ns: int) -> tuple[SpanEvent, ...]:
    if failure is None:
        return ()
    attributes: Attributes = {
        events.EXCEPTION_TYPE: failure.exception_type,
        events.EXCEPTION_MESSAGE: failure.message,
    }
    if failure.stacktrace:
        attributes[events.EXCEPTION_STACKTRACE] = failure.stacktrace
    return (SpanEvent("exception", at_ns, attributes),)

"""What records mean: each becomes one span, or two, as values that know nothing of opentelemetry.

This is the span model: names, kinds, parents, attributes and statuses, from `events`. Runs in the background only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from partisan_actors.telemetry import events
from partisan_actors.telemetry.context import TraceContext
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
    Record,
    RelayHop,
    TellProcessed,
    TellSent,
)

__all__ = ["MAILBOX_SPAN_MIN_NS", "SpanEvent", "SpanValue", "names_of", "spans_of"]

# A shorter wait is an attribute only: a span for each would double the volume and show nothing.
MAILBOX_SPAN_MIN_NS: Final = 1_000_000

# A span inside another has the other's random id with these bits turned, so whoever reads a record makes the same ones.
_MAILBOX: Final = 0x6D61696C626F7831

_NS_PER_S: Final = 1e9

_LIFECYCLE_KINDS: Final = {
    LifecycleStep.CREATE: SpanKind.CLIENT,
    LifecycleStep.ACTIVATE: SpanKind.SERVER,
    LifecycleStep.RESTART: SpanKind.INTERNAL,
    LifecycleStep.STOP: SpanKind.INTERNAL,
}

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
            return (_ask_finished(record),)
        case AskServed():
            return _ask_served(record)
        case TellSent():
            return (_tell_sent(record),)
        case TellProcessed():
            return (_tell_processed(record),)
        case RelayHop():
            return (_relay_hop(record),)
        case Lifecycle():
            return (_lifecycle(record),)
        case BroadcastSent():
            return (_broadcast_sent(record),)
        case BroadcastProcessed():
            return (_broadcast_processed(record),)


def names_of(record: Record) -> tuple[tuple[str, SpanKind], ...]:
    """The names and kinds of those spans, for a tenth of what they cost."""
    match record:
        case AskFinished():
            return ((_method(record), SpanKind.CLIENT),)
        case AskServed():
            served = (_method(record), SpanKind.SERVER)
            return (served, (f"mailbox {record.class_name}", SpanKind.INTERNAL)) if _waited(record) else (served,)
        case TellSent():
            return ((f"send {record.class_name}", SpanKind.PRODUCER),)
        case TellProcessed():
            return ((f"process {record.class_name}", SpanKind.CONSUMER),)
        case RelayHop():
            return ((f"relay {record.channel}", SpanKind.INTERNAL),)
        case Lifecycle():
            return ((f"{record.step} {record.class_name}", _LIFECYCLE_KINDS[record.step]),)
        case BroadcastSent():
            return ((f"publish {record.topic}", SpanKind.PRODUCER),)
        case BroadcastProcessed():
            return ((f"process {record.topic}", SpanKind.CONSUMER),)


def _ask_finished(record: AskFinished) -> SpanValue:
    attributes = _rpc(record)
    attributes[events.CALL_KIND] = "ask"
    attributes[events.ATTEMPT] = record.attempt
    _add_address(attributes, record.server, events.SERVER_ADDRESS, events.SERVER_PORT)
    _add_address(attributes, record.first_hop, events.NETWORK_PEER_ADDRESS, events.NETWORK_PEER_PORT)
    return _span(record, _method(record), SpanKind.CLIENT, Scope.CALLS, attributes, record.failure)


def _ask_served(record: AskServed) -> tuple[SpanValue, ...]:
    attributes = _rpc(record)
    _add_handling(attributes, record, record.started_ns)
    dequeued = SpanEvent("dequeued", record.dequeued_ns)
    # There is no event for the reply: the end of the span is when it was written.
    served = _span(
        record, _method(record), SpanKind.SERVER, Scope.CALLS, attributes, record.failure, remote=True, event=dequeued
    )
    if not _waited(record):
        return (served,)
    waited = SpanValue(
        context=_inside(record.context, _MAILBOX),
        name=f"mailbox {record.class_name}",
        kind=SpanKind.INTERNAL,
        scope=Scope.CALLS,
        started_ns=record.started_ns,
        ended_ns=record.dequeued_ns,
        attributes={**_actor(record), events.MAILBOX_SIZE: record.mailbox_size},
    )
    return (served, waited)


def _waited(record: AskServed) -> bool:
    return record.dequeued_ns - record.started_ns > MAILBOX_SPAN_MIN_NS


def _inside(context: TraceContext, mask: int) -> TraceContext:
    """The context of a span that nobody had to name while it happened."""
    return context._replace(span_id=context.span_id ^ mask or mask, parent_span_id=context.span_id)


def _tell_sent(record: TellSent) -> SpanValue:
    attributes = _messaging("tell", "send", record.message_id)
    attributes[events.MESSAGING_DESTINATION_TEMPLATE] = record.class_name
    attributes |= _actor(record) | _route(record)
    attributes[events.ACTOR_METHOD] = record.method
    return _span(record, f"send {record.class_name}", SpanKind.PRODUCER, Scope.CALLS, attributes, record.failure)


def _tell_processed(record: TellProcessed) -> SpanValue:
    attributes = _messaging("process", "process", record.message_id)
    attributes[events.MESSAGING_DESTINATION_TEMPLATE] = record.class_name
    attributes |= _actor(record) | _route(record)
    attributes[events.ACTOR_METHOD] = record.method
    _add_handling(attributes, record, record.received_ns)
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
    return _span(record, name, SpanKind.INTERNAL, Scope.OVERLAY, attributes, None, remote=True)


def _lifecycle(record: Lifecycle) -> SpanValue:
    attributes = _actor(record)
    if record.peer is not None:
        attributes[events.PEER_NODE] = str(record.peer)
    if record.restart_count is not None:
        attributes[events.RESTART_COUNT] = record.restart_count
    if record.reason:
        attributes[events.STOP_REASON] = record.reason
    kind = _LIFECYCLE_KINDS[record.step]
    return _span(
        record,
        f"{record.step} {record.class_name}",
        kind,
        Scope.LIFECYCLE,
        attributes,
        record.failure,
        remote=kind is SpanKind.SERVER,
        link=record.link,
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


def _span(
    record: AskFinished | AskServed | TellSent | RelayHop | Lifecycle | BroadcastSent | BroadcastProcessed,
    name: str,
    kind: SpanKind,
    scope: Scope,
    attributes: Attributes,
    failure: Failure | None,
    *,
    remote: bool = False,
    event: SpanEvent | None = None,
    link: TraceContext | None = None,
) -> SpanValue:
    if failure is not None:
        attributes[events.ERROR_TYPE] = failure.error_type
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
        links=() if link is None else (link,),
    )


def _method(record: AskFinished | AskServed) -> str:
    return f"{record.class_name}/{record.method}"


def _rpc(record: AskFinished | AskServed) -> Attributes:
    attributes: Attributes = {
        events.RPC_SYSTEM_NAME: events.SYSTEM,
        events.RPC_METHOD: _method(record),
        events.RPC_RESPONSE_STATUS_CODE: (record.failure.status if record.failure else CallStatus.OK).value,
        **_actor(record),
        **_route(record),
    }
    if record.message_id is not None:
        attributes[events.MESSAGE_ID] = str(record.message_id)
    if record.stream_items is not None:
        attributes[events.STREAM_ITEMS] = record.stream_items
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
    return {events.ACTOR_CLASS: record.class_name, events.ACTOR_ID: str(record.actor)}


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
        attributes[events.CODE_FUNCTION_NAME] = record.function
    if record.failure is not None:
        attributes[events.ERROR_TYPE] = record.failure.error_type


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

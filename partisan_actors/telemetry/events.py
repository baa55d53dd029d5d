"""The one table of everything that is exported: spans, their kinds and scopes, attributes and their types, statuses.

Code that emits and tests that check read the same table. Rules:

1.  An attribute key is either one of OpenTelemetry's semantic conventions, or begins with ``partisan.``.
2.  One convention per span: an ask carries ``rpc.*`` and never ``messaging.*``, a tell or a broadcast the reverse.
3.  Names hold classes, methods, channels and topics, which a program has few of; identities are attributes.
4.  ``error.type`` is there exactly when the span's status is ERROR.
5.  Every scope but the overlay's is on unless it is left out of `TracingOptions.scopes`; the overlay's has to be named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from partisan_actors.values import dataclass

__all__ = [
    "ATTRIBUTES",
    "RESOURCE_ATTRIBUTES",
    "SCHEMA_URL",
    "SPANS",
    "SYSTEM",
    "AttributeValue",
    "CallStatus",
    "Scope",
    "SpanKind",
    "SpanShape",
]

AttributeValue = str | bool | int | float

# The release of the conventions these keys were checked against.
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

# The value of `rpc.system.name` and `messaging.system`.
SYSTEM: Final = "partisan_actors"


class SpanKind(IntEnum):
    """As numbered by OTLP; 0 means unspecified there, and is never ours."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class Scope(StrEnum):
    """The instrumentation scope of a span: what a backend can filter or switch off by."""

    CALLS = "partisan_actors.calls"
    LIFECYCLE = "partisan_actors.lifecycle"
    OBJECTS = "partisan_actors.objects"
    OVERLAY = "partisan_actors.overlay"


class CallStatus(StrEnum):
    """How a call ended, as ``rpc.response.status_code``. A user's exception is an APPLICATION_ERROR."""

    OK = "OK"
    APPLICATION_ERROR = "APPLICATION_ERROR"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    ACTOR_DIED = "ACTOR_DIED"
    ACTOR_NOT_FOUND = "ACTOR_NOT_FOUND"
    MAILBOX_FULL = "MAILBOX_FULL"
    NODE_UNREACHABLE = "NODE_UNREACHABLE"
    OVERLOADED = "OVERLOADED"
    SERIALIZATION_ERROR = "SERIALIZATION_ERROR"
    INTERNAL_ERROR = "INTERNAL_ERROR"


# Keys of the semantic conventions.
CODE_FUNCTION_NAME: Final = "code.function.name"
ERROR_TYPE: Final = "error.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
EXCEPTION_TYPE: Final = "exception.type"
MESSAGING_DESTINATION_NAME: Final = "messaging.destination.name"
MESSAGING_DESTINATION_TEMPLATE: Final = "messaging.destination.template"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_SYSTEM: Final = "messaging.system"
NETWORK_PEER_ADDRESS: Final = "network.peer.address"
NETWORK_PEER_PORT: Final = "network.peer.port"
RPC_METHOD: Final = "rpc.method"
RPC_RESPONSE_STATUS_CODE: Final = "rpc.response.status_code"
RPC_SYSTEM_NAME: Final = "rpc.system.name"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
THREAD_NAME: Final = "thread.name"

# Keys of our own. Durations are in seconds.
ACTOR_CLASS: Final = "partisan.actor.class"
ACTOR_ID: Final = "partisan.actor.id"
ACTOR_METHOD: Final = "partisan.actor.method"
ACTOR_NAME: Final = "partisan.actor.name"
ATTEMPT: Final = "partisan.attempt"
BROADCAST_PATH: Final = "partisan.broadcast.path"
BROADCAST_ROUND: Final = "partisan.broadcast.round"
CALL_KIND: Final = "partisan.call.kind"
CHANNEL: Final = "partisan.channel"
CHANNEL_QUEUE_WAIT: Final = "partisan.channel.queue.wait"
CONCURRENCY_GROUP: Final = "partisan.concurrency.group"
EXECUTE_DURATION: Final = "partisan.execute.duration"
HOP_COUNT: Final = "partisan.hop.count"
HOP_FROM: Final = "partisan.hop.from"
HOP_INDEX: Final = "partisan.hop.index"
HOP_REASON: Final = "partisan.hop.reason"
HOP_TO: Final = "partisan.hop.to"
HOP_TTL: Final = "partisan.hop.ttl"
LANE: Final = "partisan.lane"
MAILBOX_POSITION: Final = "partisan.mailbox.position"
MAILBOX_SIZE: Final = "partisan.mailbox.size"
MAILBOX_WAIT: Final = "partisan.mailbox.wait"
MESSAGE_ID: Final = "partisan.message.id"
OBJECT_ID: Final = "partisan.object.id"
OBJECT_SIZE: Final = "partisan.object.size"
OBJECT_SOURCE: Final = "partisan.object.source"
OBJECT_TRANSPORT: Final = "partisan.object.transport"
OVERLAY_ACTIVE_SIZE: Final = "partisan.overlay.active.size"
OVERLAY_PASSIVE_SIZE: Final = "partisan.overlay.passive.size"
OVERLAY_TTL: Final = "partisan.overlay.ttl"
PAYLOAD_SIZE: Final = "partisan.payload.size"
PEER_NODE: Final = "partisan.peer.node"
PEER_RTT: Final = "partisan.peer.rtt"
RESTART_COUNT: Final = "partisan.restart.count"
RESTART_LIMIT: Final = "partisan.restart.limit"
RESTART_REASON: Final = "partisan.restart.reason"
SAMPLED_LATE: Final = "partisan.sampled.late"
SERIALIZE_DURATION: Final = "partisan.serialize.duration"
STOP_REASON: Final = "partisan.stop.reason"
STREAM_BYTES: Final = "partisan.stream.bytes"
STREAM_ITEMS: Final = "partisan.stream.items"
SUPERVISOR_STRATEGY: Final = "partisan.supervisor.strategy"

ATTRIBUTES: Final[Mapping[str, type]] = MappingProxyType(
    {
        CODE_FUNCTION_NAME: str,
        ERROR_TYPE: str,
        EXCEPTION_MESSAGE: str,
        EXCEPTION_STACKTRACE: str,
        EXCEPTION_TYPE: str,
        MESSAGING_DESTINATION_NAME: str,
        MESSAGING_DESTINATION_TEMPLATE: str,
        MESSAGING_MESSAGE_ID: str,
        MESSAGING_OPERATION_NAME: str,
        MESSAGING_OPERATION_TYPE: str,
        MESSAGING_SYSTEM: str,
        NETWORK_PEER_ADDRESS: str,
        NETWORK_PEER_PORT: int,
        RPC_METHOD: str,
        RPC_RESPONSE_STATUS_CODE: str,
        RPC_SYSTEM_NAME: str,
        SERVER_ADDRESS: str,
        SERVER_PORT: int,
        THREAD_NAME: str,
        ACTOR_CLASS: str,
        ACTOR_ID: str,
        ACTOR_METHOD: str,
        ACTOR_NAME: str,
        ATTEMPT: int,
        BROADCAST_PATH: str,
        BROADCAST_ROUND: int,
        CALL_KIND: str,
        CHANNEL: str,
        CHANNEL_QUEUE_WAIT: float,
        CONCURRENCY_GROUP: str,
        EXECUTE_DURATION: float,
        HOP_COUNT: int,
        HOP_FROM: str,
        HOP_INDEX: int,
        HOP_REASON: str,
        HOP_TO: str,
        HOP_TTL: int,
        LANE: int,
        MAILBOX_POSITION: int,
        MAILBOX_SIZE: int,
        MAILBOX_WAIT: float,
        MESSAGE_ID: str,
        OBJECT_ID: str,
        OBJECT_SIZE: int,
        OBJECT_SOURCE: str,
        OBJECT_TRANSPORT: str,
        OVERLAY_ACTIVE_SIZE: int,
        OVERLAY_PASSIVE_SIZE: int,
        OVERLAY_TTL: int,
        PAYLOAD_SIZE: int,
        PEER_NODE: str,
        PEER_RTT: float,
        RESTART_COUNT: int,
        RESTART_LIMIT: int,
        RESTART_REASON: str,
        SAMPLED_LATE: bool,
        SERIALIZE_DURATION: float,
        STOP_REASON: str,
        STREAM_BYTES: int,
        STREAM_ITEMS: int,
        SUPERVISOR_STRATEGY: str,
    }
)

# Keys of the resource, which describes the process and node once for all their spans.
HOST_NAME: Final = "host.name"
NODE_INCARNATION: Final = "partisan.node.incarnation"
NODE_NAME: Final = "partisan.node.name"
PROCESS_PID: Final = "process.pid"
PROCESS_RUNTIME_NAME: Final = "process.runtime.name"
PROCESS_RUNTIME_VERSION: Final = "process.runtime.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
SERVICE_NAME: Final = "service.name"
SERVICE_NAMESPACE: Final = "service.namespace"
SERVICE_VERSION: Final = "service.version"

RESOURCE_ATTRIBUTES: Final[Mapping[str, type]] = MappingProxyType(
    {
        HOST_NAME: str,
        NODE_INCARNATION: int,
        NODE_NAME: str,
        PROCESS_PID: int,
        PROCESS_RUNTIME_NAME: str,
        PROCESS_RUNTIME_VERSION: str,
        SERVICE_INSTANCE_ID: str,
        SERVICE_NAME: str,
        SERVICE_NAMESPACE: str,
        SERVICE_VERSION: str,
    }
)


@dataclass(frozen=True, slots=True)
class SpanShape:
    """One row of the table of spans: `name` holds placeholders such as ``{class}``; `level` is when it appears."""

    name: str
    kind: SpanKind
    scope: Scope
    level: str
    meaning: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """What a name of this shape looks like; a filled-in placeholder holds no space and no slash."""
        return re.compile(re.sub(r"\\\{\w+\\\}", r"[^\\s/]+", re.escape(self.name)))


SPANS: Final[tuple[SpanShape, ...]] = (
    SpanShape("{class}/{method}", SpanKind.CLIENT, Scope.CALLS, "calls", "an ask, until its future is done"),
    SpanShape("{class}/{method}", SpanKind.SERVER, Scope.CALLS, "calls", "received until the reply is written"),
    SpanShape("mailbox {class}", SpanKind.INTERNAL, Scope.CALLS, "calls", "an ask's wait in the mailbox, if over 1 ms"),
    SpanShape(
        "enqueue {channel}", SpanKind.INTERNAL, Scope.CALLS, "full", "an ask or tell encoded, until it is written"
    ),
    SpanShape("execute {class}.{method}", SpanKind.INTERNAL, Scope.CALLS, "full", "the user's code of an ask or tell"),
    SpanShape("send {class}", SpanKind.PRODUCER, Scope.CALLS, "calls", "a tell handed to its channel"),
    SpanShape("process {class}", SpanKind.CONSUMER, Scope.CALLS, "calls", "a tell being handled"),
    SpanShape("relay {channel}", SpanKind.INTERNAL, Scope.CALLS, "hops", "a message forwarded by a node in between"),
    SpanShape("publish {topic}", SpanKind.PRODUCER, Scope.CALLS, "calls", "a broadcast given to the tree"),
    SpanShape("process {topic}", SpanKind.CONSUMER, Scope.CALLS, "calls", "a broadcast handed to a node's subscribers"),
    SpanShape("create {class}", SpanKind.CLIENT, Scope.LIFECYCLE, "calls", "an actor asked for, until it is placed"),
    SpanShape("activate {class}", SpanKind.SERVER, Scope.LIFECYCLE, "calls", "its constructor run where it lives"),
    SpanShape("restart {class}", SpanKind.INTERNAL, Scope.LIFECYCLE, "calls", "a next life after a failure"),
    SpanShape("stop {class}", SpanKind.INTERNAL, Scope.LIFECYCLE, "calls", "its end"),
    SpanShape("put object", SpanKind.INTERNAL, Scope.OBJECTS, "calls", "a value kept by its owner"),
    SpanShape("get object", SpanKind.INTERNAL, Scope.OBJECTS, "calls", "a wait for a value of another node"),
    SpanShape("pull object", SpanKind.CLIENT, Scope.OBJECTS, "calls", "that value asked for and received"),
    SpanShape("{message}", SpanKind.INTERNAL, Scope.OVERLAY, "calls", "a message of the membership protocol"),
)

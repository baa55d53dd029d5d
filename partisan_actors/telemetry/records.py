"""The records: what the runtime writes down when something has happened. One class per pair of spans' halves.

Records are tuples made once, when the work is over, and read much later by another thread. So identities (`actor`,
`peer`, `message_id`) are kept as the values they are and become text only in `spans`; times are readings of
`Recorder.clock`. Positional arguments make a record in 0.3 µs, keywords in 0.6 µs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.failure import Failure

__all__ = [
    "Address",
    "AskFinished",
    "AskServed",
    "BroadcastProcessed",
    "BroadcastSent",
    "Lifecycle",
    "LifecycleStep",
    "ObjectMoved",
    "ObjectStep",
    "OverlayMessage",
    "Record",
    "RelayHop",
    "Running",
    "Sending",
    "TellProcessed",
    "TellSent",
]

Address = tuple[str, int]


class Sending(NamedTuple):
    """How a message was sent, where that is of interest: it took long, or everything is (`is_full`)."""

    encoded_ns: int
    payload_bytes: int
    is_full: bool


class Running(NamedTuple):
    """Where user code ran, where everything is of interest: the thread, and the concurrency group, if any."""

    thread: str
    group: str


class AskFinished(NamedTuple):
    """CLIENT: an ask is over, on the caller's node. All attempts are one span; `attempt` counts them.

    `peer` is the node of the actor and `server` its address, `first_hop` the address of the connection used.
    `stream_items` and `stream_bytes` are what came of a generator method; None for a plain one. `queue_wait_ns` is how
    long the message waited for a connection that could not be written to, `rtt_s` the round trip of that connection,
    where it was looked at.
    """

    context: TraceContext
    started_ns: int
    ended_ns: int
    actor: object
    class_name: str
    method: str
    failure: Failure | None = None
    channel: str = ""
    lane: int = 0
    peer: object = None
    attempt: int = 1
    server: Address | None = None
    first_hop: Address | None = None
    message_id: object = None
    stream_items: int | None = None
    name: str | None = None
    sending: Sending | None = None
    queue_wait_ns: int = 0
    rtt_s: float | None = None
    stream_bytes: int | None = None


class AskServed(NamedTuple):
    """SERVER: an ask has been answered, on the actor's node: received, then `dequeued_ns`, then replied.

    `peer` is the caller's node, `hop_count` how many nodes stood between, `mailbox_size` how many messages were ahead
    on arrival, `function` the qualified name of the code that ran, or the class whose method it was. A message refused
    before it was dequeued has `dequeued_ns` equal to `ended_ns`. `stream_items` and `stream_bytes` are what a generator
    method gave, None for others.
    """

    context: TraceContext
    started_ns: int
    dequeued_ns: int
    ended_ns: int
    actor: object
    class_name: str
    method: str
    failure: Failure | None = None
    channel: str = ""
    lane: int = 0
    peer: object = None
    hop_count: int = 0
    mailbox_size: int = 0
    function: str | type = ""
    message_id: object = None
    stream_items: int | None = None
    name: str | None = None
    running: Running | None = None
    stream_bytes: int | None = None


class TellSent(NamedTuple):
    """PRODUCER: a tell has been handed to its channel, or refused. `queue_wait_ns` as in `AskFinished`."""

    context: TraceContext
    started_ns: int
    ended_ns: int
    actor: object
    class_name: str
    method: str
    failure: Failure | None = None
    channel: str = ""
    lane: int = 0
    peer: object = None
    message_id: object = None
    name: str | None = None
    sending: Sending | None = None
    queue_wait_ns: int = 0


class TellProcessed(NamedTuple):
    """CONSUMER: a tell has been handled. The span begins when it was dequeued; the wait before is an attribute.

    `link` is the sender's context when this is the root of a trace of its own (`Recorder.linked_root`): what an actor
    that tells itself for ever needs, so that its trace ends.
    """

    context: TraceContext
    received_ns: int
    dequeued_ns: int
    ended_ns: int
    actor: object
    class_name: str
    method: str
    failure: Failure | None = None
    channel: str = ""
    lane: int = 0
    peer: object = None
    hop_count: int = 0
    mailbox_size: int = 0
    function: str | type = ""
    message_id: object = None
    link: TraceContext | None = None
    name: str | None = None
    running: Running | None = None


class RelayHop(NamedTuple):
    """INTERNAL: a node in between has forwarded a message. All hops are children of the context in the message."""

    context: TraceContext
    started_ns: int
    ended_ns: int
    channel: str
    hop_index: int
    ttl: int
    received_from: object
    sent_to: object
    reason: str = ""


class LifecycleStep(StrEnum):
    """Which end of which change a `Lifecycle` record tells."""

    CREATE = "create"
    ACTIVATE = "activate"
    RESTART = "restart"
    STOP = "stop"


class Lifecycle(NamedTuple):
    """CREATE is the CLIENT on the creator's node, ACTIVATE the SERVER where the actor lives; the others INTERNAL.

    A restart is a root with `links` to the call that failed with the actor, if that is known, and to its making; a stop
    one with a link to the making. `reason` says why it stopped or had to restart, and `restart_limit` how often it may,
    -1 for without limit.
    """

    context: TraceContext
    started_ns: int
    ended_ns: int
    step: LifecycleStep
    actor: object
    class_name: str
    failure: Failure | None = None
    peer: object = None
    restart_count: int | None = None
    reason: str = ""
    links: tuple[TraceContext, ...] = ()
    name: str | None = None
    restart_limit: int | None = None


class BroadcastSent(NamedTuple):
    """PRODUCER: a broadcast has been given to the tree. `topic` is a name written in the program, never made of ids."""

    context: TraceContext
    started_ns: int
    ended_ns: int
    topic: str
    message_id: object = None
    failure: Failure | None = None


class BroadcastProcessed(NamedTuple):
    """CONSUMER: one node has handled a broadcast, which came by `path` (eager, lazy or graft)."""

    context: TraceContext
    started_ns: int
    ended_ns: int
    topic: str
    message_id: object = None
    failure: Failure | None = None
    peer: object = None
    path: str = ""
    round_number: int = 0
    hop_count: int = 0


class ObjectStep(StrEnum):
    """What was done with a value."""

    PUT = "put"
    GET = "get"
    PULL = "pull"


class ObjectMoved(NamedTuple):
    """PUT and GET are INTERNAL, PULL is the CLIENT of the node that has it. `size_bytes` is -1 when it is not known."""

    context: TraceContext
    started_ns: int
    ended_ns: int
    step: ObjectStep
    object_id: object
    size_bytes: int = -1
    source: object = None
    transport: str = ""
    failure: Failure | None = None


class OverlayMessage(NamedTuple):
    """INTERNAL, a trace of its own: the membership protocol got a message, or lost a peer, and what its views are then.

    `what` is the message's name. `ttl` is None for those that have none.
    """

    context: TraceContext
    started_ns: int
    ended_ns: int
    what: str
    peer: object
    active: int
    passive: int
    ttl: int | None = None


Record = (
    AskFinished
    | AskServed
    | TellSent
    | TellProcessed
    | RelayHop
    | Lifecycle
    | BroadcastSent
    | BroadcastProcessed
    | ObjectMoved
    | OverlayMessage
)

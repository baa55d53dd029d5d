"""What each attribute of ours means, in a line: for the reference page, and for registries of telemetry.

Those of OpenTelemetry's conventions mean what the conventions say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from partisan_actors.telemetry import events

__all__ = ["MEANINGS"]

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        events.ACTOR_CLASS: "The class of the actor that is called or told; `task` for a task.",
        events.ACTOR_ID: "Which actor, or which task.",
        events.ACTOR_METHOD: "The method that a tell is for.",
        events.ACTOR_NAME: "The actor's name, if it has one.",
        events.ATTEMPT: "How often the call was sent; the span is that of all attempts.",
        events.BROADCAST_PATH: "How a broadcast came: eager, by the tree; graft, asked for as it had not come; flood.",
        events.BROADCAST_ROUND: "Over how many links a broadcast came.",
        events.CALL_KIND: "What kind of call it is: ask.",
        events.CHANNEL: "The channel it went on; absent between actors of one node.",
        events.CHANNEL_QUEUE_WAIT: "Seconds that it waited for a connection that took no more; over 1 ms, or `full`.",
        events.CONCURRENCY_GROUP: "The concurrency group that ran it, if any.",
        events.EXECUTE_DURATION: "Seconds from leaving the mailbox to the end.",
        events.HOP_COUNT: "How many nodes stood between sender and receiver.",
        events.HOP_FROM: "The node that a relayed message came from.",
        events.HOP_INDEX: "Which of the nodes in between this is, from 1.",
        events.HOP_REASON: "Why it was relayed this way: tree, or no_direct_link.",
        events.HOP_TO: "The node that a relayed message was passed on to.",
        events.HOP_TTL: "How many more nodes it may pass.",
        events.LANE: "The lane of the channel.",
        events.MAILBOX_POSITION: "Which in the mailbox it was on arrival, from 1.",
        events.MAILBOX_SIZE: "How many messages were ahead on arrival.",
        events.MAILBOX_WAIT: "Seconds in the mailbox.",
        events.MESSAGE_ID: "The number of the call among those of its sender.",
        events.OBJECT_ID: "Which object.",
        events.OBJECT_SIZE: "Its size in bytes, where it is known.",
        events.OBJECT_SOURCE: "The node that has it.",
        events.OBJECT_TRANSPORT: "How it came: shm if it was mapped, else tcp.",
        events.OVERLAY_ACTIVE_SIZE: "How many neighbours the node has afterwards.",
        events.OVERLAY_PASSIVE_SIZE: "How many nodes its passive view has afterwards.",
        events.OVERLAY_TTL: "How many more nodes the message may pass.",
        events.PAYLOAD_SIZE: "Bytes of the message and its buffers; at `full`, or if encoding took over a millisecond.",
        events.PEER_NODE: "The node at the other end.",
        events.PEER_RTT: "At `hops`: seconds to the node that the connection ends at and back, as its kernel measured.",
        events.RESTART_COUNT: "Which life of the actor it is, from 1 for the first restart.",
        events.RESTART_LIMIT: "How often the actor may be restarted, -1 for without limit.",
        events.RESTART_REASON: "Why the actor had to be restarted.",
        events.SAMPLED_LATE: "The trace was not sampled; this span was kept as it failed or took long.",
        events.SERIALIZE_DURATION: "Seconds that encoding took; where the payload's size is.",
        events.STOP_REASON: "Why the actor stopped.",
        events.STREAM_BYTES: "Bytes of the messages that a generator's items went in; at its caller, of what came.",
        events.STREAM_ITEMS: "How many items a generator gave; at its caller, how many came.",
        events.SUPERVISOR_STRATEGY: "Who is restarted with it: one_for_one, so nobody.",
        events.NODE_NAME: "The name of the node.",
        events.NODE_INCARNATION: "Which life of that name it is.",
    }
)

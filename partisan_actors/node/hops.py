"""Spans of relayed messages: one for every node in between that passes a message on, and the way a message came.

A span's parent is the context in the envelope, which no node in between changes: the caller's, for the question and for
the answer alike, although an answer carries no context itself. Whoever answers a traced question remembers it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import RelayHop
from partisan_actors.wire.envelope import ASKS, REPLIES, Envelope, head_of, meta_of, trace_in
from partisan_actors.wire.in_turn import without_turn

__all__ = ["Hops"]

# Questions that are remembered for their answers; the oldest is forgotten first, and its answer leaves no spans.
ASKED_MAX: Final = 16_384


class Hops:
    """What one node's relay writes down when tracing is on."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._asked: OrderedDict[tuple[NodeId, int], bytes] = OrderedDict()

    def trace_of(self, destination: NodeId, message: bytes) -> bytes | None:
        """The trace context that goes with a message that is sent from here."""
        if not self._recorder.enabled:
            return None
        kind, number = head_of(message)
        return self._asked.pop((destination, number), None) if kind in REPLIES else trace_in(message)

    def arrived(self, origin: NodeId, message: list[Any], hops: int) -> None:
        """An unpacked message has come to its destination, through so many nodes."""
        meta = meta_of(message)
        if meta is None or not self._recorder.enabled:
            return
        meta["hops"] = hops
        trace = meta.get("tc")
        message = without_turn(message)
        if message[0] in ASKS and isinstance(trace, bytes):
            self._asked[origin, message[1]] = trace
            if len(self._asked) > ASKED_MAX:
                self._asked.popitem(last=False)

    def begin(self) -> int:
        """The time, for `passed_on`."""
        return self._recorder.clock() if self._recorder.hops_enabled else 0

    def passed_on(
        self, begun_ns: int, envelope: Envelope, came_from: NodeId, sent_to: NodeId, *, is_learned: bool
    ) -> None:
        """This node, which is neither end, has handed a message to the next. `is_learned`: because of what it knew."""
        recorder = self._recorder
        if envelope.trace is None or not recorder.hops_enabled:
            return
        parent = TraceContext.unpack(envelope.trace)
        if parent is None or not parent.is_sampled:
            return
        recorder.record(
            RelayHop(
                recorder.child_of(parent),
                begun_ns or recorder.clock(),
                recorder.clock(),
                envelope.channel,
                envelope.hops,
                envelope.ttl,
                came_from,
                sent_to,
                "tree" if is_learned else "no_direct_link",
            )
        )

"""Spans of users' broadcasts: one where a value is given to the tree, one on each node that hands it to subscribers.

The context travels in the topic of the wire, so that a payload stays the bytes it is, and costs nothing where tracing
is off. What a broadcast was caused by is told by parents: whoever handles it is a child of who published.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from partisan_actors.ids import NodeId
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import BroadcastProcessed, BroadcastSent

__all__ = ["TRACED_PREFIX", "Handling", "Published", "TopicSpans", "traced_topic", "untraced"]

# Before "CHANNEL/CONTEXT/TOPIC", the context as hexadecimal digits.
TRACED_PREFIX: Final = "traced/"


class Published(NamedTuple):
    """The span of a broadcast that has begun."""

    context: TraceContext
    begun_ns: int


class Handling:
    """What becomes of a broadcast on one node; `error` is what a subscriber raised at once."""

    error: Exception | None = None


def traced_topic(topic: str, channel: str, context: TraceContext) -> str:
    """The topic of the wire for a broadcast with a trace."""
    return f"{TRACED_PREFIX}{channel}/{context.pack().hex()}/{topic}"


def untraced(wire_topic: str) -> tuple[str, TraceContext | None]:
    """The inverse of `traced_topic`; a context that makes no sense is none."""
    _, _, rest = wire_topic.removeprefix(TRACED_PREFIX).partition("/")
    digits, _, topic = rest.partition("/")
    try:
        return topic, TraceContext.unpack(bytes.fromhex(digits))
    except ValueError:
        return topic, None


class TopicSpans:
    """What one node writes down of broadcasts when tracing is on."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        # What whoever is handed a value now runs under: not the loop's context, which may be that of any old call.
        self.current: TraceContext | None = None

    def begin(self) -> Published | None:
        """The running code broadcasts something; None when no span is to come of it."""
        recorder = self._recorder
        if not recorder.enabled:
            return None
        context = recorder.begin_traced()
        return Published(context, recorder.clock()) if context is not None and context.is_sampled else None

    def sent(self, published: Published, topic: str) -> None:
        """It has been given to the tree."""
        recorder = self._recorder
        recorder.record(BroadcastSent(published.context, published.begun_ns, recorder.clock(), topic))

    @contextmanager
    def handled(self, parent: TraceContext, topic: str, sender: NodeId, links: int, path: str) -> Iterator[Handling]:
        """Around the handing of a value, which came over so many links and by `path`, to this node's subscribers."""
        recorder, handling = self._recorder, Handling()
        if not recorder.enabled:
            yield handling
            return
        context = self.current = recorder.child_of(parent)
        begun_ns = recorder.clock()
        try:
            yield handling
        finally:
            self.current = None
            if context.is_sampled:
                failure = Failure.of_user_code(handling.error) if handling.error is not None else None
                recorder.record(
                    BroadcastProcessed(
                        context,
                        begun_ns,
                        recorder.clock(),
                        topic,
                        None,
                        failure,
                        sender,
                        path,
                        links,
                        max(links - 1, 0),
                    )
                )

"""What spans are called: from classes, methods, channels and topics, which a program has few of, and never from ids."""

from __future__ import annotations

from typing import Final

from partisan_actors.telemetry.events import SpanKind
from partisan_actors.telemetry.records import (
    AskFinished,
    AskServed,
    BroadcastProcessed,
    BroadcastSent,
    Lifecycle,
    LifecycleStep,
    ObjectMoved,
    ObjectStep,
    OverlayMessage,
    Record,
    RelayHop,
    TellProcessed,
    TellSent,
)

__all__ = ["name_of"]

_LIFECYCLE_KINDS: Final = {
    LifecycleStep.CREATE: SpanKind.CLIENT,
    LifecycleStep.ACTIVATE: SpanKind.SERVER,
    LifecycleStep.RESTART: SpanKind.INTERNAL,
    LifecycleStep.STOP: SpanKind.INTERNAL,
}


def name_of(record: Record) -> tuple[str, SpanKind]:
    """The name and kind of the first of those spans, for a tenth of what they cost. The others are inside of it."""
    match record:
        case AskFinished():
            return f"{record.class_name}/{record.method}", SpanKind.CLIENT
        case AskServed():
            return f"{record.class_name}/{record.method}", SpanKind.SERVER
        case TellSent():
            return f"send {record.class_name}", SpanKind.PRODUCER
        case TellProcessed():
            return f"process {record.class_name}", SpanKind.CONSUMER
        case RelayHop():
            return f"relay {record.channel}", SpanKind.INTERNAL
        case Lifecycle():
            return f"{record.step} {record.class_name}", _LIFECYCLE_KINDS[record.step]
        case BroadcastSent():
            return f"publish {record.topic}", SpanKind.PRODUCER
        case BroadcastProcessed():
            return f"process {record.topic}", SpanKind.CONSUMER
        case ObjectMoved():
            return f"{record.step} object", SpanKind.CLIENT if record.step is ObjectStep.PULL else SpanKind.INTERNAL
        case OverlayMessage():
            return record.what, SpanKind.INTERNAL

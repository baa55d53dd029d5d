"""Trace records of calls: what callers and cells write down when tracing is on. Never called when it is off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished, AskServed, TellProcessed, TellSent

if TYPE_CHECKING:
    from partisan_actors.actors.host import Running
    from partisan_actors.actors.mailbox import Message
    from partisan_actors.actors.ref import Location
    from partisan_actors.node.router import Peer

__all__ = ["CallTrace", "TellTrace", "begin_serving", "finish_serving"]


class CallTrace:
    """The CLIENT span of one ask."""

    __slots__ = ("_channel", "_location", "_method", "_number", "_recorder", "_started_ns", "context")

    def __init__(self, recorder: Recorder, location: Location, method: str, channel: str, number: int) -> None:
        self.context = recorder.begin()
        self._recorder = recorder
        self._location = location
        self._method = method
        self._channel = channel
        self._number = number
        self._started_ns = recorder.clock()

    def meta(self) -> dict[str, Any]:
        """What travels with the message."""
        return {"tc": self.context.pack()}

    def finished(self, error: BaseException | None, peer: Peer | None) -> None:
        """The reply is there."""
        location = self._location
        recorder = self._recorder
        recorder.record(
            AskFinished(
                self.context,
                self._started_ns,
                recorder.clock(),
                location.actor,
                location.class_name,
                self._method,
                Failure.of_call(error) if error is not None else None,
                self._channel,
                0,
                peer.node if peer is not None else None,
                message_id=self._number,
            )
        )


class TellTrace:
    """The PRODUCER span of one tell."""

    __slots__ = ("_channel", "_location", "_method", "_recorder", "_started_ns", "context")

    def __init__(self, recorder: Recorder, location: Location, method: str, channel: str) -> None:
        self.context = recorder.begin()
        self._recorder = recorder
        self._location = location
        self._method = method
        self._channel = channel
        self._started_ns = recorder.clock()

    def meta(self) -> dict[str, Any]:
        """What travels with the message."""
        return {"tc": self.context.pack()}

    def sent(self, peer: Peer | None) -> None:
        """It is on its way."""
        if self.context.is_sampled:
            location, recorder = self._location, self._recorder
            recorder.record(
                TellSent(
                    self.context,
                    self._started_ns,
                    recorder.clock(),
                    location.actor,
                    location.class_name,
                    self._method,
                    None,
                    self._channel,
                    0,
                    peer.node if peer is not None else None,
                )
            )


def begin_serving(recorder: Recorder, message: Message) -> None:
    """A traced message leaves the mailbox: its span becomes the current one. Runs in the message's own context."""
    meta = message.meta
    wire = meta.get("tc") if meta is not None else None
    if meta is not None and isinstance(wire, bytes) and recorder.enabled:
        context = recorder.child_of(TraceContext.unpack(wire))
        meta["context"] = context
        meta["dequeued"] = recorder.clock()
        recorder.attach(context)


def finish_serving(recorder: Recorder, cell: Running, message: Message, error: BaseException | None) -> None:
    """A traced message was handled."""
    meta = message.meta
    context = meta.get("context") if meta is not None else None
    if meta is None or context is None or not context.is_sampled:
        return
    now = recorder.clock()
    fields = (
        context,
        meta["arrived"],
        meta["dequeued"],
        now,
        cell.actor,
        cell.definition.interface.class_name,
        message.method.name,
        Failure.of_user_code(error) if error is not None else None,
        meta.get("channel", "calls"),
        0,
        message.peer.node,
        meta.get("hops", 0),
        meta.get("ahead", 0),
        f"{cell.definition.cls.__module__}.{cell.definition.cls.__qualname__}.{message.method.name}",
    )
    recorder.record(TellProcessed(*fields) if message.number is None else AskServed(*fields))

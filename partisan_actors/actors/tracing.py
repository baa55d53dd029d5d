"""Trace records of calls and lives: what callers, cells and makers write down when tracing is on, and never when off.

A traced message carries its context in the map of extras, beside the arguments and never among them: ``tc`` is the
context in wire form, ``channel`` and ``lane`` say how it came when that is not the usual way, ``id`` numbers a tell.
The node it arrives at adds ``hops`` if it was relayed, and the cell ``arrived``, ``ahead``, ``dequeued``, ``context``.
"""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any

from partisan_actors.actors.context import request_meta
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import AskFinished, AskServed, Lifecycle, LifecycleStep, TellProcessed, TellSent
from partisan_actors.wire.channels import CALLS

if TYPE_CHECKING:
    from partisan_actors.actors.host import Host, Running
    from partisan_actors.actors.mailbox import Message
    from partisan_actors.actors.ref import Location
    from partisan_actors.node.router import Peer

__all__ = [
    "ActivationTrace",
    "CallTrace",
    "LifeTrace",
    "TellTrace",
    "begin_serving",
    "finish_serving",
    "record_stop",
    "refuse_serving",
]


class _Sent:
    """What the traces of asks and tells have in common."""

    __slots__ = ("_channel", "_host", "_lane", "_location", "_method", "_number", "_started_ns", "context")

    def __init__(
        self, host: Host, location: Location, method: str, channel: str, number: int, partition: int | None = None
    ) -> None:
        recorder = host.recorder
        self.context = recorder.begin()
        self._host = host
        self._location = location
        self._method = method
        self._channel = channel
        affinity = location.affinity ^ host.sender_affinity() if partition is None else partition
        self._lane = affinity % host.node.lanes[channel]
        self._number = number
        self._started_ns = recorder.clock()

    def meta(self) -> dict[str, Any]:
        """What travels with the message."""
        meta: dict[str, Any] = {"tc": self.context.pack()}
        if self._channel != CALLS:
            meta["channel"] = self._channel
        if self._lane:
            meta["lane"] = self._lane
        return meta


class CallTrace(_Sent):
    """The CLIENT span of one ask."""

    __slots__ = ()

    def finished(
        self, error: BaseException | None, peer: Peer | None, attempt: int = 1, items: int | None = None
    ) -> None:
        """The reply is there; of a generator, with how many items it gave."""
        host, location = self._host, self._location
        is_elsewhere = peer is not None and not peer.is_self
        server, first_hop = (
            host.addresses_for(peer, self._channel, self._lane) if peer is not None and is_elsewhere else (None, None)
        )
        host.recorder.record(
            AskFinished(
                self.context,
                self._started_ns,
                host.recorder.clock(),
                location.actor,
                location.class_name,
                self._method,
                Failure.of_call(error) if error is not None else None,
                self._channel if is_elsewhere else "",
                self._lane,
                peer.node if peer is not None else None,
                attempt,
                server,
                first_hop,
                self._number,
                items,
            )
        )


class TellTrace(_Sent):
    """The PRODUCER span of one tell."""

    __slots__ = ()

    def meta(self) -> dict[str, Any]:
        """What travels with the message."""
        return {**super().meta(), "id": self._number}

    def sent(self, error: BaseException | None = None) -> None:
        """It is on its way, or could not be sent."""
        if not self.context.is_sampled:
            return
        location, recorder = self._location, self._host.recorder
        peer = location.peer
        recorder.record(
            TellSent(
                self.context,
                self._started_ns,
                recorder.clock(),
                location.actor,
                location.class_name,
                self._method,
                Failure.of_call(error) if error is not None else None,
                self._channel if peer is None or not peer.is_self else "",
                self._lane,
                peer.node if peer is not None else None,
                self._number,
            )
        )


def begin_serving(recorder: Recorder, message: Message) -> None:
    """A message with extras leaves the mailbox: its span becomes the current one. Runs in its own context."""
    meta = message.meta
    request_meta.set(meta)
    wire = meta.get("tc") if meta is not None else None
    if meta is not None and isinstance(wire, bytes) and recorder.enabled:
        context = recorder.child_of(TraceContext.unpack(wire))
        meta["context"] = context
        meta["dequeued"] = recorder.clock()
        recorder.attach(context)


def finish_serving(recorder: Recorder, cell: Running, message: Message, error: BaseException | None) -> None:
    """A traced message was handled."""
    context = message.meta.get("context") if message.meta is not None else None
    if context is not None and context.is_sampled:
        _record_served(recorder, cell, message, context, None if error is None else Failure.of_user_code(error))


def refuse_serving(recorder: Recorder, cell: Running, message: Message, error: BaseException) -> None:
    """A traced message was refused. One that was begun already ends by itself."""
    meta = message.meta
    wire = meta.get("tc") if meta is not None else None
    if meta is not None and isinstance(wire, bytes) and recorder.enabled and "context" not in meta:
        context = recorder.child_of(TraceContext.unpack(wire))
        if context.is_sampled:
            _record_served(recorder, cell, message, context, Failure.of_call(error))


def _record_served(
    recorder: Recorder, cell: Running, message: Message, context: TraceContext, failure: Failure | None
) -> None:
    now, meta = recorder.clock(), message.meta or {}
    class_name, method = cell.definition.interface.class_name, message.method.name
    fields = (
        context,
        meta.get("arrived", now),
        meta.get("dequeued", now),
        now,
        cell.actor,
        class_name,
        method,
        failure,
        meta.get("channel", CALLS) if not message.peer.is_self else "",
        meta.get("lane", 0),
        message.peer.node,
        meta.get("hops", 0),
        meta.get("ahead", 0),
        f"{cell.definition.cls.__module__}.{class_name}.{method}",
    )
    if message.number is None:
        recorder.record(TellProcessed(*fields, meta.get("id")))
    else:
        recorder.record(AskServed(*fields, message.number, meta.get("items")))


class LifeTrace:
    """The span of whoever has an actor made: CREATE, or RESTART, which begins a new trace with a link to the cause."""

    def __init__(self, recorder: Recorder, step: LifecycleStep, cause: TraceContext | None = None) -> None:
        self.context = recorder.begin() if cause is None else recorder.linked_root(cause)
        self._recorder = recorder
        self._step = step
        self._cause = cause
        self._started_ns = recorder.clock()

    @staticmethod
    def restart(recorder: Recorder, trace: bytes) -> LifeTrace | None:
        """The next life of an actor that was made, or restarted, in the context `trace`; None if that is empty."""
        cause = TraceContext.unpack(trace)
        return LifeTrace(recorder, LifecycleStep.RESTART, cause) if recorder.enabled and cause is not None else None

    def finished(
        self,
        actor: ActorId,
        class_name: str,
        host: NodeId | None,
        error: BaseException | None,
        life: int | None = None,
        reason: str = "",
    ) -> None:
        """The actor has a place, or will have none."""
        if not self.context.is_sampled:
            return
        failure = Failure.of_call(error) if error is not None else None
        self._recorder.record(
            Lifecycle(
                self.context,
                self._started_ns,
                self._recorder.clock(),
                self._step,
                actor,
                class_name,
                failure,
                host,
                life,
                reason,
                self._cause,
            )
        )


class ActivationTrace:
    """The SERVER span of a constructor, on the node where the actor lives."""

    __slots__ = ("_context", "_recorder", "_started_ns")

    def __init__(self, recorder: Recorder, trace: bytes, inside: Context) -> None:
        """What the constructor calls in `inside` becomes part of the trace."""
        self._context = recorder.child_of(TraceContext.unpack(trace))
        self._recorder = recorder
        self._started_ns = recorder.clock()
        inside.run(recorder.attach, self._context)

    def finished(self, cell: Running, life: int, error: BaseException | None) -> None:
        """The actor is ready, or has failed to be."""
        if not self._context.is_sampled:
            return
        recorder = self._recorder
        failure = Failure.of_user_code(error) if error is not None else None
        name = cell.definition.interface.class_name
        recorder.record(
            Lifecycle(
                self._context,
                self._started_ns,
                recorder.clock(),
                LifecycleStep.ACTIVATE,
                cell.actor,
                name,
                failure,
                None,
                life or None,
            )
        )


def record_stop(recorder: Recorder, cell: Running, trace: bytes, reason: str) -> None:
    """An actor has ended: a trace of its own, linked to the one in which it was made."""
    made_in = TraceContext.unpack(trace)
    if not recorder.enabled or made_in is None or not made_in.is_sampled:
        return
    now = recorder.clock()
    name = cell.definition.interface.class_name
    step = LifecycleStep.STOP
    recorder.record(
        Lifecycle(recorder.linked_root(made_in), now, now, step, cell.actor, name, None, None, None, reason, made_in)
    )

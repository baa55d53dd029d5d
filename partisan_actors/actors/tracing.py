"""Trace records of what is handled, and of lives: what cells and makers write down when tracing is on, never when off.

To what came with a traced message, see `traced_sends`, its node adds ``hops`` if it was relayed, and the cell
``arrived``, ``ahead``, ``dequeued``, ``context``, and the system ``unsent``, why a result could not be sent.
"""

from __future__ import annotations

import threading
from contextvars import Context
from typing import TYPE_CHECKING, Final

from partisan_actors.actors.actor import ASYNC
from partisan_actors.actors.context import request_meta
from partisan_actors.errors import ActorStopped, ActorUnavailable, NodeDown
from partisan_actors.telemetry.context import SAMPLED, TraceContext
from partisan_actors.telemetry.failing_calls import FailingCalls
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.options import CALLS as LEVEL_CALLS
from partisan_actors.telemetry.options import FULL
from partisan_actors.telemetry.records import AskServed, Lifecycle, LifecycleStep, Record, TellProcessed
from partisan_actors.telemetry.records import Running as UserCode
from partisan_actors.wire.channels import CALLS

if TYPE_CHECKING:
    from partisan_actors.actors.host import Host, Running
    from partisan_actors.actors.mailbox import Message
    from partisan_actors.ids import ActorId, NodeId
    from partisan_actors.telemetry.recorder import Recorder

__all__ = [
    "ActivationTrace",
    "LifeTrace",
    "begin_serving",
    "failing_calls",
    "finish_serving",
    "is_full_for",
    "note_failing",
    "record_stop",
    "refuse_serving",
]


_ENDS: Final = (ActorStopped, ActorUnavailable, NodeDown)


def is_full_for(recorder: Recorder, override: object) -> bool:
    """Whether all about an actor is recorded: its class has the last word."""
    return override == FULL or (recorder.full_enabled and override != LEVEL_CALLS)


def note_failing(host: Host, actor: object, context: TraceContext, error: BaseException) -> None:
    """A traced call of that actor has failed. If it is because the actor ended, its restart is linked to the call."""
    if isinstance(error, _ENDS):
        failing_calls(host).note(actor, context, host.recorder.clock())


def failing_calls(host: Host) -> FailingCalls:
    """What this node knows of calls that actors failed with."""
    known: FailingCalls = host.extensions.setdefault("failing_calls", FailingCalls())
    return known


def begin_serving(recorder: Recorder, message: Message) -> None:
    """A message with extras leaves the mailbox: its span becomes the current one. Runs in its own context."""
    meta = message.meta
    request_meta.set(meta)
    wire = meta.get("tc") if meta is not None else None
    if meta is not None and isinstance(wire, bytes) and recorder.enabled:
        context = recorder.serve(wire)
        if context is None:
            return
        if message.number is None and recorder.links_tells and context.flags & SAMPLED:
            meta["link"] = TraceContext.unpack(wire)
            context = recorder.linked_root(context)
        meta["context"] = context
        meta["dequeued"] = recorder.clock()
        recorder.attach(context)


def finish_serving(recorder: Recorder, cell: Running, message: Message, error: BaseException | None) -> None:
    """A traced message was handled, and answered, if that could be."""
    context = message.meta.get("context") if message.meta is not None else None
    if context is not None and message.meta is not None:
        unsent = message.meta.get("unsent")
        failure = None if error is None else Failure.of_user_code(error)
        _record_served(recorder, cell, message, context, failure if unsent is None else Failure.of_call(unsent))


def refuse_serving(recorder: Recorder, cell: Running, message: Message, error: BaseException) -> None:
    """A traced message was refused. One that was begun already ends by itself."""
    meta = message.meta
    wire = meta.get("tc") if meta is not None else None
    if meta is not None and isinstance(wire, bytes) and recorder.enabled and "context" not in meta:
        context = recorder.serve(wire)
        if context is not None:
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
        cell.definition.cls,
    )
    options, running = cell.options, None
    if (recorder.full_enabled or options.tracing is not None) and "dequeued" in meta:
        running = _user_code(recorder, cell, message)
    name = options.name
    # As in TraceContext.unpack: the same value, for half the time.
    if message.number is None:
        record: Record = tuple.__new__(TellProcessed, (*fields, meta.get("id"), meta.get("link"), name, running))
    else:
        record = tuple.__new__(
            AskServed, (*fields, message.number, meta.get("items"), name, running, meta.get("bytes"))
        )
    recorder.finish(record)


def _user_code(recorder: Recorder, cell: Running, message: Message) -> UserCode | None:
    if not is_full_for(recorder, cell.options.tracing):
        return None
    group = (message.meta or {}).get("group") or message.method.options.concurrency_group
    return UserCode("" if message.method.kind == ASYNC else threading.current_thread().name, str(group or ""))


class LifeTrace:
    """The span of whoever has an actor made: CREATE, or RESTART, which begins a new trace with links to its cause."""

    def __init__(
        self, recorder: Recorder, step: LifecycleStep, context: TraceContext, links: tuple[TraceContext, ...] = ()
    ) -> None:
        self.context = context
        self._recorder = recorder
        self._step = step
        self._links = links
        self._started_ns = recorder.clock()

    @staticmethod
    def create(recorder: Recorder, override: object) -> LifeTrace | None:
        """The running code makes an actor; None when that is not traced."""
        context = recorder.begin_traced(override) if recorder.lifecycle_enabled else None
        if context is None or not context.is_sampled:
            return None
        return LifeTrace(recorder, LifecycleStep.CREATE, context)

    @staticmethod
    def restart(host: Host, actor: ActorId, trace: bytes) -> LifeTrace | None:
        """The next life of an actor that was made, or restarted, in the context `trace`, if that is not empty.

        It is linked to the call that failed with the actor, or had it killed, as far as this node knows of one, and to
        that context. None when neither is known, or nothing is to be traced.
        """
        recorder, calls = host.recorder, failing_calls(host)
        call, made_in = calls.take(actor, recorder.clock()), TraceContext.unpack(trace)
        cause = call or made_in
        if not recorder.lifecycle_enabled or cause is None:
            return None
        links = tuple(each for each in (call, made_in) if each is not None)
        return LifeTrace(recorder, LifecycleStep.RESTART, recorder.linked_root(cause), links)

    def finished(
        self,
        actor: ActorId,
        class_name: str,
        host: NodeId | None,
        error: BaseException | None,
        life: int | None = None,
        reason: str = "",
        name: str | None = None,
        restart_limit: int | None = None,
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
                self._links,
                name,
                restart_limit,
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
        class_name = cell.definition.interface.class_name
        recorder.record(
            Lifecycle(
                self._context,
                self._started_ns,
                recorder.clock(),
                LifecycleStep.ACTIVATE,
                cell.actor,
                class_name,
                failure,
                None,
                life or None,
                name=cell.options.name,
            )
        )


def record_stop(recorder: Recorder, cell: Running, trace: bytes, reason: str) -> None:
    """An actor has ended: a trace of its own, linked to the one in which it was made."""
    made_in = TraceContext.unpack(trace)
    if not recorder.lifecycle_enabled or made_in is None or not made_in.is_sampled:
        return
    now = recorder.clock()
    context, class_name = recorder.linked_root(made_in), cell.definition.interface.class_name
    step, name = LifecycleStep.STOP, cell.options.name
    links = (made_in,)
    recorder.record(Lifecycle(context, now, now, step, cell.actor, class_name, None, None, None, reason, links, name))

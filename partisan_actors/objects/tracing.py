"""Trace records of values: put, waited for when they are another node's, and pulled from there."""

from __future__ import annotations

from typing import Any

from partisan_actors.actors.system import ActorSystem
from partisan_actors.ids import NodeId, ObjectId
from partisan_actors.objects.asking import PATIENCE_S, ask_owner
from partisan_actors.objects.fetching import Fetched
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.records import ObjectMoved, ObjectStep

__all__ = ["ObjectTrace", "pull"]


async def pull(
    system: ActorSystem, identity: ObjectId, what: str, trace: ObjectTrace | None, patience_s: float = PATIENCE_S
) -> tuple[Any, Fetched]:
    """`ask_owner`, with a span inside of `trace`, if there is one."""
    asked = trace.inside() if trace is not None else None
    value, reply = await ask_owner(system, identity, what, patience_s)
    if asked is not None:
        asked.finished(identity, reply.size_bytes, is_mapped=reply.is_mapped)
    return value, reply


class ObjectTrace:
    """One span, from `begin` to `finished`."""

    __slots__ = ("_recorder", "_source", "_started_ns", "_step", "context")

    def __init__(self, recorder: Recorder, context: TraceContext, step: ObjectStep, source: NodeId | None) -> None:
        self.context = context
        self._recorder = recorder
        self._step = step
        self._source = source
        self._started_ns = recorder.clock()

    @staticmethod
    def begin(recorder: Recorder, step: ObjectStep, source: NodeId | None = None) -> ObjectTrace | None:
        """The running code does this; None when that is not traced."""
        context = recorder.begin_traced() if recorder.objects_enabled else None
        return ObjectTrace(recorder, context, step, source) if context is not None and context.is_sampled else None

    def inside(self) -> ObjectTrace:
        """A request to the owner, inside of this wait."""
        return ObjectTrace(self._recorder, self._recorder.child_of(self.context), ObjectStep.PULL, self._source)

    def finished(
        self, identity: ObjectId, size_bytes: int, error: BaseException | None = None, *, is_mapped: bool = False
    ) -> None:
        """It is done, or has failed. A size of 0 is one that nobody has counted, as of what is small."""
        recorder = self._recorder
        transport = ("shm" if is_mapped else "tcp") if self._source is not None and error is None else ""
        failure = Failure.of_call(error) if error is not None else None
        recorder.record(
            ObjectMoved(
                self.context,
                self._started_ns,
                recorder.clock(),
                self._step,
                identity,
                size_bytes or -1,
                self._source,
                transport,
                failure,
            )
        )

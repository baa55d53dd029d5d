"""Trace records of tasks: what submitters and executors write down when tracing is on, and never when it is off.

A task is an ask of the class ``task``. All attempts are one CLIENT span; each that is begun is a SERVER span.
"""

from __future__ import annotations

import threading

from partisan_actors.actors.consuming import Incoming
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.tracing import is_full_for
from partisan_actors.errors import TaskCancelled
from partisan_actors.ids import NodeId, TaskId
from partisan_actors.node.router import Peer
from partisan_actors.tasks.spec import TaskSpec
from partisan_actors.telemetry.context import TraceContext
from partisan_actors.telemetry.failure import Failure
from partisan_actors.telemetry.records import AskFinished, AskServed
from partisan_actors.telemetry.records import Running as UserCode
from partisan_actors.wire.channels import CALLS

__all__ = ["ServedTask", "SubmittedTask"]

CLASS_NAME = "task"


class SubmittedTask:
    """The CLIENT span of one task. `attempt` and `host` are told as the task goes from node to node."""

    def __init__(self, system: ActorSystem, context: TraceContext, name: str) -> None:
        recorder = system.recorder
        self.context = context
        self.attempt = 1
        self.host: NodeId | None = None
        self._system = system
        self._name = name
        self._started_ns = recorder.clock()

    def finished(self, task: TaskId, error: BaseException | None, stream: Incoming | None = None) -> None:
        """The result is there; that of a generator came through `stream`."""
        recorder, host = self._system.recorder, self.host
        peer = self._system.node.router.peer(host) if host is not None and host != self._system.me else None
        server, first_hop = self._system.addresses_for(peer, CALLS, 0) if peer is not None else (None, None)
        connection = None
        if peer is not None and recorder.hops_enabled:
            connection = self._system.node.first_connection(peer, CALLS, 0)
        recorder.finish(
            AskFinished(
                self.context,
                self._started_ns,
                recorder.clock(),
                task,
                CLASS_NAME,
                self._name,
                Failure.of_call(error) if error is not None else None,
                CALLS if peer is not None else "",
                0,
                host,
                self.attempt,
                server,
                first_hop,
                None,
                None if stream is None else stream.came_items,
                rtt_s=connection.round_trip_s if connection is not None else None,
                stream_bytes=None if stream is None else stream.came_bytes,
            )
        )


class ServedTask:
    """The SERVER span of one task on the node that runs it: from its arrival, through the queue, to its end."""

    def __init__(self, system: ActorSystem, spec: TaskSpec, peer: Peer, ahead: int, hops: int) -> None:
        recorder = system.recorder
        self._recorder = recorder
        # It is not empty, and was made by a submitter's recorder; what else there may be makes a trace of its own.
        self._context = recorder.serve(spec.trace) or recorder.begin()
        self._spec = spec
        self._peer = peer
        self._ahead = ahead
        self._hops = hops
        self._arrived_ns = recorder.clock()
        self._begun_ns = 0
        # Of a generator, once it has ended.
        self.stream_bytes: int | None = None

    def begin(self) -> None:
        """The task leaves the queue; runs in the context of its own that it then has."""
        self._begun_ns = self._recorder.clock()
        self._recorder.attach(self._context)

    def finish(self, function: str, error: BaseException | None, items: int | None = None) -> None:
        """The function has ended, or will not be begun. `function` is its qualified name, if that is known."""
        recorder, spec, peer = self._recorder, self._spec, self._peer
        now = recorder.clock()
        failure = None
        if error is not None:
            failure = Failure.of_call(error) if isinstance(error, TaskCancelled) else Failure.of_user_code(error)
        is_full = self._begun_ns and is_full_for(recorder, spec.kind.tracing)
        running = UserCode(threading.current_thread().name, "") if is_full else None
        recorder.finish(
            AskServed(
                self._context,
                self._arrived_ns,
                self._begun_ns or now,
                now,
                spec.task,
                CLASS_NAME,
                spec.name,
                failure,
                CALLS if not peer.is_self else "",
                0,
                peer.node,
                self._hops,
                self._ahead,
                function,
                None,
                items,
                None,
                running,
                self.stream_bytes,
            )
        )

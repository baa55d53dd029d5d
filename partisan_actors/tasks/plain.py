"""The short way of a plain task: one message to one node and one back, without a background job on either side.

Plain is a task with small arguments that are no refs, which gives no stream, has no process to itself and says nothing
of where to place it: nearly every task. Its first attempt is sent from here to the node that looks best; whatever else
than a result comes of it goes the long way (`tasks.submit`), which asks further nodes, sends the code, waits for room
and tries again.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from partisan_actors.actors.keys import service_key
from partisan_actors.actors.ref import Location
from partisan_actors.actors.replies import Answer
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import PartisanError
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.scheduler.policy import Verdict
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.tasks.executor import SERVICE
from partisan_actors.tasks.retry import Retries
from partisan_actors.tasks.spec import NO_BUFFERS, TaskSpec
from partisan_actors.tasks.submitted import Submitted
from partisan_actors.tasks.tracing import SubmittedTask
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import INLINE_BYTES_MAX, Kind

__all__ = ["PlainTasks"]

NODES_COMPARED: Final = 16
"""Of the best nodes, the one with the shortest queue gets the task."""
KEY: Final = service_key(SERVICE)


class LongWay(Protocol):
    """Who knows the other way, and keeps the books of both."""

    def queue_at(self, node: NodeId, spec: TaskSpec | None) -> int:
        """How long it is; without `spec`, that node is known to be busy."""
        ...

    def sent_to(self, node: NodeId, spec: TaskSpec) -> None:
        """That node is asked to run it."""
        ...

    def heard_from(self, node: NodeId, spec: TaskSpec) -> None:
        """That node has answered, or will not."""
        ...

    def take(self, work: Submitted, value: Any) -> None:
        """The task has this result."""
        ...

    def try_further(self, work: Submitted, retries: Retries, trace: SubmittedTask | None, error: BaseException) -> None:
        """The first attempt has ended so."""
        ...


class _PlainAnswer(Answer[Any]):
    """The one message back."""

    __slots__ = ("_heard", "node", "retries", "trace", "work")

    def __init__(
        self, plain: PlainTasks, work: Submitted, node: NodeId, retries: Retries, trace: SubmittedTask | None
    ) -> None:
        super().__init__(plain.system.loop)
        self._heard = plain.heard
        self.work = work
        self.node = node
        self.retries = retries
        self.trace = trace

    def succeed(self, value: Any) -> None:
        if not self._done:
            self._done = True
            self._heard(self, value, None)

    def fail(self, error: BaseException) -> None:
        if not self._done:
            self._done = True
            self._heard(self, None, error)


class PlainTasks:
    """Of one node, on its loop."""

    def __init__(self, system: ActorSystem, scheduler: Scheduler, long_way: LongWay) -> None:
        self.system = system
        self._choose = scheduler.choosing.choose_plainly
        self._long_way = long_way
        self._places: dict[NodeId, Location] = {}
        system.node.directory.on_down.append(self._node_down)

    def send(self, work: Submitted, retries: Retries, trace: SubmittedTask | None) -> bool:
        """Send it if it is plain, and there is a node to send it to; tells whether it was sent."""
        spec = work.spec
        node = self._place(spec) if _is_plain(work) else None
        if node is None:
            return False
        system = self.system
        peer = system.node.router.peer(node)
        if not peer.is_self and spec.code not in peer.sent_code:
            return False
        location = self._places.get(node)
        if location is None:
            location = self._places[node] = Location(ActorId(node, 0), f"service {SERVICE} of {node}", None, False)
            location.key, location.peer = KEY, peer
        number = system.outbound.next_number()
        message = pack([Kind.CALL, number, KEY, "begin", spec.kind.packed, spec.task.number, spec.body, spec.trace])
        answer = _PlainAnswer(self, work, node, retries, trace)
        self._long_way.sent_to(node, spec)
        work.host = work.asked = node
        if trace is not None:
            trace.host = node
        try:
            system.outbound._submit(location, number, message, None, answer, CALLS, None, location.affinity)
        except PartisanError as error:
            answer.fail(error)
        return True

    def _place(self, spec: TaskSpec) -> NodeId | None:
        choice = self._choose(spec.request)
        if isinstance(choice, Verdict) or (choice.full and not choice.nodes):
            return None
        queue_at = self._long_way.queue_at
        queues = [(queue_at(node, spec), node) for node in choice.nodes[:NODES_COMPARED]]
        queues += [(queue_at(node, None), node) for node in choice.busy[:NODES_COMPARED]]
        return min(queues, key=_length)[1]

    def _node_down(self, record: NodeRecord, why: str) -> None:
        self._places.pop(record.node, None)

    def heard(self, answer: _PlainAnswer, value: Any, error: BaseException | None) -> None:
        """A node has answered, or will not."""
        work, long_way = answer.work, self._long_way
        long_way.heard_from(answer.node, work.spec)
        if error is None:
            work.host = None
            long_way.take(work, value)
        else:
            long_way.try_further(work, answer.retries, answer.trace, error)


def _is_plain(work: Submitted) -> bool:
    spec = work.spec
    return (
        len(spec.body) <= INLINE_BYTES_MAX
        and spec.buffers is NO_BUFFERS
        and spec.request.strategy == "default"
        and spec.kind.isolation is None
        and not work.is_stream
        and not work.arguments()
    )


def _length(queue: tuple[int, NodeId]) -> int:
    return queue[0]

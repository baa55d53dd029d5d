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
from partisan_actors.node.router import Peer
from partisan_actors.scheduler.policy import Ranking, Verdict
from partisan_actors.scheduler.resources import Resources
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
_CALL: Final = Kind.CALL


class LongWay(Protocol):
    """Who knows the other way, and keeps the books of both."""

    def queue_at(self, node: NodeId, room: Resources | None, needs: Resources) -> int:
        """How long it is, if that node has told of `room`; None says that it is known to be busy."""
        ...

    def told_room(self, node: NodeId) -> Resources:
        """What that node had available when it last told."""
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


class _Place:
    """A node that may get a task: the way there, and the room that it told of, None if it is known to be busy."""

    __slots__ = ("location", "node", "peer", "room")

    def __init__(self, node: NodeId, peer: Peer, location: Location, room: Resources | None) -> None:
        self.node = node
        self.peer = peer
        self.location = location
        self.room = room


class _PlainAnswer(Answer[Any]):
    """The one message back."""

    __slots__ = ("_heard", "node", "retries", "trace", "work")

    def __init__(
        self, plain: PlainTasks, work: Submitted, node: NodeId, retries: Retries, trace: SubmittedTask | None
    ) -> None:
        # What `Reply` is made with, spelled out: one is made for each task.
        self._loop = plain.system.loop
        self._done = False
        self._value = self._error = self._waiters = None
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
        self._locations: dict[NodeId, Location] = {}
        # Those of a choice, for as long as that is remembered.
        self._choice: Ranking | Verdict | None = None
        self._places: list[_Place] = []
        system.node.directory.on_down.append(self._node_down)

    def send(self, work: Submitted, retries: Retries, trace: SubmittedTask | None) -> bool:
        """Send it if it is plain, and there is a node to send it to; tells whether it was sent."""
        spec = work.spec
        place = self._place(spec) if _is_plain(work) else None
        if place is None:
            return False
        node, peer, outbound = place.node, place.peer, self.system.outbound
        if not peer.is_self and spec.kind.code not in peer.sent_code:
            return False
        number = outbound.next_number()
        message = pack([_CALL, number, KEY, "begin", spec.kind.packed, spec.task.number, spec.body, spec.trace])
        answer = _PlainAnswer(self, work, node, retries, trace)
        self._long_way.sent_to(node, spec)
        work.host = work.asked = node
        if trace is not None:
            trace.host = node
        connection = peer.direct
        if connection is not None and not connection.is_paused:
            peer.pending[number] = answer
            connection.send(message)
            return True
        try:
            outbound._submit(place.location, number, message, None, answer, CALLS, None, place.location.affinity)
        except PartisanError as error:
            answer.fail(error)
        return True

    def _place(self, spec: TaskSpec) -> _Place | None:
        request = spec.kind.request
        choice = self._choose(request)
        if choice is not self._choice:
            self._choice, self._places = choice, self._places_of(choice)
        queue_at, needs = self._long_way.queue_at, request.resources
        best, shortest = None, 0
        for place in self._places:
            length = queue_at(place.node, place.room, needs)
            if best is None or length < shortest:
                best, shortest = place, length
                if not length:
                    break
        return best

    def _places_of(self, choice: Ranking | Verdict) -> list[_Place]:
        if isinstance(choice, Verdict) or (choice.full and not choice.nodes):
            return []
        told_room, peer, location_of = self._long_way.told_room, self.system.node.router.peer, self._location_of
        places = [
            _Place(node, peer(node), location_of(node), told_room(node)) for node in choice.nodes[:NODES_COMPARED]
        ]
        return places + [_Place(node, peer(node), location_of(node), None) for node in choice.busy[:NODES_COMPARED]]

    def _location_of(self, node: NodeId) -> Location:
        location = self._locations.get(node)
        if location is None:
            location = self._locations[node] = Location(ActorId(node, 0), f"service {SERVICE} of {node}", None, False)
            location.key, location.peer = KEY, self.system.node.router.peer(node)
        return location

    def _node_down(self, record: NodeRecord, why: str) -> None:
        self._locations.pop(record.node, None)
        self._choice, self._places = None, []

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
    kind = spec.kind
    return (
        len(spec.body) <= INLINE_BYTES_MAX
        and spec.buffers is NO_BUFFERS
        and kind.request.strategy == "default"
        and kind.isolation is None
        and not work.is_stream
        and not work.arguments()
    )

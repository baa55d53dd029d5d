"""`Submitted`: one task at its caller, as far as it has come, and how it is cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final, TypeAlias

from partisan_actors.actors.cancelling import AGAIN_S, PATIENCE_S
from partisan_actors.actors.consuming import Incoming
from partisan_actors.actors.sent_refs import has_read
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import TaskCancelled
from partisan_actors.ids import NodeId
from partisan_actors.node.router import Peer
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.tasks.spec import TaskSpec

__all__ = ["NOTHING_HELD", "Submitted"]

AGAIN_MOST_S: Final = 1.0
Held: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
NOTHING_HELD: Final[Held] = ((), {})


class Submitted:
    """A task that is not done: since when, and which node has it, if one has. Its arguments are kept meanwhile."""

    __slots__ = (
        "_ahead",
        "_asked_s",
        "_held",
        "_incoming",
        "_service",
        "_system",
        "asked",
        "host",
        "is_cancelled",
        "is_in_process",
        "is_killed",
        "job",
        "ref",
        "since",
        "spec",
    )

    def __init__(
        self,
        system: ActorSystem,
        service: str,
        spec: TaskSpec,
        ref: ObjectRef[Any],
        held: Held,
        incoming: Incoming | None,
        ahead: int,
    ) -> None:
        """`held` is its arguments, if there are any but scalars.

        A generator gives its items to `incoming`, and is at most so many `ahead`.
        """
        self._system = system
        self._service = service
        self.spec = spec
        self.ref = ref
        self.since = system.loop.time()
        self._held = held
        self._incoming = incoming
        self._ahead = ahead
        self._asked_s = 0.0
        self.host: NodeId | None = None
        # The node that was last asked to run it.
        self.asked: NodeId | None = None
        self.job: asyncio.Task[None] | None = None
        self.is_cancelled = False
        # Whether `host` is a process that has nothing else to do; and whether that is to be ended with it.
        self.is_in_process = False
        self.is_killed = False
        if incoming is not None:
            incoming.where = self._peer
            incoming.cancel = self._cancel_all

    @property
    def is_stream(self) -> bool:
        """Whether it is a generator."""
        return self._incoming is not None

    def arguments(self) -> list[ObjectRef[Any]]:
        """The refs among its arguments that are replaced by their values."""
        if self._held is NOTHING_HELD:
            return []
        args, kwargs = self._held
        return [value for value in (*args, *kwargs.values()) if isinstance(value, ObjectRef)]

    def unready(self) -> list[ObjectRef[Any]]:
        """Those of them whose values are not ready where they live, as far as this node has heard."""
        return [ref for ref in self.arguments() if not ref.done() and not ref.readiness().done()]

    async def wait_for_arguments(self) -> None:
        """Return when all are ready, or have failed. Until then the task takes nothing of any node."""
        for ref in self.unready():
            await ref.readiness().settled()

    def reader(self) -> NodeId | None:
        """The node that has read its arguments, once it is over, if that was one, and is known."""
        return self.asked if self.spec.attempt == 1 and has_read(self.ref.failure) else None

    def begin(self, attempt: int) -> None:
        """Another attempt begins: a stream of another number, so that what an earlier one still sends is not taken."""
        if attempt > 1:
            self.spec = replace(self.spec, attempt=attempt)
        if self._incoming is not None:
            number = self._system.outbound.next_number()
            self.spec = replace(self.spec, stream=number, ahead=self._ahead)
            self._incoming.begin(number)

    def cancel(self, recursive: bool) -> None:
        """End it, wherever it is; it is not tried again. On the loop."""
        if not self.is_cancelled and not self.ref.done():
            self.is_cancelled = True
            self._ask(recursive, AGAIN_S)

    def kill(self, recursive: bool) -> None:
        """As `cancel`, and end the process it is in, if it is in one of its own. On the loop."""
        self.is_killed = True
        if self.is_cancelled and not self.ref.done():
            self._ask(recursive, AGAIN_S)  # it was to be cancelled already, and goes on
        else:
            self.cancel(recursive)

    def _cancel_all(self) -> None:
        self.cancel(True)

    def _ask(self, recursive: bool, again_s: float) -> None:
        """It is told again until it has ended: the first time may overtake the task itself."""
        if self.ref.done():
            return
        is_to_die = self.is_killed and self.is_in_process  # which it does when nobody waits for it any more
        if self.host is None or is_to_die or self._asked_s > PATIENCE_S:
            if self.job is not None:
                self.job.cancel()
            # Here, because a job that has not begun never gets to say so.
            self.ref.fail(TaskCancelled(str(self.spec)))
            self._system.cancelling.ended([self.ref])
            return
        self._system.notify(self.host, self._service, "cancel", self.spec.task.number, recursive)
        self._asked_s += again_s
        self._system.loop.call_later(again_s, self._ask, recursive, min(again_s * 2, AGAIN_MOST_S))

    def _peer(self) -> Peer | None:
        return self._system.node.router.peer(self.host) if self.host is not None else None

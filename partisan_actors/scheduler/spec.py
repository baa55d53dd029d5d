"""`ActorSpec`: everything a node needs to make an actor, and to make it again elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from partisan_actors.actors.namespaces import key_of
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.scheduler.environment import NO_ENVIRONMENT, Environment
from partisan_actors.scheduler.policy import Request
from partisan_actors.values import dataclass
from partisan_actors.wire.payload import KeptBuffers, Payload

__all__ = ["ActorSpec"]


@dataclass(frozen=True, slots=True)
class ActorSpec:
    """An actor to be made. `code` is the hash of its class, `body` and `buffers` its constructor's arguments, encoded.

    `owner` is the node whose end ends the actor, or None for a detached one. `claim` is the order that the home of its
    name gave it, 0 before it has. `life` counts restarts so far. `trace` is the trace context in which it is made, in
    wire form; empty when that is not traced. A `counted` one ends when nobody has a handle of it any more.
    Its name is in a `namespace`. One with a `quorum` is made again only where most nodes are. With `isolation`
    "process" it gets a process of its own, with `environment`. `tracing` is what its class says of that. `made_by` is
    the actor that has made it, by its id, or the task, as "task NAME"; empty when a program has.
    """

    actor: ActorId
    class_name: str
    code: bytes
    body: bytes
    buffers: KeptBuffers
    request: Request
    owner: NodeId | None
    name: str | None = None
    claim: int = 0
    life: int = 0
    max_restarts: int = 0
    max_concurrency: int | None = None
    mailbox_max: int | None = None
    dedicated_thread: bool = False
    trap_exit: bool = False
    handle: bytes = b""
    trace: bytes = b""
    labels: Mapping[str, str] = field(default_factory=dict)
    counted: bool = False
    stop_timeout_s: float = 5.0
    quorum: bool = False
    concurrency_groups: Mapping[str, int] = field(default_factory=dict)
    namespace: str = ""
    isolation: str | None = None
    environment: Environment = NO_ENVIRONMENT
    tracing: str | float | None = None
    made_by: str = ""

    def __str__(self) -> str:
        return f"{self.class_name} {self.name!r}" if self.name else f"{self.class_name} ({self.actor})"

    @property
    def qualified_name(self) -> str | None:
        """The key of its name, if it has one."""
        return key_of(self.namespace, self.name) if self.name is not None else None

    @staticmethod
    def arguments(payload: Payload) -> tuple[bytes, KeptBuffers]:
        """An encoded payload as the two fields."""
        return payload.body, KeptBuffers.of(payload)

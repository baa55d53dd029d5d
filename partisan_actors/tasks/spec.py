"""`TaskSpec`: everything a node needs to run one remote function call; what all such calls share is its `TaskKind`."""

from __future__ import annotations

import functools
from typing import Final

from partisan_actors.ids import NodeId, TaskId
from partisan_actors.scheduler.environment import NO_ENVIRONMENT, Environment
from partisan_actors.scheduler.policy import Request
from partisan_actors.scheduler.resources import GPUS
from partisan_actors.values import dataclass
from partisan_actors.wire.payload import KeptBuffers, decode, encode_whole

__all__ = ["NO_BUFFERS", "TaskKind", "TaskSpec"]

NO_BUFFERS: Final = KeptBuffers(())
_WORKED_OUT: Final = ("packed", "can_be_followed")


@dataclass(frozen=True)
class TaskKind:
    """What calls of one function with the same options have in common. `code` is the hash of the function.

    `owner` is the node whose end makes the results useless: the caller's, or the one that the caller works for. Names
    of actors in it are in `namespace`. With `isolation` "process" it runs in a process of its own, with `environment`,
    which ends after `max_calls` of them. `tracing` is what the function says of that.
    """

    name: str
    code: bytes
    request: Request
    owner: NodeId
    namespace: str = ""
    isolation: str | None = None
    environment: Environment = NO_ENVIRONMENT
    max_calls: int = 0
    tracing: str | float | None = None

    @functools.cached_property
    def packed(self) -> bytes:
        """As bytes, made once. `unpacked` is the inverse."""
        return encode_whole(self, f"the options of {self.name}")

    @functools.cached_property
    def can_be_followed(self) -> bool:
        """Whether a task of this kind can give its room to the next one: that is of a node, and has no numbers."""
        if self.isolation is not None or self.request.strategy != "default":
            return False
        return all(name != GPUS for name, _ in self.request.resources.amounts)

    @classmethod
    def unpacked(cls, packed: bytes) -> TaskKind:
        """From an authenticated peer only."""
        kind = decode(packed)
        if not isinstance(kind, cls):
            raise TypeError(f"not the kind of a task: {type(kind).__name__}")
        return kind

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in _WORKED_OUT}


# Never changed. It is not `frozen` because each is made twice for its task, and that would take three times as long.
@dataclass(slots=True)
class TaskSpec:
    """One call: its number, what of it others share, and its arguments, encoded as `body` and `buffers`.

    `trace` is the caller's trace context in wire form, empty when the call is not traced. A generator gives its items
    to the caller's stream of that number, and is at most so many `ahead` of it. `attempt` counts from 1.
    """

    task: TaskId
    kind: TaskKind
    body: bytes
    buffers: KeptBuffers = NO_BUFFERS
    trace: bytes = b""
    stream: int = 0
    ahead: int = 0
    attempt: int = 1

    @property
    def name(self) -> str:
        """The function's, for people."""
        return self.kind.name

    @property
    def code(self) -> bytes:
        """The hash of the function."""
        return self.kind.code

    @property
    def request(self) -> Request:
        """What it needs of a node."""
        return self.kind.request

    @property
    def owner(self) -> NodeId:
        """The node whose end makes the result useless."""
        return self.kind.owner

    @property
    def namespace(self) -> str:
        """That of the names of actors in it."""
        return self.kind.namespace

    def __str__(self) -> str:
        return f"{self.kind.name} ({self.task})"

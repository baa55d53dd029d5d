"""`TaskSpec`: everything a node needs to run one remote function call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from partisan_actors.ids import NodeId, TaskId
from partisan_actors.scheduler.environment import NO_ENVIRONMENT, Environment
from partisan_actors.scheduler.policy import Request
from partisan_actors.wire.payload import KeptBuffers

__all__ = ["TOGETHER", "Seclusion", "TaskSpec"]


class Seclusion(NamedTuple):
    """Where a task runs on its node: in a process of its own, if "process", with what, and how often that is used."""

    isolation: str | None = None
    environment: Environment = NO_ENVIRONMENT
    max_calls: int = 0


TOGETHER: Final = Seclusion()


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One call. `code` is the hash of the function, `body` and `buffers` its arguments, encoded.

    `owner` is the node whose end makes the result useless: the caller's, or the one that the caller works for.
    `trace` is the caller's trace context in wire form, empty when the call is not traced. Names of actors in it are in
    `namespace`. A generator gives its items to the caller's stream of that number, and is at most so many `ahead` of
    it. `attempt` counts from 1. With `isolation` "process" it runs in a process of its own, with `environment`, which
    ends after `max_calls` of them.
    """

    task: TaskId
    name: str
    code: bytes
    body: bytes
    buffers: KeptBuffers
    request: Request
    owner: NodeId
    trace: bytes = b""
    namespace: str = ""
    stream: int = 0
    ahead: int = 0
    attempt: int = 1
    isolation: str | None = None
    environment: Environment = NO_ENVIRONMENT
    max_calls: int = 0

    def __str__(self) -> str:
        return f"{self.name} ({self.task})"

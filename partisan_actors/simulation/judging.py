"""Rules on the messages of all nodes of a simulated cluster, as `pa.faults` has them for those of one real node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from partisan_actors.api.drills import drills_of
from partisan_actors.api.runtime import Runtime
from partisan_actors.faults.messages import MessageRule

__all__ = ["judging"]


class Judged(Protocol):
    """What is needed of a simulated cluster."""

    def runtime(self, name: str) -> Runtime:
        """All of one node. Raises ConfigError when it is not up."""
        ...


@contextmanager
def judging(cluster: Judged, names: Sequence[str], rules: Sequence[MessageRule]) -> Iterator[None]:
    """Until the block ends, every message of those nodes is judged by the rules. Raises TypeError for what is none."""
    for rule in rules:
        if not callable(rule):
            raise TypeError(f"a fault rule is a function of a message, not a {type(rule).__name__}")
    ends: list[tuple[Runtime, Callable[[], None]]] = []
    try:
        for runtime in map(cluster.runtime, names):
            ends += [(runtime, drills_of(runtime.system).interception.add(rule)) for rule in rules]
        yield
    finally:
        for runtime, end in reversed(ends):
            if runtime.system.closed is None:
                end()

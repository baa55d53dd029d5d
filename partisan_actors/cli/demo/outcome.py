"""How large the demo is, and everything that came of it. Plain values; times are seconds, shards go by number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from partisan_actors.cli.demo.index import Answer, Shelf
from partisan_actors.telemetry.tracing import TracingOptions

__all__ = ["NAME", "Difference", "Kill", "Load", "Outcome", "Overlay", "Plan", "Return"]

NAME: Final = "demo"
"""The name of the driver's node. Those of the workers begin with it."""

Overlay = dict[str, tuple[str, ...]]
"""For each node that is up, its neighbours."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the demo is. The same seed asks the same queries; `files_max` is None for the whole library."""

    nodes: int = 8
    shards: int = 16
    queries: int = 600
    seed: int = 1
    files_max: int | None = None
    tracing: TracingOptions | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """A shard that was lost with its node: where it came back, and how long after the kill it answered again."""

    shard: int
    node: str
    after_s: float


@dataclass(frozen=True, slots=True)
class Kill:
    """The node that was killed, how long until the driver's node knew, and what came back."""

    node: str
    pid: int
    noticed_s: float
    returns: tuple[Return, ...]

    @property
    def recovery_s(self) -> float:
        """From the kill until the last of its shards answered again."""
        return max(each.after_s for each in self.returns)


@dataclass(frozen=True, slots=True)
class Load:
    """Calls that were answered, calls that failed with a node and were made again, and how long it took.

    `slowest_s` is the longest that one query took.
    """

    calls: int
    lost_calls: int
    took_s: float
    slowest_s: float

    @property
    def calls_per_s(self) -> float:
        """Answered calls a second."""
        return self.calls / self.took_s


@dataclass(frozen=True, slots=True)
class Difference:
    """A query to which the cluster and the plain index gave different answers."""

    query: str
    cluster: Answer
    plain: Answer


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole demo. `quiet` is the load before the kill, `load` that of all queries.

    `before` and `after` (of the kill) are the nodes of the shards, by number.
    """

    plan: Plan
    files: int
    words: int
    started_s: float
    indexed_s: float
    shelves: tuple[Shelf, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    overlay_before: Overlay
    overlay_after: Overlay
    quiet: Load
    load: Load
    kill: Kill
    differences: tuple[Difference, ...]
    took_s: float

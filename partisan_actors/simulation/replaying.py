"""A real run again, by whole nodes in virtual time: `replaying` has a simulated cluster follow its recording.

The nodes of the cluster bear the names of those that were recorded. As on real nodes, what comes too early waits, and
where the runs part is said. But nobody waits for it in real time, and what the recording leaves open follows from the
seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from partisan_actors.api.replays import Player, trace_of, traces_in
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ConfigError, ReplayMismatch

__all__ = ["Replayable", "replaying"]


class Replayable(Protocol):
    """What is needed of a simulated cluster."""

    def runtime(self, name: str) -> Runtime:
        """All of one node. Raises ConfigError when it is not up."""
        ...


@contextmanager
def replaying(cluster: Replayable, path: Path, patience_s: float) -> Iterator[None]:
    """Until the block ends, each node that a recording in the folder is of follows it. Raises as `replay` does.

    A node that crashes follows nothing from then on: how far it came is no mismatch.
    """
    if isinstance(patience_s, bool) or not isinstance(patience_s, (int, float)) or not patience_s > 0:
        raise ConfigError("patience", patience_s, "a positive number of virtual seconds")
    paths = traces_in(path)
    players = {name: Player(cluster.runtime(name).system, trace_of(found), patience_s) for name, found in paths.items()}
    ends: dict[str, tuple[Runtime, Callable[[], str]]] = {}
    why: dict[str, str] = {}
    try:
        for name, player in players.items():
            ends[name] = cluster.runtime(name), player.begin()
        yield
    finally:
        for name, (runtime, end) in ends.items():
            if _is_still(cluster, name, runtime):
                why[name] = end()
    for name, difference in why.items():
        if difference:
            raise ReplayMismatch(str(paths[name]), difference)


def _is_still(cluster: Replayable, name: str, runtime: Runtime) -> bool:
    try:
        return cluster.runtime(name) is runtime
    except ConfigError:  # it is not up
        return False

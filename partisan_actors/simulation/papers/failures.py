"""What a crash of many nodes at once does to floods over HyParView: every message's reach, before any repair cycle.

As in the paper: a share of the nodes of a stable overlay crashes in one instant; then survivors drawn at random
broadcast one after the other. No shuffle runs in between, only the reactive steps: a failed link is replaced from the
passive view.

The paper says that the connection is the detector of failures, not how long repair takes beside a message. What gives
its curves, and is done by `by_connection`: the connections of the dead break after the first message was sent, and an
attempt to connect to a candidate that is dead too takes until the next message to fail. Repair thus advances by one
attempt for each free place between two messages. If *only* a flood's own sends found failures out (`by_sending`), the
second message after a failure of 80 % could hardly reach more than the first, which gets to 2 % of the survivors; the
paper's second one gets to 81 %.

A flood over links that all lead to survivors reaches exactly its component and changes nothing, so its reach is looked
up. Only `by_sending` has others, and runs those message by message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from partisan_actors.simulation.cycles import CycleEngine
from partisan_actors.simulation.papers.graphs import components
from partisan_actors.simulation.papers.overlays import broadcast, dress, flood, links_of, stable_overlay
from partisan_actors.simulation.streams import stream

__all__ = ["Aftermath", "Floods", "by_connection", "by_sending", "crash"]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What followed a crash. Reach is in per cent of the survivors."""

    giant: float  # the largest component's share before anything was sent: where a message that starts in it gets
    reaches: tuple[float, ...]  # of each message
    in_giant: tuple[bool, ...]  # whether it started in the component that was the largest at that moment
    simulated: int  # messages that had to be run

    @property
    def mean(self) -> float:
        """Over all messages."""
        return sum(self.reaches) / len(self.reaches)


class Floods:
    """Floods over the survivors, run or looked up as the module says."""

    def __init__(self, engine: CycleEngine) -> None:
        self._engine = engine
        self._sizes: dict[int, int] = {}  # of each node's component
        self._clean: dict[int, bool] = {}  # whether a flood of that component changes nothing
        self._largest = 0
        self.simulated = 0
        self.look_again()

    @property
    def giant(self) -> float:
        """The share of the survivors in the largest component, in per cent."""
        return 100 * self._largest / len(self._sizes)

    def look_again(self) -> None:
        """The overlay has changed: find its components."""
        graph = links_of(self._engine)
        self._largest = 0
        for piece in components(graph):
            is_clean = all(peer in graph and node in graph[peer] for node in piece for peer in graph[node])
            self._largest = max(self._largest, len(piece))
            for node in piece:
                self._sizes[node] = len(piece)
                self._clean[node] = is_clean

    def is_in_giant(self, node: int) -> bool:
        """Whether the node is in the largest component."""
        return self._sizes[node] == self._largest

    def share(self, origin: int) -> float:
        """The share of the survivors in the component of `origin`, in per cent: what its flood reaches."""
        return 100 * self._sizes[origin] / len(self._sizes)

    def reach(self, origin: int, number: int) -> float:
        """Flood from `origin`, for real unless that changes nothing; the share that got it, in per cent."""
        if self._clean[origin]:
            return self.share(origin)
        self.simulated += 1
        reached, _ = broadcast(self._engine, origin, number)
        self.look_again()
        return 100 * reached / len(self._sizes)


def crash(engine: CycleEngine, share: float) -> None:
    """Let that share of the live nodes crash, drawn at random."""
    live = engine.live
    engine.kill(stream(engine.seed, f"{share:.2f}", "crash").sample(live, round(share * len(live))))


@lru_cache(maxsize=32)  # small: two experiments look at the same runs
def by_connection(seed: int, nodes: int, failed_percent: int, messages: int) -> Aftermath:
    """Crash `failed_percent` of a stable overlay and send so many messages from random survivors."""
    engine, origins = _crashed(seed, nodes, failed_percent, messages)
    engine.slow_failures = True
    engine.break_connections()
    floods = Floods(engine)
    giant, reaches, in_giant, changing = floods.giant, [], [], True
    for origin in origins:
        in_giant.append(floods.is_in_giant(origin))
        reaches.append(floods.share(origin))
        changing = changing and engine.tell_failures() > 0
        if changing:
            floods.look_again()
    return Aftermath(giant, tuple(reaches), tuple(in_giant), 0)


@lru_cache(maxsize=32)
def by_sending(seed: int, nodes: int, failed_percent: int, messages: int) -> Aftermath:
    """The same, were failures found out by nothing but the sends of floods and of the repair that these lead to."""
    engine, origins = _crashed(seed, nodes, failed_percent, messages)
    dress(engine, flood)
    floods = Floods(engine)
    giant, reaches, in_giant = floods.giant, [], []
    for number, origin in enumerate(origins):
        in_giant.append(floods.is_in_giant(origin))
        reaches.append(floods.reach(origin, number))
    return Aftermath(giant, tuple(reaches), tuple(in_giant), floods.simulated)


def _crashed(seed: int, nodes: int, failed_percent: int, messages: int) -> tuple[CycleEngine, list[int]]:
    engine = CycleEngine.restored(stable_overlay(seed, nodes).stable)
    crash(engine, failed_percent / 100)
    return engine, stream(seed, failed_percent, "origins").choices(_whole(engine.live), k=messages)


def _whole(nodes: Iterable[object]) -> list[int]:
    return [node for node in nodes if isinstance(node, int)]

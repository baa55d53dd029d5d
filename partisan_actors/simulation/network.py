"""`Network`: how long a message takes between two simulated nodes, whether it gets there, and who cannot reach whom.

Rules kept here: messages from one node to another arrive in the order they were sent, whatever their delays; messages
between different pairs overtake each other freely; a cut concerns both directions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.clock import nanoseconds
from partisan_actors.simulation.streams import stream

__all__ = ["DROP", "PASS", "Latency", "Network", "Rule", "constant_latency", "uniform_latency"]

# Nanoseconds from a node to another, drawn from the sender's stream.
Latency: TypeAlias = Callable[[Peer, Peer, random.Random], int]

# What is to happen to (sender, receiver, message): lost, or so many seconds late.
Rule: TypeAlias = Callable[[Peer, Peer, object], float | None]
PASS: Final = 0.0
DROP: Final = None

# Pairs whose last arrival is remembered before those that lie in the past are swept out.
_PAIRS_MAX: Final = 4096


def constant_latency(delay_s: float) -> Latency:
    """Every message takes `delay_s`."""
    delay_ns = nanoseconds(delay_s)
    return lambda sender, receiver, rng: delay_ns


def uniform_latency(low_s: float, high_s: float) -> Latency:
    """Every message takes between `low_s` and `high_s`."""
    low_ns, span_ns = nanoseconds(low_s), nanoseconds(high_s - low_s)
    return lambda sender, receiver, rng: low_ns + int(span_ns * rng.random())


class Network:
    """Delays, losses and cuts; knows nothing of nodes but their names."""

    def __init__(self, seed: int, latency: Latency) -> None:
        self._seed = seed
        self._latency = latency
        self._streams: dict[Peer, random.Random] = {}
        self._last_arrivals: dict[tuple[Peer, Peer], int] = {}
        self._pairs_max = _PAIRS_MAX
        self._rules: list[Rule] = []
        self._cuts: list[tuple[frozenset[Peer], frozenset[Peer]]] = []

    def arrival(self, sender: Peer, receiver: Peer, now_ns: int, late_ns: int = 0) -> int:
        """When something sent now, and held up for `late_ns`, arrives, were it to arrive."""
        rng = self._streams.get(sender)
        if rng is None:
            rng = self._streams[sender] = stream(self._seed, sender, "latency")
        return self._in_order(sender, receiver, now_ns, self._latency(sender, receiver, rng) + late_ns)

    def message_arrival(
        self, sender: Peer, receiver: Peer, message: object, now_ns: int, late_ns: int = 0
    ) -> int | None:
        """When `message`, sent now and held up for `late_ns`, arrives; None when a rule loses it."""
        for rule in self._rules:
            verdict = rule(sender, receiver, message)
            if verdict is None:
                return None
            late_ns += nanoseconds(verdict)
        return self.arrival(sender, receiver, now_ns, late_ns)

    @contextmanager
    def rule(self, rule: Rule) -> Iterator[None]:
        """Put every message before `rule` while the block runs. Several rules add up; one that drops is final."""
        self._rules.append(rule)
        try:
            yield
        finally:
            self._rules.remove(rule)

    def cut(self, side: Iterable[Peer], other: Iterable[Peer]) -> None:
        """From now on nobody of `side` reaches anybody of `other`, nor back."""
        self._cuts.append((frozenset(side), frozenset(other)))

    def heal(self) -> None:
        """Undo every cut."""
        self._cuts.clear()

    def is_cut(self, sender: Peer, receiver: Peer) -> bool:
        """Whether what `sender` sends cannot reach `receiver`."""
        return bool(self._cuts) and any(
            (sender in side and receiver in other) or (receiver in side and sender in other)
            for side, other in self._cuts
        )

    def break_off(self, sender: Peer, receiver: Peer, now_ns: int) -> int:
        """When the last of what is on its way arrives, or `now_ns`; whatever is sent from now on arrives after that."""
        last_ns = max(self._last_arrivals.get((sender, receiver), 0), now_ns)
        self._last_arrivals[sender, receiver] = last_ns + 1
        return last_ns

    def _in_order(self, sender: Peer, receiver: Peer, now_ns: int, delay_ns: int) -> int:
        pair = (sender, receiver)
        arrival_ns = now_ns + delay_ns
        last_ns = self._last_arrivals.get(pair, 0)
        if arrival_ns < last_ns:
            arrival_ns = last_ns
        self._last_arrivals[pair] = arrival_ns
        if len(self._last_arrivals) > self._pairs_max:
            self._last_arrivals = {pair: at for pair, at in self._last_arrivals.items() if at > now_ns}
            self._pairs_max = max(_PAIRS_MAX, 2 * len(self._last_arrivals))
        return arrival_ns

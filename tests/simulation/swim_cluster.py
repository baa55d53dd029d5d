"""Bare detectors in the simulator, each of which watches all the others; for `Simulation`, each is a stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from partisan_actors.protocols.detector.opinions import Accused, Cleared, Confirmed, Suspected
from partisan_actors.protocols.detector.swim import Swim
from partisan_actors.protocols.detector.swim_options import SwimOptions
from partisan_actors.protocols.machine import SetTimer
from partisan_actors.simulation.machines import Simulation
from partisan_actors.simulation.network import constant_latency

Told = tuple[float, int, Any]


class Member:
    """One detector. While it stalls, what comes waits, and is then told in the worst order: the timers first."""

    def __init__(self, sim: Simulation, me: int, others: Sequence[int], options: SwimOptions, told: list[Told]) -> None:
        self.me = me
        self.swim = Swim(me, options, sim.stream(me, "swim"))
        self.others = others
        self.told = told
        self.is_stalled = False
        self.waiting: list[tuple[Callable[..., list[Any]], tuple[Any, ...]]] = []

    def start(self, now: float) -> list[Any]:
        for other in self.others:
            self.swim.watch(other, now)
        return self.swim.start(now)

    def receive(self, sender: Any, message: object, now: float) -> list[Any]:
        return self._do(now, self.swim.receive, sender, message)

    def peer_up(self, peer: Any, now: float) -> list[Any]:
        return []

    def peer_down(self, peer: Any, now: float) -> list[Any]:
        return self._do(now, self.swim.peer_down, peer)

    def timer_fired(self, name: str, now: float) -> list[Any]:
        if name == "wake":
            return self._wake(now)
        return self._do(now, self.swim.timer_fired, name)

    def join(self, contact: Any, now: float) -> list[Any]:
        """Stand still from now on for `contact` seconds: the one thing that a test tells a member."""
        self.is_stalled = True
        return [SetTimer("wake", contact)]

    def _wake(self, now: float) -> list[Any]:
        self.is_stalled = False
        waiting, self.waiting = self.waiting, []
        timers = {args[0]: (call, args) for call, args in waiting if call == self.swim.timer_fired}
        effects: list[Any] = []
        for call, args in [*timers.values(), *(each for each in waiting if each[0] != self.swim.timer_fired)]:
            answer = self._do(now, call, *args)
            # A timer that was set anew, or cancelled, does not fire any more.
            gone = {effect.name for effect in answer if hasattr(effect, "name")}
            if call == self.swim.timer_fired and gone & timers.keys():
                effects += answer
                break
            effects += answer
        else:
            return effects
        for call, args in waiting:
            if call != self.swim.timer_fired:
                effects += self._do(now, call, *args)
        return effects

    def _do(self, now: float, call: Callable[..., list[Any]], *args: Any) -> list[Any]:
        if self.is_stalled:
            self.waiting.append((call, args))
            return []
        effects = call(*args, now)
        for effect in effects:
            if isinstance(effect, Suspected | Cleared | Confirmed | Accused):
                self.told.append((now, self.me, effect))
        return effects


class Group:
    """Nodes 0 to `count` - 1, all of which know each other from the beginning."""

    def __init__(self, count: int, options: SwimOptions, seed: int, latency_s: float = 0.005) -> None:
        self.sim = Simulation(seed, constant_latency(latency_s))
        self.told: list[Told] = []
        self.members: dict[int, Member] = {}
        names = range(count)

        def make(sim: Simulation, me: Any) -> Any:
            others = [name for name in names if name != me]
            member = self.members[me] = Member(sim, me, others, options, self.told)
            return member

        for name in names:
            self.sim.add(name, make)

    def stall(self, node: int, seconds: float) -> None:
        self.sim.join(node, seconds)

    def told_of(self, kind: type, node: int | None = None) -> list[Told]:
        """What was told of that kind, of that node or of all."""
        return [each for each in self.told if type(each[2]) is kind and node in (None, getattr(each[2], "peer", None))]

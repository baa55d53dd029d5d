"""Small calls one at a time, between two nodes that are idle, or between which large arguments are always outstanding.

Caller and callee are a process each, and not pinned: where two nodes keep two cores busy, the kernel places them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.cli.bench.samples import Summary
from partisan_actors.node.loop import new_event_loop

__all__ = ["CONFIGURATIONS", "BesideResult", "LoadPlan", "measure_beside", "small_calls"]

MIB: Final = 1 << 20
WARM_UP_CALLS: Final = 200
SATURATED_AFTER_S: Final = 0.3

CONFIGURATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    # The bound of what may wait for a slow peer is that of the bulk channel, or the load would be refused.
    "not interleaved": {"calls": {"interleave": False, "queue_bytes_max": 1024 * MIB}},
}
"""The channels of each configuration, as `init` takes them."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """`outstanding` arguments of `size` bytes; small calls for `turn_s` seconds, `pause_s` apart, in `turns` turns."""

    size: int = 8 * MIB
    outstanding: int = 16
    turns: int = 5
    turn_s: float = 2.0
    pause_s: float = 0.002


@dataclass(frozen=True, slots=True)
class BesideResult:
    """Seconds that small calls took with one configuration, idle and beside the load, and the load's bytes a second."""

    configuration: str
    idle: Summary
    loaded: Summary
    bytes_per_s: float

    @property
    def ratio(self) -> float:
        """How many times longer the median small call takes beside the load."""
        return self.loaded.median / self.idle.median

    def to_json(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return asdict(self)


@pa.actor
class Receiver:
    """Takes large arguments, and small ones."""

    async def take(self, load: bytes) -> int:
        """How long `load` was."""
        return len(load)

    async def add(self, number: int) -> int:
        """One more than `number`."""
        return number + 1


@dataclass
class _Load:
    """Keeps so many calls with a large argument outstanding until it is stopped."""

    plan: LoadPlan
    receiver: Any
    done: int = 0
    _calls: list[asyncio.Task[None]] = field(default_factory=list)
    _is_over: bool = False

    def start(self) -> None:
        load = bytes(self.plan.size)
        self._is_over = False
        self._calls = [asyncio.ensure_future(self._call(load)) for _ in range(self.plan.outstanding)]

    async def _call(self, load: bytes) -> None:
        while not self._is_over:
            await self.receiver.take.remote(load)
            self.done += 1

    async def stop(self) -> None:
        self._is_over = True
        await asyncio.gather(*self._calls)


def measure_beside(configuration: str, plan: LoadPlan) -> BesideResult:
    """Measure one configuration in a cluster of its own: this process and one worker."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_measure(configuration, plan))


async def _measure(configuration: str, plan: LoadPlan) -> BesideResult:
    async with pa.init(workers=1, channels=dict(CONFIGURATIONS[configuration])):
        receiver, other = Receiver.remote(), Receiver.remote()
        load = _Load(plan, receiver)
        for _ in range(WARM_UP_CALLS):
            await other.add.remote(1)
        await receiver.take.remote(bytes(plan.size))
        idle: list[list[float]] = []
        loaded: list[list[float]] = []
        done, took = 0, 0.0
        # By turns, so that whatever else this machine does disturbs both alike.
        for _ in range(plan.turns):
            idle.append(await small_calls(other, plan))
            load.start()
            await asyncio.sleep(SATURATED_AFTER_S)
            before, begun = load.done, time.perf_counter()
            loaded.append(await small_calls(other, plan))
            done, took = done + load.done - before, took + time.perf_counter() - begun
            await load.stop()
        return BesideResult(configuration, Summary.of(idle), Summary.of(loaded), done * plan.size / took)


async def small_calls(receiver: Any, plan: LoadPlan) -> list[float]:
    """Seconds that small calls took, one at a time, for one turn."""
    samples: list[float] = []
    ends = time.perf_counter() + plan.turn_s
    while not samples or time.perf_counter() < ends:
        begun = time.perf_counter()
        await receiver.add.remote(1)
        samples.append(time.perf_counter() - begun)
        await asyncio.sleep(plan.pause_s)
    return samples

"""Plain calls and calls with one feature take turns between the same two processes; each is compared with plain ones.

Caller and answerer have a core each where there are two: see `pinning`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory
from typing import Any, Final

import partisan_actors as pa
from partisan_actors.actors.context import current_system
from partisan_actors.api import session
from partisan_actors.cli.bench.pinning import pinned, separate_layout
from partisan_actors.cli.bench.samples import Summary
from partisan_actors.cli.bench.turns import sample_awaited
from partisan_actors.node.loop import new_event_loop
from partisan_actors.telemetry.options import TRACES_PER_SECOND, TracingOptions
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.sampler import Sampler

__all__ = ["FEATURES", "IN_FLIGHT", "PLAIN", "Cost", "Feature", "FeaturePlan", "measure_features"]

IN_FLIGHT: Final = 1000
LABEL: Final = "bench"
PLAIN: Final = "plain"


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """Rounds in which everything has one turn of `turn_s` seconds; the first round is not recorded."""

    rounds: int = 9
    turn_s: float = 0.2

    @classmethod
    def quick(cls) -> FeaturePlan:
        """A plan for seeing that everything works. Its figures are rough."""
        return cls(rounds=1, turn_s=0.02)


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds for a call with one feature: when made one at a time, and each of IN_FLIGHT that are made at once.

    `cpu_s` is what both processes together compute for each of the latter, which other work on the machine hardly
    changes.
    """

    feature: str
    single: Summary
    in_flight: Summary
    cpu_s: float

    def to_json(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return asdict(self)


@pa.actor(num_cpus=0)
class Answerer:
    """Answers."""

    async def add(self, number: int) -> int:
        """One more."""
        return number + 1

    async def on_message(self, message: int) -> None:
        """Takes what is forwarded."""
        return

    async def on_down(self, down: object) -> None:
        """An actor that this one watches has ended."""

    async def tie(self, other: pa.ActorHandle[Answerer]) -> None:
        """Watch another one, and be linked with it."""
        pa.monitor(other)
        pa.link(other)

    async def trace(self, share: float, per_second: float | None) -> None:
        """Trace that share of what begins on this node, and what comes to it with a trace; 0 is nothing at all."""
        system = current_system.get()
        assert system is not None, "this is a method of an actor"
        trace_share(system.recorder, share, per_second)

    async def process(self) -> int:
        """The process it is in."""
        return os.getpid()

    async def computed_s(self) -> float:
        """For how long that process has computed."""
        return time.process_time()


@dataclass(frozen=True, slots=True)
class Stage:
    """Two actors of the same worker: a plain one, and one that another actor watches and is linked with."""

    plain: Any
    tied: Any
    folder: str


def _nothing(message: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Feature:
    """`call` gives what makes one call; `during` is what lasts while they are made; `how` says what that is.

    `share` is how many of the calls are traced, on both sides, and `per_second` at most how many of them.
    """

    how: str
    call: Callable[[Stage], Callable[[], Awaitable[object]]]
    during: Callable[[Stage], AbstractContextManager[object]] = lambda stage: nullcontext()
    share: float = 0.0
    per_second: float | None = None


def trace_share(recorder: Recorder, share: float, per_second: float | None = None) -> None:
    """Have that share of traces recorded from now on; nothing for 0."""
    recorder.configure(enabled=share > 0, sampler=Sampler(share), options=TracingOptions(traces_per_second=per_second))
    recorder.refresh()  # as the node does a few times a second, which is rarer than turns are


def _method(**options: Any) -> Callable[[Stage], Callable[[], Awaitable[object]]]:
    return lambda stage: _bound(stage.plain.add.options(**options) if options else stage.plain.add)


def _bound(method: Any) -> Callable[[], Awaitable[object]]:
    return lambda: method.remote(1)


def _forwarded(stage: Stage) -> Callable[[], Awaitable[object]]:
    def call() -> Awaitable[object]:
        ref = pa.forward(stage.plain, 1, ack=True)
        assert ref is not None, "it is acknowledged"
        return ref

    return call


FEATURES: Final[Mapping[str, Feature]] = {
    PLAIN: Feature("`actor.add.remote(1)`, with nothing else.", _method()),
    "deadline": Feature("`options(timeout=60)`", _method(timeout=60)),
    "another channel": Feature("`options(channel=...)`, a channel of four lanes.", _method(channel="wide")),
    "partition key": Feature("The same with `partition_key`.", _method(channel="wide", partition_key=3)),
    "acknowledged": Feature("`options(ack=True)`: the call and its answer.", _method(ack=True)),
    "causal": Feature("`options(causal=...)`, which acknowledges, too.", _method(causal=LABEL)),
    "forwarded": Feature("`forward(actor, 1, ack=True)`: only the way there is acknowledged.", _forwarded),
    "watched": Feature("The actor is monitored by another one and linked with it.", lambda s: _bound(s.tied.add)),
    "a rule": Feature(
        "Under `faults(rule)` on the caller's node, where the rule lets everything pass.",
        _method(),
        lambda stage: pa.faults(_nothing),
    ),
    "recorded": Feature(
        "Under `record(...)` on the caller's node.", _method(), lambda stage: pa.record(f"{stage.folder}/run")
    ),
    "traced, 1 %": Feature(
        "One call in a hundred makes spans on both sides, which both nodes keep: `init(tracing=...)`.",
        _method(),
        share=0.01,
    ),
    "tracing=True": Feature(
        f"As users get it: at most {TRACES_PER_SECOND:,.0f} calls a second make them.",
        _method(),
        share=1.0,
        per_second=TRACES_PER_SECOND,
    ),
    "traced": Feature("Every call makes them, `traces_per_second=None`.", _method(), share=1.0),
}


def measure_features(plan: FeaturePlan, names: Sequence[str] = tuple(FEATURES)) -> list[Cost]:
    """Measure those features, plain calls first, in a cluster of this process and one worker."""
    chosen = [PLAIN, *(name for name in FEATURES if name in names and name != PLAIN)]
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_measure(plan, chosen))


async def _measure(plan: FeaturePlan, names: Sequence[str]) -> list[Cost]:
    single: dict[str, list[list[float]]] = {name: [] for name in names}
    in_flight: dict[str, list[list[float]]] = {name: [] for name in names}
    cpu_s, bursts = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
    settings: dict[str, Any] = {
        "channels": {"wide": 4},
        "delivery": {"causal_labels": [LABEL]},
        # So that spans are made where they are; for all but the traced calls it is switched off again.
        "tracing": TracingOptions(export=False),
    }
    with TemporaryDirectory(prefix="partisan-bench-features-") as folder:
        async with pa.init(workers=1, **settings):
            plain, tied, other = (Answerer.remote() for _ in range(3))
            await other.tie.remote(tied)
            stage = Stage(plain, tied, folder)
            await _trace(stage, 0.0)
            with pinned(separate_layout(), [await plain.process.remote()]):
                for number in range(plan.rounds + 1):
                    # Who begins changes: on a machine that is getting slower the last would always look worse.
                    for name in names if number % 2 else reversed(names):
                        one, many, computed_s = await _turn(FEATURES[name], stage, plan.turn_s)
                        if number:
                            single[name].append(one)
                            in_flight[name].append(many)
                            cpu_s[name] += computed_s
                            bursts[name] += len(many)
    return [
        Cost(name, Summary.of(single[name]), Summary.of(in_flight[name]), cpu_s[name] / bursts[name] / IN_FLIGHT)
        for name in names
    ]


async def _turn(feature: Feature, stage: Stage, turn_s: float) -> tuple[list[float], list[float], float]:
    call = feature.call(stage)

    async def burst() -> None:
        for answer in [call() for _ in range(IN_FLIGHT)]:
            await answer

    await _trace(stage, feature.share, feature.per_second)
    if feature.per_second:
        await burst()  # takes what a limit has saved up
    with feature.during(stage):
        one = await sample_awaited(call, turn_s / 2)
        there, here = await stage.plain.computed_s.remote(), time.process_time()
        many = await sample_awaited(burst, turn_s / 2)
        computed_s = time.process_time() - here + await stage.plain.computed_s.remote() - there
    await _trace(stage, 0.0)
    return one, [seconds / IN_FLIGHT for seconds in many], computed_s


async def _trace(stage: Stage, share: float, per_second: float | None = None) -> None:
    await stage.plain.trace.remote(share, per_second)
    trace_share(session.system().recorder, share, per_second)

"""`SimulatedCluster`: tens of whole nodes in one process and in virtual time, with faults, repeatable from a seed.

All that is real above the socket is real here: handshakes, frames, channels, the overlay, placement, actors, tasks.
Each node has its own event loop and its own (lockstep) threads, so that a crash stops a node dead, and a stalled node
holds up nobody else. What a node takes from outside (`node.world`) comes from the seed. The test's own code runs on a
node called "driver", which hosts no actors.

What users' code takes from `time`, `random` and `uuid4` is simulated, see `users_time`. What it takes from elsewhere is
not, and makes a run that cannot be repeated: `secrets`, files, the order of sets, threads and processes of its own.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

from partisan_actors.api.replays import PATIENCE_S
from partisan_actors.api.runtime import Runtime
from partisan_actors.errors import ConfigError
from partisan_actors.faults.messages import MessageRule
from partisan_actors.faults.operations import LATEST_S, Cut, Delay, Hold, Join, Loss
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.faults.rules import Rule
from partisan_actors.faults.selectors import ANYBODY, Group, group
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.overlays import with_own_options
from partisan_actors.node.world import World
from partisan_actors.simulation.clock import nanoseconds
from partisan_actors.simulation.judging import judging
from partisan_actors.simulation.lives import FirstNames
from partisan_actors.simulation.loop import Loops, where
from partisan_actors.simulation.network import Latency, uniform_latency
from partisan_actors.simulation.plans import PlanRun
from partisan_actors.simulation.replaying import replaying
from partisan_actors.simulation.streams import stream
from partisan_actors.simulation.users_time import EPOCH_NS, users_time
from partisan_actors.simulation.whole_node import PlanClock, SimulatedNode
from partisan_actors.simulation.wires import Wires

__all__ = ["DRIVER", "SimulatedCluster"]

T = TypeVar("T")

DRIVER: Final = "driver"
NODES_MAX: Final = 200
START_S: Final = 60.0  # virtual seconds that a node may take to start
WITHIN_S: Final = 3600.0
POLL_S: Final = 0.01
_OURS: Final = frozenset({"name", "cluster", "bind", "cookie", "seed", "hosts_actors"})
COOKIE: Final = b"the cookie of simulated clusters"


class SimulatedCluster:
    """Use it as ``with SimulatedCluster(seed=1, nodes=5) as cluster:``, and in it ``cluster.run(main())``.

    `nodes` is how many host actors (named "n0", "n1" and so on) or their names; each offers `num_cpus`. `settings` are
    further fields of NodeConfig, such as `overlay` and `routing`. `latency` says how long a piece of bytes takes from
    one node to another, a millisecond or so by default; see `simulation.latency`. Raises ConfigError for what makes no
    sense.
    """

    def __init__(
        self,
        seed: int,
        nodes: int | list[str] = 3,
        *,
        latency: Latency | None = None,
        num_cpus: float = 4,
        **settings: Any,
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ConfigError("seed", seed, "a whole number")
        names = [f"n{number}" for number in range(nodes)] if isinstance(nodes, int) else list(nodes)
        if not 1 <= len(names) <= NODES_MAX:
            raise ConfigError("nodes", nodes, f"from 1 to {NODES_MAX} nodes")
        if len({*names, DRIVER}) <= len(names):
            raise ConfigError("nodes", nodes, f"names that differ, also from {DRIVER!r}")
        self.seed = seed
        self._loops = Loops()
        self._wires = Wires(seed, latency if latency is not None else uniform_latency(0.0005, 0.002))
        taken = sorted(_OURS & settings.keys())
        if taken:
            raise ConfigError(taken[0], settings[taken[0]], "left to the simulation")
        self._settings: dict[str, Any] = {"resources": {"num_cpus": num_cpus, "memory": 8.0 * 2**30}, **settings}
        self._names = names
        self._nodes: dict[str, SimulatedNode] = {}
        self._gone: list[SimulatedNode] = []
        self._births: dict[str, int] = {}
        self._plans: list[PlanRun] = []
        self._is_closed = False
        self._is_running = False
        self._chance = stream(seed, "users", "random")
        self.clock = PlanClock(self._loops)

    def __repr__(self) -> str:
        return f"<SimulatedCluster seed {self.seed} at {self.now_s:.3f} s: {', '.join(self._nodes)}>"

    def __enter__(self) -> SimulatedCluster:
        """Start all nodes, and wait until all know each other."""
        try:
            with self._its_time():
                for name in (DRIVER, *self._names):
                    self._start(name)
                self._loops.run_until(self.is_complete, START_S, lambda: "the start: every node knows every other one")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- running code -----------------------------------------------------------------------------------------

    def run(self, job: Coroutine[Any, Any, T] | Callable[[], T], within_s: float = WITHIN_S) -> T:
        """Run a coroutine on the driver's loop, or a blocking function on a thread of the driver, to its end.

        Returns and raises what it does. Raises TimeoutError after `within_s` virtual seconds, with the place where the
        job waits then; ConfigError for a job that is neither, and RuntimeError inside of another `run`.
        """
        if not inspect.iscoroutine(job) and (not callable(job) or inspect.iscoroutinefunction(job)):
            raise ConfigError("job", job, "a coroutine (as `main()` gives one), or a function without arguments")
        try:
            self._check_can_run()
        except RuntimeError:
            if inspect.iscoroutine(job):
                job.close()  # or Python complains that it was never awaited
            raise
        driver = self._nodes[DRIVER]
        with self._its_time():
            if inspect.iscoroutine(job):
                return self._run_coroutine(driver, job, within_s)  # type: ignore[no-any-return]  # the job's own
            return self._run_blocking(driver, job, within_s)

    def _run_coroutine(self, driver: SimulatedNode, job: Coroutine[Any, Any, T], within_s: float) -> T:
        task = driver.loop.create_task(job, context=driver.context.copy())
        try:
            self._loops.run_until(task.done, within_s, lambda: f"the end of {where(task)}")
        finally:
            if not task.done():
                task.cancel()
                self._loops.run_for(0.0)
        return task.result()

    def _run_blocking(self, driver: SimulatedNode, job: Callable[[], T], within_s: float) -> T:
        outcome: Future[T] = Future()
        context = driver.context.copy()

        def run() -> None:
            try:
                outcome.set_result(context.run(job))
            except BaseException as error:  # noqa: BLE001 - whoever called `run` gets it
                outcome.set_exception(error)

        thread = driver.make_thread(f"{DRIVER}-main")
        thread.run(run)
        name = getattr(job, "__qualname__", repr(job))
        try:
            self._loops.run_until(
                outcome.done, within_s, lambda: f"the end of {name}(), which waits in {thread.place()}"
            )
        finally:
            if not outcome.done():
                thread.abandon()
        thread.stop()
        self._loops.run_for(0.0)
        return outcome.result(0)

    def run_for(self, seconds: float) -> None:
        """Let virtual time pass; from outside of `run`."""
        self._check_can_run()
        with self._its_time():
            self._loops.run_for(seconds)

    def run_until(self, is_done: Callable[[], bool], within_s: float = 60.0) -> None:
        """Let things happen until `is_done()`; from outside of `run`. Raises TimeoutError."""
        self._check_can_run()
        with self._its_time():
            self._loops.run_until(is_done, within_s)

    async def until(self, is_done: Callable[[], bool], within_s: float = 60.0) -> None:
        """The same inside of `run`. Raises TimeoutError."""
        deadline_s = self.now_s + within_s
        while not is_done():
            if self.now_s >= deadline_s:
                raise TimeoutError(
                    f"not within {within_s:g} virtual seconds: {getattr(is_done, '__qualname__', is_done)}"
                )
            await asyncio.sleep(POLL_S)

    # ---- what there is ----------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """Virtual seconds since the beginning."""
        return self._loops.time.now_s

    @property
    def live(self) -> list[str]:
        """The nodes that host actors and are up."""
        return [name for name in self._nodes if name != DRIVER]

    @property
    def lives(self) -> Mapping[str, str]:
        """The names there have been, each by itself."""
        return {name: name for name in self._births if name != DRIVER}

    @property
    def trace_hash(self) -> str:
        """A hash of what has arrived anywhere: when, from whom and to whom. Equal for two runs that were the same."""
        return self._wires.trace_hash

    def runtime(self, name: str) -> Runtime:
        """All of one node, to look at. Raises ConfigError when it is not up."""
        runtime = self._up(name).runtime
        assert runtime is not None, "the node has been given its first turn"
        return runtime

    def is_complete(self) -> bool:
        """Whether all nodes are started, and each knows all that are up and no others."""
        nodes = self._nodes.values()
        if not all(node.is_started for node in nodes):
            return False
        expected = {node.me for node in nodes}
        return all(node.directory == expected for node in nodes)

    # ---- faults: each from inside of `run`, or between two ---------------------------------------------------------

    def add_new(self) -> str:
        """Start one more node, which joins through one that is up. Returns its name."""
        name = next(self._free_names())
        self._start(name)
        return name

    def _free_names(self) -> Iterator[str]:
        return (name for number in itertools.count() if (name := f"n{number}") not in self._births)

    def crash(self, *names: str) -> None:
        """Let nodes go down in the same instant, without a word; no line of their code runs again, but at the very end.

        (What waits in them is unwound by `close`, `finally` blocks and all, when nothing of it can be seen any more.)
        Raises ConfigError for nodes that are not up, and for the driver: it runs the test.
        """
        for node in [self._up(name, or_driver=False) for name in names]:
            del self._nodes[node.name]
            self._gone.append(node)
            self._loops.abandon(node.loop)
            self._wires.crash(node.name)

    def kill(self, *nodes: str) -> None:
        """The same, by the name that fault plans use."""
        self.crash(*nodes)

    def restart(self, name: str) -> str:
        """Start the next life of a node that is down, with nothing of what the last one had in memory.

        Raises ConfigError when it is up, or never was.
        """
        if name in self._nodes or name not in self._births:
            down = [each for each in self._births if each not in self._nodes]
            raise ConfigError("node", name, f"the name of a node that has crashed or left ({_listed(down)})")
        self._start(name)
        return name

    def leave_and_go(self, node: str) -> None:
        """Let a node leave in good order, and end. Raises ConfigError as `crash` does."""
        leaver = self._up(node, or_driver=False)
        del self._nodes[node]
        self._gone.append(leaver)
        if leaver.runtime is None:
            self._end(leaver)
        else:
            closing = leaver.loop.create_task(leaver.runtime.close())
            closing.add_done_callback(lambda _: self._end(leaver))

    def _end(self, leaver: SimulatedNode) -> None:
        if not self._is_closed:
            self._loops.abandon(leaver.loop)
            self._wires.crash(leaver.name)

    def stall(self, node: str, for_s: float) -> None:
        """Let a node stand still for so long, as in a long garbage collection; what comes meanwhile waits."""
        self._up(node).loop.stalled_until_ns = self.clock.now_ns + nanoseconds(for_s)

    def slow_down(self, node: str, input_s: float, for_s: float) -> None:
        """Let every turn of a node's loop take `input_s`, for so long."""
        loop = self._up(node).loop
        loop.turn_ns = nanoseconds(input_s)
        self.clock.at(self.clock.now_ns + nanoseconds(for_s), setattr, loop, "turn_ns", 0)

    def partition(self, *side: str, others: list[str] | None = None, one_way: bool = False) -> Rule:
        """Cut `side` off from `others` (everybody else) until `heal`; `one_way`: only what `side` sends."""
        return self._cut(Cut(0.0, LATEST_S, side, tuple(others) if others else "rest", one_way))

    def hold(self, *side: str, others: list[str] | None = None) -> Rule:
        """Let what passes between `side` and `others` wait until `heal`."""
        return self._cut(Hold(0.0, LATEST_S, side, tuple(others) if others else "rest"))

    def delay(self, delay_s: float, jitter_s: float = 0.0) -> Rule:
        """Let everything take so much longer until `heal`."""
        return self._impose(Rule(Delay(0.0, LATEST_S, delay_s, jitter_s), ANYBODY, ANYBODY))

    def lose(self, rate: float) -> Rule:
        """Let pieces be lost with this probability until `heal`: they come late, being sent again."""
        return self._impose(Rule(Loss(0.0, LATEST_S, rate), ANYBODY, ANYBODY))

    def heal(self, rule: Rule | None = None) -> None:
        """End one of the faults above, or all of them."""
        for each in [rule] if rule is not None else list(self._wires.rules):
            self._wires.lift(each)

    def start_plan(self, plan: FaultPlan) -> None:
        """From now on, what `plan` says happens, its times counted from here. What chance selects comes from the seed.

        Raises ConfigError when it is about some kinds of messages, for between whole nodes there are only bytes, and
        when it names a node that there is not.
        """
        for index, operation in enumerate(plan.operations):
            kinds = getattr(operation, "kinds", ())
            if kinds:
                raise ConfigError(f"operations[{index}].kinds", kinds, "none: between whole nodes there are only bytes")
        joining = sum(each.count for each in plan.operations if isinstance(each, Join))
        plan.check(FirstNames(joining, self.lives), (DRIVER,))
        self._plans.append(PlanRun(self, plan))

    def replay(self, path: str | Path, *, patience: float = PATIENCE_S) -> AbstractContextManager[None]:
        """For a `with` block: let messages reach actors as in the recording of a real run; see `replaying`.

        `path` is the folder that ``record(path, everywhere=True)`` wrote; `patience` is in virtual seconds. Raises
        ConfigError for what is no recording of nodes that are up here, and ReplayMismatch at the end, with where the
        runs part.
        """
        return replaying(self, Path(path), patience)

    def judge(self, *rules: MessageRule) -> AbstractContextManager[None]:
        """For a `with` block: subject every message of every node that is up to rules, as `pa.faults` does."""
        return judging(self, list(self._nodes), rules)

    # What a plan needs beside these; see `plans.Faulty`.

    def impose(self, rule: Rule) -> None:
        """From now on the network is subject to `rule`."""
        self._wires.impose(rule)

    def lift(self, rule: Rule) -> None:
        """No longer."""
        self._wires.lift(rule)

    def reset(self, first: Group, second: Group, half_open: bool = False) -> None:
        """Break the connections between the two; both ends are told, also where a plan says `half_open`."""
        self._wires.reset(
            lambda here, there: (here in first and there in second) or (there in first and here in second)
        )

    def _cut(self, operation: Cut | Hold) -> Rule:
        names = list(self._nodes)
        for name in (*operation.side, *(operation.other if isinstance(operation.other, tuple) else ())):
            if name not in self._births:
                raise ConfigError("node", name, f"one of {_listed(list(self._births))}")
        rng = stream(self.seed, "cluster", "groups")
        first = group(operation.side, names, rng)
        return self._impose(Rule(operation, first, group(operation.other, names, rng, first)))

    def _impose(self, rule: Rule) -> Rule:
        self._wires.impose(rule)
        return rule

    # ---- life -------------------------------------------------------------------------------------------------

    def _up(self, name: str, *, or_driver: bool = True) -> SimulatedNode:
        node = self._nodes.get(name)
        if node is None or (name == DRIVER and not or_driver):
            names = [each for each in self._nodes if or_driver or each != DRIVER]
            raise ConfigError("node", name, f"the name of a node that is up ({_listed(names)})")
        return node

    def _start(self, name: str) -> None:
        birth = self._births[name] = self._births.get(name, 0) + 1
        node = self._nodes[name] = SimulatedNode(name, birth, self._loops.make(f"{name} (life {birth})"))
        rng = stream(self.seed, f"{name}/{birth}", "world")
        config = NodeConfig(
            name=name,
            cluster="simulated",
            bind=(f"{name}:1",),
            cookie=COOKIE,
            seed=rng.getrandbits(64),
            hosts_actors=name != DRIVER,
            **self._settings,
        )
        config = with_own_options(config, joins=name != DRIVER)  # in a star, the driver is the server
        world = World(
            lambda: EPOCH_NS + self.clock.now_ns, rng.randbytes, lambda: 1, lambda: "simulated", shares_memory=False
        )
        # Those that are up before it, so that the first one waits for nobody.
        node.begin(config, world, self._wires.door(name, node.loop), lambda: self._up_before(name))

    def _up_before(self, name: str) -> list[str]:
        return list(itertools.takewhile(lambda other: other != name, self._nodes))

    def close(self) -> None:
        """End everything: no line of the simulation runs afterwards, no thread is left. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        with self._its_time():
            self._wires.shut()
            for node in (*self._nodes.values(), *self._gone):
                for thread in node.threads:
                    thread.abandon()
            self._loops.close()

    def _check_can_run(self) -> None:
        if self._is_running:
            raise RuntimeError("this is inside of run() already: await what is to be waited for, or cluster.until()")
        if self._is_closed:
            raise RuntimeError("this cluster has been closed")
        if not self._nodes:
            raise RuntimeError("this cluster is not started: use it as `with SimulatedCluster(...) as cluster:`")

    @contextmanager
    def _its_time(self) -> Iterator[None]:
        """For whatever gives the loops turns: users' code may run in them."""
        self._is_running = True
        try:
            with users_time(self._loops.time, self._chance):
                yield
        finally:
            self._is_running = False


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "there is none"

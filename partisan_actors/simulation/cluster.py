"""`SimulatedCluster`: tens of whole nodes in one process and in virtual time, with faults, repeatable from a seed.

All that is real above the socket is real here: handshakes, frames, channels, the overlay, placement, actors, tasks.
Each node has its own event loop and its own (lockstep) threads, so that a crash stops a node dead, and a stalled node
holds up nobody else. What a node takes from outside (`node.world`) comes from the seed. The test's own code runs on a
node called "driver", which hosts no actors.

What is not repeatable is what user code takes from outside without being asked: `secrets`, `uuid`, sets of objects that
are ordered by their addresses, other threads and processes. `time.time`, `time.monotonic`, `time.perf_counter` and
`time.sleep` are those of the simulation while it runs (looked up in `time`, not imported by name before), and `random`
is seeded.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Final, TypeVar

from partisan_actors.actors.context import current_system
from partisan_actors.api.runtime import Runtime
from partisan_actors.api.session import rebuild_ref
from partisan_actors.errors import ConfigError, PartisanError
from partisan_actors.faults.operations import LATEST_S, Cut, Delay, Hold, Loss
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.faults.rules import Rule
from partisan_actors.faults.selectors import ANYBODY, Group, group
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.world import World
from partisan_actors.simulation.clock import NANOSECONDS_PER_SECOND, nanoseconds
from partisan_actors.simulation.lockstep import LockstepThread
from partisan_actors.simulation.loop import Loops, VirtualLoop
from partisan_actors.simulation.network import Latency, uniform_latency
from partisan_actors.simulation.plans import PlanRun
from partisan_actors.simulation.streams import stream
from partisan_actors.simulation.users_time import EPOCH_NS, users_time
from partisan_actors.simulation.wires import Wires

__all__ = ["DRIVER", "SimulatedCluster"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

DRIVER: Final = "driver"
NODES_MAX: Final = 200
START_S: Final = 60.0  # virtual seconds that a node may take to start
WITHIN_S: Final = 3600.0
POLL_S: Final = 0.01
GOODBYE_S: Final = 1.0
COOKIE: Final = b"the cookie of simulated clusters"


class _SimulatedNode:
    """One life of one node."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self.loop = loop
        self.runtime: Runtime | None = None
        self.is_started = False
        self.threads: list[LockstepThread] = []
        self.context = Context()

    def make_thread(self, name: str) -> LockstepThread:
        """For the node's blocking methods."""
        thread = LockstepThread(name, self.loop)
        self.threads.append(thread)
        return thread


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
        names = [f"n{number}" for number in range(nodes)] if isinstance(nodes, int) else list(nodes)
        if not 1 <= len(names) <= NODES_MAX:
            raise ConfigError("nodes", nodes, f"from 1 to {NODES_MAX} nodes")
        if len({*names, DRIVER}) <= len(names):
            raise ConfigError("nodes", nodes, f"names that differ, also from {DRIVER!r}")
        self.seed = seed
        self._loops = Loops()
        self._wires = Wires(seed, latency if latency is not None else uniform_latency(0.0005, 0.002))
        self._settings: dict[str, Any] = {"resources": {"num_cpus": num_cpus, "memory": 8.0 * 2**30}, **settings}
        self._names = names
        self._nodes: dict[str, _SimulatedNode] = {}
        self._gone: list[_SimulatedNode] = []
        self._births: dict[str, int] = {}
        self._plans: list[PlanRun] = []
        self._is_closed = False
        self.clock = _Clock(self._loops)

    def __repr__(self) -> str:
        return f"<SimulatedCluster seed {self.seed} at {self.now_s:.3f} s: {', '.join(self._nodes)}>"

    def __enter__(self) -> SimulatedCluster:
        """Start all nodes, and wait until all know each other."""
        try:
            with self._its_time():
                for name in (DRIVER, *self._names):
                    self._start(name)
                self._loops.run_until(self.is_complete, START_S, "every node knows every other one")
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

        Returns and raises what it does; TimeoutError after `within_s` virtual seconds, and `loop.NothingWillHappen`
        when it waits for what cannot come.
        """
        driver = self._nodes[DRIVER]
        with self._its_time():
            if inspect.iscoroutine(job):
                context = driver.context.copy()
                task = driver.loop.create_task(job, context=context)
                try:
                    self._loops.run_until(task.done, within_s, f"the end of {job.__qualname__}()")
                finally:
                    if not task.done():
                        task.cancel()
                        self._loops.run_for(0.0)
                return task.result()  # type: ignore[no-any-return]  # the job's own
            assert callable(job), "a coroutine, or a function without arguments"
            return self._run_blocking(driver, job, within_s)

    def _run_blocking(self, driver: _SimulatedNode, job: Callable[[], T], within_s: float) -> T:
        outcome: list[tuple[Any, BaseException | None]] = []

        def run() -> None:
            try:
                outcome.append((driver.context.copy().run(job), None))
            except BaseException as error:  # noqa: BLE001 - whoever called `run` gets it
                outcome.append((None, error))

        driver.make_thread(f"{DRIVER}-main").run(run)
        self._loops.run_until(lambda: bool(outcome), within_s, f"the end of {getattr(job, '__qualname__', job)}()")
        value, error = outcome[0]
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]  # the job's own

    def run_for(self, seconds: float) -> None:
        """Let virtual time pass; from outside of `run`."""
        with self._its_time():
            self._loops.run_for(seconds)

    def run_until(self, is_done: Callable[[], bool], within_s: float = 60.0) -> None:
        """Let things happen until `is_done()`; from outside of `run`. Raises TimeoutError."""
        with self._its_time():
            self._loops.run_until(is_done, within_s)

    async def until(self, is_done: Callable[[], bool], within_s: float = 60.0) -> None:
        """The same inside of `run`. Raises TimeoutError."""
        deadline_s = self.now_s + within_s
        while not is_done():
            if self.now_s >= deadline_s:
                raise TimeoutError(f"not within {within_s:g} virtual seconds: {is_done}")
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
        """A hash of all that has passed between the nodes: equal for two runs that were the same."""
        return self._wires.trace_hash

    def runtime(self, name: str) -> Runtime:
        """All of one node, to look at. Raises KeyError when it is down."""
        runtime = self._nodes[name].runtime
        assert runtime is not None, "the node has been given its first turn"
        return runtime

    def is_complete(self) -> bool:
        """Whether all nodes are started, and each knows all that are up and no others."""
        if not all(node.is_started for node in self._nodes.values()):
            return False
        expected = set(self._nodes)
        return all(
            {record.node.name for record in self.runtime(name).node.directory.live()} == expected
            for name in self._nodes
        )

    # ---- faults: each from inside of `run`, or between two ---------------------------------------------------------

    def add_new(self) -> str:
        """Start one more node, which joins through one that is up. Returns its name."""
        name = f"n{len(self._births) - 1}"
        self._start(name)
        return name

    def crash(self, *names: str) -> None:
        """Let nodes go down in the same instant, without a word; their code never runs again. KeyError when not up."""
        for name in names:
            node = self._nodes.pop(name)
            node.loop.is_abandoned = True
            self._gone.append(node)
            self._wires.crash(name)

    def kill(self, *nodes: str) -> None:
        """The same, by the name that fault plans use."""
        self.crash(*nodes)

    def restart(self, name: str) -> str:
        """Start the next life of a node that is down. Raises ConfigError when it is up, or never was."""
        if name in self._nodes or name not in self._births:
            raise ConfigError("node", name, "the name of a node that has crashed or left")
        self._start(name)
        return name

    def leave_and_go(self, node: str) -> None:
        """Let a node leave in good order, and end."""
        leaver = self._nodes.pop(node)
        self._gone.append(leaver)
        assert leaver.runtime is not None
        closing = leaver.loop.create_task(leaver.runtime.close())

        def end(_: object) -> None:
            leaver.loop.is_abandoned = True
            self._wires.crash(node)

        closing.add_done_callback(end)

    def stall(self, node: str, for_s: float) -> None:
        """Let a node stand still for so long, as in a long garbage collection; what comes meanwhile waits."""
        self._nodes[node].loop.stalled_until_ns = self.clock.now_ns + nanoseconds(for_s)

    def slow_down(self, node: str, input_s: float, for_s: float) -> None:
        """Let every turn of a node's loop take `input_s`, for so long."""
        loop = self._nodes[node].loop
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
        """From now on, what `plan` says happens. What its selectors draw comes from the seed."""
        self._plans.append(PlanRun(self, plan))

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
        rng = stream(self.seed, "cluster", "groups")
        first = group(operation.side, names, rng)
        return self._impose(Rule(operation, first, group(operation.other, names, rng, first)))

    def _impose(self, rule: Rule) -> Rule:
        self._wires.impose(rule)
        return rule

    # ---- life -------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        birth = self._births[name] = self._births.get(name, 0) + 1
        node = _SimulatedNode(name, self._loops.make(f"{name} (life {birth})"))
        contacts = [f"{other}:1" for other in self._nodes if other != name][:1]
        self._nodes[name] = node
        node.loop.create_task(self._be_born(node, birth, contacts))

    async def _be_born(self, node: _SimulatedNode, birth: int, contacts: list[str]) -> None:
        name, rng = node.name, stream(self.seed, f"{node.name}/{birth}", "world")
        settings = {**self._settings, "hosts_actors": name != DRIVER}
        config = NodeConfig(
            name=name, cluster="simulated", bind=f"{name}:1", cookie=COOKIE, seed=rng.getrandbits(64), **settings
        )
        world = World(lambda: EPOCH_NS + self.clock.now_ns, rng.randbytes, lambda: 1)
        runtime = node.runtime = Runtime(
            config, transport=self._wires.door(name, node.loop), world=world, make_thread=node.make_thread
        )
        runtime.objects.rebuild = rebuild_ref
        node.context.run(current_system.set, runtime.system)
        while True:
            try:
                await runtime.start(contacts)
                break
            except PartisanError as error:
                logger.info("node %s cannot start yet: %s", name, error)
                await asyncio.sleep(1.0)
                contacts = [f"{other}:1" for other in self._nodes if other != name][:1]
        node.is_started = True

    def close(self) -> None:
        """End everything. Nothing of the simulation runs afterwards, and no thread of it is left."""
        if self._is_closed:
            return
        self._is_closed = True
        with self._its_time():
            for node in (*self._nodes.values(), *self._gone):
                for thread in node.threads:
                    thread.abandon()
            self._wires.shut()
            self._loops.close()

    def _its_time(self) -> AbstractContextManager[None]:
        """For whatever gives the loops turns: users' code may run in them."""
        return users_time(self._loops.time, hash((self.seed, self._loops.turns)))


class _Clock:
    """When something is to happen to the cluster: a loop that belongs to no node."""

    def __init__(self, loops: Loops) -> None:
        self._time = loops.time
        self._loop = loops.make("the world")

    @property
    def now_ns(self) -> int:
        """Virtual nanoseconds since the beginning."""
        return self._time.now_ns

    def at(self, time_ns: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call `function(*arguments)` at `time_ns`."""
        self._loop.call_at(time_ns / NANOSECONDS_PER_SECOND, function, *arguments, context=copy_context())

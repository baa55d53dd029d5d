"""One life of a whole node in virtual time: its loop, its threads, its `Runtime`; and the clock that faults go by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, Final

from partisan_actors.actors.context import current_system
from partisan_actors.api.runtime import Runtime
from partisan_actors.api.session import rebuild_ref
from partisan_actors.errors import ConfigError, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.world import World
from partisan_actors.simulation.clock import NANOSECONDS_PER_SECOND
from partisan_actors.simulation.lockstep import LockstepThread
from partisan_actors.simulation.loop import Loops, VirtualLoop
from partisan_actors.simulation.wires import Door

__all__ = ["PlanClock", "SimulatedNode"]

logger = logging.getLogger(__name__)

RETRY_S: Final = 1.0  # between two tries of a node to start
CONTACTS_MAX: Final = 3


class SimulatedNode:
    """Made by `SimulatedCluster`, which lets its loop have turns."""

    runtime: Runtime | None = None
    is_started = False

    def __init__(self, name: str, birth: int, loop: VirtualLoop) -> None:
        self.name = name
        self.birth = birth  # its how-manieth life this is, from 1
        self.loop = loop
        self.threads: list[LockstepThread] = []
        self.context = Context()  # in which code finds this node when it calls
        self._idle: list[LockstepThread] = []  # of the loop's executor
        loop.execute = self._execute

    @property
    def me(self) -> NodeId:
        """The name and the incarnation of this life, once it is started."""
        assert self.runtime is not None, "a node that is started has one"
        return self.runtime.node.me

    @property
    def directory(self) -> set[NodeId]:
        """Whom it takes to be up, once it is started."""
        assert self.runtime is not None, "a node that is started has one"
        return {record.node for record in self.runtime.node.directory.live()}

    def begin(self, config: NodeConfig, world: World, door: Door, contacts: Callable[[], list[str]]) -> None:
        """Start on the next turn, through the first of `contacts()` that answer; try again until one does."""
        self.loop.create_task(self._be_born(config, world, door, contacts))

    def make_thread(self, name: str) -> LockstepThread:
        """For blocking code."""
        thread = LockstepThread(name, self.loop)
        self.threads.append(thread)
        return thread

    async def _be_born(self, config: NodeConfig, world: World, door: Door, contacts: Callable[[], list[str]]) -> None:
        while not self.is_started:
            try:
                runtime = self.runtime = Runtime(config, transport=door, world=world, make_thread=self.make_thread)
                runtime.objects.rebuild = rebuild_ref
                self.context.run(current_system.set, runtime.system)
                await runtime.start([f"{other}:1" for other in contacts()[:CONTACTS_MAX]])
                self.is_started = True
            except ConfigError as error:
                self.loop.failure = error  # whoever runs the simulation gets it
                return
            except PartisanError as error:
                logger.info("node %s cannot start yet: %s", self.name, error)
                await asyncio.sleep(RETRY_S)

    def _execute(self, job: Callable[[], None]) -> None:
        thread = self._idle.pop() if self._idle else self.make_thread(f"{self.name}-executor-{len(self.threads)}")

        def run() -> None:
            job()
            self._idle.append(thread)

        thread.run(run)


class PlanClock:
    """When something is to happen to the cluster: a loop that belongs to no node."""

    def __init__(self, loops: Loops) -> None:
        self._time = loops.time
        self._loop = loops.make("the world")
        self._loop.set_exception_handler(self._fail)

    @property
    def now_ns(self) -> int:
        """Virtual nanoseconds since the beginning."""
        return self._time.now_ns

    def at(self, time_ns: int, function: Callable[..., Any], *arguments: Any) -> None:
        """Call `function(*arguments)` at `time_ns`."""
        self._loop.call_at(time_ns / NANOSECONDS_PER_SECOND, function, *arguments, context=copy_context())

    def _fail(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # A fault that could not happen: whoever runs the simulation gets it.
        self._loop.failure = context.get("exception") or RuntimeError(context["message"])

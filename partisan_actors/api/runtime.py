"""`Runtime`: one node with everything on it, put together. Drivers, workers and commands all start one."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from partisan_actors.actors.holding import Holding
from partisan_actors.actors.signals import Signals
from partisan_actors.actors.subscriptions import Subscriptions
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.terminating import serve_terminating
from partisan_actors.actors.threads import ActorThread, JobThread
from partisan_actors.api.beside import Beside, Dashboard, open_beside
from partisan_actors.api.checkup import Checkup
from partisan_actors.api.control import Control
from partisan_actors.api.deadlock_watch import DeadlockWatch
from partisan_actors.api.event_service import EventService
from partisan_actors.api.exported import MetricsExported
from partisan_actors.api.health import Health
from partisan_actors.api.inner_states import InnerStates
from partisan_actors.api.inspection import Inspection
from partisan_actors.api.log_choice import chosen_format, chosen_line
from partisan_actors.api.log_service import LogService
from partisan_actors.api.metering import Metering
from partisan_actors.api.object_rows import ObjectRows
from partisan_actors.api.pending import PendingWork
from partisan_actors.api.runtime_env import check_runtime_env, environment_for
from partisan_actors.api.settings import Settings
from partisan_actors.api.stacks import Stacks
from partisan_actors.api.steering import Steering
from partisan_actors.api.tracing_service import OFF, TracingService
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.node import Node, Transport
from partisan_actors.node.overlays import shared_options
from partisan_actors.node.patience import busy_wait
from partisan_actors.node.world import World
from partisan_actors.objects.store import ObjectStore
from partisan_actors.scheduler.environment import NO_ENVIRONMENT
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.tasks.draining import Draining
from partisan_actors.tasks.executor import TaskExecutor
from partisan_actors.tasks.rpc import NodeCalls
from partisan_actors.tasks.submit import TaskSubmitter
from partisan_actors.tasks.waits import TaskWaits
from partisan_actors.telemetry.recent import RecentSpans
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.sampler import Sampler
from partisan_actors.telemetry.tracing import Tracing, TracingOptions, begin_recording, inherit, limited, start_tracing
from partisan_actors.telemetry.wall_clock import WallClock
from partisan_actors.wire.addresses import format_address, parse_address

__all__ = ["EXPORT_S", "Runtime"]

# How long the end of a node may take because of spans that are still to be exported.
EXPORT_S: Final = 2.0


class Runtime:
    """A node, its actor system, and the services on it. Make it on the loop it is to run on, then `start`."""

    def __init__(
        self,
        config: NodeConfig,
        tracing: TracingOptions | None = None,
        *,
        transport: Transport | None = None,
        incarnation: int | None = None,
        world: World | None = None,
        make_thread: Callable[[str], JobThread] = ActorThread,
    ) -> None:
        self.config = config
        self.recorder = Recorder()
        if tracing is not None:
            # Before the first message, and before OpenTelemetry is loaded: calls of that time are in their trace too.
            begin_recording(self.recorder, tracing)
            if not config.hosts_actors and not config.hosted_by:
                inherit(self.recorder, os.environ)  # a program's node, which ends with it
        self.node = Node(
            config,
            asyncio.get_running_loop(),
            transport=transport,
            recorder=self.recorder,
            incarnation=incarnation,
            world=world,
        )
        if world is None:  # in a simulation, no time would pass meanwhile
            self.node.flusher.busy_wait = busy_wait(self.node.loop, time.perf_counter, os.environ)
        self.system = ActorSystem(self.node, make_thread)
        self.scheduler = Scheduler(self.system)
        if world is None:  # in one of another kind, processes are none
            self.scheduler.processes.settings = self._settings_for_processes
        self.holding = Holding(self.system)
        self.signals = Signals(self.system)
        serve_terminating(self.system)
        self.signals.releasing = self.scheduler.releasing
        self.objects = ObjectStore(self.system)
        self.executor = TaskExecutor(self.system, self.scheduler)
        self.submitter = TaskSubmitter(self.system, self.scheduler, self.objects)
        self.draining = Draining(self.system, self.scheduler, self.executor)
        self.calls = NodeCalls(self.system, self.objects)
        self.inspection = Inspection(self.system, self.scheduler, self.objects, self.executor, self.submitter)
        TaskWaits(self.system.extensions["waits"], self.executor, self.submitter)
        self.metering = Metering(self.system, self.scheduler, self.objects, self.executor)
        self.pending = PendingWork(self.system, self.scheduler, self.submitter, self.executor)
        self.control = Control(self.system)
        self.recent_spans = RecentSpans(WallClock(self.recorder.clock, self.recorder.wall_clock))
        self.traces = TracingService(self.system, self.recent_spans, tracing.level if tracing is not None else OFF)
        self.health = Health(self.system, self.scheduler)
        self.checkup = Checkup(self.system, self.objects, self.health)
        self.steering = Steering(self.system, self.scheduler)
        self.events = EventService(self.system, self.scheduler)
        self.deadlock_watch = DeadlockWatch(self.system)
        self.stacks = Stacks(self.system, self.executor)
        self.inner_states = InnerStates(self.system)
        self.object_rows = ObjectRows(self.system, self.objects)
        self.settings = Settings(self.system, tracing, self.change_tracing)
        if world is None:  # in a simulation, what is logged is not the node's
            self.logs = LogService(self.system)
        self.topics = Subscriptions(self.system)
        self.system.extensions.update(runtime=self, topics=self.topics, pending=self.pending)
        # What work that is started here finds around it, unless it says otherwise.
        self.environment = NO_ENVIRONMENT
        check_runtime_env(config.runtime_env)
        self._metrics = MetricsExported(self.node, self.metering, tracing)
        self._is_real = world is None  # in another one, there is nobody to export to, or who waits
        self._tracing_options = tracing
        self._tracing: Tracing | None = None
        self.dashboard: Beside | None = None
        self._loading: asyncio.Task[None] | None = None

    async def start(self, contacts: Sequence[str] = ()) -> None:
        """Start the node and join through the first contact that answers. Raises as `Node.start` does.

        Loading OpenTelemetry takes a second. A node that hosts actors does that first, because it may get calls as soon
        as it is a member, and users' spans are lost until then; another one does it meanwhile: see `ready`.
        """
        if self._tracing_options is not None and self.config.hosts_actors and self.config.cluster:
            await self._start_tracing(self._tracing_options)
        try:
            await self.node.start(contacts)
        except BaseException:
            await self._export_the_rest()
            raise
        self.events.started()
        if self._is_real:
            self.deadlock_watch.start()
        if self._is_real:
            self._metrics.start()
        self.objects.start()
        self.environment = environment_for(self, self.config.runtime_env)
        if self.config.prestart and self.config.hosts_actors and self.scheduler.processes.can_isolate:
            self.scheduler.processes.warm_up()
        if self._tracing_options is not None and self._tracing is None:
            self._loading = self.node.loop.create_task(self._start_tracing(self._tracing_options))

    async def ready(self) -> None:
        """Return when everything is loaded. Raises ConfigError when the spans cannot go where they should."""
        if self._loading is not None:
            await self._loading

    async def _start_tracing(self, options: TracingOptions) -> None:
        # Not on the loop, which does not have a second.
        cluster = self.node.cluster
        self._tracing = await self.node.loop.run_in_executor(
            None, partial(start_tracing, self.recorder, self.node.me, cluster, options, recent=self.recent_spans)
        )

    async def change_tracing(self, options: TracingOptions, sampler: Sampler) -> None:
        """Record by these from now on; what is loaded for that stays loaded. Raises ConfigError as `ready` does."""
        await self.ready()
        options = limited(options, os.environ)
        if not options.is_off and self._tracing is None:
            await self._start_tracing(options)
        self.recorder.configure(enabled=not options.is_off, sampler=sampler, options=options)
        self.traces.level = options.level
        self._tracing_options = None if options.is_off else options

    async def open_dashboard(self, wanted: Dashboard) -> None:
        """Run a dashboard in this process, if one is wanted. Raises ConfigError when it cannot listen."""
        if wanted is not False:
            self.dashboard = await open_beside(self.node, wanted)

    async def close(self, why: str = "") -> None:
        """End the actors, leave the cluster, for the reason `why`, and export what is left to export."""
        if self.dashboard is not None:
            await self.dashboard.close()
        last = await self._metrics.last_points()
        await asyncio.gather(self.system.close(), self.scheduler.processes.close())
        self.topics.close()
        self.executor.close()
        await self.node.close(why=why)
        self.objects.sharing.close()
        await asyncio.gather(self._export_the_rest(), self._metrics.close(last))

    async def _export_the_rest(self) -> None:
        loop = self.node.loop
        deadline = loop.time() + EXPORT_S
        if self._loading is not None:
            await asyncio.wait([self._loading], timeout=EXPORT_S)
        tracing = self._tracing
        if tracing is None:
            return
        # Not on a thread of the executor: there is none any more when this runs as a program that failed ends.
        tracing.begin_close()
        while not tracing.is_finished and loop.time() < deadline:  # noqa: ASYNC110 - it runs without a loop to tell
            await asyncio.sleep(0.01)
        tracing.close(0.0)

    def _settings_for_processes(self) -> dict[str, Any]:
        """What the processes of this node share with it."""
        config = self.config
        return {
            **self.settings_for_workers(),
            "bind": [format_address(parse_address(address)[0], 0) for address in config.bind],
            "advertise": [format_address(parse_address(address)[0], 0) for address in config.advertise],
            "allow_faults": config.allow_faults,
            "log_level": logging.getLevelName(logging.getLogger().getEffectiveLevel()),
            "log_format": chosen_format(),
            "log_line": chosen_line(),
        }

    def settings_for_workers(self) -> dict[str, Any]:
        """What the workers of this node's cluster share with it, as JSON."""
        config = self.config
        return {
            "cluster": self.node.cluster,
            "contacts": [self.node.address],
            "overlay": config.overlay,
            "overlay_options": shared_options(config),
            "broadcast": config.broadcast,
            "broadcast_options": dict(config.broadcast_options),
            "routing": config.routing,
            "cookie": config.cookie.hex(),
            "insecure": config.insecure,
            "tls": config.tls.plain() if config.tls is not None else None,
            "session_resume_s": config.session_resume_s,
            "checksums": config.checksums,
            "namespace": config.namespace,
            "channels": {name: asdict(options) for name, options in config.channels.items()},
            "delivery": config.delivery.plain(),
            "forward": config.forward.plain(),
            "object_store_bytes_max": config.object_store_bytes_max,
            "spill_dir": config.spill_dir,
            "shared_memory": config.shared_memory,
            "prestart": config.prestart,
            "sources": dict(config.sources),
            "tracing": asdict(self._tracing_options) if self._tracing_options is not None else None,
        }

"""`Runtime`: one node with everything on it, put together. Drivers, workers and commands all start one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.control import Control
from partisan_actors.api.inspection import Inspection
from partisan_actors.node.config import NodeConfig
from partisan_actors.node.node import Node, Transport
from partisan_actors.objects.store import ObjectStore
from partisan_actors.scheduler.scheduler import Scheduler
from partisan_actors.tasks.executor import TaskExecutor
from partisan_actors.tasks.submit import TaskSubmitter
from partisan_actors.telemetry.recorder import Recorder
from partisan_actors.telemetry.tracing import Tracing, TracingOptions, start_tracing

__all__ = ["Runtime"]


class Runtime:
    """A node, its actor system, and the services on it. Make it on the loop it is to run on, then `start`."""

    def __init__(
        self,
        config: NodeConfig,
        tracing: TracingOptions | None = None,
        *,
        transport: Transport | None = None,
        incarnation: int | None = None,
    ) -> None:
        self.config = config
        self.recorder = Recorder()
        self.node = Node(
            config,
            asyncio.get_running_loop(),
            transport=transport,
            recorder=self.recorder,
            incarnation=incarnation,
        )
        self.system = ActorSystem(self.node)
        self.scheduler = Scheduler(self.system)
        self.objects = ObjectStore(self.system)
        self.executor = TaskExecutor(self.system, self.scheduler)
        self.submitter = TaskSubmitter(self.system, self.scheduler, self.objects)
        self.inspection = Inspection(self.system, self.scheduler, self.objects, self.executor)
        self.control = Control(self.system)
        self.system.extensions["runtime"] = self
        self._tracing_options = tracing
        self._tracing: Tracing | None = None

    async def start(self, contacts: Sequence[str] = ()) -> None:
        """Start the node and join through the first contact that answers. Raises as `Node.start` does."""
        await self.node.start(contacts)
        if self._tracing_options is not None:
            # Loading OpenTelemetry takes a second, which the loop does not have.
            self._tracing = await self.node.loop.run_in_executor(
                None, start_tracing, self.recorder, self.node.me, self.node.cluster, self._tracing_options
            )

    async def close(self) -> None:
        """End the actors, leave the cluster, and export what is left to export."""
        await self.system.close()
        self.executor.close()
        await self.node.close()
        if self._tracing is not None:
            await self.node.loop.run_in_executor(None, self._tracing.close, 2.0)

    def settings_for_workers(self) -> dict[str, Any]:
        """What the workers of this node's cluster share with it, as JSON."""
        config = self.config
        return {
            "cluster": self.node.cluster,
            "contacts": [self.node.address],
            "overlay": config.overlay,
            "overlay_options": dict(config.overlay_options),
            "routing": config.routing,
            "cookie": config.cookie.hex(),
            "channels": {name: asdict(options) for name, options in config.channels.items()},
            "tracing": asdict(self._tracing_options) if self._tracing_options is not None else None,
        }

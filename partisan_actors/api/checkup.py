"""What `partisan doctor` asks each node: how it is set up, what it finds on its host, and what time it has."""

from __future__ import annotations

from typing import Any, Final

import partisan_actors
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api.health import Health
from partisan_actors.api.host_facts import host_facts
from partisan_actors.objects.store import ObjectStore

__all__ = ["CHECKUP", "Checkup"]

CHECKUP: Final = "checkup"


class Checkup:
    """Tells facts; what is wrong with them, whoever asks decides, who has those of the other nodes, too."""

    def __init__(self, system: ActorSystem, objects: ObjectStore, health: Health) -> None:
        self._system = system
        self._objects = objects
        self._health = health
        system.serve(CHECKUP, self)

    async def now(self, peer: Any) -> float:
        """The time that this node has, in seconds since 1970; nothing else, so that the answer takes no time."""
        return self._system.node.world.wall_clock_ns() / 1e9

    async def echo(self, peer: Any, data: bytes) -> bytes:
        """The same bytes: for whoever wants to know whether so many come through, and back."""
        return data

    async def facts(self, peer: Any) -> dict[str, Any]:
        """All else, as plain data."""
        node, recorder = self._system.node, self._system.recorder
        config = node.config
        # On a thread, for it looks at files.
        host = await node.loop.run_in_executor(None, host_facts, config.spill_dir)
        return {
            **host,
            "name": node.me.name,
            "cluster": node.cluster,
            "version": partisan_actors.__version__,
            "addresses": list(node.addresses.addresses_of(node.me)),
            "bind": list(config.bind),
            "takes_anybody": config.takes_anybody,
            "has_tls": config.tls is not None,
            "tls": node.credentials.facts() if node.credentials is not None else None,
            "allow_faults": config.allow_faults,
            "wants_shared_memory": config.shared_memory and node.world.shares_memory,
            "shares_memory": self._objects.sharing.segments is not None,
            "loop_lag": node.driver.counts.lag.plain(),
            "troubles": node.troubles.facts(),
            "spans_lost": recorder.dropped + recorder.export_failed,
            "not_ready": (await self._health.ready(peer))["why"],
        }

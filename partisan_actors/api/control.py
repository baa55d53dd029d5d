"""What one node does when it is asked to from outside: join, put out, leave; and end, if it was started to be."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ConfigError
from partisan_actors.node.config import host_name

__all__ = ["CONTROL", "Control"]

CONTROL: Final = "control"


class Control:
    """Takes requests to this node's process.

    `on_stop` is set by whoever runs the process and lets others end it. A program that called `init` does not set it:
    its node ends with the program, and nobody else may end that. `on_start` is set by whoever can start another node
    beside this one, and gives its name once it is a member.
    """

    def __init__(self, system: ActorSystem) -> None:
        self.on_stop: Callable[[], None] | None = None
        self.on_start: Callable[[], Awaitable[str]] | None = None
        self._system = system
        system.serve(CONTROL, self)

    async def join(self, peer: Any, address: str) -> None:
        """Join whoever listens at `address`, in the background. Raises ConfigError for what cannot be joined."""
        self._system.node.membership.join(address)

    async def leave(self, peer: Any) -> dict[str, Any]:
        """Begin to leave, and go on alone. The answer says whether it will: a program's node is that program's own."""
        leaves = self.on_stop is not None
        if leaves:
            self._system.background.start(self._system.node.membership.leave(), "leave, as asked to")
        return {"leaves": leaves, "pid": os.getpid(), "host": host_name()}

    async def evict(self, peer: Any, name: str) -> None:
        """Put the node of that name out of the cluster. Raises ConfigError when that cannot be."""
        self._system.node.membership.evict(name)

    async def faults(self, peer: Any, what: str, *args: Any) -> Any:
        """Add a fault plan, list or clear them. Raises ConfigError when this node does not allow it."""
        if not self._system.node.config.allow_faults:
            allowed = "a node that was started with --allow-faults"
            raise ConfigError("node", self._system.me.name, allowed)
        from partisan_actors.api.drills import drills_of  # few nodes ever need it

        drills = drills_of(self._system)
        return drills.add(*args) if what == "add" else drills.clear() if what == "clear" else drills.facts()

    async def start(self, peer: Any) -> dict[str, Any]:
        """Start another node beside this one, with the same settings; it ends with this one. The answer has its name.

        Raises ConfigError for a node that starts no others, and what `on_start` raises.
        """
        if self.on_start is None:
            allowed = "the first node of a `partisan start`, which can start others beside it"
            raise ConfigError("node", self._system.me.name, allowed)
        return {"name": await self.on_start(), "host": host_name()}

    async def stop(self, peer: Any) -> dict[str, Any]:
        """Begin to leave and end. The answer, which leaves before the node does, says whether it will and who it is."""
        on_stop = self.on_stop
        if on_stop is not None:
            on_stop()
        return {"stops": on_stop is not None, "pid": os.getpid(), "host": host_name()}

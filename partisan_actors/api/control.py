"""What one node does when it is asked to from outside: end, if it was started to be ended so."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from partisan_actors.actors.system import ActorSystem
from partisan_actors.node.config import host_name

__all__ = ["CONTROL", "Control"]

CONTROL: Final = "control"


class Control:
    """Takes requests to this node's process.

    `on_stop` is set by whoever runs the process and lets others end it. A program that called `init` does not set it:
    its node ends with the program, and nobody else may end that.
    """

    def __init__(self, system: ActorSystem) -> None:
        self.on_stop: Callable[[], None] | None = None
        system.serve(CONTROL, self)

    async def stop(self, peer: Any) -> dict[str, Any]:
        """Begin to leave and end. The answer, which leaves before the node does, says whether it will and who it is."""
        on_stop = self.on_stop
        if on_stop is not None:
            on_stop()
        return {"stops": on_stop is not None, "pid": os.getpid(), "host": host_name()}

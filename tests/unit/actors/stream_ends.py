"""What stands around one end of a stream in tests: a peer that keeps what is said to it, and a node's actor system."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from partisan_actors.actors.producing import KEY
from partisan_actors.errors import Overloaded
from partisan_actors.ids import NodeId
from partisan_actors.wire.codec import unpack


class Wire:
    """A peer that keeps what is sent to it, and may be full."""

    def __init__(self, name: str) -> None:
        self.node = NodeId(name, 1)
        self.sent: deque[list[Any]] = deque()
        self.pending: dict[int, Any] = {}
        self.calls = None
        self.down: str | None = None
        self.is_full = False

    def send(self, message: bytes, channel: str = "calls", affinity: int = 0) -> None:
        if self.is_full:
            raise Overloaded(str(self.node), 1)
        self.sent.append(unpack(message))

    def take(self) -> list[tuple[str, list[Any]]]:
        """What was said to the other end."""
        said = [(message[2], message[3:]) for message in self.sent if message[1] == KEY]
        self.sent.clear()
        return said


class Host:
    """One node's actor system, as far as streams go."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.cells: dict[bytes, Any] = {}
        self.extensions: dict[str, Any] = {}
        self.copy_buffers = lambda views, peer: [bytes(view) for view in views]

    def post(self, call: Callable[..., object], *args: Any) -> None:
        call(*args)

"""`Host` and `Running`: what the parts of an actor system know of the whole, so that none of them imports it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from partisan_actors.actors.actor import Definition
    from partisan_actors.actors.mailbox import Message
    from partisan_actors.actors.options import CellOptions
    from partisan_actors.actors.ref import Location
    from partisan_actors.actors.stepping import Steps
    from partisan_actors.actors.threads import Threads
    from partisan_actors.errors import PartisanError
    from partisan_actors.ids import ActorId, NodeId
    from partisan_actors.node.background import Background
    from partisan_actors.node.node import Node
    from partisan_actors.node.router import Peer
    from partisan_actors.telemetry.meters import Meters
    from partisan_actors.telemetry.recorder import Recorder
    from partisan_actors.telemetry.records import Address

__all__ = ["CopyBuffers", "Host", "Running"]

# Makes buffers what can be sent later: to a peer, or to nobody knows whom yet. From any thread.
CopyBuffers: TypeAlias = "Callable[[Sequence[memoryview], Peer | None], list[Any]]"


class Running(Protocol):
    """An actor of this node, as others see it: a cell."""

    key: bytes
    actor: ActorId
    definition: Definition
    options: CellOptions
    processed: int
    instance: Any
    # Whether nothing of the actor runs while a blocking method does.
    runs_alone: bool


class Host(Protocol):
    """The actor system of one node, as its parts see it. Its methods are documented where they are, in `system`."""

    me: NodeId
    node: Node
    loop: asyncio.AbstractEventLoop
    thread_id: int
    recorder: Recorder
    meters: Meters
    background: Background
    steps: Steps
    threads: Threads
    cells: dict[bytes, Any]
    dispatch: list[Callable[..., None]]
    extensions: dict[str, Any]
    # Told of calls that plain ones may overtake, with their replies.
    under_way: Callable[[Location, Any], None]
    # What `objects` adds to the way out, and is told of large values that came in: with what they were made of.
    copy_buffers: CopyBuffers
    arrived_large: Callable[[Any, Any, Any], None]

    def post(self, call: Callable[..., object], *args: Any) -> None:
        """From any thread: call on the loop, in order."""
        ...

    def signal(self, cell: Any, peer: Peer, number: int | None, name: str, args: Any) -> bool:
        """Take what the actors' floor itself says to an actor; tells whether it was that."""
        ...

    def outcome(self, cell: Any, message: Message, value: Any, error: BaseException | None, is_last: bool) -> None:
        """On an actor's thread: a blocking method ended."""
        ...

    def reply(self, message: Any, number: int, value: Any, cell: Any) -> None:
        """A method returned."""
        ...

    def reply_failed(self, peer: Peer, number: int, error: BaseException, cell: Any, method: str) -> None:
        """A method raised."""
        ...

    def reply_error(self, peer: Peer, number: int, error: BaseException) -> None:
        """A call was refused."""
        ...

    def reply_value(self, peer: Peer, number: int, value: Any, channel: str) -> None:
        """A service answered."""
        ...

    def refuse(self, peer: Peer, number: int | None, key: bytes, method: str | bytes = "tell") -> None:
        """A message named an actor that is not here."""
        ...

    def tell_failed(self, cell: Any, method: str, error: BaseException) -> None:
        """A method that was told, not asked, raised."""
        ...

    def dead_letter(self, whom: object, method: str | bytes, why: str | BaseException, sender: str = "") -> None:
        """A message reached nobody."""
        ...

    def failed_to_start(self, cell: Any, error: BaseException) -> PartisanError:
        """A constructor raised: what its callers get."""
        ...

    def cell_stopped(self, cell: Any) -> None:
        """A cell ended."""
        ...

    def sender_affinity(self) -> int:
        """What the running code contributes to the choice of a lane."""
        ...

    def addresses_for(self, peer: Peer, channel: str, lane: int) -> tuple[Address | None, Address | None]:
        """Where a node can be dialled, and where the connection ends that messages for it go on first."""
        ...

"""What acknowledged delivery keeps of one other node, and who stands for that node where it is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from partisan_actors.errors import PartisanError
from partisan_actors.node.router import Buffers, Peer, Pending
from partisan_actors.protocols.delivery.retransmission import Outbox, Window
from partisan_actors.wire.channels import CALLS

__all__ = ["AckedPeer", "Item", "Party", "Stream"]

# A channel, a lane of it, and a causal label or None. Messages of a stream are in order whatever connection they take;
# those of others wait for none of them.
Stream: TypeAlias = tuple[str, int, str | None]


class Item(NamedTuple):
    """A message that is kept. `question` is the number of the call that it asks, or 0; `clock` is 0 without a label."""

    message: bytes
    buffers: Buffers | None
    affinity: int
    stamp: list[Any] | None
    label: str | None
    clock: int
    question: int
    acknowledged: Callable[[], None] | None
    given_up: Callable[[PartisanError], None] | None


class Party:
    """One life of another node, as far as acknowledged messages go."""

    __slots__ = ("asked", "clocks", "outboxes", "owed", "peer", "stand_ins", "windows")

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.outboxes: dict[Stream, Outbox] = {}
        self.windows: dict[Stream, Window] = {}
        # Acknowledgements to be sent; and the clock of each label up to which was delivered here.
        self.owed: dict[Stream, None] = {}
        self.clocks: dict[str, int] = {}
        self.asked: dict[int, Pending] = {}
        self.stand_ins: dict[str | None, AckedPeer] = {}


class AckedPeer:
    """Stands for a peer where it is answered: what is sent on it is acknowledged, and causal under `label`."""

    # What a plain answer looks at first: there is no lane that it could take at once.
    calls = direct = None

    def __init__(self, send: Callable[..., None], peer: Peer, label: str | None) -> None:
        self.peer = peer
        self.label = label
        self._send = send

    def __getattr__(self, name: str) -> Any:
        return getattr(self.peer, name)

    def __str__(self) -> str:
        return str(self.peer)

    def without_label(self) -> AckedPeer:
        """The same for what need not be in causal order."""
        return self if self.label is None else AckedPeer(self._send, self.peer, None)

    def send(self, message: bytes, channel: str = CALLS, affinity: int = 0) -> None:
        """Send an answer. Raises NodeDown."""
        self._send(self.peer, message, None, channel, affinity, label=self.label, must=True)

    def send_large(self, message: bytes, buffers: Buffers, channel: str = CALLS, affinity: int = 0) -> None:
        """The same with buffers beside it."""
        self._send(self.peer, message, buffers or None, channel, affinity, label=self.label, must=True)

    # An answer has no order with others; here it has that of its stream.
    reply_large = send_large

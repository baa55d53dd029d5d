"""What SWIM's nodes say to each other; all but `Nack` may carry statements about peers."""

from __future__ import annotations

from partisan_actors.messages import message
from partisan_actors.protocols.detector.rumours import Update
from partisan_actors.protocols.machine import Peer
from partisan_actors.values import dataclass

__all__ = ["Ack", "Nack", "Ping", "PingReq"]


@message("swim.ping")
@dataclass(frozen=True, slots=True)
class Ping:
    """Do you live? `number` comes back in the Ack."""

    number: int
    updates: tuple[Update, ...]


@message("swim.ping_req")
@dataclass(frozen=True, slots=True)
class PingReq:
    """Does `target` live? It does not answer me. Ping it, and answer with Ack if it does, with Nack if it does not."""

    number: int
    target: Peer
    updates: tuple[Update, ...]


@message("swim.ack")
@dataclass(frozen=True, slots=True)
class Ack:
    """I live; or, from a helper: the target that you asked for does."""

    number: int
    updates: tuple[Update, ...]


@message("swim.nack")
@dataclass(frozen=True, slots=True)
class Nack:
    """The target has not answered me either. It shows that the asker can be heard, and can hear (Lifeguard)."""

    number: int

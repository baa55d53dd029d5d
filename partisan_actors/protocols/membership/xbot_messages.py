"""What X-BOT's nodes say to each other beyond HyParView's messages: the paper's seven, and two that measure.

In a swap, the initiator i gives up its old neighbour o for the candidate c, and c gives up d, which takes o instead.
As in `hyparview_messages`, `link` is the number that the receiver gave to a link and `own` the one that the sender
gave; `old_link` is o's number of the link to i.
"""

from __future__ import annotations

from dataclasses import dataclass

from partisan_actors.messages import message
from partisan_actors.protocols.machine import Peer

__all__ = [
    "DisconnectWait",
    "Optimization",
    "OptimizationReply",
    "Probe",
    "ProbeReply",
    "Replace",
    "ReplaceReply",
    "Switch",
    "SwitchReply",
]


@message("xbot.optimization")
@dataclass(frozen=True, slots=True)
class Optimization:
    """i asks c for a link in place of the one to `old`."""

    own: int
    old: Peer
    old_link: int
    tag: str = ""


@message("xbot.optimization_reply")
@dataclass(frozen=True, slots=True)
class OptimizationReply:
    """c answers i: as `NeighborReply` does."""

    link: int
    accepted: bool
    own: int
    tag: str = ""


@message("xbot.replace")
@dataclass(frozen=True, slots=True)
class Replace:
    """c asks d to give up their link, and to take `old` for it, which is to give up `initiator`."""

    link: int
    own: int
    initiator: Peer
    old: Peer
    old_link: int


@message("xbot.replace_reply")
@dataclass(frozen=True, slots=True)
class ReplaceReply:
    """d answers c. Accepted: d does not hold the link to c any more."""

    link: int
    accepted: bool


@message("xbot.switch")
@dataclass(frozen=True, slots=True)
class Switch:
    """d asks o for a link in place of the one to `initiator`."""

    own: int
    initiator: Peer
    old_link: int
    tag: str = ""


@message("xbot.switch_reply")
@dataclass(frozen=True, slots=True)
class SwitchReply:
    """o answers d: as `NeighborReply` does."""

    link: int
    accepted: bool
    own: int
    tag: str = ""


@message("xbot.disconnect_wait")
@dataclass(frozen=True, slots=True)
class DisconnectWait:
    """o does not hold its link to i any more; i keeps the place free for c."""

    link: int


@message("xbot.probe")
@dataclass(frozen=True, slots=True)
class Probe:
    """To be answered at once: the sender measures the round trip."""

    number: int


@message("xbot.probe_reply")
@dataclass(frozen=True, slots=True)
class ProbeReply:
    """The answer to the probe of that number."""

    number: int

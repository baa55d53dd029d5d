"""What a rule judges, and what it answers: a message that crosses from one node to another, and its fate.

A rule is any function of a `Passing` that returns a `Fault`, or None to let it pass. `between` makes one that is a
partition.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from partisan_actors.errors import ConfigError

__all__ = ["CORRUPT", "DROP", "DUPLICATE", "Fault", "MessageRule", "Passing", "between", "delay", "reorder"]

KINDS: Final = ("drop", "delay", "duplicate", "reorder", "corrupt")
AFTER_MAX_S: Final = 86_400.0
COPIES_MAX: Final = 100


class Passing(NamedTuple):
    """One message on its way over one connection, or, with `sender` equal to `receiver`, within one node.

    `direction` is "out" where it is sent and "in" where it arrives. `kind` is "call", "tell", "reply", "ping", "pong",
    "idle", "ack" (of a call or tell), "relay" (an acknowledgement of the relay's own), or the tag of a control message.
    `sender` and `receiver` are the names of the two nodes, `source` and `destination` those of the first and the last,
    which differ from them when it `is_relayed`. `actor` describes the actor it is for, as well as this node can; `size`
    is in bytes.
    """

    direction: str
    kind: str
    sender: str
    receiver: str
    source: str
    destination: str
    channel: str
    actor: str
    method: str
    size: int
    is_relayed: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a message. `after_s` is how much later it goes on; `copies` how many more of it there are.

    Raises ConfigError for what makes no sense.
    """

    kind: str
    after_s: float = 0.0
    copies: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError("kind", self.kind, f"one of {', '.join(KINDS)}")
        number = isinstance(self.after_s, (int, float)) and not isinstance(self.after_s, bool)
        if not number or not 0 <= self.after_s <= AFTER_MAX_S:
            raise ConfigError("after_s", self.after_s, f"from 0 to {AFTER_MAX_S:g} seconds")
        if not isinstance(self.copies, int) or not 0 <= self.copies <= COPIES_MAX:
            raise ConfigError("copies", self.copies, f"a whole number from 0 to {COPIES_MAX}")


MessageRule: TypeAlias = Callable[[Passing], Fault | None]

DROP: Final = Fault("drop")
DUPLICATE: Final = Fault("duplicate", copies=1)
# Only for what leaves: one bit of what the connection writes next is another one.
CORRUPT: Final = Fault("corrupt")


def delay(seconds: float) -> Fault:
    """It comes so much later, and holds up what follows it between the same two nodes."""
    return Fault("delay", seconds)


def reorder(seconds: float) -> Fault:
    """It comes so much later, and what follows overtakes it."""
    return Fault("reorder", seconds)


def between(side: Collection[str], other: Collection[str], *, one_way: bool = False) -> MessageRule:
    """A rule that drops whatever passes between nodes of the two sides, by name; `one_way`: only what `side` sends.

    Connections stay open: nodes find out as they do when cables are pulled. A plan's "cut" breaks them.
    """
    for name, value in (("side", side), ("other", other)):
        if isinstance(value, str):
            raise ConfigError(name, value, "a list of node names")

    def rule(message: Passing) -> Fault | None:
        goes = message.sender in side and message.receiver in other
        comes = message.sender in other and message.receiver in side
        return DROP if goes or (comes and not one_way) else None

    return rule

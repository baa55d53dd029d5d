"""What can be set in SCAMP; version 1 and version 2 have the same options."""

from __future__ import annotations

from dataclasses import dataclass, field

from partisan_actors.protocols.membership.redial import RedialOptions

__all__ = ["ScampOptions"]

LEAST = {
    "c": 0,
    "walk_ttl": 1,
    "holder_hops": 1,
    "isolation_periods": 1,
    "silence_periods": 1,
    "view_max": 2,
    "contacts_max": 1,
}


@dataclass(frozen=True, slots=True)
class ScampOptions:
    """The design parameter c, periods and bounds. Raises ValueError when a value is not valid.

    At `view_max` a PartialView keeps no more subscriptions and hands them on; an InView refuses the arc.
    At `contacts_max` the contact or former neighbour that was met first is forgotten.
    """

    c: int = 2  # a share of c / (c + 1) of all arcs may be lost; version 2 needs 1 at least
    indirection: float = 1.0  # about as many steps as nodes have neighbours on average
    walk_ttl: int = 2048
    holder_hops: int = 16  # what a hop to one who holds the subscriber counts for; the papers: 1
    heartbeat_period_s: float = 10.0
    isolation_periods: int = 10
    silence_periods: int = 3
    view_max: int = 512
    contacts_max: int = 16
    redial: RedialOptions = field(default_factory=lambda: RedialOptions(peers_max=64))

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} = {value!r} is not valid: expected an int of at least {least}")
        if not 0 <= self.indirection <= 100:
            raise ValueError(f"indirection = {self.indirection!r} is not valid: expected a number from 0 to 100")
        if not self.heartbeat_period_s > 0:
            raise ValueError(
                f"heartbeat_period_s = {self.heartbeat_period_s!r} is not valid: expected seconds, more than 0"
            )

"""What can be set in HyParView, with the paper's values as defaults where it gives any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from partisan_actors.protocols.membership.redial import RedialOptions
from partisan_actors.values import dataclass

__all__ = ["HyParViewOptions", "own_options"]

TAG_LENGTH_MAX = 64

LEAST = {
    "active_max": 2,  # with one link each, nodes would only ever form pairs
    "active_min": 1,
    "passive_max": 0,
    "arwl": 0,
    "prwl": 0,
    "shuffle_ttl": 0,
    "ka": 0,
    "kp": 0,
    "promotion_refusals_max": 1,
    "requests_max": 1,
    "contacts_max": 1,
}


@dataclass(frozen=True, slots=True)
class HyParViewOptions:
    """Sizes and periods of one node. Raises ValueError when a value is not valid.

    At `requests_max` unanswered requests, the newcomer of a walk that stops here goes to the passive view instead.
    At `contacts_max` the oldest contact is forgotten.

    `reservations` says how many of the `active_max` places are kept for peers of which `tag`, as they give it in their
    own options. A peer in a reserved place never makes room for another; an empty one is not given to anybody else.
    """

    active_max: int = 5  # the paper: log10(nodes) + 1
    active_min: int = 3  # with fewer, requests have high priority; the paper: 1
    passive_max: int = 30  # the paper: six times that
    arwl: int = 6  # hops of a ForwardJoin
    prwl: int = 3  # hops that are left when the newcomer enters a passive view
    shuffle_ttl: int = 6
    ka: int = 3  # active peers in a Shuffle
    kp: int = 4  # passive peers in a Shuffle
    shuffle_period_s: float = 10.0
    promotion_backoff_s: float | None = 1.0  # times 0.5 to 1.5; None: places are filled with the next shuffle only
    promotion_refusals_max: int = 6
    neighbor_timeout_s: float = 5.0
    requests_max: int = 32
    contacts_max: int = 16
    redial: RedialOptions = field(default_factory=RedialOptions)
    tag: str = ""
    reservations: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} = {value!r} is not valid: expected an int of at least {least}")
        if self.active_min >= self.active_max:
            # Otherwise nodes at their minimum would take each other's links for ever.
            raise ValueError(f"active_min = {self.active_min!r} is not valid: expected less than active_max")
        for name in ("shuffle_period_s", "promotion_backoff_s", "neighbor_timeout_s"):
            value = getattr(self, name)
            if not (value is None and name == "promotion_backoff_s") and not value > 0:
                raise ValueError(f"{name} = {value!r} is not valid: expected a number of seconds greater than 0")
        if not isinstance(self.tag, str) or len(self.tag) > TAG_LENGTH_MAX:
            raise ValueError(f"tag = {self.tag!r} is not valid: expected a str of at most {TAG_LENGTH_MAX} characters")
        self._check_reservations()

    def _check_reservations(self) -> None:
        wrong = f"reservations = {self.reservations!r} is not valid: expected"
        if not isinstance(self.reservations, Mapping):
            raise ValueError(f"{wrong} a mapping of tags to numbers of places")
        for tag, places in self.reservations.items():
            if not (isinstance(tag, str) and tag and isinstance(places, int) and places >= 1):
                raise ValueError(f"{wrong} a tag that is not empty and an int of at least 1, not {tag!r}: {places!r}")
        if sum(self.reservations.values()) > self.active_max:
            raise ValueError(f"{wrong} at most active_max = {self.active_max} places in all")


def own_options(joins: bool) -> Mapping[str, Any]:
    """What each node says for itself, and does not take from its cluster."""
    return {"tag": ""}

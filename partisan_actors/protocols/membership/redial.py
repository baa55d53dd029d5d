"""Peers worth trying again: each with its own randomised exponential back-off and a bounded number of tries.

A strategy adds a peer it failed to reach or lost, asks `due` when its timer fires, and discards a peer that answered.
Every try is counted as a failure until `discard` says otherwise, so a lost reply needs no input of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from partisan_actors.protocols.machine import Peer
from partisan_actors.values import dataclass

__all__ = ["Redial", "RedialOptions"]

# A timer may be told a `now` rounded to just before its moment; without this it would be set again for no time at all.
ROUNDING_S = 0.001


@dataclass(frozen=True, slots=True)
class RedialOptions:
    """How patiently, and for how many peers at once. Raises ValueError when a value is not valid.

    The n-th wait is `first_s` doubled n times, at most `longest_s`, times a random factor between 0.5 and 1.5.
    With the defaults a peer is given up after some ten minutes.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    tries_max: int = 15
    peers_max: int = 16

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.longest_s:
            raise ValueError(f"first_s = {self.first_s!r} is not valid: expected 0 < first_s <= {self.longest_s!r}")
        for field in ("tries_max", "peers_max"):
            value = getattr(self, field)
            if not (isinstance(value, int) and value >= 1):
                raise ValueError(f"{field} = {value!r} is not valid: expected an int of at least 1")


@dataclass(slots=True)
class _Wait:
    tries: int
    due: float


class Redial:
    """The list itself. At `peers_max` the peer that was added first is given up for the new one."""

    __slots__ = ("_options", "_rng", "_waits")

    def __init__(self, options: RedialOptions, rng: Random) -> None:
        self._options = options
        self._rng = rng
        self._waits: dict[Peer, _Wait] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def __contains__(self, peer: object) -> bool:
        return peer in self._waits

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._waits)

    def add(self, peer: Peer, now: float) -> bool:
        """Whether `peer` was not waiting yet; its first try is due after one back-off."""
        if peer in self._waits:
            return False
        if len(self._waits) >= self._options.peers_max:
            del self._waits[next(iter(self._waits))]
        self._waits[peer] = _Wait(0, now + self._back_off(0))
        return True

    def discard(self, peer: Peer) -> bool:
        """Whether `peer` was waiting; it is not to be tried again."""
        return self._waits.pop(peer, None) is not None

    def clear(self) -> None:
        """Give up every peer."""
        self._waits.clear()

    def due(self, now: float, *, give_up: bool = True) -> list[Peer]:
        """The peers to try now, in the order they were added. Each is charged a try and waits again.

        A peer whose tries are used up is forgotten with this, its last one, unless `give_up` is False.
        """
        due = [peer for peer, wait in self._waits.items() if wait.due <= now + ROUNDING_S]
        for peer in due:
            wait = self._waits[peer]
            wait.tries += 1
            wait.due = now + self._back_off(wait.tries)
            if give_up and wait.tries >= self._options.tries_max:
                del self._waits[peer]
        return due

    def next_delay(self, now: float) -> float | None:
        """Seconds until some peer is due, or None when nobody waits."""
        if not self._waits:
            return None
        return max(0.0, min(wait.due for wait in self._waits.values()) - now)

    def _back_off(self, tries: int) -> float:
        # The exponent is bounded so that an endless wait (`give_up=False`) does not grow a huge number.
        doubled = self._options.first_s * 2.0 ** min(tries, 32)
        return min(doubled, self._options.longest_s) * self._rng.uniform(0.5, 1.5)

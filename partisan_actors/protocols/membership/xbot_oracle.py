"""What a link costs: the interface of X-BOT's oracles, and the one that measures round trips.

To give nodes another oracle, make a class of your own that puts it into the options::

    class NearFirst(XBot):
        def __init__(self, me: Peer, options: XBotOptions, rng: Random) -> None:
            super().__init__(me, replace(options, oracle=Distances(me)), rng)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from partisan_actors.protocols.machine import Peer

__all__ = ["Oracle", "RoundTrips"]

# The first round trip to a peer without a connection contains the making of one.
SAMPLES_MIN = 2
# How much of a slower round trip is believed at once; a quicker one is believed whole.
SLOWER_SHARE = 0.125


@runtime_checkable
class Oracle(Protocol):
    """Tells a node what a link to a peer would cost, in any unit, as long as it is the same for all peers."""

    def cost(self, peer: Peer) -> float | None:
        """The cost, less being better, or None when it is not known: then it is never better than another.

        Asked several times in every optimisation, so it answers from memory. Nodes that disagree about a link do no
        harm: each decides by its own costs, and only the sum of all costs may then fail to fall.
        """
        ...


@dataclass(slots=True)
class _Trips:
    estimate_s: float
    samples: int


class RoundTrips:
    """The round-trip times in seconds that this node's own probes took (an `Oracle`).

    A quicker round trip than the estimate becomes the estimate, a slower one draws it up by an eighth of the
    difference: queues only ever add. Of `peers_max` peers, the one that answered least recently is forgotten.
    """

    def __init__(self, peers_max: int) -> None:
        self._peers_max = peers_max
        self._trips: dict[Peer, _Trips] = {}
        self._sent: dict[Peer, tuple[int, float]] = {}
        self._last_number = 0

    def cost(self, peer: Peer) -> float | None:
        """The estimate, after the second answer; the first may contain the making of the connection."""
        trips = self._trips.get(peer)
        return trips.estimate_s if trips is not None and trips.samples >= SAMPLES_MIN else None

    def probe(self, peer: Peer, now: float) -> int:
        """The number to send to `peer` now. A probe that it has not answered yet is given up."""
        self._last_number += 1
        self._sent.pop(peer, None)
        if len(self._sent) >= self._peers_max:
            del self._sent[next(iter(self._sent))]
        self._sent[peer] = (self._last_number, now)
        return self._last_number

    def answered(self, peer: Peer, number: int, now: float) -> bool:
        """Whether that was the answer to the last probe of `peer`."""
        sent = self._sent.get(peer)
        if sent is None or sent[0] != number:
            return False
        del self._sent[peer]
        trip_s = now - sent[1]
        trips = self._trips.pop(peer, None) or _Trips(trip_s, 0)
        slower = trip_s - trips.estimate_s
        trips.estimate_s += slower if slower < 0 else slower * SLOWER_SHARE
        trips.samples += 1
        if len(self._trips) >= self._peers_max:
            del self._trips[next(iter(self._trips))]
        self._trips[peer] = trips
        return True

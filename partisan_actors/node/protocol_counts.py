"""What a node's protocols have said and heard, by kinds of messages, and how late the loop was for their timers."""

from __future__ import annotations

from collections import Counter
from typing import Final

from partisan_actors.messages import tag_of
from partisan_actors.telemetry.histogram import Histogram

__all__ = ["HOPS_MAX", "ProtocolCounts"]

# What has crossed more links than this counts as this.
HOPS_MAX: Final = 64


class ProtocolCounts:
    """Those of one node. Kinds are tags of messages, of which there are as many as a program has classes of them."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        # Broadcasts of others that came here for the first time, and how many links these had crossed.
        self.delivered = 0
        self.hops: Counter[int] = Counter()
        # Neighbours in the overlay that failed, and were not just dropped.
        self.lost_neighbours = 0
        self.lag = Histogram()

    def received(self, message: object) -> None:
        """A message has arrived."""
        self.heard[tag_of(message) or ""] += 1

    def arrived(self, hops: int) -> None:
        """A broadcast was delivered; one of our own has crossed no link, and does not count."""
        if hops:
            self.delivered += 1
            self.hops[min(hops, HOPS_MAX)] += 1

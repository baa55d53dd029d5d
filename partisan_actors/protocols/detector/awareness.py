"""Local health: how far a node trusts its own judgement of others (Lifeguard, LHA-Probe)."""

from __future__ import annotations

__all__ = ["Awareness"]


class Awareness:
    """A counter from 0, healthy, to `most`. Periods and timeouts of probes are multiplied by one more than it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.score = 0

    @property
    def factor(self) -> int:
        """What a slow node multiplies its patience with: 1 when it is healthy."""
        return self.score + 1

    def worse(self, by: int = 1) -> None:
        """Something happened that is likelier to be this node's fault than another's."""
        self.score = min(self.most, self.score + by)

    def better(self) -> None:
        """A probe was answered in time."""
        self.score = max(0, self.score - 1)

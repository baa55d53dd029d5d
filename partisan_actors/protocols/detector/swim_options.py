"""What can be set in SWIM, and what makes it the SWIM of the paper."""

from __future__ import annotations

import math

from partisan_actors.values import dataclass

__all__ = ["SwimOptions"]


@dataclass(frozen=True, slots=True)
class SwimOptions:
    """Periods and numbers of one node; times in seconds. Raises ValueError when a value is not valid.

    The defaults are for nodes that tell each other of suspicions by other means, and whose traffic counts as a sign of
    life. `classic` gives the SWIM of the paper, where statements ride on the packets.
    """

    period_s: float = 1.0  # T': from one probe to the next, times local health
    timeout_s: float = 0.5  # for the direct answer, times local health
    helpers: int = 3  # k: who are asked to ping on our behalf
    suspects: bool = True  # False: who does not answer is confirmed at once
    suspicion_periods: float = 5.0  # Min, in periods
    suspicion_factor: float = 2.0  # Max = factor * Min
    suspicion_grows: bool = False  # Min times ceil(ln(members + 1)), which gossip needs to reach all
    confirmations: int = 3  # K: with so many, a suspicion takes the Min
    health_max: int = 8  # S; 0: no local health, and no nacks, which serve it alone
    counts_traffic: bool = True  # whether anything heard of a peer since the last period spares it the ping
    gossip_factor: float = 0.0  # lambda: a statement rides on lambda * ceil(ln(members + 1)) packets; 0: on none
    updates_max: int = 6  # statements in one packet
    rumours_max: int = 256  # statements that wait for packets; at the bound the one most often sent goes
    spreads_start: bool = True  # False: the first period begins at once, on all nodes together, as in the analysis
    errands_max: int = 256  # pings for others that are not answered yet; at the bound no more are taken
    gone_max: int = 1024  # confirmed peers that are remembered, so that no late rumour brings them back

    def __post_init__(self) -> None:
        for name in ("period_s", "timeout_s", "suspicion_periods"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)!r} is not valid: expected a number greater than 0")
        if self.timeout_s >= self.period_s:
            raise ValueError(f"timeout_s = {self.timeout_s!r} is not valid: expected less than period_s")
        if self.suspicion_factor < 1:
            raise ValueError(f"suspicion_factor = {self.suspicion_factor!r} is not valid: expected 1 or more")
        for name in ("helpers", "confirmations", "health_max", "gossip_factor", "updates_max"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} = {getattr(self, name)!r} is not valid: expected 0 or more")
        for name in ("rumours_max", "errands_max", "gone_max"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r} is not valid: expected 1 or more")

    @classmethod
    def classic(
        cls, *, period_s: float = 2.0, timeout_s: float = 0.5, helpers: int = 1, suspects: bool = True
    ) -> SwimOptions:
        """The SWIM of the paper, by default with the values of its measurements (section 5)."""
        return cls(
            period_s=period_s,
            timeout_s=timeout_s,
            helpers=helpers,
            suspects=suspects,
            suspicion_periods=3.0,
            suspicion_factor=1.0,
            suspicion_grows=True,
            confirmations=0,
            health_max=0,
            counts_traffic=False,
            gossip_factor=3.0,
        )

    def suspicion_s(self, members: int) -> tuple[float, float]:
        """Min and Max in a group of so many."""
        least_s = self.suspicion_periods * self.period_s * (_rounds(members) if self.suspicion_grows else 1)
        return least_s, least_s * self.suspicion_factor

    def times_max(self, members: int) -> int:
        """On how many packets a statement rides in a group of so many."""
        return math.ceil(self.gossip_factor * _rounds(members))


def _rounds(members: int) -> int:
    return math.ceil(math.log(members + 1))

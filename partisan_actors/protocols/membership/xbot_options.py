"""What can be set in X-BOT, beside all that can be set in HyParView."""

from __future__ import annotations

from dataclasses import dataclass

from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from partisan_actors.protocols.membership.xbot_oracle import Oracle

__all__ = ["XBotOptions"]


@dataclass(frozen=True, slots=True)
class XBotOptions(HyParViewOptions):
    """Raises ValueError when a value is not valid. Gains are in the unit of the oracle: seconds, unless it is yours."""

    unbiased: int = 1  # the paper's µ: so many neighbours, the most expensive ones, are never optimised away
    candidates: int = 2  # the paper's PSL: passive peers that are looked at in each period
    optimisation_period_s: float = 10.0  # times 0.5 to 1.5
    gain_share: float = 0.1  # what a better link has to save at least, as a share of what the old one costs
    gain_min: float = 0.001  # and in all: below a millisecond, round trips differ by chance
    swap_timeout_s: float = 2.0  # how long d waits for o; c waits for d twice as long, i for c three times
    measured_max: int = 128  # peers whose round trips are remembered
    oracle: Oracle | None = None  # None: round trips, measured by probes

    def __post_init__(self) -> None:
        HyParViewOptions.__post_init__(self)
        for name, least, most in (
            ("unbiased", 0, self.active_max - 1),
            ("candidates", 1, self.passive_max or 1),
            ("measured_max", self.active_max + self.candidates + 1, None),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least or (most is not None and value > most):
                up_to = f"to {most}" if most is not None else "on"
                raise ValueError(f"{name} = {value!r} is not valid: expected an int from {least} {up_to}")
        for name in ("optimisation_period_s", "swap_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"{name} = {getattr(self, name)!r} is not valid: expected a number of seconds greater than 0"
                )
        for name in ("gain_share", "gain_min"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} = {getattr(self, name)!r} is not valid: expected a number of at least 0")
        if self.oracle is not None and not isinstance(self.oracle, Oracle):
            raise ValueError(f"oracle = {self.oracle!r} is not valid: expected an object with a method cost(peer)")

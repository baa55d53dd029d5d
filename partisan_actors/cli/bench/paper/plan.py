"""What one run of an experiment does: sizes, actors, the imitated wire, how messages choose a connection."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.wire.channels import LANES_MAX

__all__ = [
    "AFFINITY",
    "CHANNELS",
    "CONFIGURATIONS",
    "DEFAULTS",
    "ONE",
    "PARALLEL",
    "WIDE_BULK",
    "Configuration",
    "Setting",
    "Wire",
    "parse_size",
]

LANES: Final = 16
CHANNELS_USED: Final = 4
SIZE_MAX: Final = 64 * 1024 * 1024
ACTORS_MAX: Final = 1024
# Nobody is to be refused here: what waits are references to one payload.
QUEUE_BYTES_MAX: Final = 64 << 30


@dataclass(frozen=True, slots=True)
class Configuration:
    """How a message gets its connection: `channels` of `lanes` lanes each; `key` is "sender", "random" or None.

    Without channels, the messages go as those of any user who has chosen nothing, or nothing but the lanes of `bulk`.
    """

    name: str
    channels: int
    lanes: int
    key: str | None

    def channel_of(self, number: int) -> str | None:
        """The channel of a sender, by its number."""
        return f"{self.name}{number % self.channels}" if self.channels else None

    def options(self) -> dict[str, dict[str, Any]]:
        """The channels, as `init(channels=...)` takes them. On its own, large messages stay in their place."""
        if not self.channels and self.lanes:
            return {"bulk": {"parallelism": self.lanes, "queue_bytes_max": QUEUE_BYTES_MAX}}
        return {
            f"{self.name}{number}": {
                "parallelism": self.lanes,
                "interleave": False,
                "queue_bytes_max": QUEUE_BYTES_MAX,
            }
            for number in range(self.channels)
        }


ONE: Final = Configuration("one", 1, 1, None)
PARALLEL: Final = Configuration("parallel", 1, LANES, "random")
AFFINITY: Final = Configuration("affinity", 1, LANES, "sender")
CHANNELS: Final = Configuration("channels", CHANNELS_USED, 1, None)
DEFAULTS: Final = Configuration("defaults", 0, 0, None)
WIDE_BULK: Final = Configuration("bulk", 0, LANES, None)
CONFIGURATIONS: Final = {each.name: each for each in (ONE, PARALLEL, AFFINITY, CHANNELS, DEFAULTS, WIDE_BULK)}


@dataclass(frozen=True, slots=True)
class Wire:
    """The wire that is imitated: the round trip in milliseconds, and the window of each connection in bytes."""

    round_trip_ms: float
    window_bytes: int

    def __post_init__(self) -> None:
        if not 0 <= self.round_trip_ms <= 10_000:
            raise ConfigError("rtt", self.round_trip_ms, "milliseconds from 0 to 10000")
        if not 1 <= self.window_bytes <= 1 << 30:
            raise ConfigError("window", self.window_bytes, "a number of bytes from 1 to 1 GiB")


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of an experiment: what is sent how, by how many actors (on each node), for how long."""

    configuration: Configuration
    size: int
    actors: int
    wire: Wire
    seconds: float
    messages: int

    def __post_init__(self) -> None:
        if not 1 <= self.size <= SIZE_MAX:
            raise ConfigError("size", self.size, f"a number of bytes from 1 to {SIZE_MAX}")
        if not 1 <= self.actors <= ACTORS_MAX:
            raise ConfigError("actors", self.actors, f"a whole number from 1 to {ACTORS_MAX}")
        if not 0 < self.seconds <= 3600:
            raise ConfigError("seconds", self.seconds, "seconds, more than 0 and at most 3600")
        if self.messages < 1:
            raise ConfigError("messages", self.messages, "1 or more")
        if not 0 <= self.configuration.lanes <= LANES_MAX:
            raise ConfigError("lanes", self.configuration.lanes, f"at most {LANES_MAX}")

    def to_json(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return asdict(self)


UNITS: Final = {"": 1, "K": 1 << 10, "KIB": 1 << 10, "M": 1 << 20, "MIB": 1 << 20}


def parse_size(text: str) -> int:
    """``512KiB``, ``8MiB``, ``1K`` or a bare number of bytes. Raises ConfigError."""
    digits = text.rstrip("KMIBkmib")
    unit = text[len(digits) :].upper()
    if not digits.isdigit() or unit not in UNITS:
        raise ConfigError("size", text, "a size like 1KiB, 512KiB or 8MiB")
    return int(digits) * UNITS[unit]

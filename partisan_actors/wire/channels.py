"""Named channels: separate connections for separate kinds of traffic, each with a number of parallel lanes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from partisan_actors.errors import ConfigError

__all__ = ["BROADCAST", "BUILT_IN", "BULK", "CALLS", "CONTROL", "ChannelOptions", "check_channels"]

CONTROL: Final = "control"
CALLS: Final = "calls"
BULK: Final = "bulk"
BROADCAST: Final = "broadcast"

LANES_MAX: Final = 128
CHANNELS_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """How one channel behaves.

    `parallelism` is the number of lanes (connections) to each peer. `queue_bytes_max` bounds what may wait for a
    slow peer on one lane; at the bound a thread waits and a coroutine gets `Overloaded`. `interleave` lets large
    arguments travel on the bulk channel, so that small messages of other senders, or to other receivers, pass them by.
    """

    parallelism: int = 1
    queue_bytes_max: int = 64 * 1024 * 1024
    interleave: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.parallelism, int) or not 1 <= self.parallelism <= LANES_MAX:
            raise ConfigError("parallelism", self.parallelism, f"a whole number from 1 to {LANES_MAX}")
        if not isinstance(self.queue_bytes_max, int) or self.queue_bytes_max < 1:
            raise ConfigError("queue_bytes_max", self.queue_bytes_max, "a positive number of bytes")


BUILT_IN: Final[Mapping[str, ChannelOptions]] = {
    CONTROL: ChannelOptions(),
    CALLS: ChannelOptions(),
    # Whatever large arguments are outstanding wait here, and are in memory anyway.
    BULK: ChannelOptions(queue_bytes_max=1024 * 1024 * 1024),
    BROADCAST: ChannelOptions(),
}


def check_channels(channels: Mapping[str, ChannelOptions | Mapping[str, int] | int]) -> dict[str, ChannelOptions]:
    """The user's channels over the built-in ones. A bare number means its parallelism.

    Raises ConfigError for a bad name, a bad value, or too many channels.
    """
    result = dict(BUILT_IN)
    for name, given in channels.items():
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
            raise ConfigError("channel name", name, "lower-case letters, digits, - and _, at most 32, a letter first")
        if isinstance(given, ChannelOptions):
            result[name] = given
        elif isinstance(given, bool) or not isinstance(given, (int, Mapping)):
            raise ConfigError(f"channel {name!r}", given, "ChannelOptions, a map of them, or a number of lanes")
        elif isinstance(given, int):
            result[name] = ChannelOptions(parallelism=given)
        else:
            try:
                result[name] = ChannelOptions(**given)  # type: ignore[arg-type]  # it checks them itself
            except TypeError as error:
                raise ConfigError(f"channel {name!r}", dict(given), "parallelism and queue_bytes_max") from error
    if len(result) > CHANNELS_MAX:
        raise ConfigError("channels", len(result), f"at most {CHANNELS_MAX}")
    return result

"""Named channels: separate connections for separate kinds of traffic, each with a number of parallel lanes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass
from partisan_actors.wire.compression import Compression

__all__ = ["BROADCAST", "BUILT_IN", "BULK", "CALLS", "CONTROL", "ChannelOptions", "check_channels", "partition_of"]

CONTROL: Final = "control"
CALLS: Final = "calls"
BULK: Final = "bulk"
BROADCAST: Final = "broadcast"

LANES_MAX: Final = 128
CHANNELS_MAX: Final = 32
PRIORITY_MAX: Final = 100
PARTITION_MAX: Final = 2**32 - 1
OVERFLOWS: Final = ("wait", "error")


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """How one channel behaves, the same on all nodes of a cluster.

    `parallelism` is the number of lanes (connections) to each peer.

    `queue_bytes_max` bounds what may wait for a slow peer on one lane. With `overflow` "wait" a thread waits before
    that, and a coroutine's message is refused at the bound with `Overloaded`; with "error" a thread's is, too.

    `interleave` lets large arguments travel on the bulk channel, so that small messages of other senders, or to other
    receivers, pass them by. A monotonic channel keeps them.

    `monotonic` is for tells of which a later one makes an earlier one needless: of those that wait at the sender, only
    the newest with the same sender, receiver, method and partition key is sent. Calls are refused there.

    `priority` is the order in which a node writes what it has to send in one turn of its loop: higher first.

    `compression` is what its frames are compressed with where that makes them shorter: True or a level of zlib from 1
    to 9, or a name and perhaps a level, "zlib:6", "lz4", "zstd:3" (lz4 and zstd need their packages). 0, False and None
    are none. Large arguments travel on the bulk channel, and as it says.

    `fallback` sends over "calls" what is for a peer without that channel; otherwise such messages fail with `NoRoute`.
    """

    parallelism: int = 1
    queue_bytes_max: int = 64 * 1024 * 1024
    interleave: bool = True
    monotonic: bool = False
    overflow: str = "wait"
    priority: int = 0
    fallback: bool = True
    compression: str | int | None = None

    def __post_init__(self) -> None:
        if not _is_whole(self.parallelism) or not 1 <= self.parallelism <= LANES_MAX:
            raise ConfigError("parallelism", self.parallelism, f"a whole number from 1 to {LANES_MAX}")
        if not _is_whole(self.queue_bytes_max) or self.queue_bytes_max < 1:
            raise ConfigError("queue_bytes_max", self.queue_bytes_max, "a positive number of bytes")
        for name in ("interleave", "monotonic", "fallback"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(name, getattr(self, name), "True or False")
        if self.overflow not in OVERFLOWS:
            raise ConfigError("overflow", self.overflow, " or ".join(map(repr, OVERFLOWS)))
        Compression.parse(self.compression)
        if not _is_whole(self.priority) or abs(self.priority) > PRIORITY_MAX:
            raise ConfigError("priority", self.priority, f"a whole number from -{PRIORITY_MAX} to {PRIORITY_MAX}")

    @property
    def leaves_large_to_bulk(self) -> bool:
        """Whether large arguments travel on the bulk channel."""
        return self.interleave and not self.monotonic


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


BUILT_IN: Final[Mapping[str, ChannelOptions]] = {
    CONTROL: ChannelOptions(priority=10),
    CALLS: ChannelOptions(),
    # Whatever large arguments are outstanding wait here, and are in memory anyway.
    BULK: ChannelOptions(queue_bytes_max=1024 * 1024 * 1024, priority=-10),
    BROADCAST: ChannelOptions(),
}


# What built-in channels cannot be, and why.
_ONE_STREAM: Final = "1: what the nodes say to each other on it is one stream, in order"
_BY_NODES: Final = "'wait': it is nodes that send on it, and no threads of yours"
_NOTHING_LARGE: Final = "True: nothing large travels on it"
_EVERYWHERE: Final = "True: every node has this channel"
_NEEDED: Final = "a channel of your own: nothing on this one is needless"
_FIXED: Final[Mapping[str, Mapping[str, str]]] = {
    CONTROL: {"parallelism": _ONE_STREAM, "overflow": _BY_NODES, "interleave": _NOTHING_LARGE},
    BROADCAST: {"parallelism": _ONE_STREAM, "overflow": _BY_NODES, "interleave": _NOTHING_LARGE},
    CALLS: {},
    BULK: {"interleave": "True: this is where large messages go"},
}


def _check_built_in(name: str, options: ChannelOptions) -> None:
    fixed = {**_FIXED[name], "fallback": _EVERYWHERE, "monotonic": _NEEDED}
    for option, allowed in fixed.items():
        given = getattr(options, option)
        if given != getattr(BUILT_IN[name], option):
            raise ConfigError(f"channel {name!r}: {option}", given, allowed)


def check_channels(channels: Mapping[str, ChannelOptions | Mapping[str, Any] | int]) -> dict[str, ChannelOptions]:
    """The user's channels over the built-in ones. A bare number means its parallelism; a map changes what it names.

    Raises ConfigError for a bad name, a bad value, too many channels, or what a built-in one cannot be.
    """
    result = dict(BUILT_IN)
    for name, given in channels.items():
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
            raise ConfigError("channel name", name, "lower-case letters, digits, - and _, at most 32, a letter first")
        result[name] = _options(name, given, BUILT_IN.get(name, ChannelOptions()))
        if name in BUILT_IN:
            _check_built_in(name, result[name])
    if len(result) > CHANNELS_MAX:
        raise ConfigError("channels", len(result), f"at most {CHANNELS_MAX}")
    return result


def _options(name: str, given: object, default: ChannelOptions) -> ChannelOptions:
    if isinstance(given, ChannelOptions):
        return given
    if isinstance(given, bool) or not isinstance(given, (int, Mapping)):
        raise ConfigError(f"channel {name!r}", given, "ChannelOptions, a map of them, or a number of lanes")
    changes = {"parallelism": given} if isinstance(given, int) else given
    known = [field.name for field in fields(ChannelOptions)]
    for option in changes:
        if option not in known:
            import difflib  # for a mistake only

            near = difflib.get_close_matches(str(option), known, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ConfigError(f"channel {name!r}", option, f"one of the options {', '.join(known)}{hint}")
    try:
        return replace(default, **changes)
    except ConfigError as error:
        raise ConfigError(f"channel {name!r}: {error.field}", error.value, error.allowed) from None


def partition_of(key: object) -> int:
    """The affinity of a user's partition key: a number is its own, a text is hashed, alike in every process.

    Raises ConfigError for anything else.
    """
    if isinstance(key, str):
        return zlib.crc32(key.encode("utf-8", "surrogatepass"))
    if not _is_whole(key) or not 0 <= int(key) <= PARTITION_MAX:  # type: ignore[call-overload]  # it is an int
        raise ConfigError("partition_key", key, f"a text, or a whole number from 0 to {PARTITION_MAX}")
    return int(key)  # type: ignore[call-overload,no-any-return]  # as above

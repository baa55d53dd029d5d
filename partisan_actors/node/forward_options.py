"""`ForwardOptions`: how `forward` sends what does not say it otherwise, given once for a whole node."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from partisan_actors.errors import ConfigError
from partisan_actors.wire.channels import CALLS, ChannelOptions, partition_of

__all__ = ["ForwardOptions"]


@dataclass(frozen=True, slots=True)
class ForwardOptions:
    """`ack`: sent again until it is acknowledged. `causal`: a causal label. `channel`, and `partition_key`: its lane.

    They mean what they mean as options of a method; see `ActorMethod.options`. Raises ConfigError.
    """

    ack: bool = False
    causal: str | None = None
    channel: str = CALLS
    partition_key: int | str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.ack, bool):
            raise ConfigError("forward.ack", self.ack, "True or False")
        if self.partition_key is not None:
            partition_of(self.partition_key)

    @classmethod
    def of(cls, given: object) -> ForwardOptions:
        """The options, or what a map of some of them gives. Raises ConfigError."""
        if isinstance(given, ForwardOptions):
            return given
        known = [each.name for each in fields(cls)]
        if not isinstance(given, Mapping) or not all(name in known for name in given):
            raise ConfigError("forward", given, f"ForwardOptions, or a map of {', '.join(known)}")
        return cls(**given)

    def check(self, channels: Mapping[str, ChannelOptions], labels: Collection[str]) -> None:
        """Raises ConfigError for what a node of those channels and causal labels cannot do."""
        if not isinstance(self.channel, str) or self.channel not in channels:
            raise ConfigError("forward.channel", self.channel, f"one of {', '.join(channels)}")
        if self.causal is not None and self.causal not in labels:
            raise ConfigError("forward.causal", self.causal, f"one of {', '.join(labels) or 'no'} causal_labels")
        if channels[self.channel].monotonic and (self.ack or self.causal is not None):
            allowed = "one that is not monotonic, for what is acknowledged or causal"
            raise ConfigError("forward.channel", self.channel, allowed)

    def plain(self) -> dict[str, Any]:
        """As a map of plain values."""
        return asdict(self)

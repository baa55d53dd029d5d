"""`ForwardOptions`: how `forward` sends what does not say it otherwise, given once for a whole node."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from partisan_actors.errors import ConfigError
from partisan_actors.values import dataclass
from partisan_actors.wire.channels import CALLS, ChannelOptions, partition_of

__all__ = ["ForwardOptions"]


@dataclass(frozen=True, slots=True)
class ForwardOptions:
    """`ack`: sent again until it is acknowledged. `causal`: a causal label. `channel`, and `partition_key`: its lane.

    They mean what they mean as options of a method; see `ActorMethod.options`. `transitive` says whether what goes to a
    node without a connection may be passed on by others: True, it may, also where `routing` is "direct"; False, it goes
    over a connection of its own or not at all; None, as `routing` says. Raises ConfigError.
    """

    ack: bool = False
    causal: str | None = None
    channel: str = CALLS
    partition_key: int | str | None = None
    transitive: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.ack, bool):
            raise ConfigError("forward.ack", self.ack, "True or False")
        if self.transitive is not None and not isinstance(self.transitive, bool):
            raise ConfigError("forward.transitive", self.transitive, "True, False or None")
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

    def over(self, given: object) -> ForwardOptions:
        """These, with what a map of some of them says in their place; or all others. Raises ConfigError."""
        if given is None:
            return self
        chosen = ForwardOptions.of(given)
        return chosen if isinstance(given, ForwardOptions) else replace(self, **{k: getattr(chosen, k) for k in given})  # type: ignore[attr-defined]  # `of` has seen a map

    def check(self, channels: Mapping[str, ChannelOptions], labels: Collection[str]) -> None:
        """Raises ConfigError for what a node of those channels and causal labels cannot do."""
        if not isinstance(self.channel, str) or self.channel not in channels:
            raise ConfigError("forward.channel", self.channel, f"one of {', '.join(channels)}")
        if self.causal is not None and self.causal not in labels:
            known = f"one of {', '.join(labels)}" if labels else "none, as this node has no labels"
            raise ConfigError("forward.causal", self.causal, f"{known} (`causal_labels` of `delivery`)")
        says_more = self.ack or self.causal is not None or self.transitive is not None
        if channels[self.channel].monotonic and says_more:
            allowed = "one that is not monotonic, for what is acknowledged or causal, or says how it is routed"
            raise ConfigError("forward.channel", self.channel, allowed)

    def plain(self) -> dict[str, Any]:
        """As a map of plain values."""
        return asdict(self)

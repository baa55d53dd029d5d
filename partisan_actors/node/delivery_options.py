"""`DeliveryOptions`: the causal labels of a node, and the bounds of what is acknowledged, or waits for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from partisan_actors.errors import ConfigError
from partisan_actors.node.causal_labels import check_labels
from partisan_actors.protocols.delivery.causal import CausalOptions
from partisan_actors.protocols.delivery.retransmission import AckOptions
from partisan_actors.values import dataclass

__all__ = ["DeliveryOptions"]


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """`causal_labels` are those under which a node sends and takes messages, the same on all nodes of a cluster.

    A message may wait for those before it in causal order for `causal_wait_s`, and `causal_waiting_max` of a label may.
    The rest is for acknowledged messages, for each lane of each channel to each peer: see `AckOptions`, and
    `docs/acknowledgement.md`. Raises ConfigError.
    """

    causal_labels: Sequence[str] = ()
    causal_wait_s: float = 60.0
    causal_waiting_max: int = 10_000
    retransmit_s: float = 1.0
    retransmit_longest_s: float = 8.0
    give_up_s: float = 30.0
    messages_max: int = 100_000
    bytes_max: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        object.__setattr__(self, "causal_labels", check_labels(self.causal_labels))
        try:
            self.acks()
            self.causal()
        except ValueError as error:
            raise ConfigError("delivery", asdict(self), str(error)) from error

    @classmethod
    def of(cls, given: object) -> DeliveryOptions:
        """The options, or what a map of some of them gives. Raises ConfigError."""
        if isinstance(given, DeliveryOptions):
            return given
        known = [each.name for each in fields(cls)]
        if not isinstance(given, Mapping) or not all(name in known for name in given):
            raise ConfigError("delivery", given, f"DeliveryOptions, or a map of {', '.join(known)}")
        return cls(**given)

    def plain(self) -> dict[str, Any]:
        """As a map of plain values."""
        return {**asdict(self), "causal_labels": list(self.causal_labels)}

    def acks(self) -> AckOptions:
        """The bounds of acknowledged messages."""
        return AckOptions(
            self.retransmit_s, self.retransmit_longest_s, self.give_up_s, self.messages_max, self.bytes_max
        )

    def causal(self) -> CausalOptions:
        """The bounds of each causal label. Raises ValueError."""
        try:
            return CausalOptions(self.causal_wait_s, self.causal_waiting_max)
        except ValueError as error:
            raise ValueError(f"causal_{error}") from error

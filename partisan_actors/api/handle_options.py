"""How what goes through a handle is sent, unless a method of it says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from partisan_actors.api.call_options import Way
from partisan_actors.wire.channels import CALLS, partition_of

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem

__all__ = ["PLAIN", "HandleOptions"]


class HandleOptions(NamedTuple):
    """A channel, the affinity that a partition key means, and a causal label: what goes where the handle is sent."""

    channel: str = CALLS
    partition: int | None = None
    label: str | None = None

    def changed(self, channel: str | None, partition_key: int | str | None, causal: str | None) -> HandleOptions:
        """With what is given; what is None stays. Raises ConfigError for what is no partition key."""
        partition = self.partition if partition_key is None else partition_of(partition_key)
        return HandleOptions(channel or self.channel, partition, self.label if causal is None else causal)

    def way(self, system: ActorSystem) -> Way:
        """The same for a call. Raises ConfigError for a channel or a label that the node of `system` does not have."""
        # The very object, by which a plain call is told from others.
        channel = None if self.channel == CALLS else self.channel
        return Way(partition=self.partition).changed(system, channel=channel, causal=self.label)


PLAIN: Final = HandleOptions()

"""The options that a call may have, whatever kind of method it is of: checked, and put on top of those it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from partisan_actors.actors.acked import Manner
from partisan_actors.actors.method_options import MethodOptions
from partisan_actors.errors import ConfigError
from partisan_actors.wire.channels import CALLS, partition_of

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem

__all__ = ["Way", "method_options"]


class Way(NamedTuple):
    """How a call gets to its actor. `channel` is a Manner if it is to be acknowledged; `timeout` is in seconds."""

    channel: str = CALLS
    timeout: float | None = None
    partition: int | None = None

    def changed(
        self,
        system: ActorSystem,
        *,
        timeout: float | None = None,
        channel: str | None = None,
        partition_key: int | str | None = None,
        causal: str | None = None,
        ack: bool = False,
    ) -> Way:
        """The same, with what is given in its place. Raises ConfigError."""
        manner = _manner_of(system, self.channel, channel, causal, ack)
        partition = self.partition if partition_key is None else partition_of(partition_key)
        return Way(manner, _check_timeout(timeout) or self.timeout, partition)


def method_options(given: Mapping[str, Any]) -> MethodOptions:
    """The other options of a call. Raises ConfigError for one that does not exist or is not valid."""
    known = [each.name for each in fields(MethodOptions)]
    for name in given:
        if name not in known:
            allowed = ", ".join(["timeout", "channel", "partition_key", "causal", "ack", *known])
            raise ConfigError(f"option {name}", given[name], f"one of the options of a call: {allowed}")
    return MethodOptions.of(dict(given))


def _check_timeout(timeout: Any) -> float | None:
    """The deadline of a call. Raises ConfigError."""
    if timeout is None or (isinstance(timeout, (int, float)) and not isinstance(timeout, bool) and timeout > 0):
        return timeout
    raise ConfigError("timeout", timeout, "a positive number of seconds")


def _manner_of(system: ActorSystem, current: str, channel: str | None, causal: str | None, ack: bool) -> str:
    """The channel of a call, as a Manner if it is to be acknowledged: what is not given stays. Raises ConfigError."""
    channels = system.node.config.channels
    if channel is not None and channel not in channels:
        raise ConfigError("channel", channel, f"one of {', '.join(channels)}")
    if not isinstance(ack, bool):
        raise ConfigError("ack", ack, "True or False")
    name, label = (current.channel, current.label) if isinstance(current, Manner) else (current, None)
    name, label = channel or name, causal if causal is not None else label
    return system.acked.manner(name, label) if ack or label is not None else name

"""`with_options`: another handle of the same actor, through which everything is sent in another way."""

from __future__ import annotations

from typing import TypeVar

from partisan_actors.api.actor import ActorHandle

__all__ = ["with_options"]

T = TypeVar("T")


def with_options(
    handle: ActorHandle[T],
    *,
    channel: str | None = None,
    partition_key: int | str | None = None,
    causal: str | None = None,
) -> ActorHandle[T]:
    """A handle of the same actor whose methods have these options, as by `ActorMethod.options`; what is None stays.

    The two compare equal, and the options go where the handle is sent. A function, and no method: every name of a
    handle is the user's. Order is promised among what is sent in one way. Raises ConfigError.
    """
    options = handle._options.changed(channel, partition_key, causal)
    options.way(handle._system)
    # All but the methods, which were made for the other options.
    kept = {name: value for name, value in vars(handle).items() if name not in handle._interface.methods}
    changed: ActorHandle[T] = object.__new__(ActorHandle)
    changed.__dict__.update(kept, _options=options)
    return changed

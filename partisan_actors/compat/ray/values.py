"""`ray.get`, `put`, `wait`, `kill`, `cancel` and `get_actor`: what they take and raise where Ray differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import partisan_actors as pa
from partisan_actors.compat.ray.handles import ActorHandle, as_handle
from partisan_actors.compat.ray.lifecycle import ensure_session

__all__ = ["cancel", "get", "get_actor", "kill", "put", "wait"]


def get(object_refs: Any, *, timeout: float | None = None) -> Any:
    """The value of a ref, or those of a list of refs. Raises what a call raised, GetTimeoutError, and ValueError."""
    if not isinstance(object_refs, (pa.ObjectRef, list)):
        raise ValueError(
            f"Invalid type of object refs, {type(object_refs)}, is given. 'object_refs' must either be a single "
            "object ref or a list of object refs."
        )
    return pa.get(object_refs, timeout=timeout)


def put(value: Any) -> pa.ObjectRef[Any]:
    """A ref to a value. Raises TypeError for a ref, and for what cannot be sent."""
    ensure_session()
    return pa.put(value)


def wait(
    ray_waitables: Sequence[Any], *, num_returns: int = 1, timeout: float | None = None, fetch_local: bool = True
) -> tuple[list[Any], list[Any]]:
    """Two lists: of those that are ready, `num_returns` at most, and of the others. Takes generators beside refs."""
    if isinstance(num_returns, bool) or not isinstance(num_returns, int):
        raise TypeError(f"num_returns must be a whole number, not {type(num_returns).__name__}")
    return pa.wait(ray_waitables, num_returns=num_returns, timeout=timeout, fetch_local=fetch_local)


def kill(actor: pa.ActorHandle[Any], *, no_restart: bool = True) -> None:
    """End an actor at once. Raises ValueError for what is no handle."""
    if not isinstance(actor, pa.ActorHandle):
        raise ValueError(f"ray.kill() only supported for actors. For tasks, try ray.cancel(). Got: {type(actor)}.")
    pa.kill(actor, no_restart=no_restart)


def cancel(ray_waitable: Any, *, force: bool = False, recursive: bool = True) -> None:
    """Cancel a task or a call. Raises TypeError for what is neither, ValueError for a `force` that cannot be."""
    pa.cancel(ray_waitable, force=force, recursive=recursive)


def get_actor(name: str, namespace: str | None = None) -> ActorHandle[Any]:
    """The actor of that name. Raises ValueError when there is none."""
    if not name:
        raise ValueError("Please supply a non-empty value to get_actor")
    ensure_session()
    try:
        return as_handle(pa.get_actor(name, namespace=namespace))
    except pa.ActorNotFound as error:
        raise ValueError(f"Failed to look up actor with name {name!r}: {error}") from error

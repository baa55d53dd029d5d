"""`ray.get`, `put`, `wait`, `kill`, `cancel` and `get_actor`: what they take and raise where Ray differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import partisan_actors as pa
from partisan_actors import cancel, kill, put

__all__ = ["cancel", "get", "get_actor", "kill", "put", "wait"]


def get(object_refs: Any, *, timeout: float | None = None) -> Any:
    """The value of a ref, or those of a list of refs. Raises what a call raised, GetTimeoutError, and ValueError."""
    if not isinstance(object_refs, (pa.ObjectRef, list)):
        raise ValueError(
            f"Invalid type of object refs, {type(object_refs)}, is given. 'object_refs' must either be a single "
            "object ref or a list of object refs."
        )
    return pa.get(object_refs, timeout=timeout)


def wait(
    ray_waitables: Sequence[Any], *, num_returns: int = 1, timeout: float | None = None, fetch_local: bool = True
) -> tuple[list[Any], list[Any]]:
    """Two lists: of those that are ready, `num_returns` at most, and of the others. Takes generators beside refs."""
    return pa.wait(ray_waitables, num_returns=num_returns, timeout=timeout, fetch_local=fetch_local)


def get_actor(name: str, namespace: str | None = None) -> pa.ActorHandle[Any]:
    """The actor of that name. Raises ValueError when there is none."""
    if not name:
        raise ValueError("Please supply a non-empty value to get_actor")
    try:
        return pa.get_actor(name, namespace=namespace)
    except pa.ActorNotFound as error:
        raise ValueError(f"Failed to look up actor with name {name!r}: {error}") from error

"""Looking actors up by name: from a thread, which waits for the answer, and on the loop, from what is known here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from partisan_actors.actors.blocking import result_of
from partisan_actors.actors.context import current_system
from partisan_actors.actors.namespaces import name_of, shown
from partisan_actors.errors import ActorNotFound, CallTimeout
from partisan_actors.wire.payload import decode

if TYPE_CHECKING:
    from partisan_actors.actors.system import ActorSystem
    from partisan_actors.ids import NodeId
    from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["find_actor", "known_actor", "named_actor", "open_handle"]


def find_actor(system: ActorSystem, key: str, timeout: float = 10.0) -> Any | None:
    """The actor whose name has that key, or None. Blocks this thread."""
    if asyncio._get_running_loop() is system.loop:
        raise RuntimeError("get_actor would block the node's own loop: use `await get_actor_async(name)` there")
    scheduler: Scheduler = system.extensions["scheduler"]
    job = asyncio.run_coroutine_threadsafe(scheduler.names.find(key), system.loop)
    try:
        return open_handle(system, *result_of(job, timeout))
    except ActorNotFound:
        return None
    except TimeoutError as error:
        job.cancel()
        raise CallTimeout(f"looking for actor {name_of(key)[1]!r}", timeout) from error


def named_actor(system: ActorSystem, key: str) -> Any:
    """The actor whose name has that key. A thread waits for the answer, a loop gets what is known here.

    Raises ActorNotFound.
    """
    handle = find_actor(system, key) if asyncio._get_running_loop() is None else known_actor(system, key)
    if handle is None:
        raise ActorNotFound(shown(key))
    return handle


def known_actor(system: ActorSystem, key: str) -> Any | None:
    """The actor whose name has that key, if this node has heard of it. Blocks nobody; on any loop."""
    scheduler: Scheduler = system.extensions["scheduler"]
    known = scheduler.names.known(key)
    return None if known is None else open_handle(system, *known)


def open_handle(system: ActorSystem, encoded: bytes, host: NodeId | None) -> Any:
    """The handle that was encoded, of an actor that lives on `host`, if that is known."""
    token = current_system.set(system)
    try:
        handle = decode(encoded)
    finally:
        current_system.reset(token)
    if host is not None:
        system.post(system.found, handle._location, host)
    return handle

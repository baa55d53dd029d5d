"""What users do with refs and handles: get, wait, put, kill, and looking actors up by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, TypeVar, overload

from partisan_actors.actors.blocking import gate, result_of
from partisan_actors.actors.context import current_cell
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.terminating import TERMINATE, settle
from partisan_actors.api import session
from partisan_actors.api.actor import ActorHandle
from partisan_actors.api.lookup import find_actor, open_handle
from partisan_actors.errors import ActorNotFound, CallTimeout
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.store import ObjectStore
from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["find_actor", "get", "get_actor", "kill", "put", "terminate", "wait"]

T = TypeVar("T")

KILL_TIMEOUT_S = 10.0


@overload
def get(refs: ObjectRef[T], *, timeout: float | None = None) -> T: ...


@overload
def get(refs: Sequence[ObjectRef[T]], *, timeout: float | None = None) -> list[T]: ...


def get(refs: ObjectRef[T] | Sequence[ObjectRef[T]], *, timeout: float | None = None) -> T | list[T]:
    """The value of a ref, or the values of a list of refs, waiting up to `timeout` seconds for all of them.

    Blocks this thread; on the node's own loop write ``await ref`` instead. Raises the first error among them,
    CallTimeout (a TimeoutError) when time runs out, TypeError for what is not a ref.
    """
    if isinstance(refs, ObjectRef):
        return refs.result(timeout)
    if isinstance(refs, (str, bytes)) or not isinstance(refs, Sequence):
        raise TypeError(f"get takes an ObjectRef or a list of them, not {type(refs).__name__}")
    for ref in refs:
        if not isinstance(ref, ObjectRef):
            raise TypeError(f"get takes ObjectRefs, and the list holds a {type(ref).__name__}")
    deadline = None if timeout is None else time.monotonic() + timeout
    # The last is likely to be ready last: waiting for it first wakes this thread once, not once for each.
    for ref in reversed(refs):
        if not ref.done():
            ref.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
    return [ref.result() for ref in refs]


def wait(
    refs: Sequence[ObjectRef[T]], *, num_returns: int = 1, timeout: float | None = None
) -> tuple[list[ObjectRef[T]], list[ObjectRef[T]]]:
    """Wait until `num_returns` of the refs are ready, or `timeout` seconds have passed.

    Returns those that are ready (at most `num_returns`) and the rest, both in the order given. A ref whose call failed
    is ready. Blocks this thread; on a node's own loop use ``asyncio.wait``. Raises TypeError and ValueError for
    arguments that make no sense.
    """
    if isinstance(refs, ObjectRef) or not isinstance(refs, Sequence):
        raise TypeError("wait takes a list of ObjectRefs")
    if len(set(map(id, refs))) != len(refs):
        raise ValueError("wait takes each ref once")
    if isinstance(num_returns, bool) or not isinstance(num_returns, int) or not 0 < num_returns <= len(refs):
        raise ValueError(f"num_returns is {num_returns!r}; it must be from 1 to the number of refs, {len(refs)}")
    if timeout is not None and timeout < 0:
        raise ValueError(f"timeout must not be negative, got {timeout}")
    for ref in refs:
        if not isinstance(ref, ObjectRef):
            raise TypeError(f"wait takes ObjectRefs, and the list holds a {type(ref).__name__}")
    if sum(ref.done() for ref in refs) < num_returns:
        _wait_for(refs, num_returns, timeout)
    ready = [ref for ref in refs if ref.done()][:num_returns]
    chosen = set(map(id, ready))
    return ready, [ref for ref in refs if id(ref) not in chosen]


def _wait_for(refs: Sequence[ObjectRef[Any]], count: int, timeout: float | None) -> None:
    loop = asyncio._get_running_loop()
    if loop is not None and any(ref._loop is loop for ref in refs):
        raise RuntimeError("wait would block the loop that it waits for: use asyncio.wait there")
    ready = gate()
    for ref in refs:
        ref.add_waiter(ready.open)
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        for _ in range(count):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not ready.wait(left):
                return
    finally:
        for ref in refs:
            ref.remove_waiter(ready.open)


def put(value: T) -> ObjectRef[T]:
    """A ref to `value` as it is now. Pass it to any number of calls: it is sent once to each node that needs it.

    Raises SerializationError when the value cannot be sent, TypeError for a ref (it is one already).
    """
    if isinstance(value, ObjectRef):
        raise TypeError("put takes a value, and this is a ref already")
    store: ObjectStore = session.system().extensions["objects"]
    return store.put(value)


def terminate(actor: ActorHandle[Any]) -> ObjectRef[None]:
    """End an actor when it comes to this in its mailbox: what was called before is done, what comes later is refused.

    Coroutines of it that run finish, then `on_stop` runs. Returns a ref to None, for when it has come to that. It is
    not restarted, and whoever monitors it hears "normal". Raises TypeError for what is not a handle.
    """
    if not isinstance(actor, ActorHandle):
        raise TypeError(f"terminate takes an ActorHandle, not {type(actor).__name__}")
    system = actor._system
    store: ObjectStore = system.extensions["objects"]
    asked: Reply[Any] = Reply(system.loop)
    told = store.new_ref()
    settle(asked, told)
    system.ask(actor._location, TERMINATE, (), {}, asked)
    return told


def get_actor(name: str, *, timeout: float = 10.0) -> ActorHandle[Any]:
    """The actor of that name, wherever it is in the cluster.

    Raises ActorNotFound (a LookupError). Blocks this thread; on the node's own loop use `get_actor_async`.
    """
    handle: ActorHandle[Any] | None = find_actor(session.system(), name, timeout)
    if handle is None:
        raise ActorNotFound(repr(name))
    return handle


async def get_actor_async(name: str) -> ActorHandle[Any]:
    """`get_actor` for coroutines. Raises ActorNotFound."""
    system = session.system()
    scheduler: Scheduler = system.extensions["scheduler"]
    job = asyncio.run_coroutine_threadsafe(scheduler.names.find(name), system.loop)
    handle: ActorHandle[Any] = open_handle(system, *await asyncio.wrap_future(job))
    return handle


def kill(actor: ActorHandle[Any], *, no_restart: bool = True) -> None:
    """End an actor, wherever it is: its running and waiting calls fail with ActorStopped, and it is not restarted.

    With ``no_restart=False`` one that may be restarted is, which counts as a restart; its calls fail with
    ActorUnavailable then, and those made later wait for the new life. `on_stop` runs in any case.
    From a thread, returns when it has ended or its node is unreachable; on a loop, and for an actor that kills itself,
    at once. Killing an actor that has ended does nothing. Raises TypeError for what is not a handle.
    """
    if not isinstance(actor, ActorHandle):
        raise TypeError(f"kill takes an ActorHandle, not {type(actor).__name__}; to cancel a ref is another thing")
    system = actor._system
    if system.closed is not None:
        return
    scheduler: Scheduler = system.extensions["scheduler"]
    job = asyncio.run_coroutine_threadsafe(scheduler.kill(actor._location, no_restart), system.loop)
    cell = current_cell.get()
    is_itself = cell is not None and cell.actor == actor._location.actor
    if asyncio._get_running_loop() is None and not is_itself:
        try:
            result_of(job, KILL_TIMEOUT_S)
        except TimeoutError as error:
            raise CallTimeout(f"ending {actor!r}", KILL_TIMEOUT_S) from error

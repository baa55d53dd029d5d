"""What users do with refs and handles: get, wait, put, kill, and looking actors up by name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar, overload

from partisan_actors.actors.blocking import result_of
from partisan_actors.actors.context import current_cell
from partisan_actors.actors.namespaces import shown
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.terminating import TERMINATE, settle
from partisan_actors.api import session
from partisan_actors.api.actor import ActorHandle
from partisan_actors.api.lookup import find_actor, open_handle
from partisan_actors.api.namespaces import key_here
from partisan_actors.api.waiting import Completed, wait_for_all, wait_for_some
from partisan_actors.errors import ActorNotFound, CallTimeout
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.stream import ObjectRefGenerator

if TYPE_CHECKING:
    from partisan_actors.objects.locations import ObjectLocation
    from partisan_actors.objects.store import ObjectStore
    from partisan_actors.scheduler.scheduler import Scheduler

__all__ = ["as_completed", "find_actor", "get", "get_actor", "kill", "object_locations", "put", "terminate", "wait"]

T = TypeVar("T")

KILL_TIMEOUT_S = 10.0


@overload
def get(refs: ObjectRef[T], *, timeout: float | None = None) -> T: ...


@overload
def get(refs: Sequence[ObjectRef[T]], *, timeout: float | None = None) -> list[T]: ...


def get(refs: ObjectRef[T] | Sequence[ObjectRef[T]], *, timeout: float | None = None) -> T | list[T]:
    """The value of a ref, or the values of a list of refs in its order, waiting up to `timeout` seconds for them.

    Blocks this thread; on the node's own loop write ``await ref`` instead. Raises the first error that is there,
    without waiting for the others, and CallTimeout (a TimeoutError) when time runs out: with 0, unless all are ready.
    Raises TypeError for what is neither a ref nor a list of them, ValueError for a negative timeout.
    """
    _check_timeout(timeout)
    if isinstance(refs, ObjectRef):
        return refs.result(timeout)
    _check_refs(refs, "get")
    wait_for_all(refs, timeout)
    for ref in refs:
        if ref.has_failed:
            ref.result()
    return [ref.result() for ref in refs]


def wait(
    refs: Sequence[ObjectRef[T]], *, num_returns: int = 1, timeout: float | None = None, fetch_local: bool = True
) -> tuple[list[ObjectRef[T]], list[ObjectRef[T]]]:
    """Wait until `num_returns` of the refs are ready, or `timeout` seconds have passed.

    Returns those that are ready (at most `num_returns`) and the rest, both in the order given. A ref whose call failed
    is ready, and so is a generator whose next item, or end, is here. Ready means that the value is here, or with
    ``fetch_local=False`` that it is ready on the node that owns it. Blocks this thread; on a node's own loop use
    ``asyncio.wait``. Raises TypeError and ValueError for arguments that make no sense; of no refs at all, none is
    waited for.
    """
    _check_refs(refs, "wait")
    if len(set(map(id, refs))) != len(refs):
        raise ValueError("wait takes each ref once, and the list holds one twice")
    _check_timeout(timeout)
    if not refs:
        return [], []
    if isinstance(num_returns, bool) or not isinstance(num_returns, int) or not 0 < num_returns <= len(refs):
        raise ValueError(f"num_returns is {num_returns!r}; it must be from 1 to the number of refs, {len(refs)}")
    ready = wait_for_some(refs, num_returns, timeout, fetch=fetch_local)[:num_returns]
    chosen = set(ready)
    return [refs[place] for place in ready], [ref for place, ref in enumerate(refs) if place not in chosen]


def as_completed(refs: Sequence[ObjectRef[T]], *, timeout: float | None = None) -> Completed[T]:
    """The refs one by one, each once it is ready, or has failed: ``for ref in as_completed(refs)``, or ``async for``.

    The loop blocks this thread in between, ``async for`` does not. Raises CallTimeout (a TimeoutError) in the loop when
    `timeout` seconds after this call some are not ready; TypeError and ValueError as `wait` does.
    """
    _check_refs(refs, "as_completed")
    _check_timeout(timeout)
    return Completed(list(refs), timeout)


def object_locations(refs: Sequence[ObjectRef[Any]], *, timeout: float = 10.0) -> dict[ObjectRef[Any], ObjectLocation]:
    """Where the values of these refs are, by ref: the nodes that hold them, and how large they are, if that is known.

    Asks the nodes that own them, and blocks meanwhile. Raises ObjectLost for one that is gone, CallTimeout, TypeError
    for what is not a list of refs, RuntimeError on the node's own loop.
    """
    _check_refs(refs, "object_locations")
    _check_timeout(timeout)
    store: ObjectStore = session.system().extensions["objects"]
    if asyncio._get_running_loop() is store.loop:
        raise RuntimeError("object_locations would block the node's own loop: use `await asyncio.to_thread(...)` there")
    job: Future[list[ObjectLocation]] = asyncio.run_coroutine_threadsafe(store.locate_all(refs), store.loop)
    try:
        locations = result_of(job, timeout)
    except TimeoutError as error:
        job.cancel()
        raise CallTimeout(f"the locations of {len(refs)} refs", timeout) from error
    return dict(zip(refs, locations, strict=True))


def _check_refs(refs: Any, what: str) -> None:
    if isinstance(refs, (ObjectRef, str, bytes, tuple)) or not isinstance(refs, Sequence):
        takes = "an ObjectRef or a list of them" if what == "get" else "a list of ObjectRefs"
        hint = ": write list(refs)" if isinstance(refs, tuple) else ""
        raise TypeError(f"{what} takes {takes}, not {type(refs).__name__}{hint}")
    for ref in refs:
        if not isinstance(ref, (ObjectRef, ObjectRefGenerator) if what == "wait" else ObjectRef):
            raise TypeError(f"{what} takes ObjectRefs, and the list holds a {type(ref).__name__}")


def _check_timeout(timeout: object) -> None:
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout takes a number of seconds or None, not {type(timeout).__name__}")
    if not timeout >= 0:
        raise ValueError(f"timeout must not be negative, got {timeout}")


def put(value: T) -> ObjectRef[T]:
    """A ref to `value` as it is now. Pass it to any number of calls: it is sent once to each node that needs it.

    Raises SerializationError when the value cannot be sent, TypeError for a ref (it is one already).
    """
    if isinstance(value, ObjectRef):
        raise TypeError("put takes a value, and this is a ref already: pass it on as it is")
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


def get_actor(name: str, *, namespace: str | None = None, timeout: float = 10.0) -> ActorHandle[Any]:
    """The actor of that name, wherever it is in the cluster; in the running code's namespace unless one is given.

    Raises ActorNotFound (a LookupError). Blocks this thread; on the node's own loop use `get_actor_async`.
    """
    system = session.system()
    key = key_here(system, name, namespace)
    handle: ActorHandle[Any] | None = find_actor(system, key, timeout)
    if handle is None:
        raise ActorNotFound(shown(key))
    return handle


async def get_actor_async(name: str, *, namespace: str | None = None) -> ActorHandle[Any]:
    """`get_actor` for coroutines. Raises ActorNotFound."""
    system = session.system()
    scheduler: Scheduler = system.extensions["scheduler"]
    job = asyncio.run_coroutine_threadsafe(scheduler.names.find(key_here(system, name, namespace)), system.loop)
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
        raise TypeError(f"kill takes an ActorHandle, not {type(actor).__name__}; a call is ended by cancel(ref)")
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

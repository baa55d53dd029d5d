"""`cancel`: ending calls and tasks that nobody wants any more, wherever they wait or run."""

from __future__ import annotations

from typing import Any

from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.configured import Collected
from partisan_actors.errors import ConfigError
from partisan_actors.objects.ref import ObjectRef
from partisan_actors.objects.stream import ObjectRefGenerator
from partisan_actors.tasks.submitted import Submitted

__all__ = ["cancel"]

_FORCE = 'False: only a task with isolation="process" can be ended by force; to end an actor there is kill(handle)'


def cancel(ref: ObjectRef[Any] | ObjectRefGenerator[Any], *, force: bool = False, recursive: bool = True) -> None:
    """Cancel the call or the task that `ref` is the result of. Returns at once; one that is over stays as it is.

    What still waits never runs. A coroutine gets CancelledError where it waits; blocking code gets a KeyboardInterrupt
    at the next line of Python that it runs, and ``get_runtime_context().is_cancelled()`` is True in it. `get` then
    raises TaskCancelled: as soon as it has ended, or after five seconds, whatever it does then. It is not tried again.
    With `recursive`, the calls and tasks that it has made and that are not over are cancelled, too. `force` ends the
    process that a task runs in, which has to be one of its own (``isolation="process"``).

    Raises TypeError for what is no ref or generator, ConfigError where `force` is not possible.
    """
    if isinstance(ref, ObjectRefGenerator):
        ref = ref.completed()
    if not isinstance(ref, ObjectRef):
        raise TypeError(f"cancel takes an ObjectRef or an ObjectRefGenerator, not {type(ref).__name__}")
    system = session.system()
    if force:
        _kill(system, ref, recursive)
    elif ref._id is not None and ref.id.node != system.me:
        system.cancelling.cancel_at(system.node.router.peer(ref.id.node), ref.id.number, recursive)
    else:
        system.cancelling.cancel(ref, recursive)


def _kill(system: ActorSystem, ref: ObjectRef[Any], recursive: bool) -> None:
    if ref.done():
        return
    work = system.cancelling.work_of(ref)
    if isinstance(work, Collected) and work.total is not None:
        work = system.cancelling.work_of(work.total)
    if not isinstance(work, Submitted) or work.spec.kind.isolation is None:
        raise ConfigError("force", True, _FORCE)
    system.post(work.kill, recursive)

"""Every exception a user can meet, in families by what the caller can do about it.

    PartisanError
        ConfigError (ValueError)               fix your configuration or options
        SerializationError (TypeError)         the named part of a value cannot travel
        ActorError
            ActorNotFound (LookupError)        it never was, or is not registered
            ActorStopped                       it was, and ended
            ActorUnavailable                   cannot be reached now; the call may or may not have run
            ActorExists (ValueError)           the name is taken
            MailboxFull                        slow down
            TooManyCalls                       slow down
            Deadlocked (RuntimeError)          it would wait for itself for ever
        CallTimeout (TimeoutError)             it may still happen
        TaskFailed                             user code raised; also an instance of that exception's class
        TaskCancelled
        ObjectLost                             the value is gone
        ObjectStoreFull                        free some refs, or raise a limit
        Unplaceable                            no node fits
        PlacementGroupRemoved                  its place is gone
            ActorGroupRemoved (ActorStopped)   the same for an actor
        RuntimeEnvFailed                       what work is to find around it could not be put there
        NodeError
            NodeDown (ConnectionError)
                WorkerCrashed                  the process of isolated work has ended by itself
                ActorNodeDown (ActorStopped)   and the actor, which is not restarted, with it
            NoRoute (ConnectionError)
            NotYetConnected (ConnectionError)
            Overloaded
            Unacknowledged                     it may or may not have arrived
        AuthenticationError                    the peer is not one of ours
        ReplayMismatch                         a run does not follow its recording
        ProtocolError                          the peer broke the protocol; never reaches user code
        ResumeDeclined                         a peer has forgotten a lost connection; never reaches user code
        InternalError                          a bug in partisan_actors

Text is built from fields, and every class pickles and copies with its fields, because errors cross nodes.
Subclasses name their constructor's parameters in order in `_fields`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from partisan_actors.portable import copy_native_fields, in_words, portable

__all__ = [
    "ActorError",
    "ActorExists",
    "ActorGroupRemoved",
    "ActorNodeDown",
    "ActorNotFound",
    "ActorStopped",
    "ActorUnavailable",
    "AuthenticationError",
    "CallTimeout",
    "ConfigError",
    "Deadlocked",
    "InternalError",
    "MailboxFull",
    "NoRoute",
    "NodeDown",
    "NodeError",
    "NotYetConnected",
    "ObjectLost",
    "ObjectStoreFull",
    "Overloaded",
    "PartisanError",
    "PlacementGroupRemoved",
    "ProtocolError",
    "ReplayMismatch",
    "ResumeDeclined",
    "RuntimeEnvFailed",
    "SerializationError",
    "TaskCancelled",
    "TaskFailed",
    "TooManyCalls",
    "Unacknowledged",
    "Unplaceable",
    "WorkerCrashed",
]


class PartisanError(Exception):
    """The root of every error this package raises on purpose."""

    _fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *values: Any) -> None:
        # Not super(): TaskFailed is also a user's class, whose constructor must not run on these values.
        BaseException.__init__(self, *values)
        if len(values) != len(self._fields):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._fields) or 'nothing'}")
        for field, value in zip(self._fields, values, strict=True):
            setattr(self, field, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), tuple(getattr(self, field) for field in self._fields), self._notes())

    def _notes(self) -> dict[str, list[str]] | None:
        return {"__notes__": self.__notes__} if hasattr(self, "__notes__") else None

    def __str__(self) -> str:
        return self._text()

    def _text(self) -> str:
        return ", ".join(f"{field}={getattr(self, field)!r}" for field in self._fields)


class ConfigError(PartisanError, ValueError):
    """An option or a setting is not valid. `field` names it, `value` is what was given, `allowed` what may be."""

    _fields = ("field", "value", "allowed")
    field: str
    value: object
    allowed: str

    def _text(self) -> str:
        return f"{self.field} = {self.value!r} is not valid: expected {self.allowed}"


class SerializationError(PartisanError, TypeError):
    """A value cannot be sent. `what` says which argument or result, `path` where inside it, `why` the cause."""

    _fields = ("what", "path", "why")
    what: str
    path: str
    why: str

    def _text(self) -> str:
        return f"cannot send {self.what}: {self.path} cannot be pickled ({self.why})"


class ActorError(PartisanError):
    """Something about one actor; `actor` describes it (class, name if any, id)."""

    actor: str


class ActorNotFound(ActorError, LookupError):
    """No actor of that id or name is known: it never was, or is no longer registered."""

    _fields = ("actor",)

    def _text(self) -> str:
        return f"no actor {self.actor}: it was never created, or has been stopped and forgotten"


class ActorStopped(ActorError):
    """The actor ended and will not come back; `reason` says why."""

    _fields: ClassVar[tuple[str, ...]] = ("actor", "reason")
    reason: str

    def _text(self) -> str:
        return f"actor {self.actor} has stopped: {self.reason}"


class ActorUnavailable(ActorError):
    """The actor cannot be reached now. A call in flight may or may not have run; a new one may be tried later."""

    _fields = ("actor", "why")
    why: str

    def _text(self) -> str:
        return f"actor {self.actor} is unavailable: {self.why} (a call in flight may or may not have run)"


class ActorExists(ActorError, ValueError):
    """An actor of that name lives in the cluster already; `node` is where."""

    _fields = ("actor", "node")
    node: str

    def _text(self) -> str:
        return (
            f"an actor named {self.actor!r} exists already, on node {self.node}: "
            "choose another name, or fetch it with get_actor"
        )


class MailboxFull(ActorError):
    """The actor has `limit` messages waiting; this one was refused and did not run."""

    _fields = ("actor", "limit")
    limit: int

    def _text(self) -> str:
        return f"the mailbox of actor {self.actor} is full ({self.limit} messages): the call did not run; slow down"


class TooManyCalls(ActorError):
    """So many calls through one handle are unanswered, its `max_pending_calls`; this one was not sent."""

    _fields = ("actor", "limit")
    limit: int

    def _text(self) -> str:
        return (
            f"{self.limit} calls of actor {self.actor} through this handle are unanswered: nothing was sent; slow down"
        )


class Deadlocked(ActorError, RuntimeError):
    """A blocking method of `actor` wants to wait for a call of `method` of its own actor, which begins when it is over.

    Write ``self.method()``, or make both ``async`` and await it, or give the call to a concurrency group.
    """

    _fields = ("actor", "method")
    method: str

    def _text(self) -> str:
        return (
            f"a blocking method of {self.actor} would wait for ever for {self.method} of its own actor, "
            f"which begins when it is over: call self.{self.method}(), or make both async and await it"
        )


class CallTimeout(PartisanError, TimeoutError):
    """No answer within `timeout_s` seconds. The call may still happen."""

    _fields = ("what", "timeout_s")
    what: str
    timeout_s: float

    def _text(self) -> str:
        return f"{self.what} gave no answer within {self.timeout_s:g} s (it may still happen)"


class TaskFailed(PartisanError):
    """User code raised in a task or a method.

    What a caller catches is an instance of this class *and* of the cause's own class, so `except ValueError` works.
    `cause` (also `__cause__`) is the original exception, or None when it could not be pickled; `remote_traceback` is
    its text; `where` names actor or task, method and node. When the cause is itself a TaskFailed, from a call that the
    method made, the class is that of the first cause. A constructor or `on_start` that raised has ended its actor, so
    then it is an ActorStopped too.
    """

    _fields = ("cause", "where", "remote_traceback")
    cause: BaseException | None
    where: str
    remote_traceback: str

    def __init__(self, cause: BaseException | None, where: str, remote_traceback: str) -> None:
        PartisanError.__init__(self, cause, where, remote_traceback)
        copy_native_fields(cause, self)
        self.__cause__ = cause
        self.__suppress_context__ = True

    def _text(self) -> str:
        return f"{self.where} raised:\n\n{self.remote_traceback.rstrip()}"

    def __reduce__(self) -> tuple[Any, ...]:
        cause = portable(self.cause)
        has_stopped_actor = isinstance(self, ActorStopped)
        return (TaskFailed.of, (cause, self.where, self.remote_traceback, has_stopped_actor), self._notes())

    def __getattr__(self, name: str) -> Any:
        # Fields of the cause are reachable, as in `except OSError as error: error.errno`.
        cause = self.__dict__.get("cause")
        if cause is None or name.startswith("__"):
            raise AttributeError(name)
        return getattr(cause, name)

    @staticmethod
    def of(
        cause: BaseException | None, where: str, remote_traceback: str, has_stopped_actor: bool = False
    ) -> TaskFailed:
        """The TaskFailed to raise for `cause`: of a class that is also the cause's own, whenever Python allows one."""
        first = cause
        while isinstance(first, TaskFailed):
            first = first.cause
        family: tuple[type, ...] = (TaskFailed, ActorStopped) if has_stopped_actor else (TaskFailed,)
        made = _failed_class(type(first), family)
        error: TaskFailed
        try:
            if isinstance(first, BaseExceptionGroup) and issubclass(made, BaseExceptionGroup):
                error = made.__new__(made, first.message, first.exceptions)
            else:
                error = made.__new__(made)
        except Exception:  # noqa: BLE001 - a `__new__` of users, which may want more than we know
            error = TaskFailed.__new__(_failed_class(object, family))
        TaskFailed.__init__(error, cause, where, remote_traceback)
        if isinstance(error, ActorStopped) and not isinstance(first, ActorStopped):
            error.actor, error.reason = where, in_words(first)
        return error


# Python turns these into a RuntimeError where a coroutine raises them, so a TaskFailed is none of them.
_UNRAISABLE = (StopIteration, StopAsyncIteration)


def _failed_class(cause: type, family: tuple[type, ...]) -> type[TaskFailed]:
    is_alien = issubclass(cause, Exception) and not issubclass(cause, (*family, *_UNRAISABLE))
    bases = (*family, cause) if is_alien else family
    if bases == (TaskFailed,):
        return TaskFailed
    own = {"__module__": TaskFailed.__module__, "__init__": TaskFailed.__init__, "__str__": TaskFailed.__str__}
    try:
        # The cause's own fields stay readable through TaskFailed.__getattr__; its constructor is never run.
        return type(f"TaskFailed({bases[-1].__name__})", bases, {**own, "_fields": TaskFailed._fields})
    except Exception:  # noqa: BLE001 - a final class, a layout Python cannot combine, an `__init_subclass__` of users
        return TaskFailed if family == (TaskFailed,) else _failed_class(object, family)


class TaskCancelled(PartisanError):
    """The work was cancelled before it finished; `what` names it."""

    _fields = ("what",)
    what: str

    def _text(self) -> str:
        return f"{self.what} was cancelled"


class ObjectLost(PartisanError):
    """The value of a reference is gone; `owner` is the node that held it, `why` what happened to it."""

    _fields = ("object", "owner", "why")
    object: str
    owner: str
    why: str

    def _text(self) -> str:
        return f"{self.object}, owned by node {self.owner}, is lost: {self.why}"


class ObjectStoreFull(PartisanError):
    """There is no room for a value: `size` bytes, where of `limit` so many are `used`; `why` says why none is made."""

    _fields = ("size", "limit", "used", "why")
    size: int
    limit: int
    used: int
    why: str

    def _text(self) -> str:
        return (
            f"no room for {self.size} bytes: {self.used} of {self.limit} are in use, and {self.why}. Let go of "
            "refs, or give the node a larger object_store_bytes_max"
        )


class Unplaceable(PartisanError):
    """No node of the cluster could ever hold this; `needed` says what, `best_node` which node came closest."""

    _fields = ("what", "needed", "best_node")
    what: str
    needed: str
    best_node: str

    def _text(self) -> str:
        return f"{self.what} fits no node: it needs {self.needed}; the closest is {self.best_node}"


class RuntimeEnvFailed(PartisanError):
    """A part of a `runtime_env` could not be set up; `what` names the part, `why` says what went wrong."""

    _fields = ("what", "why")
    what: str
    why: str

    def _text(self) -> str:
        return f"runtime_env: {self.what}: {self.why}"


class PlacementGroupRemoved(PartisanError):
    """A placement group is over: `what` is the group, or the work in it that has ended with it, and `why` says more."""

    _fields: ClassVar[tuple[str, ...]] = ("what", "why")
    what: str
    why: str

    def _text(self) -> str:
        return f"{self.what} has no place any more: {self.why}"


class ActorGroupRemoved(PlacementGroupRemoved, ActorStopped):
    """An actor ended because its placement group did."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why)
        self.actor, self.reason = what, why


class NodeError(PartisanError):
    """Something about one node; `node` is its id."""

    node: str


class NodeDown(NodeError, ConnectionError):
    """The node is down or has left the cluster."""

    _fields: ClassVar[tuple[str, ...]] = ("node", "why")
    why: str

    def _text(self) -> str:
        return f"node {self.node} is down: {self.why}"


class WorkerCrashed(NodeDown):
    """A process of node `node`, with a task in it or about to get an actor, has ended by itself; `why` says how."""

    def _text(self) -> str:
        return f"a worker process of node {self.node} is gone: {self.why}"


class ActorNodeDown(NodeDown, ActorStopped):
    """An actor that is not restarted has ended with its node. A call in flight may or may not have run."""

    _fields = ("node", "why", "actor")

    def __init__(self, node: str, why: str, actor: str) -> None:
        super().__init__(node, why, actor)
        self.reason = f"its node {node} is down: {why}"

    def _text(self) -> str:
        return f"node {self.node} is down: {self.why}; actor {self.actor} ended with it"


class NoRoute(NodeError, ConnectionError):
    """The node can be reached neither directly nor through the overlay."""

    _fields = ("node", "why")
    why: str

    def _text(self) -> str:
        return f"no route to node {self.node}: {self.why}"


class NotYetConnected(NodeError, ConnectionError):
    """A contact could not be joined; `node` is its address."""

    _fields = ("node", "why")
    why: str

    def _text(self) -> str:
        return f"cannot reach {self.node}: {self.why}"


class Overloaded(NodeError):
    """The send queue towards a node is full; the message was refused and not sent. `limit` is in bytes."""

    _fields = ("node", "limit")
    limit: int

    def _text(self) -> str:
        return f"the send queue to node {self.node} is full ({self.limit} bytes): nothing was sent; slow down"


class Unacknowledged(NodeError):
    """No acknowledgement came, and the message is sent no more. It may or may not have arrived, and run."""

    _fields = ("node", "why")
    why: str

    def _text(self) -> str:
        return f"node {self.node} has not acknowledged: {self.why} (the message may or may not have arrived)"


class AuthenticationError(PartisanError):
    """The peer is not one of ours: another cookie, another cluster, another protocol."""

    _fields = ("peer", "why")
    peer: str
    why: str

    def _text(self) -> str:
        return f"{self.peer}: {self.why}"


class ReplayMismatch(PartisanError):
    """A run does not follow the recording in the file `trace`; `why` says where they part."""

    _fields = ("trace", "why")
    trace: str
    why: str

    def _text(self) -> str:
        return f"the run does not follow {self.trace}: {self.why}"


class ProtocolError(PartisanError):
    """The peer broke the protocol. It closes the connection and never reaches user code."""

    _fields = ("why",)
    why: str

    def _text(self) -> str:
        return self.why


class ResumeDeclined(PartisanError):
    """A peer does not go on with the session of a lost connection, now or `for_ever`. It never reaches user code."""

    _fields = ("peer", "why", "for_ever")
    peer: str
    why: str
    for_ever: bool

    def _text(self) -> str:
        return f"{self.peer} does not go on with a session: {self.why} (for ever: {self.for_ever})"


class InternalError(PartisanError):
    """A bug in partisan_actors. Please report it with `story`, what the node did last."""

    _fields = ("what", "story")
    what: str
    story: str

    def _text(self) -> str:
        return f"internal error: {self.what}\n{self.story}"

"""`ObjectRef`: a future for a value that may be passed around: as an argument, in a result, in a message, by pickle.

The node that called (or put) *owns* the value and keeps it while a ref exists there or on any node that borrowed it.
A ref that arrives on another node fetches the value from its owner when somebody first waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

from partisan_actors.actors.context import current_system
from partisan_actors.actors.replies import Reply
from partisan_actors.ids import NodeId, ObjectId, TaskId

if TYPE_CHECKING:
    from partisan_actors.objects.unheard import Unheard

__all__ = ["AWAY", "ObjectRef", "RefStore", "rebuild_ref"]

T_co = TypeVar("T_co", covariant=True)


class _Away:
    """The type of `AWAY`."""


# In the place of a value that is known and not in memory now: the store brings it back.
AWAY: Final = _Away()


class RefStore(Protocol):
    """What a ref needs of the store of its node."""

    loop: asyncio.AbstractEventLoop
    rebuild: Callable[[str, int, int], ObjectRef[Any]]
    # Who wants to know at once that any ref of this node has failed.
    on_failure: list[Callable[[], None]]
    # Who tells of failures that nobody has asked about.
    unheard: Unheard

    def new_id(self) -> ObjectId:
        """An id that this node never used."""
        ...

    def lend(self, ref: ObjectRef[Any]) -> None:
        """`ref` is being sent somewhere."""
        ...

    def returned(self, ref: ObjectRef[Any], reader: NodeId | None) -> None:
        """The call that `ref` was sent with is over; `reader` has answered it, if any node has."""
        ...

    def adopt(self, identity: ObjectId) -> ObjectRef[Any]:
        """The ref for an id that arrived here."""
        ...

    def readiness(self, ref: ObjectRef[Any]) -> Reply[None]:
        """Resolved once the value of `ref` is ready where it lives, without bringing it here."""
        ...

    def bring_back(self, ref: ObjectRef[Any]) -> Any:
        """The value of `ref`, which is AWAY; blocks this thread for as long as reading it takes."""
        ...

    async def bring_back_async(self, ref: ObjectRef[Any]) -> Any:
        """The same for coroutines."""
        ...


class ObjectRef(Reply[T_co], Generic[T_co]):
    """A real future: `await ref`, `ref.result(timeout)`, `partisan_actors.get(ref)`, or give it to another call.

    As a top-level argument it is replaced by its value before the method runs; inside a list or a dict it stays a ref.
    Guarantees: every holder sees the same outcome. Raises ObjectLost when the owner is gone before the value was
    fetched.
    """

    __slots__ = ("_fetch", "_id", "_store", "size_bytes")

    def __init__(self, store: RefStore) -> None:
        self._loop = store.loop
        self._done = False
        self._value = None
        self._error = None
        self._waiters = None
        self._store = store
        self._id: ObjectId | None = None
        # Of the value as it travels, when it is large and that is known here; else 0.
        self.size_bytes = 0
        self._fetch: Callable[[], None] | None = None

    @property
    def id(self) -> ObjectId:
        """The id of the value, which never changes."""
        if self._id is None:
            self._id = self._store.new_id()
        return self._id

    def hex(self) -> str:
        """The id of the value in hexadecimal digits."""
        return self.id.hex()

    def binary(self) -> bytes:
        """The same as bytes."""
        return self.id.binary()

    def is_nil(self) -> bool:
        """False: every ref is one to something."""
        return False

    def task_id(self) -> TaskId:
        """The id of the task whose only result this is; of other refs, an id that is theirs alone."""
        return TaskId(*self.id)

    def __str__(self) -> str:
        state = "failed" if self._error is not None else "ready" if self._done else "pending"
        return f"ObjectRef({self.id}, {state})"

    __repr__ = __str__

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ObjectRef) and self.id == other.id)

    def as_argument(self) -> T_co:
        """This very ref, typed as its value: for a type checker that refuses a ref where an argument goes."""
        return cast("T_co", self)

    @property
    def store(self) -> RefStore:
        """The store of the node that this ref belongs to."""
        return self._store

    @property
    def has_failed(self) -> bool:
        """Whether there is an error in place of a value."""
        return self._error is not None

    def __await__(self) -> Generator[Any, None, T_co]:
        if self._fetch is not None:
            self.begin_fetch()
        if not self._done:
            yield from self._future_of_wait()
        if self._error is not None:
            self._error_taken()
            raise self._error
        value = self._value
        if value is AWAY:
            value = yield from self._store.bring_back_async(self).__await__()
        return value  # type: ignore[no-any-return]  # users' data

    def result(self, timeout: float | None = None) -> T_co:
        if not self._done:
            self.wait(timeout)
        if self._error is not None:
            self._error_taken()
            raise self._error
        value = self._value
        return value if value is not AWAY else self._store.bring_back(self)  # type: ignore[no-any-return]  # users' data

    def wait(self, timeout: float | None = None) -> None:
        if self._fetch is not None:
            self.begin_fetch()
        super().wait(timeout)

    def add_waiter(self, waiter: Callable[[], object]) -> None:
        if self._fetch is not None:
            self.begin_fetch()
        super().add_waiter(waiter)

    def fail(self, error: BaseException) -> None:
        if not self._done:
            self._store.unheard.failed(self, error)  # first: whoever is woken may have it at once
        super().fail(error)
        if self._error is not error:  # another outcome stands
            self._store.unheard.heard(error)
        for tell in list(self._store.on_failure):
            tell()

    def _error_taken(self) -> None:
        assert self._error is not None
        self._store.unheard.heard(self._error)

    def begin_fetch(self) -> None:
        """Have the value of a borrowed ref brought here, if nobody has yet."""
        fetch, self._fetch = self._fetch, None
        if fetch is not None:
            fetch()

    def readiness(self) -> Reply[Any]:
        return self if self._id is None else self._store.readiness(self)

    def returned(self, reader: NodeId | None) -> None:
        """For the sender of a message: the call that took this ref along is over, and was answered by that node."""
        self._store.returned(self, reader)

    def __reduce__(self) -> tuple[Any, ...]:
        self._store.lend(self)
        if self._error is not None:
            self._error_taken()
        return self._store.rebuild, (*self.id.node, self.id.number)


def rebuild_ref(name: str, incarnation: int, number: int) -> ObjectRef[Any]:
    """What a pickled ref becomes, in code that belongs to a node: a method, a task, a message that is decoded."""
    system = current_system.get()
    if system is None:
        raise RuntimeError("an ObjectRef can only be unpickled in a running node: call partisan_actors.init() first")
    store: RefStore = system.extensions["objects"]
    return store.adopt(ObjectId(NodeId(name, incarnation), number))

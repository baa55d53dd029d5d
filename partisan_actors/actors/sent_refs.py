"""`SentRefs`: the refs found in a message while it is encoded, which its sender keeps until the call has returned.

Without that, a ref that nobody else holds would be let go while its message still waits in a mailbox over there.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Protocol

from partisan_actors.errors import TaskFailed
from partisan_actors.ids import NodeId

__all__ = ["SentRefs", "has_read", "held_by_value", "refs_in_message"]


class SentRef(Protocol):
    """A ref, as far as it matters here."""

    def returned(self, reader: NodeId | None) -> None:
        """The message is done with: if `reader`, the node that answered, keeps the ref, it says so, or is about to."""
        ...


class SentRefs:
    """The refs of one message. One that nothing `returns` from has nobody to keep them."""

    __slots__ = ("__weakref__", "_refs", "loans", "returns")

    def __init__(self, *, returns: bool = True) -> None:
        self.returns = returns
        self._refs: list[SentRef] = []
        # By what is lent with the message: a message that is pickled twice lends once.
        self.loans: dict[object, SentRef] = {}

    def __bool__(self) -> bool:
        return bool(self._refs)

    def add(self, ref: SentRef) -> None:
        """`ref` is in the message."""
        self._refs.append(ref)

    def release(self, reader: NodeId | None = None) -> None:
        """The call is over. `reader` is the node that has answered it, if one has, and no other read the message."""
        refs, self._refs = self._refs, []
        self.loans = {}
        for ref in refs:
            ref.returned(reader)


def has_read(error: BaseException | None) -> bool:
    """Whether a call that ended so was answered by whoever has read its message, and not given up on the way."""
    return error is None or isinstance(error, TaskFailed)


# Set while a message is encoded.
refs_in_message: ContextVar[SentRefs | None] = ContextVar("partisan_refs_in_message", default=None)

# Set while a value is decoded to find what it keeps: refs, and what holds the actors of its handles, are added.
held_by_value: ContextVar[list[Any] | None] = ContextVar("partisan_held_by_value", default=None)

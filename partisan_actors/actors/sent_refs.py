"""`SentRefs`: the refs found in a message while it is encoded, which its sender keeps until the call has returned.

Without that, a ref that nobody else holds would be let go while its message still waits in a mailbox over there.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

__all__ = ["SentRefs", "refs_in_message"]


class SentRef(Protocol):
    """A ref, as far as it matters here."""

    def arrived(self) -> None:
        """The message is done with: whoever keeps the ref over there has said so, or is about to."""
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

    def release(self) -> None:
        """The call has returned."""
        refs, self._refs = self._refs, []
        self.loans = {}
        for ref in refs:
            ref.arrived()


# Set while a message is encoded.
refs_in_message: ContextVar[SentRefs | None] = ContextVar("partisan_refs_in_message", default=None)

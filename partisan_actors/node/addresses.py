"""Where nodes can be dialled, as far as this node has heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from partisan_actors.ids import NodeId

__all__ = ["Addresses"]

ADDRESSES_MAX: Final = 65_536


class Addresses:
    """The address book of one node: ADDRESSES_MAX nodes at most, of which the one heard of first is forgotten first."""

    def __init__(self, me: NodeId) -> None:
        self._me = me
        self._own: tuple[str, ...] = ()
        self._book: dict[NodeId, tuple[str, ...]] = {}

    def advertise(self, addresses: Iterable[str]) -> None:
        """This node can be dialled at `addresses`."""
        self._own = tuple(addresses)

    def addresses_of(self, node: NodeId) -> Sequence[str]:
        """Every known address of `node`, best first; empty when none is known."""
        return self._own if node == self._me else self._book.get(node, ())

    def learn(self, node: NodeId, addresses: Iterable[str]) -> None:
        """Somebody says that `node` can be dialled at `addresses`. Nobody tells this node where it is itself."""
        if node == self._me:
            return
        self._book[node] = tuple(addresses)
        if len(self._book) > ADDRESSES_MAX:
            self._book.pop(next(iter(self._book)))

"""Where nodes can be dialled, as far as this node has heard, and which life of each name is the latest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from partisan_actors.ids import NodeId
from partisan_actors.node.binding import ADDRESSES_EACH_MAX

__all__ = ["Addresses"]

ADDRESSES_MAX: Final = 65_536


class Addresses:
    """The address book of one node: ADDRESSES_MAX names at most, of which the one heard of first is forgotten first.

    Of the addresses of one node it keeps the first ADDRESSES_EACH_MAX: they are tried one after another.

    It holds the latest life of a name that it has heard of; an earlier one is at no address.
    """

    def __init__(self, me: NodeId) -> None:
        self._me = me
        self._own: tuple[str, ...] = ()
        self._book: dict[str, tuple[NodeId, tuple[str, ...]]] = {}
        # Told each time an earlier life is named, or found to be one: that life, and the later one.
        self.on_former_life: Callable[[NodeId, NodeId], None] = lambda former, later: None

    def advertise(self, addresses: Iterable[str]) -> None:
        """This node can be dialled at `addresses`."""
        self._own = tuple(addresses)

    def addresses_of(self, node: NodeId) -> Sequence[str]:
        """Every known address of `node`, best first; empty when none is known."""
        if node == self._me:
            return self._own
        latest, addresses = self._book.get(node.name, (None, ()))
        return addresses if latest == node else ()

    def later_life(self, node: NodeId) -> NodeId | None:
        """The latest life of that name that is known, if it came after `node`."""
        latest = self._me if node.name == self._me.name else self._book.get(node.name, (node,))[0]
        return latest if latest.incarnation > node.incarnation else None

    def learn(self, node: NodeId, addresses: Iterable[str]) -> None:
        """Somebody says that `node` can be dialled at `addresses`. Nobody tells this node where it is itself."""
        if node == self._me:
            return
        former = self._book.get(node.name)
        later = None if former is not None and former[0] == node else self.later_life(node)
        if later is not None:
            self.on_former_life(node, later)
            return
        self._book[node.name] = (node, tuple(islice(addresses, ADDRESSES_EACH_MAX)))
        if former is None:
            if len(self._book) > ADDRESSES_MAX:
                del self._book[next(iter(self._book))]
        elif former[0] != node:
            self.on_former_life(former[0], node)

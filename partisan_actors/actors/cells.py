"""The table of cells of one node: whom the key of a message means, and why it means nobody any more."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.dead_letters import Whom
from partisan_actors.actors.keys import described_key, name_key
from partisan_actors.actors.namespaces import key_of
from partisan_actors.actors.reasons import end_of
from partisan_actors.errors import ActorNotFound, PartisanError
from partisan_actors.ids import NodeId

__all__ = ["TOMBSTONES_MAX", "Cells"]

# How many actors that have ended are remembered with the reason; callers of the others are told ActorNotFound.
TOMBSTONES_MAX: Final = 20_000


class Cells(dict[bytes, Any]):
    """Actors under the keys of their ids and of their names, and services under theirs."""

    def __init__(self, me: NodeId) -> None:
        self._me = me
        self._tombstones: OrderedDict[bytes, tuple[str, PartisanError]] = OrderedDict()

    def put(self, cell: Cell) -> None:
        """An actor begins."""
        self._tombstones.pop(cell.key, None)
        self[cell.key] = cell
        named = _name_key(cell)
        if named is not None:
            self[named] = cell

    def drop(self, cell: Cell) -> None:
        """An actor has ended. Another one may have its name, or be its next life, by now."""
        for key in (cell.key, _name_key(cell)):
            if key is not None and self.get(key) is cell:
                del self[key]
        self._tombstones[cell.key] = (
            Whom.of(cell.definition.interface.class_name, str(cell), str(cell.actor)),
            cell.cause or end_of(str(cell), cell.reason),
        )
        while len(self._tombstones) > TOMBSTONES_MAX:
            self._tombstones.popitem(last=False)

    def actors(self) -> list[Cell]:
        """Those that run here, services left out."""
        return [cell for key, cell in self.items() if isinstance(cell, Cell) and cell.key == key]

    def missing(self, key: bytes) -> tuple[str, PartisanError]:
        """Whom a key means that is not here, and what callers are told."""
        known = self._tombstones.get(key)
        if known is not None:
            return known
        whom = described_key(key)
        return f"actor {whom}", ActorNotFound(f"{whom} on node {self._me}")


def _name_key(cell: Cell) -> bytes | None:
    options = cell.options
    return name_key(key_of(options.namespace, options.name)) if options.name is not None else None

"""The end of an actor that nobody has a handle of: what its host does about that.

An actor whose maker has made it with counted handles ends when no node holds it, and everything that was called before
is done: its queue is empty, no method runs. It gets LATE_S more, for what came by other ways. One that was restarted
has PATIENCE_S, for its holders have to tell the new host first. A node that goes down holds nothing.
"""

from __future__ import annotations

from typing import Any, Final

from partisan_actors.actors.cell import ALIVE, STARTING, Cell
from partisan_actors.actors.holders import Holders
from partisan_actors.actors.holding import HOLD, LET_GO
from partisan_actors.actors.reasons import OUT_OF_SCOPE
from partisan_actors.actors.system import ActorSystem
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.wire.channels import CALLS

__all__ = ["Scope"]

LATE_S: Final = 0.5
PATIENCE_S: Final = 30.0
# Between two looks at an actor that has still something to do: from the first to the longest.
BUSY_S: Final = 0.05
BUSY_LONGEST_S: Final = 0.5


class Scope:
    """Ends the actors of one node that nobody holds."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self.holders = Holders()
        self._looking: set[ActorId] = set()
        system.signals[HOLD] = self._hold
        system.signals[LET_GO] = self._let_go
        system.on_cell_stopped.append(self._cell_stopped)
        system.node.directory.on_down.append(self._node_down)
        system.extensions["scope"] = self

    def begin(self, actor: ActorId, maker: NodeId, life: int) -> None:
        """An actor with counted handles is made here: its maker holds it. That of a later life is not known to."""
        self.holders.begin(actor, None if life else maker)
        if life:
            self._look_later(actor, PATIENCE_S)

    def _hold(self, cell: Cell, peer: Peer, number: int, args: Any) -> None:
        self.holders.hold(cell.actor, peer.node, *args)
        self._system.reply_value(peer, number, None, CALLS)

    def _let_go(self, cell: Cell, peer: Peer, number: int, args: Any) -> None:
        if self.holders.let_go(cell.actor, peer.node, *args):
            self._look_later(cell.actor, LATE_S)
        self._system.reply_value(peer, number, None, CALLS)

    def _node_down(self, record: NodeRecord, why: str) -> None:
        for actor in self.holders.node_down(record.node):
            self._look_later(actor, LATE_S)

    def _cell_stopped(self, cell: Cell) -> None:
        self.holders.ended(cell.actor)

    def _look_later(self, actor: ActorId, after_s: float) -> None:
        if actor not in self._looking:
            self._looking.add(actor)
            self._system.loop.call_later(after_s, self._look, actor, BUSY_S)

    def _look(self, actor: ActorId, again_s: float) -> None:
        cell = self._system.cell(actor)
        if cell is None or actor not in self.holders or self.holders.is_held(actor):
            self._looking.discard(actor)
        elif is_idle(cell):
            self._looking.discard(actor)
            cell.stop(OUT_OF_SCOPE)
        else:
            self._system.loop.call_later(again_s, self._look, actor, min(again_s * 2, BUSY_LONGEST_S))


def is_idle(cell: Cell) -> bool:
    """Whether an actor has nothing to do, and nothing that waits."""
    if cell.state != ALIVE:
        return cell.state != STARTING
    return not (cell.mailbox_size or cell.is_thread_busy or cell.has_coroutines)

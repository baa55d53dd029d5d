"""`terminate`: a graceful end that waits its turn in the mailbox, behind every call made before.

It is a call of the actor with a name that no method can have. Its place in the queue is taken by a message that ends
the actor as `exit_actor` in a method would: coroutines that run finish, whatever waits behind it is refused.
"""

from __future__ import annotations

from typing import Any, Final

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.reasons import NORMAL, ActorExit, end_of, exited
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ActorStopped
from partisan_actors.node.router import Peer

__all__ = ["TERMINATE", "serve_terminating", "settle"]

TERMINATE: Final = "@terminate"


def serve_terminating(system: ActorSystem) -> None:
    """Have the actors of this node end gracefully when they are asked to."""
    system.signals[TERMINATE] = _terminate


def _terminate(cell: Cell, peer: Peer, number: int, args: Any) -> None:
    method = next(iter(cell.definition.interface.methods), None)
    if method is None:
        cell.stop(exited(NORMAL), finishes=True)  # nothing can wait before it
        cell.system.reply_error(peer, number, end_of(str(cell), cell.reason))
    else:
        cell.deliver(peer, number, method, _exit)


def _exit() -> tuple[tuple[Any, ...], dict[str, Any]]:
    raise ActorExit(NORMAL)


def settle(asked: Reply[Any], told: Reply[None]) -> None:
    """`told` gets None once what was `asked` to end has ended, for whatever reason, and any other error as it is."""

    def answered() -> None:
        error = asked.exception()
        if error is None or isinstance(error, ActorStopped):
            told.succeed(None)
        else:
            told.fail(error)

    asked.add_waiter(answered)

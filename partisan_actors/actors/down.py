"""What actors and programs are told of the end of others: `Down` by a monitor, `Exit` by a link or by `exit`."""

from __future__ import annotations

from partisan_actors.ids import ActorId, MonitorId
from partisan_actors.values import dataclass

__all__ = ["Down", "Exit"]


@dataclass(frozen=True, slots=True)
class Down:
    """A monitored life of an actor has ended, or there was none.

    `monitor` equals the MonitorRef that `monitor` returned. `actor` describes the actor, `id` is its id. `reason` is
    "normal", "killed", "noproc" (it had ended before, or never was), "node down: " and why, what was given to `exit` or
    `exit_actor`, or what its constructor raised. `may_restart`: another life of it may begin on another node.
    """

    monitor: MonitorId
    actor: str
    id: ActorId
    reason: str
    may_restart: bool = False


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit signal, as an actor with `trap_exit` is told of it.

    `actor` describes who sent it, or whose end did when `is_link`; `id` is its id, None for a program. `reason` is as
    in `Down`.
    """

    actor: str
    id: ActorId | None
    reason: str
    is_link: bool

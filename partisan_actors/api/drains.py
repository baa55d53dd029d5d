"""`drain`: emptying a node before it is taken away; and `undrain`, for who has changed their mind."""

from __future__ import annotations

import asyncio

from partisan_actors.actors.blocking import result_of
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.errors import ConfigError, NodeDown
from partisan_actors.ids import NodeId
from partisan_actors.node.directory import WHY
from partisan_actors.tasks.draining import DRAIN_GRACE_S, Drained, ask_to_drain, ask_to_undrain

__all__ = ["drain", "undrain"]


def drain(node: str | NodeId, *, timeout: float = 60.0) -> Drained:
    """Have a node take no new work, finish or move what it has, and end its process when it is empty.

    Running tasks finish; queued ones go elsewhere. Actors that may be restarted are, on other nodes. Other actors have
    `timeout` seconds to end by themselves; then they are ended, their `on_stop` included, and tasks that still run are
    run again elsewhere if they may be retried. The process of a program that called `init` goes on, empty.

    Blocks this thread until that is done; on the node's own loop use ``await asyncio.to_thread(pa.drain, ...)``.
    Raises NodeDown for a node that is not up, ConfigError, and RuntimeError on the node's own loop.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise ConfigError("timeout", timeout, "a number of seconds from 0")
    system = _system("drain")
    asking = ask_to_drain(system, _live(system, node), timeout)
    return result_of(asyncio.run_coroutine_threadsafe(asking, system.loop), timeout + 2 * DRAIN_GRACE_S)


def undrain(node: str | NodeId) -> bool:
    """Have a node take new work again that is being drained, or is empty and goes on; whether it does.

    False when what was left in it is being ended already, or when it ends. Actors that have moved stay where they are,
    and whoever waits in `drain` returns. Nothing happens to a node that is not drained. Blocks, and raises, as `drain`.
    """
    system = _system("undrain")
    asking = ask_to_undrain(system, _live(system, node))
    return result_of(asyncio.run_coroutine_threadsafe(asking, system.loop), 2 * DRAIN_GRACE_S)


def _system(what: str) -> ActorSystem:
    system = session.system()
    if asyncio._get_running_loop() is system.loop:
        raise RuntimeError(
            f"{what} would block the node's own loop: use `await asyncio.to_thread(pa.{what}, ...)` there"
        )
    return system


def _live(system: ActorSystem, node: str | NodeId) -> NodeId:
    name = node.name if isinstance(node, NodeId) else str(node).partition("~")[0]
    record = system.node.directory.records.get(name)
    if record is None or str(node) not in (name, str(record.node)):
        raise NodeDown(str(node), "no such node is known")
    if not record.is_live:
        raise NodeDown(str(node), WHY[record.state])
    return record.node

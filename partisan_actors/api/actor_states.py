"""`list_actors`: which actors there are in the cluster, in which state, and why those ended that have."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from partisan_actors.actors.blocking import result_of
from partisan_actors.actors.system import ActorSystem
from partisan_actors.api import session
from partisan_actors.api.actor_rows import STATES, merge_rows
from partisan_actors.api.inspection import INSPECT
from partisan_actors.errors import CallTimeout, ConfigError, PartisanError

__all__ = ["ask_everybody", "list_actors"]

NODE_S: Final = 5.0


def list_actors(
    *,
    state: str | None = None,
    name: str | None = None,
    class_name: str | None = None,
    namespace: str | None = None,
    node: str | None = None,
    timeout: float = 10.0,
) -> list[dict[str, Any]]:
    """A row for each actor of the cluster, as its nodes tell; of those with everything that is given.

    A row has the keys id, class, name, namespace, node, state ("pending", "starting", "alive", "restarting", "stopping"
    or "stopped"), reason and kind (of an end), mailbox, processed, restarts, owner and held_by. Each node remembers its
    last 1000 ends. A node that does not answer within five seconds is left out. Blocks; raises ConfigError for a state
    that there is not, CallTimeout, and RuntimeError on the node's own loop: there, use `asyncio.to_thread`.
    """
    if state is not None and state not in STATES:
        raise ConfigError("state", state, f"one of {', '.join(STATES)}")
    given = {"state": state, "name": name, "class": class_name, "namespace": namespace, "node": node}
    system = session.system()
    if asyncio._get_running_loop() is system.loop:
        raise RuntimeError("list_actors would block the node's own loop: use `await asyncio.to_thread(...)` there")
    job = asyncio.run_coroutine_threadsafe(ask_everybody(system, "all_actors"), system.loop)
    try:
        rows = result_of(job, timeout)
    except TimeoutError as error:
        job.cancel()
        raise CallTimeout("asking every node for its actors", timeout) from error
    return merge_rows(rows, {column: value for column, value in given.items() if value is not None})


async def ask_everybody(system: ActorSystem, question: str) -> list[Any]:
    """What all nodes that are up answer to that question of `Inspection`, put together. On the node's loop."""

    async def ask(record: Any) -> Sequence[Any]:
        try:
            answer: Sequence[Any] = await system.request(record.node, INSPECT, question, timeout_s=NODE_S)
        except PartisanError:
            return ()
        return answer

    answers = await asyncio.gather(*map(ask, system.node.directory.live()))
    return [row for answer in answers for row in answer]

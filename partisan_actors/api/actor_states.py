"""`list_actors` and `list_tasks`: what there is in the cluster, in which state, and why actors ended that have."""

from __future__ import annotations

from typing import Any

from partisan_actors.api import session
from partisan_actors.api.actor_rows import STATES, merge_rows
from partisan_actors.api.everybody import ask_everybody, blocking
from partisan_actors.api.task_rows import TASK_STATES, merge_task_rows
from partisan_actors.errors import ConfigError

__all__ = ["list_actors", "list_tasks"]


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
    or "stopped"), reason and kind (of an end), mailbox, processed, wait_p95_s, run_p95_s, latency_p95_s
    and slowest_s (how long 95 % of its calls waited in the mailbox and ran, both together, and the longest of all, in
    seconds, of those that were timed: of a busy method, each n-th; None before the first), memory_bytes (of the process
    of an isolated actor, while it runs; None for others), restarts, owner, held_by, made_by (an actor, "task
    NAME", or "" for a program), max_restarts, guardians (nodes that would make it again), and links and monitors (the
    actors whose ends it hears of). Each node remembers its last 1000 ends. A node that does not answer within five
    seconds is left out. Blocks; raises ConfigError for a state that there is not, CallTimeout, and RuntimeError on the
    node's own loop: there, use `asyncio.to_thread`.
    """
    if state is not None and state not in STATES:
        raise ConfigError("state", state, f"one of {', '.join(STATES)}")
    given = {"state": state, "name": name, "class": class_name, "namespace": namespace, "node": node}
    return merge_rows(
        _asked("actors", "all_actors", timeout), {column: value for column, value in given.items() if value is not None}
    )


def list_tasks(
    *, state: str | None = None, name: str | None = None, node: str | None = None, timeout: float = 10.0
) -> list[dict[str, Any]]:
    """A row for each task of the cluster, as its nodes tell; of those with everything that is given.

    A row has the keys id, name, state ("waiting" for arguments or a node, "sent", "queued", "running", "finished" or
    "failed"), node (where it is or was; "" while it is nowhere), owner (the node that submitted it), attempt,
    submitted and ended (seconds since 1970, or None), and error (None, or the class and the beginning of the text).
    Who submitted tasks remembers the last 5000 that are done, until it ends itself. Blocks, and raises as
    `list_actors` does.
    """
    if state is not None and state not in TASK_STATES:
        raise ConfigError("state", state, f"one of {', '.join(TASK_STATES)}")
    wanted = {key: value for key, value in (("state", state), ("name", name), ("node", node)) if value is not None}
    rows = merge_task_rows(_asked("tasks", "all_tasks", timeout))
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def _asked(what: str, question: str, timeout: float) -> list[Any]:
    system = session.system()
    return blocking(system, ask_everybody(system, question), f"list_{what}", f"its {what}", timeout)

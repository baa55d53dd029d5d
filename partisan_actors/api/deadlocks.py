"""`deadlocks`: actors of the cluster that wait for each other for ever, found and named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from partisan_actors.actors.blocking import result_of
from partisan_actors.actors.deadlocks import WaitingCall, find_cycles, find_stuck
from partisan_actors.api import session
from partisan_actors.api.actor_states import ask_everybody
from partisan_actors.errors import CallTimeout

__all__ = ["deadlocks", "deadlocks_in", "described"]


def deadlocks(*, timeout: float = 10.0) -> list[dict[str, Any]]:
    """A row for each ring of calls of which each waits for the next, and the last for the first; [] if there is none.

    A row has `calls`, each with actor, node, method, `is_running` (or queued behind the next one) and `for_s`, for how
    many seconds it is known to wait, counted from the first time somebody asked; `waiting`, how many calls wait for
    these and are stuck, too; and `text`, all of it for people. A call with a time-out of its own counts as well; so do
    tasks, of which `actor` is the id. Not seen are waits for locks and results of others' calls, and queues of actors
    with concurrency groups.
    Blocks; raises CallTimeout, and RuntimeError on the node's own loop: there, use `asyncio.to_thread`.
    """
    system = session.system()
    if asyncio._get_running_loop() is system.loop:
        raise RuntimeError("deadlocks would block the node's own loop: use `await asyncio.to_thread(...)` there")
    job = asyncio.run_coroutine_threadsafe(ask_everybody(system, "waits"), system.loop)
    try:
        rows = result_of(job, timeout)
    except TimeoutError as error:
        job.cancel()
        raise CallTimeout("asking every node what its calls wait for", timeout) from error
    return deadlocks_in(rows)


def deadlocks_in(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The deadlocks in what the nodes have told."""
    calls = [_call_of(row) for row in rows]
    cycles = find_cycles(calls)
    in_cycles = {call.id for cycle in cycles for call in cycle}
    waiting = len(find_stuck(calls).keys() - in_cycles)
    return [
        {"calls": [_shown(call) for call in cycle], "waiting": waiting, "text": described(cycle)} for cycle in cycles
    ]


def described(cycle: list[WaitingCall]) -> str:
    """A ring of calls, for people."""
    steps = []
    for call, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
        what = "waits for" if call.is_running else "is queued behind"
        what = "has an argument from" if call.needs_arguments else what
        steps.append(
            f"{call.method} of {call.actor} on {call.node} {what} {following.method} of {following.actor}"
            f" ({call.for_s:.0f} s)"
        )
    return "; ".join(steps)


def _call_of(row: dict[str, Any]) -> WaitingCall:
    waits_for = tuple((str(node), int(number)) for node, number in row["waits_for"])
    return WaitingCall(**{**row, "id": (row["id"][0], row["id"][1]), "waits_for": waits_for})


def _shown(call: WaitingCall) -> dict[str, Any]:
    return {name: value for name, value in asdict(call).items() if name not in ("id", "waits_for", "needs_arguments")}

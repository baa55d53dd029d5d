"""Calls that wait for each other for ever: found in what every node tells of the calls that it runs or keeps waiting.

A call that runs waits for the calls it has made, if it has stopped to wait for their results; one that is queued waits
for those that keep its actor from beginning it. A call is *stuck* if all that it waits for is stuck, and it waits for
something. That errs on the side of silence: who waits for several is stuck only when the last of them is. What waits
for a lock, or for something that no node tells of, is taken not to be stuck.
"""

from __future__ import annotations

from collections.abc import Iterable

from partisan_actors.values import dataclass

__all__ = ["CallId", "WaitingCall", "find_cycles", "find_stuck"]

# The node that made the call, and the number that it gave it. Tasks have numbers of their own, and "task:" before it.
CallId = tuple[str, int]


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call or a task, and those that have to end before it can go on, or begin. Of a task, `actor` is its id."""

    id: CallId
    actor: str
    node: str
    method: str
    is_running: bool
    waits_for: tuple[CallId, ...]
    for_s: float = 0.0
    # Whether it waits for its arguments: these, then, are what it waits for.
    needs_arguments: bool = False


def find_stuck(calls: Iterable[WaitingCall]) -> dict[CallId, WaitingCall]:
    """Those that never end unless somebody gives up."""
    stuck = {call.id: call for call in calls if call.waits_for}
    while True:
        free = [key for key, call in stuck.items() if not all(other in stuck for other in call.waits_for)]
        if not free:
            return stuck
        for key in free:
            del stuck[key]


def find_cycles(calls: Iterable[WaitingCall]) -> list[list[WaitingCall]]:
    """One cycle for each ring of calls: each of them waits for the next, and the last for the first.

    The same calls in the same order give the same cycles. A stuck call that is in no cycle waits for one.
    """
    stuck = find_stuck(calls)
    cycles: list[list[WaitingCall]] = []
    done: set[CallId] = set()
    for start in sorted(stuck):
        path: list[CallId] = []
        here = start
        while here not in done and here not in path:
            path.append(here)
            here = stuck[here].waits_for[0]
        if here in path:
            ring = path[path.index(here) :]
            first = ring.index(min(ring))
            cycles.append([stuck[key] for key in (*ring[first:], *ring[:first])])
        done.update(path)
    return cycles

"""Deadlocks as rows of plain data, found in what all nodes tell of the calls that wait there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from partisan_actors.actors.deadlocks import WaitingCall, find_cycles, find_stuck

__all__ = ["deadlocks_in", "described"]


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

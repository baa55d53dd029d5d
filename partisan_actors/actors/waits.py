"""What the calls wait for that one node's actors have: looked up when somebody asks, so that calls cost nothing more.

A running call waits for a result when it stands still at just that: its thread at the gate that the ref opens, or its
coroutine at the future that the ref resolves, alone or among those of one `gather`. Which calls it has made is known
for the sake of cancellation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context
from typing import Any

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.deadlocks import CallId, WaitingCall
from partisan_actors.actors.interruptions import slots
from partisan_actors.actors.made_calls import calls_made_in
from partisan_actors.actors.mailbox import Message
from partisan_actors.actors.system import ActorSystem

__all__ = ["Waits"]


class Waits:
    """The calls of one node's actors that wait, or keep others waiting."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        # When it was first seen that a call waits, so that it can be told for how long it has, at least.
        self._since: dict[CallId, float] = {}
        system.extensions["waits"] = self

    def calls(self) -> list[WaitingCall]:
        """All of them, in the order of their actors' ids. On the node's loop."""
        found = [
            (cell, message, is_running, waits)
            for cell in sorted(self._system.local_cells(), key=lambda cell: cell.actor)
            for message, is_running, waits in _calls_of(cell)
            if message.number is not None
        ]
        ids = self._ids_of({id(ref) for _, _, _, waits in found for ref in waits if not isinstance(ref, Message)})
        now, before = self._system.loop.time(), self._since
        self._since = {}
        calls = []
        for cell, message, is_running, waits in found:
            keys = [_key(each) if isinstance(each, Message) else ids.get(id(each)) for each in waits]
            key = _key(message)
            if keys:
                self._since[key] = before.get(key, now)
            calls.append(
                WaitingCall(
                    id=key,
                    actor=str(cell),
                    node=self._system.me.name,
                    method=message.method.name,
                    is_running=is_running,
                    waits_for=tuple(each if each is not None else ("", 0) for each in keys),
                    for_s=now - self._since.get(key, now),
                )
            )
        return calls

    def _ids_of(self, wanted: set[int]) -> dict[int, CallId]:
        """By the identity of refs, which calls they are the results of."""
        if not wanted:
            return {}
        me = str(self._system.me)
        return {
            id(reply): (me, number)
            for peer in self._system.node.router.peers.values()
            for number, reply in peer.pending.items()
            if id(reply) in wanted
        }


def _calls_of(cell: Cell) -> Iterator[tuple[Message, bool, list[Any]]]:
    """Each call of an actor, whether it runs, and what it waits for: refs, or messages of the same actor."""
    running: list[Message] = []
    for stepper in cell.steppers():
        for step, message in list(stepper.active.items()):
            running.append(message)
            yield message, True, _awaited(step.get_context(), _futures(step), None)
    on_threads = cell.on_threads()
    for message in on_threads:
        slot = next((each for each in list(slots.values()) if each.token is message), None)
        gate = slot._gate if slot is not None else None
        yield message, True, _awaited(slot.context, [], gate) if slot is not None and gate is not None else []
    if type(cell) is not Cell:
        return  # whom groups keep waiting is not told
    waiting: dict[int, Message] = {}

    def look(message: Message) -> bool:
        waiting[id(message)] = message
        return False

    cell.take_out(look)
    blockers = on_threads if cell.is_blocked() else running if len(running) >= cell._concurrency else []
    for message in waiting.values():
        yield message, False, list(blockers)


def _futures(step: Any) -> list[Any]:
    waits_for = step._waits_for
    children = getattr(waits_for, "_children", None)  # of asyncio.gather
    return [waits_for] if children is None else [getattr(child, "_fut_waiter", None) for child in children]


def _awaited(context: Context | None, futures: list[Any], gate: Any) -> list[Any]:
    """The results, of calls made in that context, at which it stands still."""
    found = []
    for ref in calls_made_in(context):
        waiters = list(ref._waiters or ())
        stands_at = [future for future in futures if future is not None and any(each is future for each in waiters)]
        if stands_at or (gate is not None and gate.open in waiters):
            found.append(ref)
    return found


def _key(message: Message) -> CallId:
    return str(message.peer.node), message.number or 0

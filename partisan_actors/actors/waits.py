"""What the calls wait for that one node's actors have: looked up when somebody asks, so that calls cost nothing more.

A running call waits for a result when it stands still at just that: its thread at the gate that the ref opens, or its
coroutine at the future that the ref resolves, alone or among those of one `gather`. Which calls it has made is known
for the sake of cancellation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from typing import Any, NamedTuple

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.deadlocks import CallId, WaitingCall
from partisan_actors.actors.interruptions import slots
from partisan_actors.actors.made_calls import calls_made_in
from partisan_actors.actors.mailbox import Message
from partisan_actors.actors.system import ActorSystem
from partisan_actors.wire.codec import unpack

__all__ = ["Found", "Waits", "awaited", "awaited_on_thread"]


class Found(NamedTuple):
    """Work that may wait. In `waits`: refs, the messages or ids of other work."""

    id: CallId
    whom: str
    method: str
    is_running: bool
    waits: list[Any]
    needs_arguments: bool = False


class Waits:
    """The calls of one node's actors, and its tasks, that wait, or keep others waiting."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        # When it was first seen that a call waits, so that it can be told for how long it has, at least.
        self._since: dict[CallId, float] = {}
        # Who finds other work than calls of actors, and knows refs that are results of that.
        self.finders: list[Callable[[], Iterable[Found]]] = [self._calls, self._unready]
        self.known_refs: list[Callable[[set[int]], dict[int, CallId]]] = [self._answers]
        system.extensions["waits"] = self

    def calls(self) -> list[WaitingCall]:
        """All of them, those of actors first, in the order of their ids. On the node's loop."""
        found = [each for find in self.finders for each in find()]
        wanted = {id(ref) for each in found for ref in each.waits if not isinstance(ref, tuple)}
        ids = {key: value for know in self.known_refs for key, value in know(wanted).items()} if wanted else {}
        now, before = self._system.loop.time(), self._since
        self._since = {}
        calls = []
        for each in found:
            keys = [_id_of(other, ids) for other in each.waits]
            if keys:
                self._since[each.id] = before.get(each.id, now)
            calls.append(
                WaitingCall(
                    id=each.id,
                    actor=each.whom,
                    node=self._system.me.name,
                    method=each.method,
                    is_running=each.is_running,
                    waits_for=tuple(keys),
                    for_s=now - self._since.get(each.id, now),
                    needs_arguments=each.needs_arguments,
                )
            )
        return calls

    def running(self) -> list[CallId]:
        """Those of them that run, and wait. Cheaper than all: what is queued is not looked at."""
        found = [
            _key(message)
            for cell in self._system.local_cells()
            if cell.has_coroutines or cell.is_thread_busy
            for message, waits in _running_of(cell)
            if waits and message.number is not None
        ]
        others = [each for find in self.finders if find not in (self._calls, self._unready) for each in find()]
        return found + [each.id for each in others if each.is_running and each.waits]

    def _calls(self) -> Iterator[Found]:
        for cell in sorted(self._system.local_cells(), key=lambda cell: cell.actor):
            for message, is_running, waits in _calls_of(cell):
                if message.number is not None:
                    yield Found(_key(message), str(cell), message.method.name, is_running, waits)

    def _unready(self) -> Iterator[Found]:
        """Calls that wait here for their arguments, or behind such calls."""
        me = str(self._system.me)
        for location, items in self._system.outbound.unready.waiting():
            behind: list[Any] = []
            for item in items:
                waits = [ref for ref in item.refs if not ref.done()] + behind
                behind = waits
                if item.reply is not None:
                    method = str(unpack(item.message)[3])
                    yield Found((me, item.number), str(location), method, False, waits, bool(item.refs))
                    behind = [(me, item.number)]

    def _answers(self, wanted: set[int]) -> dict[int, CallId]:
        me = str(self._system.me)
        peers = {
            id(reply): (me, number)
            for peer in self._system.node.router.peers.values()
            for number, reply in peer.pending.items()
            if id(reply) in wanted
        }
        unready = {
            id(item.reply): (me, item.number)
            for _, items in self._system.outbound.unready.waiting()
            for item in items
            if id(item.reply) in wanted
        }
        return {**unready, **peers}


def _id_of(other: Any, ids: dict[int, CallId]) -> CallId:
    if isinstance(other, Message):
        return _key(other)
    if isinstance(other, tuple):
        return other[0], other[1]
    return ids.get(id(other), ("", 0))


def _calls_of(cell: Cell) -> Iterator[tuple[Message, bool, list[Any]]]:
    """Each call of an actor, whether it runs, and what it waits for: refs, or messages of the same actor."""
    for message, waits in _running_of(cell):
        yield message, True, waits
    if type(cell) is not Cell:
        return  # whom groups keep waiting is not told
    waiting: dict[int, Message] = {}

    def look(message: Message) -> bool:
        waiting[id(message)] = message
        return False

    cell.take_out(look)
    running = list(cell.stepper.active.values())
    blockers = cell.on_threads() if cell.is_blocked() else running if len(running) >= cell._concurrency else []
    for message in waiting.values():
        yield message, False, list(blockers)


def _running_of(cell: Cell) -> Iterator[tuple[Message, list[Any]]]:
    for stepper in cell.steppers():
        for step, message in list(stepper.active.items()):
            yield message, awaited(step.get_context(), _futures(step), None)
    for message in cell.on_threads():
        yield message, awaited_on_thread(message)


def _futures(step: Any) -> list[Any]:
    waits_for = step._waits_for
    children = getattr(waits_for, "_children", None)  # of asyncio.gather
    return [waits_for] if children is None else [getattr(child, "_fut_waiter", None) for child in children]


def awaited_on_thread(token: Any) -> list[Any]:
    """The results at which the thread stands still that runs what `token` names."""
    slot = next((each for each in list(slots.values()) if each.token is token), None)
    gate = slot._gate if slot is not None else None
    return awaited(slot.context, [], gate) if slot is not None and gate is not None else []


def awaited(context: Context | None, futures: list[Any], gate: Any) -> list[Any]:
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

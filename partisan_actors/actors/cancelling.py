"""Cancelling calls: from their refs to where they wait or run, on whatever node that is.

A plain call leaves nothing behind that a cancellation could find it by, because nearly none is ever cancelled. So it is
looked for: among the replies that are awaited here, and over there among what waits in mailboxes and what runs. Many
cancellations in one turn of the loop are one search.

What waits never begins. What runs is told to stop: a coroutine by CancelledError, blocking code by `Interrupted`. Its
caller hears when it has, or after PATIENCE_S, whatever it does: nobody waits for ever for what was cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, Final, Protocol

from partisan_actors.actors.cell import Cell
from partisan_actors.actors.host import Host
from partisan_actors.actors.interruptions import slots
from partisan_actors.actors.made_calls import calls_made_in
from partisan_actors.actors.mailbox import Message
from partisan_actors.errors import PartisanError, ProtocolError, TaskCancelled
from partisan_actors.node.router import Peer, Pending
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["Cancelling"]

KEY: Final = b"@cancel"
PATIENCE_S: Final = 5.0
# A cancellation may overtake its call on another lane: it is repeated, and in the end its caller gives up.
AGAIN_S: Final = 0.25
GIVE_UP_S: Final = 20.0


class Awaited(Protocol):
    """A ref."""

    def done(self) -> bool:
        """Whether the outcome is known."""
        ...

    def fail(self, error: BaseException) -> None:
        """There is none."""
        ...


# A peer, and who waits for a reply of it, by the number of the call.
Questions = tuple[Peer, dict[int, Pending]]


class Cancellable(Protocol):
    """Work that knows how to be cancelled: a task, a call that is tried again."""

    def cancel(self, recursive: bool) -> None:
        """End it, and what it has called if `recursive`. On the loop."""
        ...


class Cancelling:
    """The cancellations of one node: of the calls it made, and of those that run here."""

    def __init__(self, host: Host, questions: Callable[[], list[Questions]], drain: Callable[[], None]) -> None:
        """`questions()` lists who waits for replies of whom, `drain()` sends what threads have called."""
        self._host = host
        self._questions = questions
        self._drain = drain
        # Work that knows how to be cancelled, by the ids of its refs, which it holds.
        self._known: dict[int, Cancellable] = {}
        self._wanted: dict[int, tuple[Awaited, bool]] = {}
        # How to find the ref of an object of this node, by its number; the store knows.
        self.find_object: Callable[[int], Awaited | None] = lambda number: None
        host.cells[KEY] = self
        host.extensions["cancelling"] = self

    # ---- at the caller --------------------------------------------------------------------------------------------

    def watch(self, refs: Iterable[Awaited], work: Cancellable) -> None:
        """These refs come from `work`, until `ended`; from any thread."""
        for ref in refs:
            self._known[id(ref)] = work

    def work_of(self, ref: Awaited) -> Cancellable | None:
        """What was said to `watch`; from any thread."""
        return self._known.get(id(ref))

    def ended(self, refs: Iterable[Awaited]) -> None:
        """That work is over."""
        for ref in refs:
            self._known.pop(id(ref), None)

    def cancel(self, ref: Awaited, recursive: bool = True) -> None:
        """Cancel the call that `ref` waits for; nothing happens to one that is over. From any thread."""
        self._host.post(self._cancel, ref, recursive)

    def cancel_at(self, peer: Peer, number: int, recursive: bool) -> None:
        """The same for an object of another node; from any thread."""
        self._host.post(self._tell, peer, "owned", recursive, [number])

    def _cancel(self, ref: Awaited, recursive: bool) -> None:
        if ref.done():
            return
        work = self._known.get(id(ref))
        if work is not None:
            work.cancel(recursive)
            return
        if not self._wanted:
            self._host.loop.call_soon(self._search)
        self._wanted[id(ref)] = ref, recursive

    def _search(self) -> None:
        self._drain()
        wanted, self._wanted = self._wanted, {}
        for peer, asked in self._questions():
            for recursive in (True, False):
                numbers = [
                    number
                    for number, reply in asked.items()
                    if id(reply) in wanted and wanted[id(reply)][1] is recursive
                ]
                found = [wanted.pop(id(asked[number]))[0] for number in numbers]
                if numbers:
                    self._ask(peer, numbers, found, recursive, AGAIN_S)
        # What was not sent yet never is.
        for ref, _ in wanted.values():
            ref.fail(TaskCancelled("a call that was not sent yet"))

    def _ask(self, peer: Peer, numbers: list[int], refs: list[Awaited], recursive: bool, again_s: float) -> None:
        """Have calls cancelled over there, until they are answered."""
        left = [(number, ref) for number, ref in zip(numbers, refs, strict=True) if not ref.done()]
        if not left:
            return
        numbers, refs = [number for number, _ in left], [ref for _, ref in left]
        if again_s > GIVE_UP_S:
            for _, ref in left:
                ref.fail(TaskCancelled(f"a call to node {peer.node}"))
            return
        self._tell(peer, "calls", recursive, numbers)
        self._host.loop.call_later(again_s, self._ask, peer, numbers, refs, recursive, again_s * 2)

    def _tell(self, peer: Peer, what: str, recursive: bool, numbers: list[int]) -> None:
        with suppress(PartisanError):
            peer.send(pack([Kind.TELL, KEY, what, recursive, *numbers]))

    # ---- where it runs --------------------------------------------------------------------------------------------

    def call(self, peer: Peer, m: list[Any]) -> None:
        """This is told things, and never asked."""
        self._host.refuse(peer, m[1], m[2])

    def deliver(
        self,
        peer: Peer,
        number: int | None,
        name: str,
        args: Any,
        kwargs: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> None:
        """Another node wants something cancelled. Raises ProtocolError for what makes no sense."""
        if number is not None or callable(args) or not all(isinstance(each, int) for each in args) or not args:
            raise ProtocolError(f"a cancellation that is {name!r}")
        recursive, *numbers = args
        if name == "owned":
            for each in numbers:
                ref = self.find_object(each)
                if ref is not None:
                    self._cancel(ref, recursive)
            return
        wanted = {(peer.node, each) for each in numbers}
        for cell in self._host.cells.values():
            if isinstance(cell, Cell):
                self._cancel_in(cell, wanted, recursive)

    def _cancel_in(self, cell: Cell, wanted: set[tuple[Any, int]], recursive: bool) -> None:
        for message in cell.take_out(lambda message: _key(message) in wanted):
            cell.refuse(message, TaskCancelled(_described(cell, message)))
        for stepper in cell.steppers():
            for step, message in list(stepper.active.items()):
                if _key(message) in wanted:
                    self.children(step.get_context(), recursive)
                    step.cancel()
                    self._be_patient(cell, message, partial(_is_active, stepper, step, message))
        for message in cell.on_threads():
            if _key(message) in wanted:
                self.interrupt(message, recursive)
                self._be_patient(cell, message, partial(_is_on_thread, cell, message))

    def interrupt(self, token: Any, recursive: bool) -> bool:
        """End blocking code that runs on some thread of this process. Returns whether it does."""
        for slot in list(slots.values()):
            if slot.token is token:
                made = slot.made
                if slot.interrupt(token):
                    for ref in made.pending() if made is not None and recursive else ():
                        self._cancel(ref, True)
                    return True
        return False

    def children(self, context: Context | None, recursive: bool) -> None:
        """Cancel what has been called in that context, if `recursive`."""
        if recursive:
            for ref in calls_made_in(context):
                self._cancel(ref, True)

    def _be_patient(self, cell: Cell, message: Message, runs_still: Callable[[], bool]) -> None:
        def look() -> None:
            if runs_still():
                cell.refuse(message, TaskCancelled(_described(cell, message)))

        self._host.loop.call_later(PATIENCE_S, look)


def _key(message: Message) -> tuple[Any, int | None]:
    return message.peer.node, message.number


def _described(cell: Cell, message: Message) -> str:
    return f"{cell.definition.interface.class_name}.{message.method.name} of {cell}"


def _is_active(stepper: Any, step: Any, message: Message) -> bool:
    return stepper.active.get(step) is message


def _is_on_thread(cell: Cell, message: Message) -> bool:
    return any(each is message for each in cell.on_threads())

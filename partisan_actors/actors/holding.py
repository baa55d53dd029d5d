"""Counted handles: an actor nobody has a handle of any more ends. This is what each node does about those it has.

One node's handles of an actor share one `Hold`. With the first, the node tells the actor's host that it holds the
actor; with the last it lets go, behind everything that it has called. A handle that is sent somewhere is *lent*: the
sender keeps its own hold until whoever got the copy has told the host, and says so. So at every moment somebody who is
known to the host holds what anybody holds.

    last handle gone, nothing lent -> "@let_go" on every lane of the calls -> `actors.scope` on the host

A handle that is pickled outside of a message (to a file, as part of a class or a function) is kept for PICKLED_S, as
nobody knows where it goes. Handles from names, from text and of an actor itself are not counted.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from partisan_actors.actors.ref import Location
from partisan_actors.actors.sent_refs import SentRefs, held_by_value, refs_in_message
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ActorUnavailable, NodeDown, NodeError, NotYetConnected
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["HOLD", "LET_GO", "Hold", "Holding"]

logger = logging.getLogger(__name__)

SERVICE: Final = "holding"
# What the host of an actor is told, as a call of the actor, with names that no method can have.
HOLD: Final = "@hold"
LET_GO: Final = "@let_go"
# How long a handle is kept that was pickled outside of a message.
PICKLED_S: Final = 60.0
# How long one that was told or returned is kept while nobody says that it has arrived: it may wait in a mailbox.
LENT_S: Final = 600.0
# After the call that took it along has returned: that it was received is known a moment later, if it was.
RETURNED_S: Final = 10.0
LENT_MAX: Final = 100_000
RETRY_S: Final = 0.5


class Hold:
    """That there are counted handles of an actor on this node; each of them refers to it."""

    __slots__ = ("__weakref__", "location")

    def __init__(self, location: Location) -> None:
        self.location = location


class _Loan:
    """A handle on its way, in one message or pickle."""

    __slots__ = ("has_arrived", "hold", "holding", "is_returned", "message", "number", "until")

    def __init__(self, holding: Holding, number: int, hold: Hold, message: SentRefs, until: float) -> None:
        self.holding = holding
        self.number = number
        self.hold = hold
        self.message = weakref.ref(message)
        self.until = until
        self.has_arrived = False
        self.is_returned = False

    def returned(self, reader: NodeId | None) -> None:
        """The call is over that took it along; from any thread."""
        self.holding.system.post(self.holding.returned, self)

    @property
    def is_needed(self) -> bool:
        """Whether the message may still be decoded, or whoever has decoded it is not yet known to hold the actor."""
        return not self.has_arrived or not (self.is_returned or self.message() is None)


class _Told:
    """What the host of one actor knows of this node."""

    __slots__ = ("answered", "is_held", "is_telling", "number", "owed", "under_way")

    def __init__(self, is_held: bool) -> None:
        self.is_held = is_held
        self.is_telling = False
        self.number = 0
        # Whom to tell that a handle has arrived, once the host knows of it.
        self.owed: list[tuple[NodeId, int]] = []
        # Calls that took another way than plain ones do, so that letting go might overtake them.
        self.under_way = 0
        self.answered: Callable[[], None] | None = None


class Holding:
    """The counted handles of one node. `of` and `lend` may be called from any thread."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self._lock = threading.Lock()
        self._holds: dict[ActorId, weakref.ref[Hold]] = {}
        self._told: dict[ActorId, _Told] = {}
        self._numbers = itertools.count(1)
        self._loans: dict[int, _Loan] = {}
        # By actor: kept until a time because of a pickle that nobody may ever open.
        self._pickled: dict[ActorId, tuple[Hold, float]] = {}
        system.extensions[SERVICE] = self
        system.serve(SERVICE, self)
        system.under_way = self.under_way
        system.on_moved.append(self.moved)
        system.node.on_sweep.append(self.sweep)
        system.node.on_given_up.append(self.tell_again)

    # ---- from any thread --------------------------------------------------------------------------------------

    def of(self, location: Location, *, is_new: bool = False) -> Hold:
        """The hold that a handle of this actor refers to. `is_new`: this node makes the actor, as its holder."""
        actor = location.actor
        with self._lock:
            known = self._holds.get(actor)
            hold = known() if known is not None else None
            if hold is None:
                hold = Hold(location)
                self._holds[actor] = weakref.ref(hold, partial(self._gone, location))
                if is_new:
                    self._told[actor] = _Told(is_held=True)
                else:
                    self.system.post(self._look, location)
        return hold

    def received(self, location: Location, lender: NodeId, number: int) -> Hold:
        """`of` for a handle that came in a message, which `lender` keeps until it hears of it."""
        hold = self.of(location)
        if number:
            self.system.post(self._received, location, lender, number)
        held = held_by_value.get()
        if held is not None:
            held.append(hold)
        return hold

    def lend(self, hold: Hold) -> int:
        """A handle is being pickled. Returns the number of the loan, 0 for one that only time ends."""
        message, now = refs_in_message.get(), self.system.loop.time()
        if message is None:
            self._pickled[hold.location.actor] = (hold, now + PICKLED_S)
            return 0
        loan = message.loans.get(hold)
        if not isinstance(loan, _Loan):  # once for a message: it may be pickled in two ways, and is decoded as a whole
            loan = message.loans[hold] = _Loan(self, next(self._numbers), hold, message, now + LENT_S)
            message.add(loan)
            self._loans[loan.number] = loan
            if len(self._loans) > LENT_MAX:
                with contextlib.suppress(StopIteration, KeyError, RuntimeError):  # another thread was faster
                    del self._loans[next(iter(self._loans))]
        return loan.number

    def _gone(self, location: Location, _: weakref.ref[Hold]) -> None:
        # Wherever the collector runs: no lock may be taken here.
        self.system.post(self._look, location)

    # ---- loans, on the loop -----------------------------------------------------------------------------------

    def returned(self, loan: _Loan) -> None:
        """The call that took it along is over."""
        loan.is_returned = True
        loan.until = min(loan.until, self.system.loop.time() + RETURNED_S)
        if not loan.is_needed:
            self._loans.pop(loan.number, None)

    async def got(self, peer: Any, number: int) -> None:
        """Whoever received that loan is known to the actor's host as its holder, or has let go already."""
        self._got(number)

    def _got(self, number: int) -> None:
        loan = self._loans.get(number)
        if loan is not None:
            loan.has_arrived = True
            if not loan.is_needed:
                del self._loans[number]

    def _received(self, location: Location, lender: NodeId, number: int) -> None:
        told = self._told.get(location.actor)
        if lender == self.system.me or (told is not None and told.is_held and not told.is_telling):
            self._tell_got(lender, number)
            return
        if told is None:
            told = self._told[location.actor] = _Told(is_held=False)
        told.owed.append((lender, number))
        self._look(location)

    def _tell_got(self, lender: NodeId, number: int) -> None:
        if lender == self.system.me:
            self._got(number)
        else:
            self.system.notify(lender, SERVICE, "got", number)

    def sweep(self) -> None:
        """Let go of what was kept long enough. Called every now and then."""
        now = self.system.loop.time()
        for number, loan in list(self._loans.items()):
            if loan.until < now or not loan.is_needed:
                del self._loans[number]
        for actor, (_, until) in list(self._pickled.items()):
            if until < now:
                del self._pickled[actor]

    # ---- telling the host, on the loop ------------------------------------------------------------------------

    def under_way(self, location: Location, reply: Any) -> None:
        """A call of the actor leaves by another way than plain ones: it is not let go of before that is answered."""
        told = self._told.get(location.actor)
        if told is not None:
            told.under_way += 1
            if told.answered is None:
                told.answered = partial(self._answered, location, told)
            reply.add_waiter(told.answered)

    def _answered(self, location: Location, told: _Told) -> None:
        told.under_way -= 1
        if not told.under_way:
            self.system.post(self._look, location)

    def moved(self, location: Location) -> None:
        """The actor lives on another node now, which knows nothing of this one."""
        told = self._told.get(location.actor)
        if told is not None:
            told.is_held = False
            self._look(location)

    def tell_again(self) -> None:
        """The others took this node for down: their actors have forgotten it."""
        for actor, told in list(self._told.items()):
            location = self.system.known_location(actor)
            if location is not None:
                told.is_held = False
                self._look(location)

    def _look(self, location: Location) -> None:
        """Tell the host what has changed, unless that waits for something."""
        actor = location.actor
        told = self._told.get(actor)
        is_held = self._is_held(actor)
        if told is None:
            if not is_held:
                return
            told = self._told[actor] = _Told(is_held=False)
        if told.is_telling:
            return
        if is_held == told.is_held:
            owed, told.owed = told.owed, []
            for lender, number in owed:
                self._tell_got(lender, number)
            if not is_held:
                del self._told[actor]
        elif is_held or not told.under_way:
            told.number += 1
            told.is_telling = True
            self._tell(location, told, is_held, told.number)

    def _is_held(self, actor: ActorId) -> bool:
        with self._lock:
            known = self._holds.get(actor)
            if known is not None and known() is None:
                del self._holds[actor]
                known = None
        return known is not None

    def _tell(self, location: Location, told: _Told, is_held: bool, number: int) -> None:
        if self.system.closed is not None:
            return
        lanes = 1 if is_held else self.system.node.lanes[CALLS]
        answers: Any = _Answers(lanes, lambda error: self._answer(location, told, is_held, number, error))
        if not is_held:
            self.system.outbound._drain()  # what was called before goes first
        for lane in range(lanes):
            request = self.system.outbound.next_number()
            what = [HOLD, number] if is_held else [LET_GO, number, lane, lanes]
            message = pack([Kind.CALL, request, location.key, *what])
            sender = location.affinity ^ lane  # which makes `lane` the affinity
            self.system.outbound._submit(location, request, message, None, answers, CALLS, None, sender)

    def _answer(self, location: Location, told: _Told, is_held: bool, number: int, error: BaseException | None) -> None:
        is_unsure = isinstance(error, (ActorUnavailable, NodeError))
        if is_unsure and not isinstance(error, (NodeDown, NotYetConnected)) and self.system.closed is None:
            self.system.loop.call_later(RETRY_S, self._tell, location, told, is_held, number)
            return
        told.is_telling = False
        told.is_held = is_held
        self.system.loop.call_soon(self._look, location)


class _Answers:
    """Waits for so many replies; a `Pending` for each of them."""

    __slots__ = ("_done", "_error", "_left")

    def __init__(self, count: int, done: Callable[[BaseException | None], None]) -> None:
        self._left = count
        self._done = done
        self._error: BaseException | None = None

    def done(self) -> bool:
        """Whether nobody waits any more: never before all are here."""
        return self._left <= 0

    def succeed(self, value: Any) -> None:
        """One has come."""
        self._left -= 1
        if not self._left:
            self._done(self._error)

    def fail(self, error: BaseException) -> None:
        """One will not."""
        self._error = error
        self.succeed(None)

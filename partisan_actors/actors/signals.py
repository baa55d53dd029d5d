"""Monitors, links and exit signals of one actor system: what carries out what `ties` decides.

A question is a call of the actor itself, with a name that no method can have, so it takes the way that the watcher's
calls take: it waits for the actor to have a place, is relayed, and fails when the connection or the node does. The
answer, the reason, leaves when the actor has ended, on the lane of what it sent to the watcher, behind all of that.

Everything belongs to the loop's thread, except what says "from any thread".
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from zlib import crc32

from partisan_actors.actors.cell import ALIVE, STARTING, Cell
from partisan_actors.actors.down import Exit
from partisan_actors.actors.inbound import encode_reply
from partisan_actors.actors.keys import service_key
from partisan_actors.actors.outbound import pack_payload
from partisan_actors.actors.reasons import NODE_DOWN, Flushed, effect_of_exit, exited, reason_of
from partisan_actors.actors.ref import UNREACHABLE, Location, actor_key
from partisan_actors.actors.system import ActorSystem
from partisan_actors.actors.ties import TIES_MAX, WATCHERS_MAX, Again, Tie, Watched, Watcher, Watching, outcome
from partisan_actors.errors import (
    ActorError,
    ActorUnavailable,
    ConfigError,
    NodeDown,
    NodeError,
    NotYetConnected,
    Overloaded,
    PartisanError,
)
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import INLINE_BYTES_MAX, Kind
from partisan_actors.wire.payload import encode_call

__all__ = ["Question", "Signals"]

logger = logging.getLogger(__name__)

SERVICE: Final = "signals"
WATCH: Final = "@watch"
LINK: Final = "@link"
EXIT: Final = "@exit"
# Between two looks at a mailbox that is full, or a peer that does not read: nothing of this is dropped.
PATIENCE_S: Final = 0.05

_KEY: Final = service_key(SERVICE)


class Question(Tie):
    """A tie, and the call that stands for it among those that wait for replies."""

    __slots__ = ("channel", "closed", "is_flushed", "is_reverse", "location", "request", "signals", "tell")

    def __init__(
        self,
        signals: Signals,
        number: int,
        location: Location,
        watcher: Cell | None,
        is_link: bool,
        tell: Callable[[str], None],
    ) -> None:
        Tie.__init__(self, number, location.actor, watcher.actor if watcher is not None else None, is_link)
        self.signals = signals
        self.location = location
        self.tell = tell
        self.closed: Callable[[PartisanError], None] = lambda error: None  # told when this node stops first
        self.channel = CALLS
        self.request = 0
        self.is_reverse = False  # the half of a link that the other side's half has made
        self.is_flushed = False

    def done(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.is_over

    def succeed(self, reason: str | None) -> None:
        """The subject has ended. None: the tie was given up by the other side."""
        self.signals.fire(self, reason)

    def fail(self, error: BaseException) -> None:
        """No answer will come to what was asked."""
        self.signals.failed(self, error)


class _Unheeded:
    """Takes the reply to an exit signal. It matters only when nobody can tell whether the signal arrived."""

    def __init__(self, location: Location) -> None:
        self._location = location

    def done(self) -> bool:
        """It is sent in any case."""
        return False

    def succeed(self, value: Any) -> None:
        """It arrived."""

    def fail(self, error: BaseException) -> None:
        """It did not, or did and the actor has ended since."""
        if isinstance(error, ActorUnavailable) or not isinstance(error, (ActorError, NodeDown)):
            logger.warning("an exit signal to %s may be lost: %s", self._location, error)


class Signals:
    """The ties of one node, both ways."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._router = system.node.router
        self.watching: Watching[Question] = Watching()
        self.watched = Watched()
        # By actors that have ended: what frees their names, before which nobody is told.
        self.releasing: Mapping[ActorId, asyncio.Task[None]] = {}
        self._next_number = itertools.count(1).__next__
        system.signals[WATCH] = system.signals[LINK] = self._asked_of
        system.signals[EXIT] = self._exit_of
        system.serve(SERVICE, self)
        system.on_cell_stopped.append(self._cell_stopped)
        system.on_close.append(self._close)
        system.node.directory.on_down.append(self._node_down)
        system.extensions[SERVICE] = self

    # ---- for the watching side --------------------------------------------------------------------------------

    def question(
        self, location: Location, watcher: Cell | None, tell: Callable[[str], None], *, is_link: bool = False
    ) -> Question:
        """A tie that is not asked yet; from any thread. `tell(reason)` is called when it fires, on the loop.

        Raises ConfigError at the bound.
        """
        if len(self.watching) >= TIES_MAX:
            allowed = f"at most {TIES_MAX}: give up those that are not needed with demonitor or unlink"
            raise ConfigError("monitors and links of this node", len(self.watching), allowed)
        return Question(self, self._next_number(), location, watcher, is_link, tell)

    def ask(self, question: Question) -> None:
        """Ask it, behind the caller's earlier calls of that actor; from any thread."""
        if threading.get_ident() == self._system.thread_id:
            self.watching.add(question)
        else:
            self._system.post(self.watching.add, question)
        self._ask(question)

    def _ask(self, question: Question) -> None:
        location = question.location
        question.is_parked = location.peer is None and location.error is None
        if location.peer is not None:
            question.host = location.peer.node
        number = question.request = self._system.outbound.next_number()
        watcher = question.watcher
        cell = self._system.cell(watcher) if watcher is not None else None
        is_link = question.is_link and not question.is_reverse and cell is not None
        message = [Kind.CALL, number, location.key, LINK if is_link else WATCH, question.number, question.channel]
        message += [*watcher.node, watcher.number] if watcher is not None else ["", 0, 0]
        message.append(question.is_link)
        if is_link:
            assert cell is not None
            message += [cell.definition.interface.class_name, cell.options.name or ""]
        self._send(location, number, pack(message), None, question, question.channel)

    def _send(self, location: Location, number: int, message: bytes, buffers: Any, reply: Any, channel: str) -> None:
        outbound = self._system.outbound
        send = outbound._submit if threading.get_ident() == self._system.thread_id else outbound._post
        send(location, number, message, buffers, reply, channel, None)

    def give_up(self, question: Question) -> None:
        """Nobody wants to know any more: what is not handled yet never will be."""
        question.is_flushed = True
        if self.watching.end(question):
            self._unask(question)

    def _unask(self, question: Question) -> None:
        host = question.location.peer or (self._router.peer(question.host) if question.host is not None else None)
        if host is None:
            return  # it waits for its place, and is not sent any more
        host.pending.pop(question.request, None)
        subject = question.subject
        message = pack([Kind.TELL, _KEY, "unwatch", *subject.node, subject.number, question.number])
        affinity = question.location.affinity ^ _affinity(question.watcher)
        with contextlib.suppress(PartisanError):  # then the entry there lasts until the actor or this node ends
            host.send(message, question.channel, affinity)

    def fire(self, question: Question, reason: str | None) -> None:
        """The tie fires, if it has not yet; on a later turn, as this may be inside the watcher's own code."""
        if self.watching.end(question) and reason is not None:
            self._system.loop.call_soon(self._tell, question, reason)

    def _tell(self, question: Question, reason: str) -> None:
        if not question.is_flushed:
            question.tell(reason)

    def failed(self, question: Question, error: BaseException) -> None:
        """The question got an error."""
        if question.is_over:
            return
        location = question.location
        if self._system.closed is not None or isinstance(error, NotYetConnected):
            self.watching.end(question)
            question.closed(error if isinstance(error, PartisanError) else NotYetConnected(str(self._system.me), ""))
            return
        host = location.peer.node if location.peer is not None else None
        question.host = question.host or host
        what = outcome(question, error, host, is_lost=location.state == UNREACHABLE)
        if isinstance(what, Again):
            self._system.loop.call_later(what.after_s, self._ask_again, question)
        else:
            self.fire(question, what)

    def _ask_again(self, question: Question) -> None:
        if question.is_over or self._system.closed is not None:
            return
        question.attempts += 1
        location, host = question.location, question.host
        down = self._router.peer(host).down if host is not None else None
        is_elsewhere = host is not None and (location.peer is None or location.peer.node != host)
        if down is not None or (is_elsewhere and location.error is None):
            self.fire(question, f"{NODE_DOWN}: {down or 'it does not answer'}")
        else:
            self._ask(question)

    # ---- for the watched side ---------------------------------------------------------------------------------

    def _asked_of(self, cell: Cell, peer: Peer, number: int, args: Any) -> None:
        self._asked(cell, peer, number, *args)

    def _exit_of(self, cell: Cell, peer: Peer, number: int, args: Any) -> None:
        if callable(args):
            args, _ = args()
        reason, sender, *who = args
        self._exit(cell, Exit(sender, ActorId(NodeId(who[0], who[1]), who[2]) if who[0] else None, reason, False))
        self._system.reply_value(peer, number, None, CALLS)

    def _asked(self, cell: Cell, peer: Peer, number: int, tie: int, channel: str, *who: Any) -> None:
        name, incarnation, actor_number, is_link, *described = who
        watcher = ActorId(NodeId(name, incarnation), actor_number) if name else None
        if self.watched.is_full:
            error = ActorUnavailable(str(cell), f"its node is asked to tell {WATCHERS_MAX} watchers already")
            self._system.reply_error(peer, number, error)
            return
        if not self.watched.add(cell.actor, tie, Watcher(peer.node, number, watcher, is_link, channel)):
            self._system.reply_value(peer, number, None, CALLS)
        elif described and watcher is not None and self.watching.link(cell.actor, watcher) is None:
            class_name, actor_name = described
            location = self._system.location(watcher, class_name, actor_name or None, False, peer.node)
            self.link(cell, location, is_reverse=True)

    def _cell_stopped(self, cell: Cell) -> None:
        releasing = self.releasing.get(cell.actor)
        if releasing is not None:
            releasing.add_done_callback(lambda _: self._tell_watchers(cell))
        else:
            self._tell_watchers(cell)
        for question in self.watching.watcher_ended(cell.actor):
            question.is_flushed = True
            self._unask(question)

    def _tell_watchers(self, cell: Cell) -> None:
        watchers = self.watched.ended(cell.actor)
        if watchers:
            self._system.outbound._drain()  # what its thread has sent goes first
        for watcher in watchers:
            self._answer(cell, watcher, reason_of(cell.reason))

    def _answer(self, cell: Cell, watcher: Watcher, reason: str) -> None:
        peer = self._router.peer(watcher.node)
        location = self._system.known_location(watcher.actor) if watcher.actor is not None else None
        if location is not None:
            self._system.found(location, watcher.node)  # or what the actor has sent to it might still wait here
        message, buffers = encode_reply(watcher.request, reason, "why an actor ended")
        affinity = _affinity(cell.actor) ^ (crc32(actor_key(watcher.actor)) if watcher.actor is not None else 0)
        try:
            peer.send_large(message, buffers or (), watcher.channel, affinity)
        except Overloaded:
            self._system.loop.call_later(PATIENCE_S, self._answer, cell, watcher, reason)
        except PartisanError as error:
            logger.debug("node %s is not told that %s has ended: %s", watcher.node, cell, error)

    async def unwatch(self, peer: Peer, name: str, incarnation: int, number: int, tie: int) -> None:
        """A watcher on another node has given up."""
        self.watched.remove(ActorId(NodeId(name, incarnation), number), peer.node, tie)

    def _node_down(self, record: NodeRecord, why: str) -> None:
        self.watched.node_down(record.node)

    # ---- links and exit signals -------------------------------------------------------------------------------

    def link(self, cell: Cell, location: Location, *, is_reverse: bool = False) -> None:
        """Make the half of a link that ends `cell` with the other actor; that one's node makes the other half."""
        if self.watching.link(cell.actor, location.actor) is not None or cell.state not in (ALIVE, STARTING):
            return

        def tell(reason: str) -> None:
            self._exit(cell, Exit(str(location), location.actor, reason, True))

        question = self.question(location, cell, tell, is_link=True)
        question.is_reverse = is_reverse
        self.ask(question)

    def unlink(self, cell: Cell, location: Location) -> None:
        """Give up both halves."""
        question = self.watching.link(cell.actor, location.actor)
        if question is None:
            return
        self.give_up(question)
        self.watched.unlinked(cell.actor, location.actor)
        host = location.peer.node if location.peer is not None else question.host
        if host is not None:
            telling = self._tell_unlinked(host, location.actor, cell.actor)
            self._system.background.start(telling, f"unlink {cell} from {location}")

    async def _tell_unlinked(self, host: NodeId, actor: ActorId, from_actor: ActorId) -> None:
        # Until it is heard, or nobody is there any more to hear it.
        with contextlib.suppress(NodeDown, NotYetConnected):
            for attempt in itertools.count():
                try:
                    await self._system.request(
                        host, SERVICE, "unlinked", *actor.node, actor.number, *from_actor.node, from_actor.number
                    )
                    return
                except (ActorUnavailable, NodeError) as error:
                    if isinstance(error, (NodeDown, NotYetConnected)):
                        raise
                    await asyncio.sleep(PATIENCE_S * 2 ** min(attempt, 6))

    async def unlinked(
        self, peer: Peer, name: str, incarnation: int, number: int, from_name: str, from_incarnation: int, other: int
    ) -> None:
        """The other side of a link has given it up."""
        actor = ActorId(NodeId(name, incarnation), number)
        other_actor = ActorId(NodeId(from_name, from_incarnation), other)
        question = self.watching.link(actor, other_actor)
        if question is not None:
            self.give_up(question)
        self.watched.unlinked(actor, other_actor)

    def exit(self, location: Location, reason: str, sender: str, actor: ActorId | None) -> None:
        """Send an exit signal, behind the caller's earlier calls of that actor; from any thread."""
        number = self._system.outbound.next_number()
        who = [*actor.node, actor.number] if actor is not None else ["", 0, 0]
        buffers: Any = None
        if len(reason) * 4 <= INLINE_BYTES_MAX:
            message = pack([Kind.CALL, number, location.key, EXIT, reason, sender, *who])
        else:
            head = [Kind.CALL_PICKLED, number, location.key, EXIT, None]
            message, buffers = pack_payload(head, encode_call((reason, sender, *who), {}, "a reason"))
        self._send(location, number, message, buffers, _Unheeded(location), CALLS)

    def _exit(self, cell: Cell, signal: Exit) -> None:
        is_itself = signal.id == cell.actor
        traps = cell.options.trap_exit
        effect = effect_of_exit(signal.reason, traps=traps, is_link=signal.is_link, is_itself=is_itself)
        if effect:
            cell.stop(exited(effect))
        elif effect is not None:
            self.deliver(cell, "on_exit", signal)

    # ---- delivering -------------------------------------------------------------------------------------------

    def deliver(self, cell: Cell, method: str, value: object, question: Question | None = None) -> None:
        """Put a message into the mailbox of an actor of this node, when there is room for it."""
        if cell.state not in (ALIVE, STARTING) or (question is not None and question.is_flushed):
            return
        if cell.mailbox_size >= cell.options.mailbox_max:
            self._system.loop.call_later(PATIENCE_S, self.deliver, cell, method, value, question)
            return

        def load() -> tuple[tuple[Any, ...], dict[str, Any]]:
            if question is not None and question.is_flushed:
                raise Flushed
            return (value,), {}

        cell.deliver(self._router.me, None, method, load)

    def _close(self) -> None:
        error = NotYetConnected(str(self._system.me), "this node has stopped")
        for question in self.watching.all():
            self.watching.end(question)
            question.closed(error)


def _affinity(actor: ActorId | None) -> int:
    """What an actor, as the sender, contributes to the choice of a lane."""
    return 0 if actor is None else int.from_bytes(actor_key(actor)[-4:], "big")

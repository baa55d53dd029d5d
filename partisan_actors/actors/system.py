"""The actor system of one node: its cells, the locations of the actors it calls, and the two ways between them.

Everything here belongs to the loop's thread, except what says "from any thread".
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from partisan_actors.actors.acked import Acked
from partisan_actors.actors.cancelling import Cancelling
from partisan_actors.actors.cell import Cell
from partisan_actors.actors.cells import Cells
from partisan_actors.actors.code import CodeStore
from partisan_actors.actors.consuming import Streams
from partisan_actors.actors.context import current_cell
from partisan_actors.actors.crashes import fail_calls, fail_calls_of_all, host_lost
from partisan_actors.actors.dead_letters import DeadLetters
from partisan_actors.actors.groups import make_cell
from partisan_actors.actors.inbound import (
    TINY,
    Inbound,
    encode_answer,
    encode_reply,
    encode_reply_error,
    send_encoded,
)
from partisan_actors.actors.keys import service_key
from partisan_actors.actors.made_calls import note_in_children
from partisan_actors.actors.outbound import CopyBuffers, Outbound, copies_of, pack_payload
from partisan_actors.actors.parcels import parcel_or_method
from partisan_actors.actors.posting import Posting
from partisan_actors.actors.reasons import Flushed
from partisan_actors.actors.ref import PENDING, STOPPED, Location, actor_key
from partisan_actors.actors.replies import Answer, Reply
from partisan_actors.actors.services import Service
from partisan_actors.actors.stepping import Steps
from partisan_actors.actors.threads import ActorThread, JobThread, Threads
from partisan_actors.actors.tracing import finish_serving, record_stop
from partisan_actors.actors.user_errors import traceback_text, user_error
from partisan_actors.errors import (
    ActorUnavailable,
    NotYetConnected,
    PartisanError,
    SerializationError,
    TaskFailed,
)
from partisan_actors.ids import ActorId, NodeId
from partisan_actors.telemetry.meters import Meters
from partisan_actors.wire.addresses import parse_address
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.payload import encode_call, is_scalars

if TYPE_CHECKING:
    from partisan_actors.actors.actor import Definition
    from partisan_actors.actors.encoding import Encoded
    from partisan_actors.actors.mailbox import Message
    from partisan_actors.actors.options import CellOptions
    from partisan_actors.node.directory import NodeRecord
    from partisan_actors.node.node import Node
    from partisan_actors.node.router import Peer, Pending
    from partisan_actors.telemetry.records import Address

__all__ = ["ActorSystem"]

logger = logging.getLogger(__name__)

HOOKS_S: Final = 1.0


class ActorSystem:
    """Runs the actors of `node` and calls those of others. Make it on the node's loop, before the node starts."""

    def __init__(self, node: Node, make_thread: Callable[[str], JobThread] = ActorThread) -> None:
        """`make_thread` makes, under a name, what blocking methods and tasks run on."""
        self.node = node
        self.make_thread = make_thread
        self.loop = node.loop
        self.me = node.me
        self.recorder = node.recorder
        self.meters = Meters(node.recorder.clock)
        node.on_sweep.append(self.meters.rest)
        self.background = node.background
        self.thread_id = threading.get_ident()
        self.code = CodeStore()
        self.steps = Steps(node.loop)
        self.threads = Threads(node.config.name, node.config.threads_kept, make_thread)
        self._table = Cells(node.me)
        self.cells: dict[bytes, Any] = self._table
        self.dispatch = node.dispatch
        # What the services above keep with the system, by name.
        self.extensions: dict[str, Any] = {}
        self.dead_letters = DeadLetters(node.world.wall_clock_ns)
        self.copy_buffers: CopyBuffers = copies_of
        self.arrived_large: Callable[[Reply[Any], Any, Any], None] = lambda *value: None
        self.on_cell_stopped: list[Callable[[Cell], None]] = []
        self.on_close: list[Callable[[], None]] = []
        # What answers the calls of an actor that are not for its methods, by names that no method can have.
        self.signals: dict[str, Callable[[Cell, Peer, int, Any], None]] = {}
        # Told of an actor's new place, and of calls that plain ones may overtake, with their replies.
        self.on_moved: list[Callable[[Location], None]] = []
        self.under_way: Callable[[Location, Any], None] = lambda location, reply: None
        self.closed: PartisanError | None = None  # why nothing can be sent any more, once that is so
        # Where a restarted actor is now, or why it is nowhere; the scheduler knows.
        self.where_now: Callable[[ActorId], NodeId | PartisanError | None] = lambda actor: None
        self._locations: weakref.WeakValueDictionary[ActorId, Location] = weakref.WeakValueDictionary()
        self._locating = threading.Lock()
        self.post = Posting(self.loop).post
        self.next_actor_number: Callable[[], int] = itertools.count(1).__next__  # 0 is for services
        self.acked = Acked(self, node.delivery, node.config.channels)
        self.outbound = out = Outbound(self, self.acked, node.config.channels)
        node.on_sweep.append(self.outbound.sent.rest)
        self.ask, self.tell, self.tell_newest = out.ask, out.tell, out.tell_newest
        self.streams = Streams(self)
        self.cancelling = Cancelling(self, self._questions, out._drain)
        self.on_close.append(note_in_children(self.loop))
        node.interleaving.message_lost = Inbound(self).message_lost
        node.connection_lost_error = self._connection_lost
        node.directory.on_down.append(self._node_down)

    # ---- cells ------------------------------------------------------------------------------------------------

    def start_cell(
        self,
        actor: ActorId,
        definition: Definition,
        options: CellOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Cell:
        """Make an actor of this node; its constructor runs soon. Calls that arrive meanwhile wait."""
        cell = make_cell(self, actor, actor_key(actor), definition, options)
        self._table.put(cell)
        self.loop.call_soon(cell.start, args, kwargs)
        return cell

    def cell_stopped(self, cell: Cell) -> None:
        """A cell ended. Callers who come later are told why."""
        self._table.drop(cell)
        if cell.options.trace:
            record_stop(self.recorder, cell, cell.options.trace, cell.reason)
        for tell in list(self.on_cell_stopped):
            tell(cell)

    def local_cells(self) -> list[Cell]:
        """The actors of this node, services left out."""
        return self._table.actors()

    def cell(self, actor: ActorId) -> Cell | None:
        """The cell of an actor of this node."""
        found = self.cells.get(actor_key(actor))
        return found if isinstance(found, Cell) else None

    def refuse(self, peer: Peer, number: int | None, key: bytes, method: str | bytes = "tell") -> None:
        """A message named an actor that is not here."""
        whom, error = self._table.missing(key)
        if number is not None:
            self.reply_error(peer, number, error)
        else:
            self.dead_letter(whom, method, error, peer.node.name)

    async def close(self, hooks_s: float = HOOKS_S) -> None:
        """The node stops: every actor ends, its `on_stop` within `hooks_s` seconds, and every caller is told."""
        for cell in self.local_cells():
            cell.stop("its node stopped")
        all_ended = asyncio.Event()

        def look(_: object = None) -> None:
            if not self.local_cells():
                all_ended.set()

        self.on_cell_stopped.append(look)
        look()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(hooks_s):
                await all_ended.wait()
        self.threads.close()
        for tell in list(self.on_close):
            tell()
        self.closed = NotYetConnected(str(self.me), "this node has stopped; call init() again for another")
        for location in list(self._locations.values()):
            self.fail_location(location, self.closed)
        self.outbound.close(self.closed)

    # ---- replies ----------------------------------------------------------------------------------------------

    def reply(self, message: Message, number: int, value: Any, cell: Cell) -> None:
        """A method returned."""
        peer = message.peer
        connection = peer.calls
        if type(value) in TINY and connection is not None:
            with contextlib.suppress(OverflowError, PartisanError):  # beyond 64 bits; a caller that does not read
                connection.send(pack([Kind.REPLY, number, value]))
                return
        send_encoded(peer, self._encode_result(message, number, value, cell), self._affinity_of(cell))

    def _encode_result(self, message: Message, number: int, value: Any, cell: Cell) -> Encoded:
        """The reply, or that which says why the result cannot be sent; its span says so, too."""
        what = f"the result of {cell.definition.interface.class_name}.{message.method.name}"
        try:
            return encode_reply(number, value, what, self.copy_buffers, message.peer)
        except SerializationError as error:
            if message.meta is not None:
                message.meta["unsent"] = error
            return encode_reply_error(number, error)

    def reply_failed(self, peer: Peer, number: int, error: BaseException, cell: Cell, method: str) -> None:
        """A method raised."""
        where = f"{cell.definition.interface.class_name}.{method} on node {self.me.name} ({cell.actor})"
        send_encoded(peer, encode_reply_error(number, user_error(error, where)), self._affinity_of(cell))

    def failed_to_start(self, cell: Cell, error: BaseException) -> PartisanError:
        """What callers of an actor get whose constructor or `on_start` raised."""
        where = f"{cell.definition.interface.class_name}.__init__ on node {self.me.name} ({cell.actor})"
        failed = TaskFailed.of(error, where, traceback_text(error), has_stopped_actor=True)
        # It may be kept for long, and the frames of a traceback hold everything that the constructor had.
        error.__traceback__ = error.__context__ = None
        return failed

    def reply_error(self, peer: Peer, number: int, error: BaseException) -> None:
        """A call was refused by us, not by user code."""
        send_encoded(peer, encode_reply_error(number, error), 0)

    def reply_value(self, peer: Peer, number: int, value: Any, channel: str) -> None:
        """A service answered."""
        send_encoded(peer, encode_answer(number, value, "the answer", self.copy_buffers, peer), 0, channel)

    def tell_failed(self, cell: Cell, method: str, error: BaseException) -> None:
        """Nobody waits for this error, so it is logged, once."""
        if not isinstance(error, Flushed):
            # As the actor, so that the record says whose it is.
            cell.new_context().run(logger.error, f"{cell}.{method}, told and not asked, raised", exc_info=error)

    def dead_letter(self, whom: object, method: str | bytes, why: str | BaseException, sender: str = "") -> None:
        """A message reached nobody. `method` may be a packed tell; `sender` is a node, "" for this one."""
        self.dead_letters.add(whom, method, why, sender or self.me.name)

    # ---- from an actor's thread to the loop -------------------------------------------------------------------

    def outcome(self, cell: Cell, message: Message, value: Any, error: BaseException | None, is_last: bool) -> None:
        """On an actor's thread: a blocking method ended.

        Its reply is encoded here, and written from here when it is the last of a batch and the connection is free;
        otherwise the loop is asked to.
        """
        cell.processed += 1
        if message.timing is not None:
            cell.timed(message.timing, error)
        if error is not None and not cell.is_ending:
            cell.count_error(message)
        number = message.number
        encoded: Encoded | None = None
        if number is None:
            if error is not None:
                self.tell_failed(cell, message.method.name, error)
        elif error is None:
            encoded = self._encode_result(message, number, value, cell)
        else:
            where = (
                f"{cell.definition.interface.class_name}.{message.method.name} on node {self.me.name} ({cell.actor})"
            )
            encoded = encode_reply_error(number, user_error(error, where))
        if message.meta is not None:
            finish_serving(self.recorder, cell, message, error)
        if encoded is None:
            return
        connection = message.peer.calls
        if is_last and encoded[1] is None and connection is not None and connection.send_from_thread(encoded[0]):
            return
        self.post(send_encoded, message.peer, encoded, self._affinity_of(cell))

    def _affinity_of(self, cell: Cell) -> int:
        return int.from_bytes(cell.key[-4:], "big")

    def sender_affinity(self) -> int:
        """What the running code contributes to the choice of a lane: the calling actor, or nothing for the node."""
        cell = current_cell.get()
        return 0 if cell is None else int.from_bytes(cell.key[-4:], "big")

    def addresses_for(self, peer: Peer, channel: str, lane: int) -> tuple[Address | None, Address | None]:
        """Where a node can be dialled, and where the connection ends that messages for it go on first."""
        known = self.node.addresses.addresses_of(peer.node)
        connection = self.node.first_connection(peer, channel, lane)
        return parse_address(known[0]) if known else None, connection.remote_address if connection is not None else None

    def signal(self, cell: Cell, peer: Peer, number: int | None, name: str, args: Any) -> bool:
        """Take what the actors' floor itself says to an actor; tells whether it was that."""
        handler = self.signals.get(name)
        if handler is None or number is None:
            return False
        handler(cell, peer, number, args)
        return True

    # ---- services ---------------------------------------------------------------------------------------------

    def serve(self, name: str, target: object, channel: str = CALLS) -> None:
        """Answer requests to the service `name` with the coroutine methods of `target`, on `channel`."""
        self.cells[service_key(name)] = Service(self, name, target, channel)

    def notify(self, node: NodeId, service: str, method: str, *args: Any) -> None:
        """Tell a service of another node something, in scalars. Nobody answers, and a node that is down misses it."""
        try:
            self.node.router.peer(node).send(pack([Kind.TELL, service_key(service), method, *args]))
        except PartisanError as error:
            logger.debug("%s of service %s on %s: %s", method, service, node, error)

    async def request(
        self,
        node: NodeId,
        service: str,
        method: str,
        *args: Any,
        timeout_s: float | None = None,
        channel: str = CALLS,
        trace: bytes = b"",
        in_order: bool = True,
        reply: Reply[Any] | None = None,
        partition: int = 0,
    ) -> Any:
        """Ask a service of another node. Raises what it raises, NodeDown, NoRoute, Overloaded, or CallTimeout.

        `trace` is the trace context of whoever wants that, for relays. Unless `in_order`, a large one may be overtaken.
        """
        reply = Answer(self.loop) if reply is None else reply
        location = Location(ActorId(node, 0), f"service {service} of {node}", None, can_restart=False)
        location.key = service_key(service)
        location.peer = self.node.router.peer(node)
        number = self.outbound.next_number()
        if is_scalars(args):
            message, buffers = pack([Kind.CALL, number, location.key, method, *args]), None
        else:
            head = [Kind.CALL_PICKLED, number, location.key, method, {"tc": trace} if trace else None]
            payload = encode_call(args, {}, f"a request to {service}")
            message, buffers = pack_payload(head, payload, self.copy_buffers, location.peer)
        if buffers is not None and not in_order:
            channel = self.node.router.channel_without_order(location.peer, buffers, channel)
        # As if the sender were the service: then requests and notes (`notify`) are one stream, of affinity 0.
        sender = location.affinity ^ partition
        self.outbound._submit(location, number, message, buffers, reply, channel, timeout_s, sender)
        return await reply

    # ---- locations --------------------------------------------------------------------------------------------

    def location(
        self, actor: ActorId, class_name: str, name: str | None, can_restart: bool, host: NodeId | None
    ) -> Location:
        """The location of an actor that a handle names; from any thread.

        `host` is where the actor was when the handle was made.
        """
        with self._locating:
            location = self._locations.get(actor)
            if location is not None:
                return location
            location = self._locations[actor] = Location(actor, class_name, name, can_restart)
        if self.closed is not None:
            self.fail_location(location, self.closed)
        elif host is not None:
            self.post(self.found, location, host)
        return location

    def known_location(self, actor: ActorId) -> Location | None:
        """The location of an actor, if this node has handles of it."""
        return self._locations.get(actor)

    def locations(self) -> list[Location]:
        """Those of every actor that this node has handles of."""
        return list(self._locations.values())

    def found(self, location: Location, host: NodeId) -> None:
        """An actor that nobody here knew the place of was last seen on `host`."""
        if location.state != PENDING:
            return
        peer = location.peer = self.node.router.peer(host)
        if peer.down is None:
            self.outbound.placed(location, peer)
        else:
            host_lost(self, location, peer.down)

    def moved(self, actor: ActorId, host: NodeId) -> None:
        """An actor has a new place: what waits for it is sent there."""
        location = self._locations.get(actor)
        if location is not None and location.state != STOPPED:
            self.moved_to(location, host)

    def moved_to(self, location: Location, host: NodeId) -> None:
        """That actor is on that node now."""
        self.outbound.placed(location, self.node.router.peer(host))
        for tell in self.on_moved:
            tell(location)

    def ended(self, actor: ActorId, error: PartisanError) -> None:
        """An actor is gone for good: what waits for it fails."""
        location = self._locations.get(actor)
        if location is not None:
            self.fail_location(location, error)

    def fail_location(self, location: Location, error: PartisanError) -> None:
        """Everything that waits for this actor, and everything later, fails with `error`."""
        self.outbound.unready.fail(location, error)
        for item in location.stopped(error):
            if item.reply is not None:
                item.reply.fail(error)
            else:
                self.dead_letter(location, parcel_or_method(item.message, item.buffers), error)

    def _node_down(self, record: NodeRecord, why: str) -> None:
        peer = self.node.router.peer(record.node)
        here = [location for location in list(self._locations.values()) if location.peer is peer]
        for location in here if record.hosted_by else ():
            fail_calls(peer, location, why)
        if not record.hosted_by:
            fail_calls_of_all(peer, here, why)
        self.node.router.mark_down(record.node, why)
        self.streams.node_down(record.node)
        for location in here:
            host_lost(self, location, why)

    def _questions(self) -> list[tuple[Peer, dict[int, Pending]]]:
        """Who waits for replies of whom."""
        return [(peer, peer.pending) for peer in self.node.router.peers.values()] + self.node.delivery.questions()

    def _connection_lost(self, peer: Peer, why: str) -> PartisanError:
        return ActorUnavailable(f"on node {peer.node}", f"the connection broke: {why}")

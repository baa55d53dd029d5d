"""The objects of one node: what it owns, and what it has borrowed. `lending` has what of the former others borrow."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

from partisan_actors.actors.context import current_system
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.sent_refs import held_by_value, refs_in_message
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import NodeError, ObjectLost, PartisanError, SerializationError, TaskFailed
from partisan_actors.ids import NodeId, ObjectId
from partisan_actors.node.router import Peer
from partisan_actors.objects.asking import SERVICE, ask_owner, is_done_soon, patience_for
from partisan_actors.objects.fetching import Fetched, Large, Later, RecentRefs
from partisan_actors.objects.flow import Flow
from partisan_actors.objects.keeping import KEPT_BYTES_MIN, Keeping, is_large, size_of
from partisan_actors.objects.lending import Lending
from partisan_actors.objects.locations import ObjectLocation
from partisan_actors.objects.ref import ObjectRef, rebuild_ref
from partisan_actors.objects.sharing import Sharing
from partisan_actors.objects.spilling import Spiller
from partisan_actors.objects.tracing import ObjectTrace, pull
from partisan_actors.objects.unheard import Unheard
from partisan_actors.telemetry.records import ObjectStep
from partisan_actors.wire.channels import BULK
from partisan_actors.wire.payload import Payload, decode, encode_value

__all__ = ["ObjectStore"]

logger = logging.getLogger(__name__)

# What is so large is not sent before there is room for it; and that is so much at once, in all.
PULLED_BYTES_MIN: Final = 1024 * 1024
FETCH_BYTES_MAX: Final = 64 * 1024 * 1024
# In every pickle of a ref, or of an actor's handle, is the name of what makes it again.
_OURS: Final = b"partisan_actors"


class ObjectStore:
    """Makes refs, lends values and fetches borrowed ones. `put`, `lend` and `adopt` may be called from any thread."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.loop = system.loop
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        # How a ref is unpickled. The face puts a function here that also finds the node of plain user code.
        self.rebuild: Callable[[str, int, int], ObjectRef[Any]] = rebuild_ref
        self._borrowed: weakref.WeakValueDictionary[ObjectId, ObjectRef[Any]] = weakref.WeakValueDictionary()
        self._passed_on: set[ObjectId] = set()  # of what is borrowed
        self._readiness: weakref.WeakKeyDictionary[ObjectRef[Any], Reply[None]] = weakref.WeakKeyDictionary()
        self.on_failure: list[Callable[[], None]] = []
        self.unheard = Unheard(system.post)
        # Refs that are kept here for a moment after their last use: what is mapped already is not mapped again.
        self._recent = RecentRefs()
        # Values of other nodes that were wanted: those that were here already, and those that were fetched.
        self.hits = self.fetched = 0
        config = system.node.config
        self._spiller = Spiller(system.me, config.spill_dir)
        self.keeping = Keeping(config.store_bytes_max, self._spiller, self._decode, self._held_by, system.loop.time)
        self.sharing = Sharing(system)
        self.flow = Flow(FETCH_BYTES_MAX)
        system.arrived_large = self.arrived_large
        system.on_close.append(self._close)
        system.extensions["objects"] = self
        system.serve(SERVICE, self, channel=BULK)
        self.lending = Lending(system)
        system.node.on_sweep.append(self._sweep)

    def start(self) -> None:
        """Find shared memory, if there is some; once the name of the cluster is known."""
        node = self.system.node
        self._spiller.cluster = node.cluster
        if node.world.shares_memory and node.config.shared_memory:
            self.sharing.start(node.config.store_bytes_max)

    def _close(self) -> None:
        self.unheard.close()
        self._recent.clear()
        self.keeping.close()

    def new_id(self) -> ObjectId:
        """An id that this node never used."""
        return ObjectId(self.system.me, next(self._numbers))

    def new_ref(self) -> ObjectRef[Any]:
        """A pending ref owned by this node."""
        return ObjectRef(self)

    def put(self, value: Any) -> ObjectRef[Any]:
        """A ref to `value` as it is now: later changes to it are not seen.

        Raises SerializationError, and ObjectStoreFull when it is large, and what is here already cannot be spilled.
        """
        trace = ObjectTrace.begin(self.system.recorder, ObjectStep.PUT)
        payload = encode_value(value, "the value given to put")
        ref = self.new_ref()
        size = size_of(payload.body, payload.buffers)
        if size >= KEPT_BYTES_MIN:
            self.keeping.make_room(size)
            buffers = [_read_only(each) for each in self.system.copy_buffers(payload.buffers, None)]
        else:
            buffers = [view if view.readonly else bytes(view) for view in payload.buffers]
        ref.succeed(value if type(value) in _IMMUTABLE else self._decode(payload.body, buffers))
        if size >= KEPT_BYTES_MIN:
            self.keeping.keep(ref, payload.body, buffers, has_refs=_OURS in payload.body)
        if trace is not None:
            trace.finished(ref.id, size)
        return ref

    def _decode(self, body: Any, buffers: Sequence[Any]) -> Any:
        token = current_system.set(self.system)
        try:
            return decode(body, buffers)
        finally:
            current_system.reset(token)

    def _held_by(self, body: Any, buffers: Sequence[Any]) -> list[Any]:
        """The refs in an encoded value, and what holds the actors of handles in it."""
        found: list[Any] = []
        token = held_by_value.set(found)
        try:
            self._decode(body, buffers)
        finally:
            held_by_value.reset(token)
        return found

    def arrived_large(self, reply: Any, body: Any, buffers: Sequence[Any]) -> None:
        """The value of `reply`, which is large, is here: it was made of this."""
        if body is None:
            body, *buffers = buffers
        if type(reply) is Fetched:
            reply.size_bytes = size_of(body, buffers)
            reply.is_mapped = all(isinstance(buffer, memoryview) for buffer in buffers)
        elif isinstance(reply, ObjectRef) and not reply.has_failed and size_of(body, buffers) >= KEPT_BYTES_MIN:
            self.keeping.keep(reply, body, buffers, has_refs=_OURS in body)
            self._trim()

    def take_result(self, ref: ObjectRef[Any], value: Any) -> None:
        """`value` is that of `ref`, which is ours; kept as what is put is, if it is large."""
        ref.succeed(value)
        if type(value) not in _SMALL and is_large(value):
            try:
                payload = encode_value(value, "a result")
            except SerializationError:  # then it is a value of this node's own, and stays one
                return
            self.keeping.keep(ref, payload.body, payload.buffers, has_refs=_OURS in payload.body)
            self._trim()

    def _trim(self) -> None:
        if self.keeping.bytes_used > self.keeping.bytes_max:
            self.loop.run_in_executor(None, self.keeping.trim)

    def bring_back(self, ref: ObjectRef[Any]) -> Any:
        """The value of `ref`, which is on disk; blocks this thread for as long as reading it takes."""
        try:
            return self.keeping.bring_back(ref)
        except OSError as error:
            raise self._unreadable(ref, error) from error

    async def bring_back_async(self, ref: ObjectRef[Any]) -> Any:
        """The same for coroutines, on a thread."""
        running = asyncio.get_running_loop().run_in_executor(None, self.bring_back, ref)
        return await running

    def _unreadable(self, ref: ObjectRef[Any], error: OSError) -> ObjectLost:
        return self._told_lost(ref.id, f"it was written to disk, and cannot be read again: {error}")

    # ---- lending ----------------------------------------------------------------------------------------------

    def lend(self, ref: ObjectRef[Any]) -> None:
        """`ref` is being sent somewhere: keep its value until nobody borrows it any more."""
        message = refs_in_message.get()
        if message is not None:
            message.add(ref)
        if ref.id.node != self.system.me:
            self._passed_on.add(ref.id)
        else:
            self.lending.lend(ref)

    def returned(self, ref: ObjectRef[Any], reader: NodeId | None) -> None:
        """The call that `ref` was sent with is over; `reader` has answered it, if any node has."""
        if ref.id.node == self.system.me:
            self.lending.returned(ref, reader)

    async def borrow(self, peer: Peer, number: int) -> None:
        """A node has received a ref to one of our objects."""
        self.lending.borrow(peer, number)

    async def give_back(self, peer: Peer, number: int, passed_on: bool) -> None:
        """A node has dropped its last ref to an object of ours."""
        self.lending.give_back(peer, number, passed_on)

    async def fetch(self, peer: Peer, number: int) -> Any:
        """The value of one of our objects, once it is there; or `Later` or `Large`.

        Raises ObjectLost, or what the call raised.
        """
        lent = self.lending.must_find(number)
        ref = lent.ref
        if not await is_done_soon(ref):
            return Later()
        lent.copies.add(peer.node)
        if ref.size_bytes >= PULLED_BYTES_MIN and not ref.has_failed and not self.sharing.is_mate(peer):
            return Large(ref.size_bytes)
        return await self._encoded(ref)

    async def pull(self, peer: Peer, number: int) -> Any:
        """The same, for who has made room for what is `Large`."""
        return await self._encoded(self.lending.must_find(number).ref)

    async def _encoded(self, ref: ObjectRef[Any]) -> Any:
        """What answers with the value of `ref`, encoded already if that is kept."""
        try:
            if self.keeping.is_spilled(ref):
                kept = await self.loop.run_in_executor(None, self.keeping.find, ref)
            else:
                kept = self.keeping.find(ref)
        except OSError as error:
            raise self._unreadable(ref, error) from error
        return await ref if kept is None else Payload(kept[0], [memoryview(buffer) for buffer in kept[1]])

    async def ready(self, peer: Peer, number: int) -> Later | None:
        """Answered once one of our objects is there, or its call has failed; or with `Later`. Raises ObjectLost."""
        return None if await is_done_soon(self.lending.must_find(number).ref) else Later()

    async def locate(self, peer: Peer, number: int) -> list[Any]:
        """Where one of our objects is, as `ObjectLocation.plain`. Raises ObjectLost."""
        return self.whereabouts(self.lending.must_find(number).ref).plain()

    def _sweep(self) -> None:
        self.lending.sweep()
        self.keeping.sweep()
        self._recent.sweep()

    @property
    def lent_count(self) -> int:
        """How many objects are kept for others."""
        return len(self.lending.lent)

    # ---- borrowing --------------------------------------------------------------------------------------------

    def adopt(self, identity: ObjectId) -> ObjectRef[Any]:
        """The ref for an id that arrived here: our own, or a borrowed one."""
        ref = self._adopted(identity)
        held = held_by_value.get()
        if held is not None:
            held.append(ref)
        return ref

    def _adopted(self, identity: ObjectId) -> ObjectRef[Any]:
        if identity.node == self.system.me:
            lent = self.lending.find(identity.number)
            if lent is not None:
                return lent.ref
            ref: ObjectRef[Any] = ObjectRef(self)
            ref._id = identity
            ref.fail(ObjectLost(str(identity), str(identity.node), "its last reference is gone"))
            return ref
        with self._lock:
            known = self._borrowed.get(identity)
            if known is not None:
                self._recent.used(identity)
                self.hits += known.done()
                return known
            ref = self._borrowed[identity] = ObjectRef(self)
            ref._id = identity
            ref._fetch = _later(self, weakref.ref(ref))
        self._from_anywhere(self._say, identity, "borrow")
        weakref.finalize(ref, self._from_anywhere, self._say, identity, "give_back").atexit = False
        return ref

    def borrowed(self) -> list[ObjectRef[Any]]:
        """The refs to objects of other nodes that somebody here has, or that are kept for a moment."""
        with self._lock:
            return list(self._borrowed.values())

    def is_recent(self, ref: ObjectRef[Any]) -> bool:
        """Whether a borrowed ref is kept for a moment, so that it is mapped once only."""
        return ref.id in self._recent

    def _from_anywhere(self, call: Callable[..., None], *args: Any) -> None:
        try:
            self.loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the node has stopped
            return

    def _say(self, identity: ObjectId, what: str) -> None:
        if what == "give_back" and identity in self._borrowed:
            return  # another ref to it arrived meanwhile
        peer = self.system.node.router.peer(identity.node)
        more: tuple[bool, ...] = ()
        if what == "give_back":
            more = (identity in self._passed_on,)
            self._passed_on.discard(identity)
        if peer.down is None:
            self.system.notify(identity.node, SERVICE, what, identity.number, *more)

    def readiness(self, ref: ObjectRef[Any]) -> Reply[None]:
        """Resolved once the value of `ref` is ready where it lives; for a borrowed one, its owner is asked, once."""
        if ref.id.node == self.system.me:
            return ref
        with self._lock:
            known = self._readiness.get(ref)
            if known is None:
                known = self._readiness[ref] = Reply(self.loop)
                self._from_anywhere(self._start_asking, ref.id, known)
        return known

    def _start_asking(self, identity: ObjectId, reply: Reply[None]) -> None:
        self.system.background.start(self._ask_readiness(identity, reply), f"ask for {identity}")

    async def _ask_readiness(self, identity: ObjectId, reply: Reply[None]) -> None:
        try:
            await ask_owner(self.system, identity, "ready")
        except PartisanError as error:  # then there is no value to wait for, and whoever gets it hears why
            logger.debug("%s will not be ready: %s", identity, error)
        finally:
            reply.succeed(None)

    def whereabouts(self, ref: ObjectRef[Any]) -> ObjectLocation:
        """Where the value of `ref` is, as far as this node knows without asking; from the loop."""
        owner = ref.id.node
        if owner != self.system.me:
            nodes = (owner, self.system.me) if ref.done() and not ref.has_failed else (owner,)
            return ObjectLocation(nodes, ref.size_bytes)
        if not ref.done() or ref.has_failed:
            return ObjectLocation(())
        lent = self.lending.lent.get(ref.id.number)
        nodes = (owner, *(sorted(lent.copies) if lent is not None else ()))
        return ObjectLocation(nodes, ref.size_bytes, self.keeping.is_spilled(ref))

    async def locate_all(self, refs: Sequence[ObjectRef[Any]]) -> list[ObjectLocation]:
        """Where the values of these refs are, by their owners' knowledge. Raises ObjectLost."""
        return list(await asyncio.gather(*map(self._locate, refs)))

    async def _locate(self, ref: ObjectRef[Any]) -> ObjectLocation:
        if ref.id.node == self.system.me:
            return self.whereabouts(ref)
        try:
            plain, _ = await ask_owner(self.system, ref.id, "locate")
            return ObjectLocation.of_plain(plain)
        except NodeError as error:
            raise self._lost(ref.id, error) from error

    def start_fetch(self, ref: ObjectRef[Any]) -> None:
        """Somebody waits for a borrowed value: get it."""
        self.system.background.start(self._fetch(ref), f"fetch {ref.id}")

    async def _fetch(self, ref: ObjectRef[Any]) -> None:
        owner = ref.id.node
        trace = ObjectTrace.begin(self.system.recorder, ObjectStep.GET, owner)
        try:
            value, reply = await pull(self.system, ref.id, "fetch", trace)
            if type(value) is Large:
                async with self.flow.room_for(value.size_bytes):
                    patience_s = patience_for(value.size_bytes)
                    value, reply = await pull(self.system, ref.id, "pull", trace, patience_s)
            self.fetched += 1
            if trace is not None:
                trace.finished(ref.id, reply.size_bytes, is_mapped=reply.is_mapped)
            ref.size_bytes = reply.size_bytes
            if reply.is_mapped:
                self._recent.add(ref)
            ref.succeed(value)
        except asyncio.CancelledError:
            ref.fail(ObjectLost(str(ref.id), str(owner), "this node stopped before its value had come"))
            raise
        except Exception as error:  # noqa: BLE001 - what the owner's value is, or why there is none
            if isinstance(error, NodeError) and not isinstance(error, TaskFailed) and not self._is_up(owner):
                error = self._lost(ref.id, error)
            if trace is not None:
                trace.finished(ref.id, 0, error)
            ref.fail(error)

    def _lost(self, identity: ObjectId, error: Exception) -> ObjectLost:
        return self._told_lost(identity, f"its owner cannot be reached: {error}")

    def _told_lost(self, identity: ObjectId, why: str) -> ObjectLost:
        self.system.node.feed.tell("object.lost", str(identity), owner=str(identity.node), why=why)
        return ObjectLost(str(identity), str(identity.node), why)

    def _is_up(self, node: NodeId) -> bool:
        return self.system.node.directory.is_up(node)


def _read_only(buffer: Any) -> Any:
    return memoryview(buffer).toreadonly() if isinstance(buffer, bytearray) else buffer


_SMALL: Final = frozenset({int, float, bool, type(None)})
_IMMUTABLE: Final = frozenset({int, float, bool, str, bytes, type(None)})


def _later(store: ObjectStore, weak: weakref.ref[ObjectRef[Any]]) -> Callable[[], None]:
    # Weak, or the ref would keep itself alive.
    def fetch() -> None:
        ref = weak()
        if ref is not None:
            store._from_anywhere(store.start_fetch, ref)

    return fetch

"""The objects of one node: what it lends to others, and what it has borrowed.

A lent object is kept for its borrowers: each borrowing node says when it takes a ref and when it drops its last one,
and a borrower that goes down drops all of its. A ref on its way is kept by whoever sent it, until its call has
returned, and for a grace period of GRACE_S seconds where nothing returns. After that, an object that nobody borrows
lives for as long as somebody on its own node refers to it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

from partisan_actors.actors.context import current_system
from partisan_actors.actors.sent_refs import refs_in_message
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ActorUnavailable, NodeError, ObjectLost, TaskFailed
from partisan_actors.ids import NodeId, ObjectId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.objects.ref import ObjectRef, rebuild_ref
from partisan_actors.wire.channels import BULK
from partisan_actors.wire.payload import decode, encode_value

__all__ = ["ObjectStore"]

logger = logging.getLogger(__name__)

GRACE_S: Final = 60.0
FETCH_RETRIES: Final = 3
FETCH_RETRY_S: Final = 0.2
SERVICE: Final = "objects"


class _Lent:
    """A ref that was sent to other nodes, and who has it now."""

    __slots__ = ("borrowers", "ref", "until")

    def __init__(self, ref: ObjectRef[Any], until: float) -> None:
        self.ref = ref
        self.borrowers: set[NodeId] = set()
        self.until = until


class ObjectStore:
    """Makes refs, lends values and fetches borrowed ones. `put`, `lend` and `adopt` may be called from any thread."""

    def __init__(self, system: ActorSystem) -> None:
        self.system = system
        self.loop = system.loop
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._lent: dict[int, _Lent] = {}
        # What was lent once and is still referred to here, by number.
        self._own: weakref.WeakValueDictionary[int, ObjectRef[Any]] = weakref.WeakValueDictionary()
        # How a ref is unpickled. The face puts a function here that also finds the node of plain user code.
        self.rebuild: Callable[[str, int, int], ObjectRef[Any]] = rebuild_ref
        self._borrowed: weakref.WeakValueDictionary[ObjectId, ObjectRef[Any]] = weakref.WeakValueDictionary()
        system.extensions["objects"] = self
        system.serve(SERVICE, self, channel=BULK)
        system.node.directory.on_down.append(self._node_down)
        system.node.on_sweep.append(self._sweep)

    def new_id(self) -> ObjectId:
        """An id that this node never used."""
        return ObjectId(self.system.me, next(self._numbers))

    def new_ref(self) -> ObjectRef[Any]:
        """A pending ref owned by this node."""
        return ObjectRef(self)

    def put(self, value: Any) -> ObjectRef[Any]:
        """A ref to `value` as it is now: later changes to it are not seen. Raises SerializationError."""
        payload = encode_value(value, "the value given to put")
        buffers = [view if view.readonly else bytes(view) for view in payload.buffers]
        ref = self.new_ref()
        token = current_system.set(self.system)
        try:
            ref.succeed(value if type(value) in _IMMUTABLE else decode(payload.body, buffers))
        finally:
            current_system.reset(token)
        return ref

    # ---- lending ----------------------------------------------------------------------------------------------

    def lend(self, ref: ObjectRef[Any]) -> None:
        """`ref` is being sent somewhere: keep its value until nobody borrows it any more."""
        message = refs_in_message.get()
        if message is not None:
            message.add(ref)
        if ref.id.node == self.system.me:
            with self._lock:
                self._own[ref.id.number] = ref
                lent = self._lent.get(ref.id.number)
                if lent is None:
                    lent = self._lent[ref.id.number] = _Lent(ref, 0.0)
                lent.until = self.loop.time() + GRACE_S

    def arrived(self, ref: ObjectRef[Any]) -> None:
        """The call that `ref` was sent with has returned. That somebody borrows it may be known a moment later."""
        lent = self._lent.get(ref.id.number) if ref.id.node == self.system.me else None
        if lent is not None:
            lent.until = self.loop.time() + GRACE_S

    async def borrow(self, peer: Peer, number: int) -> None:
        """A node has received a ref to one of our objects."""
        lent = self._find_lent(number)
        if lent is not None:
            lent.borrowers.add(peer.node)

    async def give_back(self, peer: Peer, number: int) -> None:
        """A node has dropped its last ref to one of our objects. It may have passed it on, to one not known yet."""
        lent = self._lent.get(number)
        if lent is not None:
            lent.borrowers.discard(peer.node)
            lent.until = self.loop.time() + GRACE_S

    async def fetch(self, peer: Peer, number: int) -> Any:
        """The value of one of our objects, once it is there. Raises ObjectLost, or what the call raised."""
        lent = self._find_lent(number)
        if lent is None:
            owner = self.system.me
            raise ObjectLost(str(ObjectId(owner, number)), str(owner), "its last reference is gone")
        return await lent.ref

    def _find_lent(self, number: int) -> _Lent | None:
        lent = self._lent.get(number)
        ref = self._own.get(number) if lent is None else None
        if ref is not None:
            lent = self._lent[number] = _Lent(ref, self.loop.time() + GRACE_S)
        return lent

    def _node_down(self, record: NodeRecord, why: str) -> None:
        for lent in list(self._lent.values()):
            lent.borrowers.discard(record.node)

    def _sweep(self) -> None:
        now = self.loop.time()
        with self._lock:
            for number, lent in list(self._lent.items()):
                if not lent.borrowers and lent.until < now and lent.ref.done():
                    del self._lent[number]

    @property
    def lent_count(self) -> int:
        """How many objects are kept for others."""
        return len(self._lent)

    # ---- borrowing --------------------------------------------------------------------------------------------

    def adopt(self, identity: ObjectId) -> ObjectRef[Any]:
        """The ref for an id that arrived here: our own, or a borrowed one."""
        if identity.node == self.system.me:
            with self._lock:
                lent = self._find_lent(identity.number)
            if lent is not None:
                return lent.ref
            ref: ObjectRef[Any] = ObjectRef(self)
            ref._id = identity
            ref.fail(ObjectLost(str(identity), str(identity.node), "its last reference is gone"))
            return ref
        with self._lock:
            known = self._borrowed.get(identity)
            if known is not None:
                return known
            ref = self._borrowed[identity] = ObjectRef(self)
            ref._id = identity
            ref._fetch = _later(self, weakref.ref(ref))
        self._from_anywhere(self._say, identity, "borrow")
        weakref.finalize(ref, self._from_anywhere, self._say, identity, "give_back").atexit = False
        return ref

    def _from_anywhere(self, call: Callable[..., None], *args: Any) -> None:
        try:
            self.loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the node has stopped
            return

    def _say(self, identity: ObjectId, what: str) -> None:
        if what == "give_back" and identity in self._borrowed:
            return  # another ref to it arrived meanwhile
        peer = self.system.node.router.peer(identity.node)
        if peer.down is None:
            self.system.notify(identity.node, SERVICE, what, identity.number)

    def start_fetch(self, ref: ObjectRef[Any]) -> None:
        """Somebody waits for a borrowed value: get it."""
        self.system.background.start(self._fetch(ref), f"fetch {ref.id}")

    async def _fetch(self, ref: ObjectRef[Any]) -> None:
        owner, number = ref.id
        try:
            ref.succeed(await self._ask_owner(owner, number))
        except asyncio.CancelledError:
            ref.fail(ObjectLost(str(ref.id), str(owner), "this node stopped before its value had come"))
            raise
        except Exception as error:  # noqa: BLE001 - what the owner's value is, or why there is none
            if isinstance(error, NodeError) and not isinstance(error, TaskFailed) and not self._is_up(owner):
                error = ObjectLost(str(ref.id), str(owner), f"its owner cannot be reached: {error}")
            ref.fail(error)

    async def _ask_owner(self, owner: NodeId, number: int) -> Any:
        for _ in range(FETCH_RETRIES):
            try:
                return await self.system.request(owner, SERVICE, "fetch", number, channel=BULK)
            except ActorUnavailable as error:
                # Only a broken connection, perhaps: ask again, which is safe. Or the value is this very error.
                if isinstance(error, TaskFailed):
                    raise
            await asyncio.sleep(FETCH_RETRY_S)
        return await self.system.request(owner, SERVICE, "fetch", number, channel=BULK)

    def _is_up(self, node: NodeId) -> bool:
        return self.system.node.directory.is_up(node)


_IMMUTABLE: Final = frozenset({int, float, bool, str, bytes, type(None)})


def _later(store: ObjectStore, weak: weakref.ref[ObjectRef[Any]]) -> Callable[[], None]:
    # Weak, or the ref would keep itself alive.
    def fetch() -> None:
        ref = weak()
        if ref is not None:
            store._from_anywhere(store.start_fetch, ref)

    return fetch

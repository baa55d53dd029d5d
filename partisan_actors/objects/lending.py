"""What one node lends to others of its objects: who has borrowed which, and for how long each is kept.

The rules this file keeps:

1. What is lent is kept while any node borrows it. A borrowing node says when it takes its first ref and when it drops
   its last one; one that goes down drops all of its.
2. A ref on its way is kept by whoever sent it until its call has returned. Whoever answered may have borrowed it, and
   its word of that may come later than the answer; so that node is asked whether it has said all it has to say. Many
   refs are one question: it is asked LINGER_S later, or as soon as LINGER_BYTES_MAX wait for it.
3. Where nobody knows who has read the message, because the call failed on its way, a ref is kept for ARRIVAL_S more.
   Where nothing returns (a tell, a result), and where a borrower has passed it on before it gave its own back, that is
   GRACE_S; but of what was sent once and never again, the first word of a borrower is word enough.
4. After that, an object that nobody borrows lives for as long as somebody on its own node refers to it.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from threading import get_ident
from typing import Any, Final

from partisan_actors.actors.sent_refs import refs_in_message
from partisan_actors.actors.system import ActorSystem
from partisan_actors.errors import ObjectLost, PartisanError
from partisan_actors.ids import NodeId, ObjectId
from partisan_actors.node.directory import NodeRecord
from partisan_actors.node.router import Peer
from partisan_actors.objects.ref import ObjectRef

__all__ = ["LINGER_S", "Lending", "Lent"]

GRACE_S: Final = 60.0
ARRIVAL_S: Final = 10.0
LINGER_S: Final = 0.2
LINGER_BYTES_MAX: Final = 64 * 1024 * 1024
SERVICE: Final = "lending"


class Lent:
    """A ref that was sent to other nodes, and who has it now."""

    __slots__ = ("borrowers", "copies", "ref", "sendings", "settled", "since", "until")

    def __init__(self, ref: ObjectRef[Any], since: float = 0.0) -> None:
        self.ref = ref
        self.since = since
        self.borrowers: set[NodeId] = set()
        self.copies: set[NodeId] = set()  # those of them that have fetched the value
        self.settled: set[NodeId] = set()  # those of them that have said so when they were asked
        self.sendings = 0  # of which no call returns
        self.until = 0.0


class _Lingering:
    """Refs whose calls a node has answered, and that it is to be asked about."""

    __slots__ = ("bytes", "is_asking", "refs", "timer")

    def __init__(self) -> None:
        self.refs: dict[int, ObjectRef[Any]] = {}
        self.bytes = 0  # of those that may be gone once it has been asked
        self.is_asking = False
        self.timer: asyncio.TimerHandle | None = None


class Lending:
    """That of one node. `lend` and `returned` may be called from any thread, the rest from the loop."""

    def __init__(self, system: ActorSystem) -> None:
        self._system = system
        self._lock = threading.Lock()
        self.lent: dict[int, Lent] = {}
        # What was lent once and is still referred to here, by number.
        self._own: weakref.WeakValueDictionary[int, ObjectRef[Any]] = weakref.WeakValueDictionary()
        self._lingering: dict[NodeId, _Lingering] = {}
        system.serve(SERVICE, self)
        system.cancelling.find_object = self._own.get
        system.node.directory.on_down.append(self._node_down)

    # ---- on the way -------------------------------------------------------------------------------------------

    def lend(self, ref: ObjectRef[Any]) -> None:
        """`ref`, one of ours, is being sent somewhere, with the message that is encoded now."""
        message = refs_in_message.get()
        with self._lock:
            self._own[ref.id.number] = ref
        if message is None:
            self._keep(ref, GRACE_S).sendings += 2  # it may be read any number of times
        elif not message.returns:
            self._keep(ref, GRACE_S).sendings += 1

    def _keep(self, ref: ObjectRef[Any], for_s: float) -> Lent:
        with self._lock:
            lent = self.lent.get(ref.id.number)
            if lent is None:
                lent = self.lent[ref.id.number] = Lent(ref, self._system.loop.time())
            lent.until = max(lent.until, self._system.loop.time() + for_s)
        return lent

    def returned(self, ref: ObjectRef[Any], reader: NodeId | None) -> None:
        """The call is over that `ref`, one of ours, was sent with. `reader` is the node that has answered, if any."""
        if reader is None:
            self._keep(ref, ARRIVAL_S)
        elif reader == self._system.me:
            return
        elif get_ident() == self._system.thread_id:
            self._linger(ref, reader)
        else:
            self._system.post(self._linger, ref, reader)

    def _linger(self, ref: ObjectRef[Any], reader: NodeId) -> None:
        lingering = self._lingering.get(reader)
        if lingering is None:
            lingering = self._lingering[reader] = _Lingering()
        number = ref.id.number
        if number not in lingering.refs:
            lingering.refs[number] = ref
            lent = self.lent.get(number)
            if lent is None or reader not in lent.settled:  # else it stays, whatever comes of this call
                lingering.bytes += ref.size_bytes
            self._look_after(reader, lingering)

    def _look_after(self, reader: NodeId, lingering: _Lingering) -> None:
        if lingering.is_asking:
            return
        if lingering.bytes >= LINGER_BYTES_MAX:
            self._ask(reader, lingering)
        elif lingering.timer is None:
            lingering.timer = self._system.loop.call_later(LINGER_S, self._ask, reader, lingering)

    def _ask(self, reader: NodeId, lingering: _Lingering) -> None:
        if lingering.timer is not None:
            lingering.timer.cancel()
            lingering.timer = None
        refs, lingering.refs, lingering.bytes = lingering.refs, {}, 0
        lingering.is_asking = True
        asking = self._ask_all_said(reader, lingering, refs)
        self._system.background.start(asking, f"ask {reader} for what it has borrowed")

    async def _ask_all_said(self, reader: NodeId, lingering: _Lingering, refs: dict[int, ObjectRef[Any]]) -> None:
        try:
            await self._system.request(reader, SERVICE, "all_said", timeout_s=ARRIVAL_S)
        except PartisanError:  # it is slow, or gone; then what it borrowed is nobody's, which others will say
            for ref in refs.values():
                self._keep(ref, ARRIVAL_S)
        else:
            for lent in filter(None, map(self.lent.get, refs)):
                if reader in lent.borrowers:
                    lent.settled.add(reader)
        lingering.is_asking = False
        if lingering.refs:
            self._look_after(reader, lingering)
        else:
            self._lingering.pop(reader, None)

    async def all_said(self, peer: Peer) -> None:
        """Answered behind everything that this node has said of what it has borrowed until now."""
        await asyncio.sleep(0)  # what other threads have borrowed is said in the calls of the loop that come before

    def lingering(self, ref: ObjectRef[Any]) -> int:
        """For how many nodes it is kept that have answered a call with it, and are still to be asked."""
        return sum(ref.id.number in each.refs for each in list(self._lingering.values()))

    # ---- borrowers --------------------------------------------------------------------------------------------

    def borrow(self, peer: Peer, number: int) -> None:
        """A node has received a ref to one of our objects."""
        lent = self.find(number)
        if lent is not None:
            lent.borrowers.add(peer.node)
            if lent.sendings == 1:
                lent.until = 0.0

    def give_back(self, peer: Peer, number: int, passed_on: bool) -> None:
        """A node has dropped its last ref to an object of ours. It may have `passed_on` one, to a node not known."""
        lent = self.lent.get(number)
        if lent is not None:
            lent.borrowers.discard(peer.node)
            lent.copies.discard(peer.node)
            lent.settled.discard(peer.node)
            if passed_on:
                lent.sendings += 1
                lent.until = max(lent.until, self._system.loop.time() + GRACE_S)
            with self._lock:
                self._forget(number, lent)

    def find(self, number: int) -> Lent | None:
        """What is known of an object that was lent; None when its last ref is gone. From any thread."""
        with self._lock:
            lent = self.lent.get(number)
            ref = self._own.get(number) if lent is None else None
            if ref is not None:
                lent = self.lent[number] = Lent(ref, self._system.loop.time())
        return lent

    def must_find(self, number: int) -> Lent:
        """The same. Raises ObjectLost."""
        lent = self.find(number)
        if lent is None:
            owner = self._system.me
            raise ObjectLost(str(ObjectId(owner, number)), str(owner), "its last reference is gone")
        return lent

    def _node_down(self, record: NodeRecord, why: str) -> None:
        for lent in list(self.lent.values()):
            lent.borrowers.discard(record.node)
            lent.copies.discard(record.node)
            lent.settled.discard(record.node)

    def _forget(self, number: int, lent: Lent) -> None:
        if not lent.borrowers and lent.until < self._system.loop.time() and lent.ref.done():
            self.lent.pop(number, None)

    def sweep(self) -> None:
        """Let go of what nobody borrows, and that was kept for long enough."""
        with self._lock:
            for number, lent in list(self.lent.items()):
                self._forget(number, lent)

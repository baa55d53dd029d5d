"""The consuming end of streams: what generators elsewhere give to the callers of this node, in order.

The call of a generator is a call like any other: its reply comes when the generator has ended, and fails when its node
does. Until then its items come as messages of their own, numbered. An item that overtook another waits for it here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from partisan_actors.actors.context import current_system
from partisan_actors.actors.host import Host, Running
from partisan_actors.actors.mailbox import Message
from partisan_actors.actors.producing import KEY, Outgoing, run_async, run_sync
from partisan_actors.actors.replies import Reply
from partisan_actors.actors.stream_sizes import item_bytes
from partisan_actors.errors import PartisanError, ProtocolError, SerializationError, TaskCancelled
from partisan_actors.ids import NodeId
from partisan_actors.node.router import Peer
from partisan_actors.portable import in_words
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind

__all__ = ["ENDED", "Incoming", "Streams"]

# How many numbers each message has that is no item.
_FIELDS: Final = {"failed_after": 2, "took": 2, "stop": 1}

# What `Incoming.take` answers after the last item.
ENDED: Final = object()


class Incoming:
    """One stream, as whoever called the generator sees it. `take` is for any thread, one at a time.

    `where` tells the peer that the generator runs at, if that is known; `cancel` has the call cancelled.
    """

    def __init__(self, streams: Streams, what: str, ahead: int, make_ref: Callable[[], Any]) -> None:
        self._streams = streams
        self.host = streams.host
        self._what = what
        self._make_ref = make_ref
        self._step = max(1, ahead // 4)
        self.where: Callable[[], Peer | None] = lambda: None
        self.cancel: Callable[[], object] = lambda: None
        self.number = 0
        # Where items come from, once some did.
        self._peer: Peer | None = None
        self._ready: deque[Any] = deque()
        self._early: dict[int, Any] = {}
        self._next = 0
        # How many items there are in all, once that is known, and whether the call is answered.
        self._total: int | None = None
        self._is_answered = False
        self._error: BaseException | None = None
        self._is_over = False
        self._changed: Reply[None] = Reply(streams.host.loop)
        self._taken = self._told = 0
        # Of what came, if somebody wants to know: see `count_bytes`.
        self._bytes: int | None = None
        self._then: Callable[[], object] | None = None
        # Done when the generator has ended; it fails with what the generator raised.
        self.outcome: Any = make_ref()

    def __str__(self) -> str:
        return f"the stream of {self._what}"

    # ---- for the consumer -----------------------------------------------------------------------------------------

    def changed(self) -> Reply[None]:
        """What is done as soon as there is more. Ask before `take`, or the news may be missed."""
        return self._changed

    def take(self) -> Any:
        """The ref of the next item; None if it is not here yet, ENDED after the last."""
        is_over = self._is_over  # first: what is ready is complete then
        if not self._ready:
            return ENDED if is_over else None
        ref = self._ready.popleft()
        self._taken += 1
        if not is_over and (self._taken - self._told >= self._step or not self._ready):
            self._told = self._taken
            self._streams.host.post(self._say_taken, self._told)
        return ref

    @property
    def has_next(self) -> bool:
        """Whether `take` would not answer None."""
        return self._is_over or bool(self._ready)

    @property
    def is_finished(self) -> bool:
        """Whether `take` would answer ENDED."""
        return self._is_over and not self._ready

    def dropped(self) -> None:
        """Nobody wants the rest; from any thread."""
        if not self._is_over:
            self._streams.host.post(self._drop)

    def count_bytes(self) -> None:
        """Count the bytes of the messages that items come in. Call it before the generator is called."""
        self._bytes = 0

    @property
    def came_bytes(self) -> int | None:
        """How many there were, in all attempts; None if they are not counted."""
        return self._bytes

    @property
    def came_items(self) -> int:
        """How many items have come, in order and without a gap."""
        return self._next

    def when_over(self, then: Callable[[], object]) -> None:
        """Call `then` once the call is answered and all items have come, or nobody wants them any more."""
        if self._is_over:
            then()
        else:
            self._then = then

    # ---- on the loop ----------------------------------------------------------------------------------------------

    def begin(self, number: int) -> None:
        """The generator is about to be called, perhaps again, under that number."""
        if self.number:
            self._streams.incoming.pop(self.number, None)
            self._stop_producer()
        self._peer, self._total, self._told, self.number = None, None, 0, number
        self._early.clear()
        if not self._is_over:
            self._streams.incoming[number] = self

    def arrived(self, args: Any, meta: dict[str, Any]) -> None:
        """The message of an item is here, as it came; from then on, `came` has the item."""
        if self._bytes is not None:
            self._bytes += item_bytes(args, meta)

    def came(self, peer: Peer, index: int, value: Any, error: BaseException | None) -> None:
        """An item arrived."""
        self._peer = peer
        if index < self._next:
            # It came in an earlier attempt. This one is to get to where the consumer is.
            self._say_taken(min(index + 1, self._taken))
            return
        ref = self._early[index] = self._make_ref()
        if error is not None:
            ref.fail(error)
        else:
            ref.succeed(value)
        while self._next in self._early:
            self._ready.append(self._early.pop(self._next))
            self._next += 1
        self._look_for_end()
        self._tell_change()

    def failed_after(self, total: int) -> None:
        """The generator has raised after so many items; the error itself comes as the reply."""
        self._total = total

    def ended(self, total: int | None, error: BaseException | None) -> None:
        """The call is answered, and not tried again. Items under way are waited for, if it is known that there are."""
        self._is_answered, self._error = True, error
        if error is None:
            self._total = total
        self._look_for_end()

    def lost(self, error: BaseException) -> None:
        """A connection broke, or a node went down, before all items were here."""
        self._error, self._total = error, self._next
        self._look_for_end()

    def _look_for_end(self) -> None:
        if self._is_over or not self._is_answered:
            return
        if self._total is not None and self._next < self._total:
            peer = self._peer or self.where()
            if peer is not None and peer.down is None:
                peer.pending[self.number] = _Guard(self)
                return
        if self._error is not None:
            last = self._make_ref()
            last.fail(self._error)
            self._ready.append(last)
        self._finish(self._error)

    def _finish(self, error: BaseException | None) -> None:
        self._is_over = True
        self._streams.incoming.pop(self.number, None)
        if self._peer is not None and isinstance(self._peer.pending.get(self.number), _Guard):
            del self._peer.pending[self.number]  # the reply itself is still awaited, if nobody wanted the rest
        if error is not None:
            self.outcome.fail(error)
        else:
            self.outcome.succeed(None)
        then, self._then = self._then, None
        if then is not None:
            then()
        self._tell_change()

    def _drop(self) -> None:
        if self._is_over:
            return
        if self._peer is None:
            self.cancel()
        else:
            self._stop_producer()
        self._finish(TaskCancelled(str(self)))

    def _stop_producer(self) -> None:
        if self._peer is not None:
            self._streams.say(self._peer, "stop", self.number)

    def _say_taken(self, count: int) -> None:
        if self._peer is not None and not self._is_over:
            self._streams.say(self._peer, "took", self.number, count)

    def _tell_change(self) -> None:
        changed, self._changed = self._changed, Reply(self._streams.host.loop)
        changed.succeed(None)


class _Guard:
    """Stands among the replies awaited of a peer while items are under way after the reply itself."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    def done(self) -> bool:
        """Whether it is over."""
        return self._incoming.is_finished

    def succeed(self, value: Any) -> None:
        """Never: the reply has come."""

    def fail(self, error: BaseException) -> None:
        """Nothing comes from there any more."""
        self._incoming.lost(error)


class StreamedTask(Protocol):
    """A task, as far as it matters here: `stream` is 0 for one that is no generator."""

    @property
    def name(self) -> str:
        """The function's."""
        ...

    @property
    def stream(self) -> int:
        """The number of the stream at its caller."""
        ...

    @property
    def ahead(self) -> int:
        """How many items it may be ahead."""
        ...


class Streams:
    """Both ends of the streams of one node. It stands among the cells and takes their messages at once."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.incoming: dict[int, Incoming] = {}
        self.outgoing: dict[tuple[NodeId, int], Outgoing] = {}
        host.cells[KEY] = self
        host.extensions["streams"] = self

    @property
    def count(self) -> int:
        """How many streams are open, at either end."""
        return len(self.incoming) + len(self.outgoing)

    def open_for(self, cell: Running, message: Message) -> Outgoing:
        """A generator method is about to run. A tell of one runs it to the end, and nobody gets its items.

        Raises TypeError for a call that does not know that it is one; from any thread.
        """
        name = f"{cell.definition.interface.class_name}.{message.method.name}"
        if message.number is None:
            return self.open(None, 0, 0, 0, name)
        ahead = (message.meta or {}).get("stream")
        if not isinstance(ahead, int):
            raise TypeError(f"{name} is a generator: only a handle that knows the class of its actor can call it")
        affinity = int.from_bytes(cell.key[-4:], "big")
        return self.open(message.peer, message.number, ahead, affinity, name)

    def open(self, peer: Peer | None, number: int, ahead: int, affinity: int, what: str) -> Outgoing:
        """A generator is about to run here for a caller on `peer`; None if nobody wants its items."""
        out = Outgoing(self.host, peer, number, ahead, affinity, what)
        if peer is not None:
            self.outgoing[peer.node, number] = out
        return out

    def through(self, peer: Peer, task: StreamedTask, result: Any, sent: Callable[[int], object]) -> Any:
        """On a thread: what a task returned; if it is a generator for a stream, run it and count its items.

        `sent` is told how many bytes they were, however it ends.
        """
        if not task.stream:
            return result
        out = self.open(peer, task.stream, task.ahead, 0, task.name)
        try:
            return run_sync(self.host, out, result)
        finally:
            sent(out.sent_bytes)
            self.host.post(self.close, out)

    async def through_soon(self, peer: Peer, task: StreamedTask, generator: Any, sent: Callable[[int], object]) -> int:
        """The same of an async generator, on the loop."""
        out = self.open(peer, task.stream, task.ahead, 0, task.name)

        async def begin() -> Any:
            return generator

        try:
            return await run_async(out, begin)
        finally:
            sent(out.sent_bytes)
            self.close(out)

    def close(self, out: Outgoing) -> None:
        """That generator has ended."""
        if out.peer is not None and self.outgoing.get((out.peer.node, out.number)) is out:
            del self.outgoing[out.peer.node, out.number]

    def node_down(self, node: NodeId) -> None:
        """Nobody there takes anything any more."""
        for key in [key for key in self.outgoing if key[0] == node]:
            self.outgoing.pop(key).stop()

    def say(self, peer: Peer, what: str, *args: int) -> None:
        """Tell the other end; one that is gone needs not know."""
        with suppress(PartisanError):
            peer.send(pack([Kind.TELL, KEY, what, *args]))

    # ---- what a cell is asked -------------------------------------------------------------------------------------

    def call(self, peer: Peer, m: list[Any]) -> None:
        """Streams are told things, and never asked."""
        self.host.refuse(peer, m[1], m[2])

    def deliver(
        self,
        peer: Peer,
        number: int | None,
        name: str,
        args: Any,
        kwargs: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> None:
        """The other end of a stream says something. Raises ProtocolError for what makes no sense."""
        if number is not None:
            self.host.refuse(peer, number, KEY)
        elif name == "item":
            self._item(peer, args, meta or {})
        elif callable(args) or len(args) != _FIELDS.get(name) or not all(isinstance(each, int) for each in args):
            raise ProtocolError(f"a message of a stream that is {name!r}")
        elif name == "failed_after":
            incoming = self.incoming.get(args[0])
            if incoming is not None:
                incoming.failed_after(args[1])
        else:
            out = self.outgoing.get((peer.node, args[0]))
            if out is not None and name == "took":
                out.took(args[1])
            elif out is not None and name == "stop":
                out.stop()

    def _item(self, peer: Peer, args: Any, meta: dict[str, Any]) -> None:
        error: BaseException | None = None
        number, index, value = (meta.get("stream"), meta.get("index"), None) if callable(args) else args
        if not isinstance(number, int) or not isinstance(index, int):
            raise ProtocolError("an item of no stream")
        if callable(args):
            token = current_system.set(self.host)
            try:
                ((value,), _) = args()
            except Exception as caught:  # noqa: BLE001 - unpickling users' values may raise anything
                why = f"it cannot be unpickled here: {in_words(caught)}"
                error = SerializationError(f"item {index} of a stream", "value", why)
            finally:
                current_system.reset(token)
        incoming = self.incoming.get(number)
        if incoming is None:
            self.say(peer, "stop", number)
        else:
            incoming.arrived(args, meta)
            incoming.came(peer, index, value, error)

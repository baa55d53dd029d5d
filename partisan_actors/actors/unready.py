"""Messages whose arguments are not ready: they wait at the caller, and what must not overtake them waits behind them.

The rules this file keeps:

1. A message with a ref among its top-level arguments leaves when the value is ready where it lives. Until then it takes
   nothing of the actor, neither its thread nor a place in its mailbox, so no other caller waits for it.
2. What the same sender sends the same actor later, over the same channel, waits behind it where methods run one after
   another. A coroutine, a method of a group, and any method of an actor with several threads wait alone.
3. One whose outcome is known meanwhile, by a deadline or because it was cancelled, never leaves, and holds up nothing.
4. At most UNREADY_MAX messages wait like this; the next one fails with ActorUnavailable.

All of it is on the loop but `awaiting`, which any thread may call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import Any, Final, NamedTuple

from partisan_actors.actors.actor import SYNC
from partisan_actors.actors.host import Host
from partisan_actors.actors.ref import Location
from partisan_actors.actors.replies import Reply
from partisan_actors.errors import ActorUnavailable, PartisanError
from partisan_actors.wire.channels import CALLS
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.payload import is_scalars

__all__ = ["Unready", "UnreadyMessages", "awaiting", "values_of"]

UNREADY_MAX: Final = 100_000

_Key = tuple[Location, str, int]


class Unready(str):
    """A channel, for a message that is sent when `refs` are ready; with `keeps_order`, those behind it wait, too.

    It takes the place of the plain name, so that a call has no further argument that hardly any call needs.
    """

    __slots__ = ("again", "channel", "keeps_order", "refs")
    channel: str
    refs: tuple[Reply[Any], ...]
    keeps_order: bool
    # The method and the arguments of a plain message: it is packed anew when they are small, which saves a fetch.
    again: tuple[str, tuple[Any, ...]] | None

    @classmethod
    def of(cls, channel: str, refs: tuple[Reply[Any], ...], keeps_order: bool) -> Unready:
        """On `channel`."""
        made = cls(channel)
        made.channel, made.refs, made.keeps_order, made.again = channel, refs, keeps_order, None
        return made


def values_of(args: tuple[Any, ...]) -> list[Any] | None:
    """These arguments with values in place of refs, if all of these are here and fit into an envelope."""
    values = []
    for each in args:
        if isinstance(each, Reply):
            if not each.done() or each._error is not None:
                return None
            each = each._value
        values.append(each)
    return values if is_scalars(values) else None


def awaiting(
    location: Location,
    method: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    channel: str,
    *,
    group: bool = False,
    is_plain: bool = False,
) -> str:
    """The channel for a message with these arguments: as given, if those of them that are refs are ready.

    With `group` it is for a concurrency group; a message that `is_plain` has nothing but its arguments.
    """
    pending = [each for each in (*args, *kwargs.values()) if isinstance(each, Reply) and not each.done()]
    refs = tuple(ref for ref in (each.readiness() for each in pending) if not ref.done())
    if not refs:
        return channel
    made = Unready.of(channel, refs, not group and _keeps_order(location, method))
    # Later changes of what is no ref and no scalar must not be seen.
    if is_plain and not kwargs and channel is CALLS and is_scalars(e for e in args if not isinstance(e, Reply)):
        made.again = method, args
    return made


def _keeps_order(location: Location, method: str) -> bool:
    interface = location.interface
    if interface is None:
        return True
    known = interface.methods.get(method)
    if known is None:
        return True
    return known.kind == SYNC and interface.in_order and known.options.concurrency_group is None


class _Item(NamedTuple):
    """A message that waits, and the refs it waits for. `left` is told when a tell has left; a call has its `reply`."""

    number: int
    message: bytes
    buffers: Any
    reply: Any
    channel: str
    sender: int
    refs: tuple[Reply[Any], ...]
    keeps_order: bool
    left: Reply[Any] | None
    again: tuple[str, tuple[Any, ...]] | None

    @property
    def is_ready(self) -> bool:
        return all(ref.done() for ref in self.refs)

    @property
    def is_over(self) -> bool:
        return self.reply is not None and bool(self.reply.done())


class _Queue:
    """What waits in order: of one sender to one actor over one channel; or one message that waits alone."""

    __slots__ = ("items", "key", "location")

    def __init__(self, location: Location, key: _Key | None) -> None:
        self.location = location
        self.key = key
        self.items: deque[_Item] = deque()


class UnreadyMessages:
    """Those of one node. `send(location, number, message, buffers, reply, channel, sender)` lets one leave."""

    def __init__(self, host: Host, send: Callable[..., None]) -> None:
        self._host = host
        self._send = send
        self._in_order: dict[_Key, _Queue] = {}
        self._alone: dict[_Queue, None] = {}
        self.count = 0

    def keep(
        self, location: Location, number: int, message: bytes, buffers: Any, reply: Any, channel: str, sender: int
    ) -> bool:
        """Whether this message has to wait; then it does."""
        refs: tuple[Reply[Any], ...] = ()
        keeps_order, again = True, None
        if isinstance(channel, Unready):
            again = channel.again
            refs, keeps_order, channel = channel.refs, channel.keeps_order, channel.channel
        key = (location, str(channel), sender)
        queue = self._in_order.get(key)
        if queue is None and not refs:
            return False
        if self.count >= UNREADY_MAX:
            self._fail(location, reply, ActorUnavailable(str(location), f"{UNREADY_MAX} messages wait for arguments"))
            return True
        # That the last handle has gone is told behind what waits here.
        left: Reply[Any] | None = None if isinstance(reply, Reply) else Reply(self._host.loop)
        self._host.under_way(location, reply if left is None else left)
        item = _Item(number, message, buffers, reply, channel, sender, refs, keeps_order, left, again)
        self.count += 1
        if queue is None and not keeps_order:
            self._wait_alone(location, item)
            return True
        if queue is None:
            queue = self._in_order[key] = _Queue(location, key)
            location.held_up += 1
        queue.items.append(item)
        self._watch(queue, item)
        return True

    def _wait_alone(self, location: Location, item: _Item) -> None:
        queue = _Queue(location, None)
        queue.items.append(item)
        self._alone[queue] = None
        self._watch(queue, item)

    def _watch(self, queue: _Queue, item: _Item) -> None:
        if not item.refs:
            return
        look = partial(self._look, queue)
        for ref in item.refs:
            ref.add_waiter(look)
        if item.reply is not None:
            item.reply.add_waiter(look)

    def _look(self, queue: _Queue) -> None:
        if get_ident() == self._host.thread_id:
            self._advance(queue)
        else:
            self._host.post(self._advance, queue)

    def _advance(self, queue: _Queue) -> None:
        """Those at the head leave that may."""
        items, location = queue.items, queue.location
        while items:
            item = items[0]
            if item.is_over or item.is_ready:
                items.popleft()
                self._leave(location, item)
            elif not item.keeps_order and queue.key is not None:
                self._wait_alone(location, items.popleft())
            else:
                return
        if queue.key is None:
            self._alone.pop(queue, None)
        elif self._in_order.get(queue.key) is queue:
            del self._in_order[queue.key]
            location.held_up -= 1

    def _leave(self, location: Location, item: _Item) -> None:
        self.count -= 1
        if not item.is_over:
            number, message, buffers, *rest = item[:6]
            values = values_of(item.again[1]) if item.again is not None else None
            if values is not None and item.again is not None:
                method, buffers = item.again[0], None
                head = [Kind.TELL] if item.reply is None else [Kind.CALL, number]
                message = pack([*head, location.key, method, *values])
            self._send(location, number, message, buffers, *rest)
        if item.left is not None:
            item.left.succeed(None)

    def waiting(self) -> list[tuple[Location, list[_Item]]]:
        """What waits now, by queues."""
        return [(queue.location, list(queue.items)) for queue in (*self._in_order.values(), *self._alone)]

    def fail(self, location: Location, error: PartisanError) -> None:
        """That actor is gone for good: nothing waits for it any more."""
        queues = [queue for queue in (*self._in_order.values(), *self._alone) if queue.location is location]
        for queue in queues:
            items, queue.items = list(queue.items), deque()
            self._advance(queue)
            for item in items:
                self.count -= 1
                self._fail(location, item.reply, error)
                if item.left is not None:
                    item.left.succeed(None)

    def _fail(self, location: Location, reply: Any, error: PartisanError) -> None:
        if reply is not None:
            reply.fail(error)
        else:
            self._host.dead_letter(location, "tell", error)

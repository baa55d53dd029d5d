"""Rules on the messages of one node, while there are any: every message that leaves or arrives is judged first.

Nothing of this costs anything without rules. What arrives is intercepted by standing in for the handlers in the node's
`dispatch`, through which everything comes: over connections, large or small, relayed, and from the node itself. What
leaves is intercepted by giving connections another class, whose `send`s judge; threads that would write by themselves
are sent to the loop. When the last rule goes, handlers and classes are what they were, and what was held goes on.

A message is judged once for each crossing from node to node: a relayed one at every hop, and not again when it is
taken out of its envelope. Kinds of message that this file does not know pass.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from partisan_actors.errors import ConfigError, ProtocolError
from partisan_actors.faults.messages import Fault, MessageRule, Passing
from partisan_actors.ids import NodeId
from partisan_actors.node.answering import OnChannel, peer_behind
from partisan_actors.node.dialling import Dialling
from partisan_actors.node.router import Peer, Router
from partisan_actors.transport.connection import Connection
from partisan_actors.transport.superseding import Waiting
from partisan_actors.wire.channels import CALLS, CONTROL
from partisan_actors.wire.codec import unpack
from partisan_actors.wire.envelope import REPLIES, Envelope, inner_of
from partisan_actors.wire.frames import Kind
from partisan_actors.wire.in_turn import without_turn

__all__ = ["RULES_MAX", "Interception"]

logger = logging.getLogger(__name__)

RULES_MAX: Final = 1000
# What may be held by delays, for each connection; beyond that it goes at once.
HELD_MAX: Final = 100_000

# The position of the actor's key and of the method.
_CALLS: Final = {Kind.CALL: 2, Kind.CALL_PICKLED: 2, Kind.CALL_META: 2}
_TELLS: Final = {Kind.TELL: 1, Kind.TELL_PICKLED: 1, Kind.TELL_META: 1}
_PLACES: Final = {**_CALLS, **_TELLS}
# In these there is no other message.
_BARE: Final = REPLIES | _PLACES.keys()
_NAMES: Final = {
    **dict.fromkeys(_CALLS, "call"),
    **dict.fromkeys(_TELLS, "tell"),
    **dict.fromkeys(REPLIES, "reply"),
    Kind.PING: "ping",
    Kind.PONG: "pong",
    Kind.IDLE: "idle",
    Kind.ACKED: "ack",
    Kind.ACK: "ack",
    Kind.RELAY: "relay",
    Kind.CONTROL: "control",
}


Gate = Callable[[Passing, list[Any], Callable[[], None]], None]


class InterceptedNode(Protocol):
    """What is needed of the node."""

    me: NodeId
    loop: asyncio.AbstractEventLoop
    rng: random.Random
    router: Router
    dialling: Dialling
    dispatch: list[Callable[..., None]]


class _Line:
    """What goes one way between two nodes on one connection, in order, while something of it is held."""

    __slots__ = ("queue", "timer")

    def __init__(self) -> None:
        self.queue: deque[tuple[float, Callable[[], None]]] = deque()
        self.timer: asyncio.TimerHandle | None = None


class Interception:
    """The rules of one node. Everything belongs to the loop's thread."""

    def __init__(
        self, node: InterceptedNode, describe_actor: Callable[[bytes], str], is_service: Callable[[bytes], bool]
    ) -> None:
        """What messages carry as a key is the actors' business: how to describe one, and whether it is no actor's."""
        self._node = node
        self._describe_actor = describe_actor
        self._is_service = is_service
        self._rules: dict[int, MessageRule] = {}
        self._broken: set[int] = set()
        self._cuts: dict[int, Callable[[str], bool]] = {}
        self._gate: Gate | None = None
        self._next = 0
        self._originals: list[Callable[..., None]] = []
        self._classes: dict[type, type] = {}
        self._lines: dict[object, _Line] = {}
        self._is_inside = False  # of a handler of a message that was judged
        # Told what was added, or "" when something ended.
        self.on_rules: Callable[[str], object] = lambda what: None
        # How many messages had which fault.
        self.counts: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many rules and cuts are in force."""
        return len(self._rules) + len(self._cuts)

    @property
    def _is_idle(self) -> bool:
        return not len(self) and self._gate is None

    # ---- rules ------------------------------------------------------------------------------------------------

    def add(self, rule: MessageRule) -> Callable[[], None]:
        """From now on every message is judged by `rule`, too: the first rule that answers decides. Returns its end.

        Raises ConfigError at the bound.
        """
        if len(self) >= RULES_MAX:
            raise ConfigError("fault rules of this node", len(self), f"at most {RULES_MAX}")
        self._begin()
        self._next += 1
        number = self._next
        self._rules[number] = rule
        self.on_rules(f"messages are judged by {getattr(rule, '__qualname__', type(rule).__name__)}")
        return partial(self._end, self._rules, number)

    def cut(self, is_cut: Callable[[str], bool]) -> Callable[[], None]:
        """No connection with nodes of those names stays, and none can be made. Returns the end of it."""
        self._begin()
        self._next += 1
        number = self._next
        self._cuts[number] = is_cut
        self.on_rules("it is cut off from other nodes")
        self.reset(is_cut, "cut off by a fault")
        return partial(self._end, self._cuts, number)

    def watch(self, gate: Gate) -> Callable[[], None]:
        """Hand every call and tell that reaches an actor here to ``gate(passing, message, deliver)``. Returns its end.

        One at a time. Raises ConfigError for a second one.
        """
        if self._gate is not None:
            raise ConfigError("recordings and replays of this node", 2, "one at a time: end the other's block first")
        self._begin()
        self._gate = gate
        return self._unwatch

    def _unwatch(self) -> None:
        if self._gate is not None:
            self._gate = None
            if self._is_idle:
                self._uninstall()

    def reset(self, concerns: Callable[[str], bool], why: str = "reset by a fault") -> None:
        """Break the connections with nodes of those names, as a network does: their sessions may go on."""
        for peer in list(self._node.router.peers.values()):
            if concerns(peer.node.name):
                for connection in list(peer.open):
                    connection.cut(ConnectionResetError(why))

    def _end(self, table: dict[int, Any], number: int) -> None:
        if table.pop(number, None) is None:
            return
        if self._is_idle:
            self._uninstall()
        self.on_rules("")

    def _begin(self) -> None:
        if self._is_idle:
            self._install()

    def _install(self) -> None:
        node = self._node
        self._originals = list(node.dispatch)
        for kind, handler in enumerate(self._originals):
            node.dispatch[kind] = partial(self._arrived, kind, handler)
        for connection in node.dialling.connections():
            self._take(connection)
        node.dialling.on_made = self._take
        node.dialling.refuses = self._refuses

    def _uninstall(self) -> None:
        node = self._node
        node.dispatch[:] = self._originals
        node.dialling.on_made = None
        node.dialling.refuses = None
        for connection in node.dialling.connections():
            base = type(connection).__bases__[0]
            if type(connection) is self._classes.get(base):
                connection.__class__ = base
        lines, self._lines = self._lines, {}
        for line in lines.values():
            if line.timer is not None:
                line.timer.cancel()
            while line.queue:
                _carefully(line.queue.popleft()[1])

    # ---- connections ------------------------------------------------------------------------------------------

    def _take(self, connection: Connection) -> None:
        base = type(connection)
        if base in self._classes.values():
            return
        made = self._classes.get(base)
        if made is None:
            made = self._classes[base] = _intercepted(base, self)
        connection.__class__ = made
        handshake, approve = connection.handshake, connection.handshake.approve

        def check(peer: Any) -> None:
            if self._refuses(peer.node):
                raise ProtocolError("cut off by a fault")
            if approve is not None:
                approve(peer)

        if not handshake.done:
            handshake.approve = check

    def _refuses(self, node: NodeId | None) -> bool:
        return node is not None and any(is_cut(node.name) for is_cut in self._cuts.values())

    # ---- messages ---------------------------------------------------------------------------------------------

    def leaves(self, connection: Connection, message: bytes, buffers: Sequence[Any] | None, act: Any) -> None:
        """`connection` is about to send; `act` is how. Raises what that raises."""
        peer: Peer | None = connection.peer
        if peer is None or not self._rules:
            act()
            return
        size = len(message) + sum(map(len, buffers)) if buffers else len(message)
        me, there = self._node.me.name, peer.node.name
        passing = self._passing("out", unpack(message), size, me, there, connection.handshake.channel)
        fault = self._judge(passing) if passing is not None else None
        if fault is None and connection not in self._lines:
            act()
            return
        if fault is not None and fault.kind == "corrupt":
            self.counts["corrupt"] += 1
            act()
            if connection._transport is None:  # nothing can be damaged while it is broken
                return
            connection._transport = _Flipping(connection, self._node.rng)  # type: ignore[assignment]  # until it writes
            return
        self._apply(fault, connection, act)

    def _arrived(self, kind: int, handler: Callable[..., None], peer: Peer, message: list[Any], *rest: Any) -> None:
        if self._is_inside or not self._rules or kind not in _NAMES:  # what such a one holds is judged when it is whole
            self._hand_on(kind, handler, peer, message, *rest)
            return

        buffers = rest[0] if rest else None
        me = self._node.me.name
        size = _size(message) + sum(map(len, buffers or ()))
        channel = CONTROL if kind == Kind.CONTROL else peer.channel if isinstance(peer, OnChannel) else CALLS
        passing, way = self._passing("in", message, size, peer.node.name, me, channel), peer_behind(peer)
        fault = self._judge(passing) if passing is not None else None
        if fault is None and way not in self._lines:
            self._take_in(kind, handler, peer, message, *rest)
        else:
            self._apply(fault, way, partial(self._take_in, kind, handler, peer, message, *rest))

    def _take_in(self, kind: int, handler: Callable[..., None], peer: Peer, message: list[Any], *rest: Any) -> None:
        self._is_inside = True
        try:
            self._hand_on(kind, handler, peer, message, *rest)
        finally:
            self._is_inside = False

    def _hand_on(self, kind: int, handler: Callable[..., None], peer: Peer, message: list[Any], *rest: Any) -> None:
        place = _PLACES.get(kind) if self._gate is not None else None
        if self._gate is None or place is None or self._is_service(message[place]):
            handler(peer, message, *rest)
            return
        passing = self._passing("in", message, _size(message), peer.node.name, self._node.me.name, CALLS)
        assert passing is not None
        self._gate(passing, message, partial(_carefully, partial(handler, peer, message, *rest)))

    def _passing(
        self, direction: str, plain: list[Any], size: int, sender: str, receiver: str, channel: str
    ) -> Passing | None:
        if plain[0] not in _BARE:
            plain = inner_of(without_turn(plain))
        kind = _NAMES.get(plain[0])
        if kind is None:
            return None
        source, destination, is_relayed = sender, receiver, plain[0] == Kind.RELAY
        if is_relayed:
            envelope = Envelope(*plain)
            source, destination, channel = envelope.origin[0], envelope.destination[0], envelope.channel
            plain = inner_of(without_turn(unpack(envelope.message))) if envelope.message else plain
            kind = _NAMES.get(plain[0], "relay")
        actor = method = ""
        if plain[0] == Kind.CONTROL:
            kind = str(plain[1][0])
        else:
            place = _PLACES.get(plain[0])
            if place is not None:
                actor, method = self._describe_actor(plain[place]), str(plain[place + 1])
        return Passing(direction, kind, sender, receiver, source, destination, channel, actor, method, size, is_relayed)

    def _judge(self, passing: Passing) -> Fault | None:
        for number, rule in list(self._rules.items()):
            try:
                fault = rule(passing)
                if fault is not None and not isinstance(fault, Fault):
                    raise TypeError(f"a rule returns a Fault or None, not {fault!r}")
                if fault is not None and fault.kind == "corrupt" and passing.direction == "in":
                    raise TypeError("only what leaves can be corrupted: look at the direction")
            except Exception:  # a rule of the user's: told once, and the message passes
                if number not in self._broken:
                    self._broken.add(number)
                    logger.exception("a fault rule failed on %r; what it fails on passes", passing)
                continue
            if fault is not None:
                return fault
        return None

    def _apply(self, fault: Fault | None, way: object, act: Callable[[], None]) -> None:
        if fault is None:
            self._go(way, 0.0, act)
            return
        self.counts[fault.kind] += 1
        if fault.kind == "drop":
            return
        for _ in range(1 + fault.copies):
            if fault.kind == "reorder":
                self._node.loop.call_later(fault.after_s, _carefully, act)
            else:
                self._go(way, fault.after_s, act)

    def _go(self, way: object, after_s: float, act: Callable[[], None]) -> None:
        line = self._lines.get(way)
        if line is None:
            if not after_s:
                act()
                return
            line = self._lines[way] = _Line()
        if len(line.queue) >= HELD_MAX:
            self._drain(way, until=float("inf"))
            act()
            return
        now = self._node.loop.time()
        due = max(now + after_s, line.queue[-1][0] if line.queue else now)
        line.queue.append((due, act))
        if line.timer is None:
            line.timer = self._node.loop.call_at(due, self._drain, way)

    def _drain(self, way: object, until: float | None = None) -> None:
        line = self._lines.get(way)
        if line is None:
            return
        if line.timer is not None:
            line.timer.cancel()
            line.timer = None
        # Timers fire a little early, by the clock's resolution.
        limit = self._node.loop.time() + 0.001 if until is None else until
        while line.queue and line.queue[0][0] <= limit:
            _carefully(line.queue.popleft()[1])
        if line.queue:
            line.timer = self._node.loop.call_at(line.queue[0][0], self._drain, way)
        elif self._lines.get(way) is line:
            del self._lines[way]


def _carefully(act: Callable[[], None]) -> None:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whoever sent it has gone on since, as with a message on the wire
        logger.debug("a message that was held could not go on: %s", error)


def _size(message: list[Any]) -> int:
    """About how long a message was on the wire: what it holds of bytes and text, and a little for all else."""
    sizes = [
        len(item) if isinstance(item, (bytes, str)) else _size(item) if isinstance(item, list) else 8
        for item in message
    ]
    return sum(sizes)


def _intercepted(base: Any, interception: Interception) -> type:
    class Intercepted(base):  # type: ignore[misc]  # a class that is only known now
        """A connection whose messages are judged."""

        __slots__ = ()

        def send(self, message: bytes) -> None:
            interception.leaves(self, message, None, partial(base.send, self, message))

        def send_large(self, message: bytes, buffers: Sequence[Any]) -> None:
            interception.leaves(self, message, buffers, partial(base.send_large, self, message, buffers))

        def send_newest(self, key: object, message: bytes, buffers: Sequence[Any] | None) -> None:
            # Each is judged by itself, so none takes the place of one that has been.
            self._places_in = None  # type: ignore[misc]  # a slot of the base, which is only known now
            if buffers is None:
                self.send(message)
            else:
                self.send_large(message, buffers)

        def send_waiting(self, waiting: Waiting) -> None:
            for message, buffers in waiting:
                act = partial(base.send_waiting, self, Waiting([(message, buffers)]))
                interception.leaves(self, message, buffers, act)

        def send_from_thread(self, message: bytes) -> bool:
            return False  # the loop is asked to, and judges it

    return Intercepted


class _Flipping:
    """Stands in for a connection's transport until it writes, and turns one bit of that over."""

    def __init__(self, connection: Connection, rng: random.Random) -> None:
        self._connection = connection
        self._transport: Any = connection._transport
        self._rng = rng

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: Any) -> None:
        """Write it with one bit turned over, in its second half, which is the message's."""
        damaged = bytearray(data)
        if damaged:
            damaged[self._rng.randrange(len(damaged) // 2, len(damaged))] ^= 1 << self._rng.randrange(8)
        if self._connection._transport is self:  # type: ignore[comparison-overlap]  # it stands in
            self._connection._transport = self._transport
        self._transport.write(bytes(damaged))

    def writelines(self, pieces: Iterable[Any]) -> None:
        """The same for several."""
        self.write(b"".join(pieces))

"""The driver: the only module where a protocol machine meets a socket.

It tells the `ProtocolStack` what happened on the network and what time it is, and carries out the effects in order:
messages are encoded and handed to the router, timers become the loop's, connections are held or not, and what concerns
the node above (a neighbour came or went, a broadcast arrived, the replicated map changed) goes to `DriverHost`.
A failed send is told to the stack as `peer_down` in a later loop turn, so machines are never re-entered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Protocol

from partisan_actors.errors import Overloaded, PartisanError
from partisan_actors.ids import NodeId
from partisan_actors.messages import tag_of
from partisan_actors.node.addresses import Addresses
from partisan_actors.node.admission import Admission
from partisan_actors.node.overlay_spans import OverlaySpans
from partisan_actors.node.protocol_counts import ProtocolCounts
from partisan_actors.node.router import Peer, Router
from partisan_actors.node.topics import topic_channel
from partisan_actors.protocols.broadcast.exchange import Gather, Refused
from partisan_actors.protocols.broadcast.handler import HandlerFailed
from partisan_actors.protocols.broadcast.handlers import Handlers
from partisan_actors.protocols.broadcast.lww_map import Changed, Update
from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Deliver,
    Disconnect,
    Evicted,
    JoinRefused,
    NeighbourDown,
    NeighbourUp,
    Send,
    SetTimer,
    StrategyFault,
)
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.wire.channels import BROADCAST, CONTROL
from partisan_actors.wire.codec import decode_message, encode_message, pack
from partisan_actors.wire.frames import Kind

__all__ = ["Driver"]

logger = logging.getLogger(__name__)

# Payloads that users broadcast may have a channel of their own; everything else that a broadcast needs has this one.
_PAYLOADS: Final = ("plumtree.gossip", "flood.flooded")
_BROADCASTING: Final = ("plumtree.", "flood.", "exchange.", "handlers.")

# A timer that is late by more than this waits for as long again, but no longer than the latter.
LATE_S: Final = 0.05
LATE_MOST_S: Final = 1.0

_NOTHING: Final[tuple[object, bytes]] = (None, b"")


class DriverHost(Protocol):
    """Who is told what the stack decided."""

    def neighbour_up(self, node: NodeId) -> None:
        """The overlay has a new neighbour."""
        ...

    def neighbour_down(self, node: NodeId, failed: bool) -> None:
        """The overlay lost a neighbour, or dropped it."""
        ...

    def delivered(self, deliver: Deliver) -> None:
        """A broadcast arrived."""
        ...

    def strategy_fault(self, fault: StrategyFault) -> None:
        """The membership strategy did what it must not."""
        ...

    def join_refused(self, contact: NodeId, reason: str) -> None:
        """`contact` does not take this node in."""
        ...

    def evicted(self, by: NodeId) -> None:
        """`by` has put this node out of the overlay."""
        ...

    def gathered(self, sender: NodeId, updates: Iterable[object]) -> None:
        """A neighbour passed on entries to be published, which come from it or from behind it."""
        ...

    def entry_changed(self, changed: Changed) -> None:
        """The replicated map changed."""
        ...

    def entry_refused(self, refused: Refused) -> None:
        """The replicated map is full."""
        ...

    def handler_failed(self, failed: HandlerFailed) -> None:
        """A broadcast handler of users' raised."""
        ...


class Driver:
    """Runs one stack. Everything happens on the loop's thread."""

    def __init__(
        self,
        stack: ProtocolStack,
        router: Router,
        host: DriverHost,
        book: Addresses,
        loop: asyncio.AbstractEventLoop,
        spans: OverlaySpans | None = None,
    ) -> None:
        self.stack = stack
        self._router = router
        self._host = host
        self._book = book
        self._loop = loop
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._is_closed = False
        # What other machines take: messages by their class, timers by their layer.
        self._receivers: dict[type, Callable[[NodeId, object], None]] = {}
        self._fired: dict[str, Callable[[str], None]] = {}
        self.spans = spans
        self._admission = Admission(loop, partial(self._tell, stack.receive))
        # What was encoded last: broadcasts send the same object to one neighbour after the other.
        self._encoded = _NOTHING
        # Messages of broadcasts that a neighbour missed, as too much was waiting for it; and those nobody could encode.
        self.dropped = 0
        self.unencodable = 0
        self.counts = ProtocolCounts()

    @property
    def handlers(self) -> Handlers | None:
        """The handlers of users' state."""
        return self.stack.handlers

    def attach(
        self,
        layer: str,
        messages: Iterable[type],
        receive: Callable[[NodeId, object], None],
        fired: Callable[[str], None],
    ) -> None:
        """Let another machine have these messages, and the timers whose names begin with its layer and a colon."""
        self._receivers |= dict.fromkeys(messages, receive)
        self._fired[layer] = fired

    def start(self) -> None:
        """Set the stack going."""
        self.carry_out(self.stack.start(self._loop.time()))

    def close(self) -> None:
        """Cancel every timer; later inputs are ignored."""
        self._is_closed = True
        self._admission.close()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # ---- inputs -----------------------------------------------------------------------------------------------

    def join(self, contact: NodeId) -> None:
        """Enter the overlay that `contact` is in."""
        self._tell(self.stack.join, contact)

    def leave(self) -> None:
        """Tell the others that this node goes."""
        self._tell(self.stack.leave)

    def evict(self, node: NodeId) -> None:
        """Put `node` out of the overlay."""
        self._tell(self.stack.evict, node)

    def supersede(self, former: NodeId, later: NodeId) -> None:
        """A node whose life was `former` has started another one, `later`."""
        self._tell(self.stack.supersede, former, later)

    def forget(self) -> None:
        """Empty the replicated map of this node, which is alone."""
        self.stack.forget()

    def peer_up(self, node: NodeId) -> None:
        """A connection to `node` is open."""
        self._tell(self.stack.peer_up, node)

    def peer_down(self, node: NodeId) -> None:
        """`node` could not be reached, or its connection broke."""
        self._tell(self.stack.peer_down, node)

    def on_control(self, sender: Peer, message: list[Any], buffers: object = None) -> None:
        """A control message arrived. Raises ProtocolError when it is malformed."""
        decoded = decode_message(message[1], self._book)
        self.counts.received(decoded)
        receive = self._receivers.get(type(decoded))
        if receive is not None:
            if not self._is_closed:
                receive(sender.node, decoded)
            return
        if type(decoded) is Gather:
            self._host.gathered(sender.node, decoded.updates)
        begun_ns = self.spans.begin() if self.spans is not None else 0
        if type(decoded) in self.stack.joins:
            self._admission.add(sender.node, decoded)
        else:
            self._tell(self.stack.receive, sender.node, decoded)
        if begun_ns and self.spans is not None:
            self.spans.heard(begun_ns, sender.node, decoded)

    def broadcast(self, topic: str, payload: object) -> None:
        """Send `payload` to every other node."""
        self._tell(self.stack.broadcast, topic, payload)

    def broadcast_state(self, topic: str, data: object) -> None:
        """Send what the handler of `topic` makes of `data` to every other node."""
        self._tell(self.stack.broadcast_state, topic, data)

    def cancel_exchanges(self, **which: Any) -> None:
        """End exchanges of handlers."""
        if not self._is_closed:
            self.carry_out(self.stack.cancel_exchanges(self._loop.time(), **which))

    def write(self, key: str, stamp: tuple[int, ...], value: object, *, gather: bool = False) -> None:
        """Write to the replicated map; see `Exchange.write`."""
        self._tell(partial(self.stack.write, gather=gather), key, stamp, value)

    def hear(self, key: str, stamp: tuple[int, ...], value: object) -> None:
        """Somebody has told this node alone of an entry of the map, which it may not have heard of yet."""
        if self.stack.exchange is not None:
            self._tell(self.stack.exchange.merge, [Update(key, stamp, value, 0.0)])

    def _tell(self, stack_input: Callable[..., list[Any]], *arguments: Any) -> None:
        if not self._is_closed:
            self.carry_out(stack_input(*arguments, self._loop.time()))

    # ---- effects ----------------------------------------------------------------------------------------------

    def carry_out(self, effects: Iterable[Any]) -> None:
        """Do what a machine answered."""
        if self._is_closed:
            return
        for effect in effects:
            match effect:
                case Send(NodeId() as peer, message):
                    self._send(peer, message)
                case SetTimer(name, delay_s):
                    self._cancel(name)
                    due = self._loop.time() + delay_s
                    self._timers[name] = self._loop.call_later(delay_s, self._fire, name, due)
                case CancelTimer(name):
                    self._cancel(name)
                case Connect(NodeId() as peer):
                    self._hold(peer)
                case Disconnect(NodeId() as peer):
                    self._router.peer(peer).is_held = False
                case NeighbourUp(NodeId() as peer):
                    self._host.neighbour_up(peer)
                case NeighbourDown(NodeId() as peer, failed):
                    self.counts.lost_neighbours += failed
                    self._host.neighbour_down(peer, failed)
                case Deliver():
                    self.counts.arrived(effect.hops)
                    self._host.delivered(effect)
                case JoinRefused(NodeId() as contact, reason):
                    self._host.join_refused(contact, reason)
                case Evicted(NodeId() as by):
                    self._host.evicted(by)
                case StrategyFault():
                    self._host.strategy_fault(effect)
                case Changed():
                    self._host.entry_changed(effect)
                case Refused():
                    self._host.entry_refused(effect)
                case HandlerFailed():
                    self._host.handler_failed(effect)
        self._encoded = _NOTHING

    def _send(self, node: NodeId, message: object) -> None:
        if self._is_over(node):
            return
        tag = tag_of(message) or ""
        self.counts.sent[tag] += 1
        peer = self._router.peer(node)
        channel = BROADCAST if tag.startswith(_BROADCASTING) else CONTROL
        if tag in _PAYLOADS:
            own = topic_channel(message.topic)  # type: ignore[attr-defined]  # as both have
            channel = own if own in peer.lanes else channel
        try:
            last, packed = self._encoded
            if message is not last:
                packed = pack([Kind.CONTROL, encode_message(message, self._book)])
                self._encoded = (message, packed)
        except (TypeError, ValueError, OverflowError) as error:
            if channel == CONTROL:
                self._host.strategy_fault(_unsendable(message, error))
                return
            # What a user's handler has put in is not plain. The effects that follow are still carried out.
            self.unencodable += 1
            logger.exception("a %s could not be sent: what is in it is not plain", tag)
            return
        try:
            peer.send(packed, channel)
        except Overloaded:
            # It is slow, and not gone: whether it is down is for the keep-alive to say.
            if channel == CONTROL:
                self._loop.call_soon(self.peer_down, node)
            else:
                self.dropped += 1
        except PartisanError:
            self._loop.call_soon(self.peer_down, node)

    def _is_over(self, node: NodeId) -> bool:
        """Whether that life has ended: whoever speaks of it is told so, and it is not dialled."""
        later = self._book.later_life(node)
        if later is not None:
            self._loop.call_soon(self.supersede, node, later)
        return later is not None

    def _hold(self, node: NodeId) -> None:
        if self._is_over(node):
            return
        peer = self._router.peer(node)
        peer.is_held = True
        if peer.is_connected:
            self._loop.call_soon(self.peer_up, node)
        elif not self._router.connect(peer):
            self._loop.call_soon(self.peer_down, node)

    def _fire(self, name: str, due: float) -> None:
        layer, _, own_name = name.partition(":")
        fired = self._fired.get(layer)
        late_s = self._loop.time() - due
        if late_s >= 0.0:  # not one that waited once more
            self.counts.lag.observe(int(late_s * 1e9))
            self._admission.timer_was_late(late_s)
        # A machine of its own is told at once: that its timers are late is what the detector is waiting for.
        if fired is None and late_s > LATE_S:
            # The loop was stalled. What the timer waits for may have come meanwhile, and is read first.
            self._timers[name] = self._loop.call_later(min(late_s, LATE_MOST_S), self._fire, name, float("inf"))
            return
        self._timers.pop(name, None)
        if fired is None:
            self._tell(self.stack.timer_fired, name)
        else:
            fired(own_name)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()


def _unsendable(message: object, error: Exception) -> StrategyFault:
    kind = type(message)
    what = f"sent a {kind.__name__} with a value that no message can hold"
    return StrategyFault(kind.__module__, what, f"{what}: {error}", "", error)

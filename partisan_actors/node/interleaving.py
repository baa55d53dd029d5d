"""Large messages leave the lanes to small ones: their buffers travel on the bulk channel, their heads in their place.

The rules this file keeps (`protocols.delivery.turns` has the algorithm):

1. A message with BULK_BYTES_MIN of buffers or more, on a channel that interleaves, is split if its lane is open and the
   bulk channel is, or can be dialled. Otherwise it goes whole, in its place: what is relayed is one stream anyway.
2. What its sender sends the same receiver later waits over there for the buffers. Nothing else does.
3. While nothing large is under way to a peer, `Peer.direct` is its lane of calls, and a plain call looks at nothing
   else. It is None meanwhile.
4. When the connection with the buffers breaks, the receiver is told, on the lanes of their heads. Whoever called hears
   ActorUnavailable; what was held back goes on.

Answers have no order but their own: a large one travels on the bulk channel as it is (`Peer.reply_large`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from partisan_actors.errors import PartisanError, ProtocolError
from partisan_actors.ids import NodeId
from partisan_actors.node.answering import peer_behind
from partisan_actors.node.router import Buffers, Peer, Router, lane_of
from partisan_actors.protocols.delivery.turns import HELD_MAX, PATIENCE_S, Arrivals, Departures, Ready
from partisan_actors.wire.channels import BULK, ChannelOptions
from partisan_actors.wire.codec import pack
from partisan_actors.wire.frames import BULK_BYTES_MIN, Kind
from partisan_actors.wire.in_turn import IN_TURN_FIELDS, in_turn, stream_of

__all__ = ["Interleaving", "InterleavingHost"]

logger = logging.getLogger(__name__)

# How often somebody looks whether what is waited for still makes progress.
TICK_S: Final = PATIENCE_S / 6
# What may be in turn: messages for actors, and answers.
_IN_TURN: Final = frozenset({*range(Kind.CALL, Kind.REPLY_ERROR + 1), Kind.ACKED, Kind.MAPPED})


class InterleavingHost(Protocol):
    """What this needs of its node."""

    loop: asyncio.AbstractEventLoop
    dispatch: list[Callable[..., None]]


class Interleaving:
    """What one node sends and receives on the bulk channel, and what waits for it."""

    def __init__(
        self, host: InterleavingHost, router: Router, channels: Mapping[str, ChannelOptions], is_observer: bool
    ) -> None:
        self._host = host
        self._router = router
        # An observer has one connection, and nobody can dial it.
        self._channels = frozenset(
            name
            for name, options in channels.items()
            if options.leaves_large_to_bulk and name != BULK and not is_observer
        )
        # Of each peer that something is awaited of: the bytes that had come on its bulk channel, and when that changed.
        self._watched: dict[Peer, tuple[int, float]] = {}
        # Who is told of a message that came without its buffers, and why. The actors' floor answers it.
        self.message_lost: Callable[[Peer, list[Any], str], None] = _log
        self._timer: asyncio.TimerHandle | None = None
        self.split_count = 0
        self.lost_count = 0
        router.without_fallback = frozenset(name for name, options in channels.items() if not options.fallback)
        router.send_apart, router.channel_without_order = self.send, self.channel_without_order
        host.dispatch[Kind.IN_TURN] = self.on_in_turn
        host.dispatch[Kind.BULK] = self.on_bulk
        host.dispatch[Kind.BULK_ARRIVED] = self.on_arrived
        host.dispatch[Kind.BULK_LOST] = self.on_lost

    # ---- leaving ----------------------------------------------------------------------------------------------

    def send(self, peer: Peer, message: bytes, buffers: Buffers, channel: str, affinity: int) -> bool:
        """Send a large message in two parts. False, and nothing is sent, when it has to go whole: see rule 1.

        Raises NodeDown and Overloaded.
        """
        stream = stream_of(channel, affinity)
        if not self._goes_by_bulk(peer, buffers, channel):
            return False
        channel, index = peer.lane_for(channel, affinity)
        if peer.lanes[channel][index] is None:
            return False
        if peer.departures is None:
            peer.departures = Departures()
        _, lane = peer.lane_for(BULK, affinity)
        transfer = peer.departures.begin(stream, (channel, index), lane)
        peer.direct = None
        try:
            peer.send_on(channel, index, in_turn(message, stream, transfer), None)
            peer.send_on(BULK, lane, pack([Kind.BULK, transfer]), buffers)
        except PartisanError:
            self._end(peer, transfer)
            self._say_lost(peer, [(transfer, (channel, index))])
            raise
        self.split_count += 1
        return True

    def channel_without_order(self, peer: Peer, buffers: Buffers, channel: str) -> str:
        """The channel for a message that no order binds, if `channel` is the one for smaller ones of its kind."""
        return BULK if self._goes_by_bulk(peer, buffers, channel) else channel

    def _goes_by_bulk(self, peer: Peer, buffers: Buffers, channel: str) -> bool:
        return (
            channel in self._channels
            and sum(map(len, buffers)) >= BULK_BYTES_MIN
            and not peer.is_self
            and self._router.can_use(peer, BULK)
        )

    def _end(self, peer: Peer, transfer: int) -> None:
        departures = peer.departures
        if departures is not None:
            departures.end(transfer)
            if not departures.streams:
                peer.direct = peer.calls

    def _say_lost(self, peer: Peer, lost: Iterable[tuple[int, tuple[str, int]]]) -> None:
        lanes: dict[tuple[str, int], list[int]] = {}
        for transfer, lane in lost:
            lanes.setdefault(lane, []).append(transfer)
        for (channel, index), transfers in lanes.items():
            with suppress(PartisanError):  # then it finds out by itself, later
                peer.send_on(channel, index, pack([Kind.BULK_LOST, *transfers]), None)

    def bulk_lost(self, peer: Peer, lane: int) -> None:
        """A lane of the bulk channel to `peer` broke, or cannot be opened: what was under way on it is lost."""
        departures = peer.departures
        if departures is None:
            return
        lost = departures.end_lane(lane)
        if not departures.streams:
            peer.direct = peer.calls
        if peer.down is None:
            self._say_lost(peer, lost)

    def on_arrived(self, peer: Peer, message: list[Any], buffers: object = None) -> None:
        """The other side has the buffers of a transfer of ours."""
        self._end(peer, message[1])

    # ---- arriving ---------------------------------------------------------------------------------------------

    def on_in_turn(self, peer: Peer, message: list[Any], buffers: Buffers | None = None) -> None:
        """A message in turn arrived, with its buffers or without. Another one may stand for the peer."""
        sender, peer = peer, peer_behind(peer)
        _, stream, transfer, *_ = message
        item = message[IN_TURN_FIELDS:]
        if not (type(stream) is int and type(transfer) is int and item and item[0] in _IN_TURN):
            raise ProtocolError("a message in turn that is none")
        arrivals = peer.arrivals
        if arrivals is None:
            arrivals = peer.arrivals = Arrivals()
        try:
            ready = arrivals.take(stream, transfer, (sender, item), buffers, self._host.loop.time())
        except ValueError as error:
            raise ProtocolError(str(error)) from error
        except OverflowError:
            self._lost(sender, item, f"{HELD_MAX} messages of node {peer} wait for large ones already")
            return
        self._deliver(ready)
        self._watch(peer)

    def on_bulk(self, peer: Peer, message: list[Any], buffers: Buffers | None = None) -> None:
        """The buffers of a transfer arrived."""
        transfer = message[1]
        if type(transfer) is not int or buffers is None:
            raise ProtocolError("a transfer without its number or its buffers")
        arrivals = peer.arrivals
        if arrivals is None:
            arrivals = peer.arrivals = Arrivals()
        ready = arrivals.arrived(transfer, buffers, self._host.loop.time())
        self._say_arrived(peer, transfer)
        self._deliver(ready)
        self._watch(peer)

    def on_lost(self, peer: Peer, message: list[Any], buffers: object = None) -> None:
        """The other side says that transfers will not come."""
        for transfer in message[1:]:
            self._give_up(peer, transfer, "the connection that its large arguments came on broke")

    def _say_arrived(self, peer: Peer, transfer: int) -> None:
        with suppress(PartisanError):  # then the other side goes on to mark what it sends, which costs bytes only
            peer.send(pack([Kind.BULK_ARRIVED, transfer]))

    def _deliver(self, ready: Iterable[Ready]) -> None:
        dispatch = self._host.dispatch
        for (sender, item), buffers in ready:
            handler = dispatch[item[0]]
            try:
                handler(sender, item) if buffers is None else handler(sender, item, buffers)
            except Exception:  # whatever is wrong with one message, it must not cost those that follow
                logger.exception("a message that %s sent beside a large one could not be handled", sender)

    def _give_up(self, peer: Peer, transfer: int, why: str) -> None:
        if peer.arrivals is None:
            return
        lost, ready = peer.arrivals.give_up(transfer)
        if lost is not None:
            sender, item = lost
            self._lost(sender, item, why)
        self._deliver(ready)

    def _lost(self, peer: Peer, item: list[Any], why: str) -> None:
        self.lost_count += 1
        self.message_lost(peer, item, why)

    # ---- patience ---------------------------------------------------------------------------------------------

    def _watch(self, peer: Peer) -> None:
        if peer.arrivals is None or peer.arrivals.is_idle:
            self._watched.pop(peer, None)
            return
        if peer not in self._watched:
            self._watched[peer] = (_bulk_bytes(peer), self._host.loop.time())
        if self._timer is None:
            self._timer = self._host.loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._host.loop.time()
        for peer, (seen, heard_at) in list(self._watched.items()):
            count = _bulk_bytes(peer)
            if count != seen:
                heard_at = now
                self._watched[peer] = count, now
            for transfer in peer.arrivals.expired(now, heard_at) if peer.arrivals is not None else ():
                self._give_up(peer, transfer, f"its large arguments did not come within {PATIENCE_S:g} s")
                self._say_arrived(peer, transfer)
            self._watch(peer)

    def forget(self, node: NodeId) -> None:
        """That life of that node is over: nothing more comes, and what only waited for its turn has it now."""
        peer = self._router.peers.get(node)
        if peer is None:
            return
        peer.departures = None
        arrivals, peer.arrivals = peer.arrivals, None
        self._watched.pop(peer, None)
        if arrivals is not None:
            for transfer in arrivals.waiting():
                self._deliver(arrivals.give_up(transfer)[1])

    def close(self) -> None:
        """The node stops: look after nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._watched.clear()


def _log(peer: Peer, message: list[Any], why: str) -> None:
    logger.warning("a message of kind %r from node %s was lost: %s", message[0], peer.node, why)


def _bulk_bytes(peer: Peer) -> int:
    return sum(connection.bytes_in for connection in peer.open if lane_of(connection)[0] == BULK)

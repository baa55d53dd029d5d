"""`ProtocolStack`: one node's membership, broadcast and exchange wired together, for a socket and a simulator alike.

A driver tells the stack what happened and carries out what it answers; it never meets the machines inside. The wiring:

* a message goes to the layer that declares its class in `messages`; a class that no other layer declares
  belongs to the membership strategy, which may be a user's own;
* a strategy that has no way of its own to evict is made to leave by the stack, when it is told `Evict`;
* the strategy's NeighbourUp and NeighbourDown go out, then to broadcast and exchange, in that order;
* what broadcast delivers is opened, if it came sealed, and goes out as Deliver; what nobody can read is dropped, and
  counted in `unreadable`. Under EXCHANGE_TOPIC it is merged into the map too, after that, so that whoever learns ways
  from broadcasts knows one to a node when it first hears of it;
* what the map publishes is broadcast under EXCHANGE_TOPIC;
* handlers of users have topics of their own, told by `state_topic`: what broadcast delivers under one is merged there;
* a failure detector, where there is one, watches the neighbours, and takes whatever comes from one for a sign of life.
  What it finds goes out, and the driver answers that a peer is Confirmed to be down with `peer_down`;
* a timer's name carries its layer, so that layers cannot collide.

Effects keep the order in which the layers gave them: what an effect led to stands where that effect stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from partisan_actors.errors import ConfigError, ProtocolError
from partisan_actors.messages import Sealed
from partisan_actors.protocols.broadcast.exchange import EXCHANGE_TOPIC, ExchangeEffect, Publish, Refused
from partisan_actors.protocols.broadcast.handler import HandlerEffect, HandlerFailed
from partisan_actors.protocols.broadcast.handlers import Handlers
from partisan_actors.protocols.broadcast.lww_map import Changed, Entry, Stamp
from partisan_actors.protocols.broadcast.plumtree import HEARTBEAT_TOPIC
from partisan_actors.protocols.contained import Contained
from partisan_actors.protocols.detector.opinions import DetectorEffect
from partisan_actors.protocols.detector.swim import Swim
from partisan_actors.protocols.machine import (
    CancelTimer,
    Deliver,
    Effect,
    Evicted,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.protocols.membership.strategy import Evict, Evicting, MembershipStrategy, Superseding

__all__ = ["STATE_PREFIX", "Broadcast", "ProtocolStack", "ReplicatedMap", "StackEffect", "is_state", "state_topic"]

StackEffect: TypeAlias = Effect | Changed | Refused | HandlerFailed | DetectorEffect

_MEMBERSHIP, _BROADCAST, _EXCHANGE, _HANDLERS = "membership", "broadcast", "exchange", "handlers"
_DETECTOR = "detector"

# What handlers broadcast goes under "state/CHANNEL/TOPIC", so that whoever passes it on knows the channel.
STATE_PREFIX = "state/"


def state_topic(handler_topic: str, channel: str) -> str:
    """The topic under which a handler's payloads travel."""
    return f"{STATE_PREFIX}{channel}/{handler_topic}"


def is_state(topic: str) -> bool:
    """Whether broadcasts of that topic are of state, so that who misses one gets it later, by comparing notes."""
    return topic == EXCHANGE_TOPIC or topic.startswith(STATE_PREFIX)


class Broadcast(Protocol):
    """What the stack needs of a broadcast: `plumtree.Plumtree`, `flood.Flood` or another."""

    @property
    def messages(self) -> tuple[type, ...]:
        """The message classes that this layer receives."""
        ...

    def links(self, root: Peer | None = None) -> dict[Peer, bool]:
        """The neighbours, and whether each is eager in the tree of `root`; of this node when there is none."""
        ...

    def start(self, now: float) -> list[Effect]: ...

    def broadcast(self, topic: str, payload: object, now: float) -> list[Effect]: ...

    def neighbour_up(self, peer: Peer, now: float) -> list[Effect]: ...

    def neighbour_down(self, peer: Peer, now: float) -> list[Effect]: ...

    def leave(self, now: float) -> list[Effect]: ...

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]: ...

    def timer_fired(self, name: str, now: float) -> list[Effect]: ...


class ReplicatedMap(Protocol):
    """What the stack needs of a replicated map: `exchange.Exchange` or another."""

    @property
    def messages(self) -> tuple[type, ...]:
        """The message classes that this layer receives."""
        ...

    def start(self, now: float) -> list[ExchangeEffect]: ...

    def get(self, key: str) -> Entry | None: ...

    def items(self, prefix: str = "") -> Iterator[tuple[str, Entry]]: ...

    def write(
        self, key: str, stamp: Stamp, value: object, now: float, *, gather: bool = False
    ) -> list[ExchangeEffect]: ...

    def leave(self, now: float) -> list[ExchangeEffect]: ...

    def merge(self, updates: Iterable[object], now: float) -> list[ExchangeEffect]: ...

    def published(self, origin: Peer, sender: Peer, updates: Iterable[object], now: float) -> None: ...

    def peer_down(self, peer: Peer, now: float) -> list[ExchangeEffect]: ...

    def gone(self, peer: Peer) -> None: ...

    def clear(self) -> None: ...

    def neighbour_up(self, peer: Peer, now: float) -> list[ExchangeEffect]: ...

    def neighbour_down(self, peer: Peer, now: float) -> list[ExchangeEffect]: ...

    def receive(self, sender: Peer, message: object, now: float) -> list[ExchangeEffect]: ...

    def timer_fired(self, name: str, now: float) -> list[ExchangeEffect]: ...


class ProtocolStack:
    """The layers of one node as one machine. `joins`: the strategy's messages by which newcomers ask to be taken in.

    `exchange` None: a node without a replicated map. `handlers` None: one without state of users. `detector` None: one
    that hears of failures by other means, as real nodes do, whose detector knows of connections and records, too.
    """

    def __init__(
        self,
        me: Peer,
        strategy: MembershipStrategy,
        broadcast: Broadcast,
        exchange: ReplicatedMap | None = None,
        handlers: Handlers | None = None,
        detector: Swim | None = None,
    ) -> None:
        self.me = me
        self.strategy = strategy
        self.broadcasting = broadcast
        self.exchange = exchange
        self.handlers = handlers
        self.detector = detector
        inner = strategy.inner if isinstance(strategy, Contained) else strategy
        self._evicts_itself = isinstance(inner, Evicting)
        self._is_in = False
        self.unreadable = 0  # broadcasts
        inner = strategy.inner if isinstance(strategy, Contained) else strategy
        self.joins: frozenset[type] = frozenset(getattr(inner, "joins", ()))
        self._handler_types = frozenset(handlers.messages if handlers is not None else ())
        self._broadcast_types = frozenset(broadcast.messages)
        self._detector_types = frozenset(detector.messages if detector is not None else ())
        self._exchange_types = frozenset(exchange.messages if exchange is not None else ())

    @property
    def neighbours(self) -> Sequence[Peer]:
        """The strategy's neighbours, in its order."""
        return self.strategy.neighbours

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        """The strategy's views, for people to look at."""
        return self.strategy.views

    def start(self, now: float) -> list[StackEffect]:
        """The node is up and knows nobody yet."""
        self._is_in = True
        effects = self._membership(self.strategy.start(now), now)
        effects += self._broadcasting(self.broadcasting.start(now), now)
        if self.exchange is not None:
            effects += self._exchanging(self.exchange.start(now), now)
        if self.handlers is not None:
            effects += _of_handlers(self.handlers.start(now))
        if self.detector is not None:
            effects += _of_detector(self.detector.start(now))
        return effects

    def join(self, contact: Peer, now: float) -> list[StackEffect]:
        """Enter the overlay that `contact` is in. May be called again, with other contacts, at any time."""
        self._is_in = True
        return self._membership(self.strategy.join(contact, now), now)

    def leave(self, now: float) -> list[StackEffect]:
        """Tell the others that this node goes, and forget them; what was still to be broadcast goes out before."""
        self._is_in = False
        effects = self._exchanging(self.exchange.leave(now), now) if self.exchange is not None else []
        effects += self._broadcasting(self.broadcasting.leave(now), now)
        return effects + self._membership(self.strategy.leave(now), now)

    def evict(self, peer: Peer, now: float) -> list[StackEffect]:
        """Remove `peer` from the overlay: in the strategy's own way, or by telling it to leave."""
        if isinstance(self.strategy, Evicting) and self._evicts_itself:
            return self._membership(self.strategy.evict(peer, now), now)
        return [Send(peer, Evict())] if peer != self.me else []

    def _on_evict(self, sender: Peer, now: float) -> list[StackEffect]:
        was_in, self._is_in = self._is_in, False
        return self._membership([*self.strategy.leave(now), Evicted(sender)], now) if was_in else []

    def supersede(self, former: Peer, later: Peer, now: float) -> list[StackEffect]:
        """The node whose life was `former` has started another one, `later`. See `strategy.Superseding`."""
        if isinstance(self.strategy, Superseding):
            return self._membership(self.strategy.supersede(former, later, now), now)
        return self.peer_down(former, now)

    def gone(self, peer: Peer) -> None:
        """`peer` is over, as its record says: whoever has to do with it finds that out by other means."""
        if self.exchange is not None:
            self.exchange.gone(peer)

    def forget(self) -> None:
        """Empty the replicated map, tombstones too: for a node that has left and is alone."""
        if self.exchange is not None:
            self.exchange.clear()

    def receive(self, sender: Peer, message: object, now: float) -> list[StackEffect]:
        """`message` arrived from `sender`."""
        if self.detector is None:
            return self._receive(sender, message, now)
        if type(message) in self._detector_types:
            return _of_detector(self.detector.receive(sender, message, now))
        return _of_detector(self.detector.heard(sender, now)) + self._receive(sender, message, now)

    def _receive(self, sender: Peer, message: object, now: float) -> list[StackEffect]:
        kind = type(message)
        if kind in self._broadcast_types:
            return self._broadcasting(self.broadcasting.receive(sender, message, now), now)
        if self.exchange is not None and kind in self._exchange_types:
            return self._exchanging(self.exchange.receive(sender, message, now), now)
        if self.handlers is not None and kind in self._handler_types:
            return _of_handlers(self.handlers.receive(sender, message, now))
        if kind is Evict and not self._evicts_itself:
            return self._on_evict(sender, now)
        return self._membership(self.strategy.receive(sender, message, now), now)

    def peer_up(self, peer: Peer, now: float) -> list[StackEffect]:
        """A connection to `peer` is open, whoever opened it."""
        return self._membership(self.strategy.peer_up(peer, now), now)

    def peer_down(self, peer: Peer, now: float) -> list[StackEffect]:
        """`peer` could not be reached, its connection broke, or the failure detector gave it up."""
        effects = _of_detector(self.detector.peer_down(peer, now)) if self.detector is not None else []
        effects += self._membership(self.strategy.peer_down(peer, now), now)
        return effects + (
            self._exchanging(self.exchange.peer_down(peer, now), now) if self.exchange is not None else []
        )

    def timer_fired(self, name: str, now: float) -> list[StackEffect]:
        """A timer the stack set ran out."""
        layer, _, own_name = name.partition(":")
        if layer == _BROADCAST:
            return self._broadcasting(self.broadcasting.timer_fired(own_name, now), now)
        if layer == _EXCHANGE and self.exchange is not None:
            return self._exchanging(self.exchange.timer_fired(own_name, now), now)
        if layer == _HANDLERS and self.handlers is not None:
            return _of_handlers(self.handlers.timer_fired(own_name, now))
        if layer == _DETECTOR and self.detector is not None:
            return _of_detector(self.detector.timer_fired(own_name, now))
        return self._membership(self.strategy.timer_fired(own_name, now), now)

    def broadcast(self, topic: str, payload: object, now: float) -> list[StackEffect]:
        """Send `payload` to every other node, whose subscribers of `topic` get a Deliver; there is none on this node.

        Raises ConfigError for EXCHANGE_TOPIC, HEARTBEAT_TOPIC and what begins as `state_topic` does: the stack's own.
        """
        if topic in (EXCHANGE_TOPIC, HEARTBEAT_TOPIC) or topic.startswith(STATE_PREFIX):
            raise ConfigError("topic", topic, "any name but this one, which the protocols use themselves")
        return self._broadcasting(self.broadcasting.broadcast(topic, payload, now), now)

    def broadcast_state(self, topic: str, data: object, now: float) -> list[StackEffect]:
        """Let the handler of `topic` say what `data` is, and broadcast that to the handlers of all other nodes.

        Raises ConfigError when no handler has that topic, and whatever its `broadcast_data` raises.
        """
        if self.handlers is None:
            raise ConfigError("handlers", None, "a Handlers, for a node that broadcasts state of users")
        pair = self.handlers.split(topic, data)
        channel = getattr(self.handlers.handler(topic), "channel", "broadcast")
        return self._broadcasting(self.broadcasting.broadcast(state_topic(topic, channel), pair, now), now)

    def cancel_exchanges(
        self, now: float, *, topic: str | None = None, peer: Peer | None = None, number: int | None = None
    ) -> list[StackEffect]:
        """End exchanges of handlers; see `Handlers.cancel`."""
        if self.handlers is None:
            return []
        return _of_handlers(self.handlers.cancel(topic=topic, peer=peer, number=number))

    def write(self, key: str, stamp: Stamp, value: object, now: float, *, gather: bool = False) -> list[StackEffect]:
        """Write to the replicated map; see `Exchange.write`. Raises ConfigError when this node has none."""
        if self.exchange is None:
            raise ConfigError("exchange", None, "an Exchange, for a node that writes to the replicated map")
        return self._exchanging(self.exchange.write(key, stamp, value, now, gather=gather), now)

    def _membership(self, effects: list[Effect], now: float) -> list[StackEffect]:
        for effect in effects:
            if type(effect) is not Send:
                break
        else:  # nearly always: nothing to name anew, nobody to tell
            return effects  # type: ignore[return-value]  # who gives effects away keeps no hold of their list
        out: list[StackEffect] = []
        for effect in effects:
            kind = type(effect)
            if kind is SetTimer or kind is CancelTimer:
                out.append(_in_layer(_MEMBERSHIP, effect))
                continue
            out.append(effect)
            if kind is NeighbourUp or kind is NeighbourDown:
                out += self._tell_neighbour(effect, now)
        return out

    def _tell_neighbour(self, effect: Effect, now: float) -> list[StackEffect]:
        out: list[StackEffect] = []
        match effect:
            case NeighbourUp(peer):
                out += self._broadcasting(self.broadcasting.neighbour_up(peer, now), now)
                if self.exchange is not None:
                    out += self._exchanging(self.exchange.neighbour_up(peer, now), now)
                if self.handlers is not None:
                    out += _of_handlers(self.handlers.neighbour_up(peer, now))
                if self.detector is not None:
                    out += _of_detector(self.detector.watch(peer, now))
            case NeighbourDown(peer):
                out += self._broadcasting(self.broadcasting.neighbour_down(peer, now), now)
                if self.exchange is not None:
                    out += self._exchanging(self.exchange.neighbour_down(peer, now), now)
                if self.handlers is not None:
                    out += _of_handlers(self.handlers.neighbour_down(peer, now))
                if self.detector is not None:
                    out += _of_detector(self.detector.unwatch(peer, now))
        return out

    def _broadcasting(self, effects: list[Effect], now: float) -> list[StackEffect]:
        out: list[StackEffect] = []
        for effect in effects:
            if type(effect) is Deliver and type(effect.payload) is Sealed:
                try:
                    effect = replace(effect, payload=effect.payload.open())
                except ProtocolError:
                    # Not for the neighbour to answer for: it has passed on what it did not open.
                    self.unreadable += 1
                    continue
            match effect:
                case SetTimer() | CancelTimer():
                    out.append(_in_layer(_BROADCAST, effect))
                case Deliver(topic, origin, sender, _, payload) if topic == EXCHANGE_TOPIC:
                    out.append(effect)
                    # A node without a map passes it on in the tree and has no use for it.
                    if self.exchange is not None and isinstance(payload, list | tuple):
                        self.exchange.published(origin, sender, payload, now)
                        out += self._exchanging(self.exchange.merge(payload, now), now)
                case Deliver(topic=topic, payload=payload) if topic.startswith(STATE_PREFIX):
                    out.append(effect)
                    if self.handlers is not None:
                        name = topic.removeprefix(STATE_PREFIX).partition("/")[2]
                        out += _of_handlers(self.handlers.delivered(name, payload, now))
                case _:
                    out.append(effect)
        return out

    def _exchanging(self, effects: list[ExchangeEffect], now: float) -> list[StackEffect]:
        out: list[StackEffect] = []
        for effect in effects:
            match effect:
                case SetTimer() | CancelTimer():
                    out.append(_in_layer(_EXCHANGE, effect))
                case Publish(updates):
                    out += self._broadcasting(self.broadcasting.broadcast(EXCHANGE_TOPIC, updates, now), now)
                case _:
                    out.append(effect)
        return out


def _of_handlers(effects: list[HandlerEffect]) -> list[StackEffect]:
    return [effect if isinstance(effect, HandlerFailed) else _in_layer(_HANDLERS, effect) for effect in effects]


def _of_detector(effects: list[DetectorEffect]) -> list[StackEffect]:
    return [
        _in_layer(_DETECTOR, effect) if isinstance(effect, SetTimer | CancelTimer) else effect for effect in effects
    ]


def _in_layer(layer: str, effect: Effect) -> Effect:
    match effect:
        case SetTimer(name, delay_s):
            return SetTimer(f"{layer}:{name}", delay_s)
        case CancelTimer(name):
            return CancelTimer(f"{layer}:{name}")
    return effect

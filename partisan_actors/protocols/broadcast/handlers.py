"""`Handlers`: state of users that broadcasts carry about, and that exchanges between two nodes repair.

A `BroadcastHandler` keeps some state of its own, made of things with ids. What one node broadcasts, the handler of the
same topic merges on every other; what a node missed, because it was cut off or joined later, it gets when its handler
is compared with that of a neighbour, every `period_s`:

    HandlerOffer    ids that the beginner holds        ->
                                                       <-  HandlerWant     of them, those that are not stale here,
                                                                           and other ids that are held here
    HandlerGrafted  what was wanted, and which of those ids are not stale  ->
                                                       <-  HandlerGrafted  what was wanted back

Rules kept here:

1. At most one exchange a handler, and `exchanges_max` in all, are under way that this node began; one that is not over
   after `exchange_timeout_s`, or whose peer is no neighbour any more, is given up. Who is asked keeps no state of it.
2. A message names at most `ids_max` ids. A handler that holds more has some of them compared, drawn at random, so that
   repeated exchanges come to all; and at most `grafts_max` payloads go either way in one exchange.
3. Whatever a handler raises is caught, counted in `failed`, and told as `HandlerFailed`; nothing else stops.

The callbacks are Partisan's. There, `is_stale` and `graft` serve the broadcast tree too; here the tree knows by itself
what was seen and keeps what may be grafted (see `plumtree`), so they serve exchanges only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar

from partisan_actors.errors import ConfigError
from partisan_actors.protocols.broadcast.handler import (
    BroadcastHandler,
    HandlerEffect,
    HandlerFailed,
    HandlerGrafted,
    HandlerId,
    HandlerOffer,
    HandlerWant,
)
from partisan_actors.protocols.machine import CancelTimer, Peer, Send, SetTimer
from partisan_actors.values import dataclass

__all__ = ["ExchangeRef", "HandlerOptions", "Handlers"]

_PERIOD_TIMER = "period"
SELECTIONS = ("optimized", "normal")


@dataclass(frozen=True, slots=True)
class ExchangeRef:
    """An exchange that this node began and that is not over."""

    number: int
    topic: str
    peer: Peer


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """The bounds and times of `Handlers`. Raises ConfigError when a value makes no sense.

    `selection` "optimized" prefers neighbours that the broadcast tree does not lead to, as they are more likely to have
    something else; "normal" takes any.
    """

    period_s: float = 10.0  # between exchanges of one handler, give or take a quarter
    exchange_timeout_s: float = 5.0
    exchanges_max: int = 4
    selection: str = "optimized"
    ids_max: int = 512  # in one message
    grafts_max: int = 64  # payloads wanted in one exchange; the next exchanges bring the others
    handlers_max: int = 64

    def __post_init__(self) -> None:
        for name in ("period_s", "exchange_timeout_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(name, getattr(self, name), "seconds, more than 0")
        for name in ("exchanges_max", "ids_max", "grafts_max", "handlers_max"):
            if getattr(self, name) < 1:
                raise ConfigError(name, getattr(self, name), "1 or more")
        if self.selection not in SELECTIONS:
            raise ConfigError("selection", self.selection, " or ".join(SELECTIONS))


class Handlers:
    """The handlers of one node. Effects: Send, SetTimer, CancelTimer, HandlerFailed."""

    messages: ClassVar[tuple[type, ...]] = (HandlerOffer, HandlerWant, HandlerGrafted)

    def __init__(
        self, me: Peer, options: HandlerOptions, rng: random.Random, lazy: Callable[[], Sequence[Peer]] = tuple
    ) -> None:
        """`lazy` tells the neighbours that the broadcast tree does not lead to. `me` is not used; see `Exchange`."""
        self._options = options
        self._rng = rng
        self._lazy = lazy
        self._handlers: dict[str, BroadcastHandler] = {}
        self._neighbours: dict[Peer, None] = {}
        self._running: dict[int, ExchangeRef] = {}
        self._last_number = 0
        self._failures: list[HandlerEffect] = []  # of the input that is being handled
        self.merged = 0  # payloads that were news
        self.stale = 0  # payloads that were not
        self.failed = 0  # what handlers raised
        self.timed_out = 0  # exchanges

    @property
    def exchanges(self) -> list[ExchangeRef]:
        """The exchanges under way that this node began, the oldest first."""
        return list(self._running.values())

    def handler(self, topic: str) -> BroadcastHandler | None:
        """The handler of `topic`."""
        return self._handlers.get(topic)

    def add(self, handler: BroadcastHandler) -> None:
        """Have `handler` keep its topic. Raises ConfigError when the topic has one, or there are too many."""
        topic = handler.topic
        if not isinstance(topic, str) or not topic:
            raise ConfigError("topic", topic, "a name that is not empty")
        if topic in self._handlers:
            raise ConfigError("topic", topic, "a topic that has no handler yet")
        if len(self._handlers) >= self._options.handlers_max:
            raise ConfigError("topic", topic, f"at most {self._options.handlers_max} topics with handlers")
        self._handlers[topic] = handler

    def remove(self, topic: str) -> list[HandlerEffect]:
        """Forget the handler of `topic`, if there is one, and its exchange."""
        self._handlers.pop(topic, None)
        return self.cancel(topic=topic)

    def cancel(
        self, *, topic: str | None = None, peer: Peer | None = None, number: int | None = None
    ) -> list[HandlerEffect]:
        """End the exchanges that are of `topic`, with `peer` and of that `number`, as far as given; without any, all.

        What their peers still send is ignored; what was merged stays.
        """
        ended = [
            ref
            for ref in self._running.values()
            if topic in (None, ref.topic) and peer in (None, ref.peer) and number in (None, ref.number)
        ]
        return [self._end(ref) for ref in ended]

    def start(self, now: float) -> list[HandlerEffect]:
        """The node is up: set the period going."""
        return [self._next_period()]

    def neighbour_up(self, peer: Peer, now: float) -> list[HandlerEffect]:
        """`peer` is a neighbour now."""
        self._neighbours[peer] = None
        return []

    def neighbour_down(self, peer: Peer, now: float) -> list[HandlerEffect]:
        """`peer` is no neighbour any more: its exchanges are over."""
        self._neighbours.pop(peer, None)
        return self.cancel(peer=peer)

    def split(self, topic: str, data: object) -> tuple[HandlerId, object]:
        """`data` as the handler of `topic` wants it broadcast. Raises ConfigError without one, and what it raises."""
        handler = self._handlers.get(topic)
        if handler is None:
            raise ConfigError("topic", topic, f"one with a handler: {', '.join(sorted(self._handlers)) or 'none'}")
        message_id, payload = handler.broadcast_data(data)
        return message_id, payload

    def delivered(self, topic: str, payload: object, now: float) -> list[HandlerEffect]:
        """A broadcast of that topic arrived. One that is no pair of id and payload is ignored."""
        handler = self._handlers.get(topic)
        if handler is None or not isinstance(payload, list | tuple) or len(payload) != 2:
            return []
        self._merge(handler, [(payload[0], payload[1])])
        return self._with_failures([])

    def receive(self, sender: Peer, message: object, now: float) -> list[HandlerEffect]:
        """One of `messages` arrived from `sender`. For a topic without a handler here, the exchange runs out."""
        handler = self._handlers.get(getattr(message, "topic", ""))
        if handler is None:
            return []
        match message:
            case HandlerOffer():
                answer = self._offered(handler, sender, message)
            case HandlerWant():
                answer = self._wanted(handler, sender, message)
            case HandlerGrafted():
                answer = self._grafted(handler, sender, message)
            case _:
                answer = []
        return self._with_failures(answer)

    def timer_fired(self, name: str, now: float) -> list[HandlerEffect]:
        """A period is over, or an exchange has taken too long."""
        if name == _PERIOD_TIMER:
            return [self._next_period(), *self._begin_all()]
        ref = self._running.pop(int(name), None)
        if ref is not None:
            self.timed_out += 1
        return []

    def _next_period(self) -> SetTimer:
        return SetTimer(_PERIOD_TIMER, self._options.period_s * self._rng.uniform(0.75, 1.25))

    def _begin_all(self) -> list[HandlerEffect]:
        busy = [ref.topic for ref in self._running.values()]
        # In an order of their own each time: at the bound, the same ones must not always be left out.
        idle = [topic for topic in self._handlers if topic not in busy]
        self._rng.shuffle(idle)
        effects: list[HandlerEffect] = []
        for topic in idle:
            if len(self._running) >= self._options.exchanges_max or not self._neighbours:
                break
            effects += self._begin(self._handlers[topic], self._choose())
        return effects

    def _choose(self) -> Peer:
        others = [peer for peer in self._lazy() if peer in self._neighbours]
        is_optimized = self._options.selection == "optimized"
        return self._rng.choice(others if is_optimized and others else list(self._neighbours))

    def _begin(self, handler: BroadcastHandler, peer: Peer) -> list[HandlerEffect]:
        ids = self._ids(handler, peer)
        if ids is None:
            return self._with_failures([])
        self._last_number += 1
        number = self._last_number
        self._running[number] = ExchangeRef(number, handler.topic, peer)
        timer = SetTimer(str(number), self._options.exchange_timeout_s)
        return self._with_failures([Send(peer, HandlerOffer(handler.topic, number, ids)), timer])

    def _end(self, ref: ExchangeRef) -> CancelTimer:
        del self._running[ref.number]
        return CancelTimer(str(ref.number))

    def _offered(self, handler: BroadcastHandler, sender: Peer, offer: HandlerOffer) -> list[HandlerEffect]:
        offered = offer.ids[: self._options.ids_max]
        held = self._ids(handler, sender, without=offered)
        wanted = self._fresh(handler, offered)
        return [Send(sender, HandlerWant(offer.topic, offer.number, wanted, held or ()))]

    def _wanted(self, handler: BroadcastHandler, sender: Peer, want: HandlerWant) -> list[HandlerEffect]:
        ref = self._running.get(want.number)
        if ref is None or ref.peer != sender or ref.topic != want.topic:
            return []
        wanted_back = self._fresh(handler, want.ids[: self._options.ids_max])
        grafted = self._graft_all(handler, want.wanted)
        if not grafted and not wanted_back:
            return [self._end(ref)]
        return [Send(sender, HandlerGrafted(want.topic, want.number, grafted, wanted_back, is_last=False))]

    def _grafted(self, handler: BroadcastHandler, sender: Peer, message: HandlerGrafted) -> list[HandlerEffect]:
        if not message.is_last:
            self._merge(handler, message.grafted)
            back = self._graft_all(handler, message.wanted)
            return [Send(sender, HandlerGrafted(message.topic, message.number, back, (), is_last=True))]
        ref = self._running.get(message.number)
        if ref is None or ref.peer != sender or ref.topic != message.topic:
            return []
        self._merge(handler, message.grafted)
        return [self._end(ref)]

    # What handlers are asked.

    def _ids(
        self, handler: BroadcastHandler, peer: Peer, without: Sequence[HandlerId] = ()
    ) -> tuple[HandlerId, ...] | None:
        known = frozenset(without)
        ids = self._ask(handler, "exchange", peer)
        if ids is None:
            return None
        others = [each for each in ids if each not in known]
        most = self._options.ids_max
        return tuple(others if len(others) <= most else self._rng.sample(others, most))

    def _fresh(self, handler: BroadcastHandler, ids: Iterable[HandlerId]) -> tuple[HandlerId, ...]:
        # Who fails to say whether it holds something is sent nothing.
        fresh = (each for each in ids if self._ask(handler, "is_stale", each) is False)
        return tuple(islice(fresh, self._options.grafts_max))

    def _graft_all(self, handler: BroadcastHandler, ids: Sequence[HandlerId]) -> tuple[tuple[HandlerId, object], ...]:
        found = [(each, self._ask(handler, "graft", each)) for each in ids[: self._options.grafts_max]]
        return tuple((each, payload) for each, payload in found if payload is not None)

    def _merge(self, handler: BroadcastHandler, pairs: Iterable[tuple[HandlerId, object]]) -> None:
        for message_id, payload in pairs:
            is_news = self._ask(handler, "merge", message_id, payload)
            if is_news is not None:
                self.merged += bool(is_news)
                self.stale += not is_news

    def _ask(self, handler: BroadcastHandler, method: str, *args: Any) -> Any:
        try:
            answer = getattr(handler, method)(*args)
            return _checked_ids(answer) if method == "exchange" and answer is not None else answer
        except Exception as error:  # noqa: BLE001 - code of users: it stops nothing of ours
            self.failed += 1
            self._failures.append(HandlerFailed(handler.topic, method, error))
            return None

    def _with_failures(self, effects: list[HandlerEffect]) -> list[HandlerEffect]:
        failures, self._failures = self._failures, []
        return failures + effects


def _checked_ids(ids: Iterable[HandlerId]) -> list[HandlerId]:
    listed = list(ids)
    for each in listed:
        if type(each) not in (int, str, bytes):
            raise TypeError(f"ids are int, str or bytes, and {each!r} is none of them")
    return listed

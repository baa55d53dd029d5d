"""Containment: a membership strategy that breaks the rules of its interface harms nothing but itself.

`Contained` is a strategy around another one, which may be a user's own. What the inner one raises, and every effect
that it must not emit, becomes one `StrategyFault` in the place of the effect; the other effects go on. The rules:

1. What upper layers are told stays truthful: neighbours come and go in turn, and are those that `neighbours` lists,
   whatever the inner strategy says. A neighbour that failed, and all of them after `leave`, are down in any case.
2. A peer that nobody can reach is answered by `peer_down`, as one is that does not answer.
3. A periodic timer goes on: one whose handler raised is set again, after its own delay or RETRY_S, whichever is longer.

The simulator runs strategies without this, so that a test sees the exception itself.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from partisan_actors.messages import tag_of
from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Deliver,
    Disconnect,
    Effect,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
    StrategyFault,
)
from partisan_actors.protocols.membership.strategy import MembershipStrategy, Superseding

__all__ = ["RETRY_S", "TIMERS_MAX", "Contained"]

RETRY_S: Final = 1.0
# Timers that a strategy may have set at once; at the bound, those of new names are faults.
TIMERS_MAX: Final = 1024
# How often in a row a strategy may name yet another unreachable peer when it is told of one.
UNREACHABLE_MAX: Final = 16
INPUT_CHARS_MAX: Final = 200

_ALLOWED: Final = frozenset(typing.get_args(Effect)) - {Deliver, StrategyFault}
_REACHING: Final = frozenset({Send, Connect, NeighbourUp})


class Contained:
    """`inner` within bounds. `is_known` says whether a peer can be reached at all, as far as is known here."""

    def __init__(
        self, me: Peer, inner: MembershipStrategy, is_known: Callable[[Peer], bool] = lambda peer: True
    ) -> None:
        self.inner = inner
        self._me = me
        self._is_known = is_known
        self._up: dict[Peer, None] = {}
        self._timers: dict[str, float] = {}
        self._unreachable: list[Peer] = []
        self._told: tuple[str, tuple[Any, ...]] = ("", ())  # the input that is being handled

    @property
    def neighbours(self) -> Sequence[Peer]:
        """The neighbours that were announced and not taken back, in that order."""
        return list(self._up)

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        """The inner strategy's views; when it cannot tell them, the neighbours alone."""
        try:
            return {str(name): list(view) for name, view in self.inner.views.items()}
        except Exception:  # noqa: BLE001 - a user's property may raise anything, and whoever looks is not to suffer
            return {"neighbours": self.neighbours}

    def start(self, now: float) -> list[Effect]:
        return self._tell("start", now)

    def join(self, contact: Peer, now: float) -> list[Effect]:
        return self._tell("join", contact, now)

    def leave(self, now: float) -> list[Effect]:
        effects = self._tell("leave", now)
        return effects + self._drop(list(self._up), "keeps a neighbour although it has left", failed=False)

    def supersede(self, former: Peer, later: Peer, now: float) -> list[Effect]:
        if not isinstance(self.inner, Superseding):
            return self.peer_down(former, now)
        effects = self._tell("supersede", former, later, now)
        kept = [former] if former in self._up else []
        return effects + self._drop(kept, "keeps a former life of a neighbour", failed=False)

    def evict(self, peer: Peer, now: float) -> list[Effect]:
        """To be asked only of a strategy that can."""
        return self._tell("evict", peer, now)

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return self._tell("receive", sender, message, now)

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return self._tell("peer_up", peer, now)

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        effects = self._tell("peer_down", peer, now)
        return effects + self._drop([peer] if peer in self._up else [], "keeps a neighbour that failed", failed=True)

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        delay_s = self._timers.pop(name, 0.0)
        effects = self._tell("timer_fired", name, now)
        raised = any(isinstance(effect, StrategyFault) and effect.error is not None for effect in effects)
        if raised and name not in self._timers:
            again = SetTimer(name, max(delay_s, RETRY_S))
            self._timers[name] = again.delay_s
            effects.append(again)
        return effects

    # ---- what comes back --------------------------------------------------------------------------------------

    def _tell(self, method: str, *arguments: Any) -> list[Effect]:
        effects = self._checked(method, arguments)
        for _ in range(UNREACHABLE_MAX):
            if not self._unreachable:
                break
            peer = self._unreachable.pop(0)
            effects += self._checked("peer_down", (peer, arguments[-1]))
            if peer in self._up:
                effects += self._drop([peer], "keeps a neighbour that nobody can reach", failed=True)
        self._unreachable.clear()
        return effects

    def _checked(self, method: str, arguments: tuple[Any, ...]) -> list[Effect]:
        self._told = (method, arguments)
        try:
            effects = getattr(self.inner, method)(*arguments)
        except Exception as error:  # noqa: BLE001 - this is where a user's code is kept in bounds
            return [self._fault(f"{method} raised {type(error).__name__}", f": {_said(error)}", error)]
        if not isinstance(effects, list):
            return [self._fault(f"{method} returned a {type(effects).__name__} instead of a list of effects")]
        return [self._wrong(effect) or effect for effect in effects]

    def _wrong(self, effect: Any) -> StrategyFault | None:
        """What is wrong with an effect; when nothing is, it counts from now on."""
        kind = type(effect)
        if kind not in _ALLOWED:
            return self._fault(f"emitted a {kind.__name__}, which is no effect of a membership strategy")
        if kind is SetTimer or kind is CancelTimer:
            return self._wrong_timer(effect)
        peer = getattr(effect, "peer", None)
        if peer is not None and (type(peer) is not type(self._me) or peer == self._me):
            whom = "itself" if peer == self._me else f"a {type(peer).__name__}, which is no peer"
            return self._fault(f"emitted {kind.__name__} for {whom}")
        if kind in _REACHING and not self._is_known(peer):
            self._unreachable.append(peer)
            return self._fault(f"emitted {kind.__name__} for a peer that nobody has told the address of", f": {peer}")
        if kind is Send and tag_of(effect.message) is None:
            message = type(effect.message).__name__
            return self._fault(f"sent a {message}, which is not declared with @message")
        return self._wrong_neighbour(effect)

    def _wrong_timer(self, effect: SetTimer | CancelTimer) -> StrategyFault | None:
        if not isinstance(effect.name, str):
            return self._fault(f"named a timer by a {type(effect.name).__name__} instead of a str")
        if isinstance(effect, CancelTimer):
            self._timers.pop(effect.name, None)
            return None
        delay_s = effect.delay_s
        if not isinstance(delay_s, int | float) or not 0 <= delay_s < math.inf:
            return self._fault("set a timer with a delay that is no number of seconds", f": {delay_s!r}")
        if effect.name not in self._timers and len(self._timers) >= TIMERS_MAX:
            return self._fault(f"has more than {TIMERS_MAX} timers", f": {effect.name!r}")
        self._timers[effect.name] = delay_s
        return None

    def _wrong_neighbour(self, effect: Any) -> StrategyFault | None:
        if isinstance(effect, NeighbourUp):
            if effect.peer in self._up:
                return self._fault("emitted NeighbourUp for a neighbour", f": {effect.peer}")
            self._up[effect.peer] = None
        elif isinstance(effect, NeighbourDown):
            if effect.peer not in self._up:
                return self._fault("emitted NeighbourDown for a peer that is no neighbour", f": {effect.peer}")
            del self._up[effect.peer]
        return None

    def _drop(self, peers: Iterable[Peer], fault: str, *, failed: bool) -> list[Effect]:
        effects: list[Effect] = []
        for peer in peers:
            del self._up[peer]
            effects += [self._fault(fault, f": {peer}"), NeighbourDown(peer, failed), Disconnect(peer)]
        return effects

    def _fault(self, what: str, which: str = "", error: Exception | None = None) -> StrategyFault:
        kind = type(self.inner)
        return StrategyFault(
            f"{kind.__module__}:{kind.__qualname__}", what, f"{what}{which}", _text(*self._told), error
        )


def _text(method: str, arguments: tuple[Any, ...]) -> str:
    try:
        text = f"{method}({', '.join(map(repr, arguments))})"
    except Exception:  # noqa: BLE001 - a user's __repr__ may raise anything
        text = f"{method}(...)"
    return text if len(text) <= INPUT_CHARS_MAX else f"{text[: INPUT_CHARS_MAX - 3]}..."


def _said(error: Exception) -> str:
    try:
        return str(error)[:INPUT_CHARS_MAX]
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        return "(it has no text)"

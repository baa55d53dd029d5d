"""A strategy that breaks the rules: what it did is told, and nobody above it notices anything else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from partisan_actors.messages import message
from partisan_actors.protocols.contained import RETRY_S, TIMERS_MAX, Contained
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
from partisan_actors.protocols.membership.full_mesh import FullMesh, FullMeshOptions


@message("test_contained.hello")
@dataclass(frozen=True, slots=True)
class Hello:
    number: int = 0


class Scripted:
    """A strategy that answers each input as the test says: with effects, or by raising."""

    def __init__(self, **script: Any) -> None:
        self.script = script
        self.inputs: list[tuple[Any, ...]] = []

    def _answer(self, name: str, *arguments: Any) -> Any:
        self.inputs.append((name, *arguments))
        answer = self.script.get(name, [])
        if isinstance(answer, Exception):
            raise answer
        return list(answer) if isinstance(answer, list) else answer

    def start(self, now: float) -> list[Effect]:
        return self._answer("start")

    def join(self, contact: Peer, now: float) -> list[Effect]:
        return self._answer("join", contact)

    def leave(self, now: float) -> list[Effect]:
        return self._answer("leave")

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return self._answer("receive", sender, message)

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return self._answer("peer_up", peer)

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        return self._answer("peer_down", peer)

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        return self._answer("timer_fired", name)

    @property
    def neighbours(self) -> Sequence[Peer]:
        return ()

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        return self._answer("views")


def contained(**script: Any) -> Contained:
    return Contained(0, Scripted(**script), lambda peer: isinstance(peer, int) and peer < 100)


def faults(effects: list[Effect]) -> list[str]:
    return [effect.kind for effect in effects if isinstance(effect, StrategyFault)]


def good(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if not isinstance(effect, StrategyFault)]


def test_what_is_raised_is_told_with_the_class_the_input_and_the_exception() -> None:
    error = ValueError("no way")

    (fault,) = contained(receive=error).receive(3, Hello(7), 1.0)

    assert isinstance(fault, StrategyFault)
    assert fault.strategy.endswith(":Scripted") and fault.error is error
    assert fault.kind == "receive raised ValueError" and fault.text == "receive raised ValueError: no way"
    assert fault.told == "receive(3, Hello(number=7), 1.0)"


@pytest.mark.parametrize("answer", [None, (), 3, "text", {}])
def test_an_answer_that_is_no_list_is_no_effects(answer: Any) -> None:
    effects = contained(peer_up=answer).peer_up(1, 0.0)

    assert good(effects) == []
    assert faults(effects) == [f"peer_up returned a {type(answer).__name__} instead of a list of effects"]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        ("hello", "emitted a str, which is no effect of a membership strategy"),
        (Connect, "emitted a type, which is no effect of a membership strategy"),
        (Deliver("t", 1, 1, 1, None), "emitted a Deliver, which is no effect of a membership strategy"),
        (StrategyFault("a", "b", "c", "d"), "emitted a StrategyFault, which is no effect of a membership strategy"),
        (Connect(0), "emitted Connect for itself"),
        (Send("one", Hello()), "emitted Send for a str, which is no peer"),
        (Send(1, "hello"), "sent a str, which is not declared with @message"),
        (NeighbourDown(1, failed=True), "emitted NeighbourDown for a peer that is no neighbour"),
        (SetTimer("t", -1.0), "set a timer with a delay that is no number of seconds"),
        (SetTimer("t", math.nan), "set a timer with a delay that is no number of seconds"),
        (SetTimer("t", "soon"), "set a timer with a delay that is no number of seconds"),  # type: ignore[arg-type]  # wrong on purpose
        (SetTimer(3, 1.0), "named a timer by a int instead of a str"),  # type: ignore[arg-type]  # wrong on purpose
        (CancelTimer(None), "named a timer by a NoneType instead of a str"),  # type: ignore[arg-type]  # wrong on purpose
    ],
    ids=lambda value: str(value)[:40],
)
def test_one_wrong_effect_is_dropped_and_named_and_the_others_go_on(bad: Any, kind: str) -> None:
    before, after = Send(1, Hello()), Connect(2)

    effects = contained(join=[before, bad, after]).join(1, 0.0)

    assert faults(effects) == [kind]
    assert good(effects) == [before, after]
    assert isinstance(effects[1], StrategyFault)


def test_neighbours_come_and_go_in_turn_whatever_the_strategy_says() -> None:
    strategy = contained(
        peer_up=[NeighbourUp(1), NeighbourUp(1), NeighbourUp(2)], join=[NeighbourDown(1, True), NeighbourDown(1, True)]
    )

    up, down = strategy.peer_up(1, 0.0), strategy.join(1, 0.0)

    assert good(up) == [NeighbourUp(1), NeighbourUp(2)] and faults(up) == ["emitted NeighbourUp for a neighbour"]
    assert good(down) == [NeighbourDown(1, True)] and len(faults(down)) == 1
    assert strategy.neighbours == [2]


@pytest.mark.parametrize("answer", [[], RuntimeError("lost"), None])
def test_a_neighbour_that_failed_is_down_also_when_the_strategy_does_not_say_so(answer: Any) -> None:
    strategy = contained(peer_up=[Connect(1), NeighbourUp(1)], peer_down=answer)
    strategy.peer_up(1, 0.0)

    effects = strategy.peer_down(1, 1.0)

    assert good(effects) == [NeighbourDown(1, failed=True), Disconnect(1)]
    assert faults(effects)[-1] == "keeps a neighbour that failed"
    assert strategy.neighbours == [] and strategy.peer_down(2, 2.0) != effects


@pytest.mark.parametrize("answer", [[], RuntimeError("lost")])
def test_who_has_left_has_no_neighbours(answer: Any) -> None:
    strategy = contained(peer_up=[NeighbourUp(1), NeighbourUp(2)], leave=answer)
    strategy.peer_up(1, 0.0)

    effects = strategy.leave(1.0)

    assert good(effects) == [NeighbourDown(1, False), Disconnect(1), NeighbourDown(2, False), Disconnect(2)]
    assert strategy.neighbours == []


def test_a_peer_that_nobody_can_reach_is_down() -> None:
    strategy = contained(join=[Send(100, Hello()), NeighbourUp(100), Connect(1)], peer_down=[Send(2, Hello())])

    effects = strategy.join(1, 5.0)

    assert good(effects) == [Connect(1), Send(2, Hello()), Send(2, Hello())]
    assert "emitted Send for a peer that nobody has told the address of" in faults(effects)
    assert [each for each in strategy.inner.inputs if each[0] == "peer_down"] == [("peer_down", 100)] * 2  # type: ignore[attr-defined]  # it is a Scripted
    assert strategy.neighbours == []


def test_a_strategy_that_never_stops_naming_unreachable_peers_is_stopped() -> None:
    effects = contained(join=[Connect(100)], peer_down=[Connect(101)]).join(1, 0.0)

    assert good(effects) == [] and 2 < len(faults(effects)) < 50


def test_a_periodic_timer_survives_its_handler() -> None:
    strategy = contained(start=[SetTimer("fast", 0.1), SetTimer("slow", 9.0)], timer_fired=KeyError("x"))
    strategy.start(0.0)

    assert good(strategy.timer_fired("fast", 1.0)) == [SetTimer("fast", RETRY_S)]
    assert good(strategy.timer_fired("slow", 9.0)) == [SetTimer("slow", 9.0)]
    assert good(strategy.timer_fired("slow", 18.0)) == [SetTimer("slow", 9.0)]


def test_timers_have_a_bound_and_those_that_ran_out_do_not_count() -> None:
    many: list[Effect] = [SetTimer(str(number), 1.0) for number in range(TIMERS_MAX + 1)]
    strategy = contained(start=many)

    first = strategy.start(0.0)
    strategy.timer_fired("0", 1.0)
    strategy.inner.script["start"] = [SetTimer("another", 1.0)]  # type: ignore[attr-defined]  # it is a Scripted

    assert faults(first) == [f"has more than {TIMERS_MAX} timers"] and len(good(first)) == TIMERS_MAX
    assert good(strategy.start(2.0)) == [SetTimer("another", 1.0)]


@pytest.mark.parametrize("answer", [RuntimeError("blind"), None, {"active": 3}])
def test_views_that_cannot_be_told_are_the_neighbours(answer: Any) -> None:
    strategy = contained(peer_up=[NeighbourUp(1)], views=answer)
    strategy.peer_up(1, 0.0)

    assert strategy.views == {"neighbours": [1]}


def test_things_that_cannot_even_be_printed_are_told_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    class Hidden:
        def __repr__(self) -> str:
            raise RuntimeError

    (fault,) = contained(receive=Mute()).receive(1, Hidden(), 0.0)

    assert isinstance(fault, StrategyFault)
    assert fault.told == "receive(...)" and fault.text == "receive raised Mute: (it has no text)"


def test_a_strategy_that_keeps_the_rules_is_not_changed() -> None:
    bare = FullMesh(0, FullMeshOptions(), Random(1))
    within = Contained(0, FullMesh(0, FullMeshOptions(), Random(1)))

    for each in (bare, within):
        each.start(0.0)
    (sent, timer) = bare.join(1, 0.0)
    assert within.join(1, 0.0) == [sent, timer]
    assert isinstance(sent, Send)
    assert within.receive(1, sent.message, 1.0) == bare.receive(1, sent.message, 1.0)
    assert within.timer_fired("redial", 2.0) == bare.timer_fired("redial", 2.0)
    assert within.leave(3.0) == bare.leave(3.0)
    assert within.views == bare.views


class Following(Scripted):
    """A strategy that can follow a node into its next life."""

    def supersede(self, former: Peer, later: Peer, now: float) -> list[Effect]:
        return self._answer("supersede", former, later)


def test_a_former_life_is_no_neighbour_any_more_whatever_the_strategy_does() -> None:
    for inner in (Following(join=[NeighbourUp("a")]), Scripted(join=[NeighbourUp("a")])):
        contained = Contained("me", inner)
        contained.join("a", 0.0)

        effects = contained.supersede("a", "b", 1.0)

        assert isinstance(effects[0], StrategyFault)
        assert [type(effect) for effect in effects[1:]] == [NeighbourDown, Disconnect]
        assert contained.neighbours == []
        assert inner.inputs[-1] in (("supersede", "a", "b"), ("peer_down", "a"))

"""Troubles are counted and logged once of each kind; and a node lives with a strategy that makes them."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import Any

import pytest

from partisan_actors.messages import message
from partisan_actors.node.troubles import KINDS_MAX, OTHERS, Troubles, place_of
from partisan_actors.protocols.machine import Connect, Effect, Peer, Send
from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.protocols.membership.hyparview_messages import ForwardJoin
from partisan_actors.protocols.membership.hyparview_options import HyParViewOptions
from tests.nodes import overlay, until


@message("test_troubles.odd")
@dataclass(frozen=True, slots=True)
class Odd:
    value: int


class Clumsy(HyParView):
    """HyParView that, whenever a timer fires, does something it must not, and raises for every third message."""

    def __init__(self, me: Peer, options: HyParViewOptions, rng: random.Random) -> None:
        super().__init__(me, options, rng)
        self.heard = 0

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        self.heard += 1
        effects = super().receive(sender, message, now)
        if self.heard % 3 == 0 and not isinstance(message, ForwardJoin):
            effects.append(Connect(self.me))
            effects.append(Send(sender, "not a message"))
        return effects

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        raise RuntimeError("peer_up is not written yet")

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        effects = super().timer_fired(name, now)
        return [*effects, Send(self.neighbours[0], Odd({1}))] if self.neighbours else effects  # type: ignore[arg-type]  # wrong on purpose


def test_each_kind_is_logged_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()

    with caplog.at_level(logging.WARNING):
        for number in range(3):
            troubles.tell("a", f"a{number}")
        troubles.tell("b", "b0", level=logging.WARNING)

    assert [(record.levelname, record.getMessage()[:2]) for record in caplog.records] == [
        ("ERROR", "a0"),
        ("WARNING", "b0"),
    ]
    assert troubles.facts() == [
        {"kind": "a", "count": 3, "first": "a0"},
        {"kind": "b", "count": 1, "first": "b0"},
    ]


def test_kinds_without_end_are_counted_as_others() -> None:
    troubles = Troubles()

    for number in range(3 * KINDS_MAX):
        troubles.tell(str(number), "something")

    assert len(troubles.facts()) == KINDS_MAX + 1
    assert troubles.facts()[-1]["kind"] == OTHERS and troubles.facts()[-1]["count"] == 2 * KINDS_MAX


async def test_nodes_live_with_a_strategy_that_raises_and_emits_nonsense(caplog: pytest.LogCaptureFixture) -> None:
    def kinds() -> set[str]:
        return {fact["kind"].removeprefix(f"{__name__}:Clumsy ") for node in made for fact in node.troubles.facts()}

    wanted = {
        "peer_up raised RuntimeError",
        "emitted Connect for itself",
        "sent a str, which is not declared with @message",
    }
    options = {"shuffle_period_s": 0.05}
    async with overlay("a", "b", "c", overlay=f"{__name__}:Clumsy", overlay_options=options) as made:
        a, _, c = made
        await until(lambda: wanted <= kinds(), "every trouble to be told")
        await until(lambda: any("no message can hold" in kind for kind in kinds()), "the value to be told of")
        c.tell(a, "still here")
        await until(lambda: a.told == ["still here"])

        lines: list[Any] = [record for record in caplog.records if "peer_up raised RuntimeError" in record.getMessage()]
        assert len(lines) == len(made), "each node says it once"
        assert "peer_up is not written yet" in lines[0].getMessage() and lines[0].exc_info


def test_what_was_raised_and_where_is_a_kind_whatever_it_says() -> None:
    def kind(text: str) -> str:
        try:
            raise ValueError(text)
        except ValueError as error:
            return place_of(error)

    assert kind("a") == kind("b") and kind("a").startswith("ValueError at test_troubles.py:")
    assert place_of(KeyError("never raised")) == "KeyError"

"""Admission: newcomers are taken in as fast as the loop bears, in their order, and nobody is forgotten."""

from __future__ import annotations

import asyncio

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.node import admission as admission_module
from partisan_actors.node.admission import IN_A_TURN, LATER_S_MAX, TURN_S, Admission
from tests.nodes import until


def newcomer(number: int) -> NodeId:
    return NodeId(f"n{number}", 1)


class Taken:
    """An admission, and whom it took in."""

    def __init__(self) -> None:
        self.messages: list[object] = []
        self.admission = Admission(asyncio.get_running_loop(), lambda node, message: self.messages.append(message))


async def test_a_single_newcomer_waits_for_nothing() -> None:
    taken = Taken()

    taken.admission.add(newcomer(1), "let me in")

    assert taken.messages == ["let me in"]


async def test_many_are_taken_in_by_turns_and_in_their_order() -> None:
    taken = Taken()
    for number in range(3 * IN_A_TURN):
        taken.admission.add(newcomer(number), number)

    at_once = list(taken.messages)
    await until(lambda: len(taken.messages) == 3 * IN_A_TURN)

    assert at_once == [0]
    assert taken.messages == list(range(3 * IN_A_TURN))
    assert len(taken.admission) == 0


async def test_while_the_loop_is_late_turns_are_further_apart_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, loop = Taken(), asyncio.get_running_loop()
    delays: list[float] = []
    call_later = loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda s, call, *args: delays.append(s) or call_later(s, call, *args))

    taken.admission.timer_was_late(0.5)
    taken.admission.add(newcomer(1), 1)
    taken.admission.close()
    worse = Taken()
    worse.admission.timer_was_late(30.0)
    worse.admission.add(newcomer(1), 1)
    worse.admission.close()

    assert taken.messages == worse.messages == []
    assert delays == [TURN_S + 0.5, TURN_S + LATER_S_MAX]


async def test_who_asks_again_while_it_waits_keeps_its_place_and_is_taken_in_once() -> None:
    taken = Taken()
    for number in range(3):
        taken.admission.add(newcomer(number), number)
    taken.admission.add(newcomer(1), "again")

    await until(lambda: len(taken.messages) == 3)

    assert taken.messages == [0, "again", 2]


async def test_at_the_bound_the_next_one_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_module, "WAITING_MAX", 2)
    taken = Taken()
    for number in range(5):
        taken.admission.add(newcomer(number), number)

    await until(lambda: len(taken.admission) == 0)

    assert taken.messages == [0, 1, 2]


async def test_after_the_end_nobody_is_taken_in() -> None:
    taken = Taken()
    for number in range(3):
        taken.admission.add(newcomer(number), number)
    taken.admission.close()

    await asyncio.sleep(2 * TURN_S)

    assert taken.messages == [0]

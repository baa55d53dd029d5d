"""Tests of the driver: a loop that was stalled reads what has come before it acts on what has not."""

from __future__ import annotations

import time
from collections.abc import Callable

from partisan_actors.protocols.machine import SetTimer
from tests.nodes import TestNode, nodes, until


async def test_a_timer_that_is_late_lets_what_came_meanwhile_be_handled_first() -> None:
    async with nodes("a") as (a,):
        happened: list[str] = []
        a.driver.stack.timer_fired = lambda name, now: happened.append(name) or []  # type: ignore[method-assign]  # a spy

        a.driver.carry_out([SetTimer("membership:late", 0.01)])
        time.sleep(0.2)  # noqa: ASYNC251 - this is the stall
        after_turns(a, 20, lambda: happened.append("a message that takes some turns of the loop to be read"))
        await until(lambda: "membership:late" in happened)

        assert happened[-1] == "membership:late" and len(happened) > 1


def after_turns(node: TestNode, turns: int, call: Callable[[], None]) -> None:
    """Call in so many turns of the loop."""
    if turns:
        node.loop.call_soon(after_turns, node, turns - 1, call)
    else:
        call()


async def test_a_timer_in_time_fires_once() -> None:
    async with nodes("a") as (a,):
        happened: list[str] = []
        a.driver.stack.timer_fired = lambda name, now: happened.append(name) or []  # type: ignore[method-assign]  # a spy

        a.driver.carry_out([SetTimer("membership:soon", 0.001)])
        await until(lambda: happened)
        await until(lambda: "membership:soon" not in a.driver._timers)

        assert happened.count("membership:soon") == 1

"""Event loops on one clock, which moves only when nobody has anything to do."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from asyncio.base_events import BaseEventLoop
from collections.abc import AsyncIterator, Iterator

import pytest

from partisan_actors.simulation.loop import Loops, NothingWillHappen


@pytest.fixture
def loops() -> Iterator[Loops]:
    made = Loops()
    with contextlib.closing(made):
        yield made


def test_an_hour_of_sleep_takes_no_time(loops: Loops) -> None:
    loop = loops.make("a")

    loops.run(loop, asyncio.sleep(3600.0), within_s=4000.0)

    assert loops.time.now_s == 3600.0
    assert loops.turns < 10


def test_what_is_due_first_happens_first_on_whichever_loop(loops: Loops) -> None:
    told: list[tuple[str, float]] = []

    async def tell(name: str, *pauses: float) -> None:
        for pause in pauses:
            await asyncio.sleep(pause)
            told.append((name, loops.time.now_s))

    a, b = loops.make("a"), loops.make("b")
    b.create_task(tell("b", 0.5, 2.0))
    loops.run(a, tell("a", 1.0, 1.0, 1.0), within_s=10.0)

    assert told == [("b", 0.5), ("a", 1.0), ("a", 2.0), ("b", 2.5), ("a", 3.0)]


def test_a_stalled_loop_catches_up_afterwards_and_holds_up_nobody(loops: Loops) -> None:
    told: list[tuple[str, float]] = []
    a, b = loops.make("a"), loops.make("b")
    for loop in (a, b):
        loop.call_later(1.0, lambda loop=loop: told.append((loop.name, loops.time.now_s)))

    a.stalled_until_ns = 5_000_000_000
    loops.run_for(10.0)

    assert told == [("b", 1.0), ("a", 5.0)]


def test_an_abandoned_loop_does_nothing_ever_again(loops: Loops) -> None:
    told: list[str] = []
    a, b = loops.make("a"), loops.make("b")
    a.call_later(1.0, told.append, "a")
    b.call_later(2.0, told.append, "b")

    loops.abandon(a)
    loops.run_for(10.0)

    assert told == ["b"]


def test_a_loop_that_never_rests_leaves_the_others_their_turns(loops: Loops) -> None:
    a, b = loops.make("a"), loops.make("b")

    def again() -> None:
        a.call_soon(again)

    a.call_soon(again)
    told: list[str] = []
    b.call_soon(told.append, "b")
    loops.run_until(lambda: bool(told), within_s=1.0)

    assert loops.time.now_ns == 0
    loops.abandon(a)


def test_a_program_that_never_waits_is_told_so(loops: Loops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partisan_actors.simulation.loop.TURNS_AT_ONE_MOMENT_MAX", 1000)
    loop = loops.make("a")

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="something never waits"):
        loops.run(loop, spin(), within_s=1.0)


def test_waiting_for_what_cannot_come_is_an_error_at_once(loops: Loops) -> None:
    loop = loops.make("a")

    async def wait_for_ever() -> None:
        await loop.create_future()

    with pytest.raises(
        NothingWillHappen, match=r"wait_for_ever\(\), which waits in wait_for_ever\(\) at .*test_loop\.py"
    ):
        loops.run(loop, wait_for_ever(), within_s=1000.0)


def test_what_takes_too_long_is_a_timeout(loops: Loops) -> None:
    with pytest.raises(TimeoutError, match="5 virtual seconds"):
        loops.run(loops.make("a"), asyncio.sleep(6.0), within_s=5.0)

    assert loops.time.now_s == 5.0


def test_timers_that_were_taken_back_do_not_stop_the_clock(loops: Loops) -> None:
    loop = loops.make("a")
    moments: list[float] = []
    for delay_s in (1.0, 2.0, 3.0):
        loop.call_later(delay_s, lambda: None).cancel()
    loop.call_later(10.0, lambda: moments.append(loops.time.now_s))

    assert loops.step()

    assert moments == [10.0]


def test_executors_and_timeouts_of_asyncio_work(loops: Loops) -> None:
    async def main() -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(7.0):
                await asyncio.sleep(100.0)
        return await asyncio.to_thread(lambda: f"{loops.time.now_s:g}")

    assert loops.run(loops.make("a"), main(), within_s=100.0) == "7"


def test_closing_ends_what_still_runs_on_abandoned_loops_too() -> None:
    loops = Loops()
    ended: list[str] = []

    async def linger(name: str) -> None:
        try:
            await asyncio.sleep(1000.0)
        finally:
            ended.append(name)

    made = [loops.make(name) for name in ("a", "b")]
    for loop in made:
        loop.create_task(linger(loop.name))
    loops.run_for(1.0)
    loops.abandon(made[0])
    loops.run_for(1.0)

    loops.close()

    assert ended == ["a", "b"]


def test_running_for_a_while_notices_what_never_waits_too(loops: Loops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partisan_actors.simulation.loop.TURNS_AT_ONE_MOMENT_MAX", 1000)
    loop = loops.make("a")

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    loop.create_task(spin())
    with pytest.raises(RuntimeError, match="something never waits"):
        loops.run_for(1.0)


def test_a_loop_whose_turns_take_time_is_late_for_its_timers(loops: Loops) -> None:
    loop = loops.make("a")
    loop.turn_ns = 400_000_000

    async def main() -> list[float]:
        told = []
        for _ in range(3):
            await asyncio.sleep(0.1)
            told.append(loops.time.now_s)
        return told

    # Two turns each: one for the timer, one for the task that it wakes.
    assert loops.run(loop, main(), within_s=10.0) == pytest.approx([0.8, 1.6, 2.4])


def test_an_asynchronous_generator_left_half_way_is_ended_on_its_loop(loops: Loops) -> None:
    told: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(1.0)
            told.append("ended")

    async def main() -> None:
        async for _ in numbers():
            break
        gc.collect()
        await asyncio.sleep(2.0)

    loops.run(loops.make("a"), main(), within_s=10.0)

    assert told == ["ended"]


def test_a_failure_of_the_simulation_ends_the_run_and_not_only_a_call_back(loops: Loops) -> None:
    loop = loops.make("a")
    loop.call_later(1.0, setattr, loop, "failure", OSError("no threads left"))

    with pytest.raises(OSError, match="no threads left"):
        loops.run_for(10.0)


def test_what_the_loop_takes_from_inside_asyncio_is_there() -> None:
    """When this fails on a new Python, compare `BaseEventLoop._run_once` with `VirtualLoop.next_ns` and its `turn`."""
    loop = asyncio.SelectorEventLoop()
    try:
        assert type(loop._ready).__name__ == "deque"
        assert loop._scheduled == []
        assert loop._timer_cancelled_count == 0
        assert {"_selector", "_process_events", "_clock_resolution"} <= set(BaseEventLoop._run_once.__code__.co_names)
    finally:
        loop.close()


def test_no_timer_is_early_by_not_even_a_rounding_error(loops: Loops) -> None:
    loop = loops.make("a")
    rng = random.Random(1)

    async def main() -> None:
        for _ in range(2000):
            deadline = loop.time() + rng.random() * 10 ** rng.randrange(-12, 3)
            await asyncio.sleep(deadline - loop.time())
            later = loop.create_future()
            loop.call_at(deadline, later.set_result, None)
            await later
            assert loop.time() >= deadline

    loops.run(loop, main(), within_s=1e6)

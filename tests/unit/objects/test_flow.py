"""Flow: so many bytes at once, in the order of asking."""

from __future__ import annotations

import asyncio

from partisan_actors.objects.flow import Flow
from tests.nodes import quiet


class Taker:
    """Takes room, and keeps it until it is told to go on."""

    def __init__(self, flow: Flow, size: int) -> None:
        self.has_room = False
        self.go_on = asyncio.Event()
        self.job = asyncio.create_task(self._take(flow, size))

    async def _take(self, flow: Flow, size: int) -> None:
        async with flow.room_for(size):
            self.has_room = True
            await self.go_on.wait()


async def test_no_more_than_the_bound_is_under_way_and_the_first_who_asked_is_next() -> None:
    flow = Flow(100)
    takers = [Taker(flow, size) for size in (60, 60, 30)]
    await quiet()
    # The third would fit, and is not let past the second.
    assert [taker.has_room for taker in takers] == [True, False, False]

    takers[0].go_on.set()
    await quiet()

    assert [taker.has_room for taker in takers] == [True, True, True]
    assert flow.in_flight == 90
    for taker in takers:
        taker.go_on.set()
        await taker.job
    assert flow.in_flight == 0


async def test_what_is_larger_than_the_bound_goes_alone() -> None:
    flow = Flow(100)
    small, large, last = Taker(flow, 1), Taker(flow, 1000), Taker(flow, 1)
    await quiet()
    assert not large.has_room

    small.go_on.set()
    await quiet()
    assert large.has_room
    assert not last.has_room

    large.go_on.set()
    last.go_on.set()
    await asyncio.gather(small.job, large.job, last.job)
    assert flow.in_flight == 0


async def test_whoever_gives_up_waiting_takes_no_room() -> None:
    flow = Flow(100)
    first, second, third = Taker(flow, 100), Taker(flow, 100), Taker(flow, 100)
    await quiet()

    second.job.cancel()
    first.go_on.set()
    await quiet()

    assert third.has_room
    third.go_on.set()
    await third.job
    assert flow.in_flight == 0


async def test_whoever_is_cancelled_as_its_turn_comes_gives_it_back() -> None:
    flow = Flow(100)
    first, second, third = Taker(flow, 100), Taker(flow, 100), Taker(flow, 100)
    await quiet()

    first.go_on.set()
    await first.job  # the second has its turn, and has not run yet
    second.job.cancel()
    await quiet()

    assert third.has_room
    third.go_on.set()
    await third.job
    assert flow.in_flight == 0

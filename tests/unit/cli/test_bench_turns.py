"""How the benchmark lets two sides take turns, and where it puts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from partisan_actors.cli.bench.pinning import Layout, Mode, first_core_each, layouts, pinned, separate_layout
from partisan_actors.cli.bench.turns import FLOOR, OURS, Plan, Recording, compare_awaited, compare_blocking, turns

INSTANT = Plan(sittings=1, rounds=2, turn_s=0.0, repeats=1)


def test_who_begins_alternates_and_the_first_round_is_not_recorded() -> None:
    assert list(turns(2)) == [
        (False, FLOOR),
        (False, OURS),
        (True, OURS),
        (True, FLOOR),
        (True, FLOOR),
        (True, OURS),
    ]


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_both_sides_get_every_round(rounds: int) -> None:
    recorded = [side for counts, side in turns(rounds) if counts]

    assert recorded.count(FLOOR) == recorded.count(OURS) == rounds


async def test_two_awaited_operations_take_turns_and_only_recorded_turns_count() -> None:
    order: list[str] = []
    recording = Recording()

    async def floor() -> None:
        order.append(FLOOR)

    async def ours() -> None:
        order.append(OURS)

    await compare_awaited(recording, "a mode", INSTANT, floor, ours)

    (comparison,) = recording.comparisons()
    assert order == [side for _, side in turns(INSTANT.rounds)]
    assert comparison.mode == "a mode"
    assert (comparison.floor.count, comparison.ours.count) == (2, 2)


def test_blocking_samplers_are_given_the_length_of_a_turn_and_land_on_their_own_side() -> None:
    asked: list[float] = []
    recording = Recording()

    def floor(seconds: float) -> list[float]:
        asked.append(seconds)
        return [1.0]

    compare_blocking(recording, "a mode", INSTANT, floor, lambda _: [3.0])

    (comparison,) = recording.comparisons()
    assert asked == [INSTANT.turn_s] * 3
    assert (comparison.floor.median, comparison.ours.median) == (1.0, 3.0)


def test_sittings_in_the_same_mode_are_summarised_together() -> None:
    recording = Recording()
    for ours in (1.0, 2.0, 9.0):
        recording.add("same core", FLOOR, [1.0])
        recording.add("same core", OURS, [ours])

    (comparison,) = recording.comparisons()

    assert comparison.ours.median == 2.0


def test_only_our_turns_are_watched() -> None:
    seen: list[str] = []

    @contextmanager
    def watch() -> Iterator[None]:
        seen.append("begin")
        yield
        seen.append("end")

    def floor(seconds: float) -> list[float]:
        seen.append(FLOOR)
        return [1.0]

    def ours(seconds: float) -> list[float]:
        seen.append(OURS)
        return [1.0]

    compare_blocking(Recording(), "a mode", Plan(rounds=1, turn_s=0.0, watch=watch), floor, ours)

    assert seen == [FLOOR, "begin", OURS, "end", "begin", OURS, "end", FLOOR]


def test_cores_that_share_hardware_are_used_once() -> None:
    assert first_core_each([(0, [0, 4]), (1, [1, 5]), (4, [0, 4]), (5, [1, 5])]) == [0, 1]


def test_rows_that_keep_both_sides_busy_use_the_last_of_the_modes_there_are() -> None:
    modes = [layout.mode for layout in layouts()]

    assert separate_layout().mode == modes[-1]
    assert modes in ([Mode.NOT_PINNED], [Mode.SAME_CORE], [Mode.SAME_CORE, Mode.TWO_CORES])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not let processes be pinned")
def test_pinning_holds_this_process_to_its_core_and_then_lets_it_go() -> None:
    before = os.sched_getaffinity(0)
    core = max(before)

    with pinned(Layout(Mode.SAME_CORE, core, core), ()):
        inside = os.sched_getaffinity(0)

    assert inside == {core}
    assert os.sched_getaffinity(0) == before

"""Rings of calls that wait for each other: found when they are certain, and never when one of them may go on."""

from __future__ import annotations

import random

from partisan_actors.actors.deadlocks import WaitingCall, find_cycles, find_stuck


def call(number: int, *waits_for: int) -> WaitingCall:
    return WaitingCall(("n", number), f"actor {number}", "n", "m", True, tuple(("n", each) for each in waits_for))


def cycles(*calls: WaitingCall) -> list[list[int]]:
    return [[each.id[1] for each in cycle] for cycle in find_cycles(calls)]


def test_two_that_wait_for_each_other_are_a_ring_and_one_that_waits_for_itself() -> None:
    assert cycles(call(1, 2), call(2, 1), call(3, 3)) == [[1, 2], [3]]


def test_a_chain_that_ends_in_one_that_runs_is_no_deadlock() -> None:
    assert cycles(call(1, 2), call(2, 3), call(3)) == []


def test_what_nobody_tells_of_may_go_on() -> None:
    assert cycles(call(1, 2), call(2, 9)) == []


def test_who_waits_for_several_is_stuck_when_all_of_them_are() -> None:
    assert cycles(call(1, 2, 3), call(2, 1), call(3)) == []
    assert cycles(call(1, 2, 3), call(2, 1), call(3, 1)) == [[1, 2]]


def test_those_that_wait_for_a_ring_are_stuck_and_not_in_it() -> None:
    calls = [call(1, 2), call(2, 1), call(3, 1), call(4, 3)]

    assert cycles(*calls) == [[1, 2]]
    assert sorted(key[1] for key in find_stuck(calls)) == [1, 2, 3, 4]


def test_nobody_who_could_go_on_is_stuck_in_random_graphs() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        numbers = range(8)
        calls = [call(each, *rng.sample(numbers, rng.choice([0, 1, 1, 1, 2]))) for each in numbers]
        by_id = {each.id: each for each in calls}
        ended: set[tuple[str, int]] = set()
        while True:
            free = {each.id for each in calls if not each.waits_for or any(other in ended for other in each.waits_for)}
            if free <= ended:
                break
            ended |= free

        assert find_stuck(calls).keys() == by_id.keys() - ended, f"seed {seed}"
        for cycle in find_cycles(calls):
            for each, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
                assert following.id in each.waits_for

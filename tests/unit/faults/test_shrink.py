"""shrink: the smallest failing plan, repeatably and within its bound."""

from __future__ import annotations

from partisan_actors.faults.operations import Crash, Cut, Delay, Join, Loss, Operation
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.faults.shrink import shrink

NOISE: list[Operation] = [Loss(float(at), at + 5.0, 0.1) for at in range(20)]


def long_cut(plan: FaultPlan) -> bool:
    """Fails when n3 is cut off, with others or alone, for at least four seconds."""
    return any(
        isinstance(each, Cut) and "n3" in each.side and each.until_s - each.at_s >= 4.0 for each in plan.operations
    )


def test_what_does_not_matter_goes_and_what_does_gets_simple() -> None:
    cut = Cut(13.0, 60.0, ("n1", "n2", "n3", "n4"), one_way=True)
    plan = FaultPlan((*NOISE[:7], cut, *NOISE[7:], Crash(4.0, "2 random")), spared=("n0",))

    found = shrink(plan, long_cut)

    assert found.is_minimal
    (left,) = found.plan.operations
    assert isinstance(left, Cut) and left.side == ("n3",) and left.one_way
    assert left.at_s == 0 and 4.0 <= left.until_s < 8.0
    assert found.plan.spared == ("n0",)


def test_two_that_matter_together_both_stay() -> None:
    def fails(plan: FaultPlan) -> bool:
        kinds = [type(each) for each in plan.operations]
        return Crash in kinds and Join in kinds

    found = shrink(FaultPlan((*NOISE, Crash(9.0, "30%"), *NOISE, Join(9.0, 40))), fails)

    assert found.plan.operations == (Crash(0, "30%"), Join(0, 1))


def test_the_bound_on_tries_is_kept_and_what_was_found_so_far_still_fails() -> None:
    plan = FaultPlan((*NOISE, Cut(13.0, 60.0, ("n1", "n2", "n3", "n4"))))
    tried = []

    def fails(candidate: FaultPlan) -> bool:
        tried.append(candidate)
        return long_cut(candidate)

    found = shrink(plan, fails, tries_max=6)

    assert len(tried) == found.tries == 6 and not found.is_minimal
    assert long_cut(found.plan) and len(found.plan.operations) < len(plan.operations)


def test_the_same_plan_shrinks_the_same_way_and_no_plan_is_tried_twice() -> None:
    plan = FaultPlan((*NOISE, Cut(13.0, 60.0, ("n1", "n3")), Delay(1.0, 9.0, 3.0)))
    runs: list[list[str]] = [[], []]

    for tried in runs:

        def fails(candidate: FaultPlan, tried: list[str] = tried) -> bool:
            tried.append(candidate.to_json())
            return long_cut(candidate)

        shrink(plan, fails)

    assert runs[0] == runs[1] and len(runs[0]) == len(set(runs[0]))


def test_what_fails_without_any_fault_shrinks_to_nothing() -> None:
    assert shrink(FaultPlan(tuple(NOISE)), lambda plan: True).plan == FaultPlan()

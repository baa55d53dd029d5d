"""Where the bundles of a group go, and what is said of a group that never fits."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partisan_actors.ids import NodeId
from partisan_actors.scheduler.bundle_plan import plan_bundles, why_infeasible
from partisan_actors.scheduler.groups_record import Bundle, GroupStrategy
from partisan_actors.scheduler.labels import parse_selectors
from partisan_actors.scheduler.policy import Candidate
from partisan_actors.scheduler.resources import NOTHING, Resources


def candidate(name: str, cpus: float, free: float | None = None, **known: Any) -> Candidate:
    total = Resources.of(num_cpus=cpus)
    return Candidate(NodeId(name, 1), total, total if free is None else Resources.of(num_cpus=free), **known)


def bundles(*cpus: float) -> list[Bundle]:
    return [Bundle(Resources.of(num_cpus=each)) for each in cpus]


def planned(wanted: list[Bundle], strategy: GroupStrategy, *known: Candidate, **more: Any) -> list[str] | None:
    plan = plan_bundles(wanted, strategy, known, Random(0), **more)
    return None if plan is None else [node.name for node in plan]


def test_pack_uses_one_node_if_it_can_and_more_if_it_must() -> None:
    known = [candidate("a", 4), candidate("b", 4)]

    assert len(set(planned(bundles(1, 1, 2), "PACK", *known) or ())) == 1
    assert sorted(Counter(planned(bundles(2, 2, 2), "PACK", *known)).values()) == [1, 2]


def test_spread_uses_as_many_nodes_as_there_are() -> None:
    known = [candidate("a", 4), candidate("b", 4), candidate("c", 4)]

    assert sorted(Counter(planned(bundles(1, 1, 1, 1), "SPREAD", *known)).values()) == [1, 1, 2]


def test_a_plan_is_found_where_taking_the_first_that_fits_would_not_find_it() -> None:
    known = [candidate("a", 5), candidate("b", 6)]

    plan = planned(bundles(2, 3, 3, 3), "PACK", *known)

    assert plan is not None and Counter(plan) == {"a": 2, "b": 2}


def test_strict_spread_gives_the_only_node_that_will_do_to_whoever_needs_it() -> None:
    known = [candidate("big", 8), candidate("small", 1)]

    assert planned(bundles(1, 8), "STRICT_SPREAD", *known) == ["small", "big"]
    assert planned(bundles(1, 1, 1), "STRICT_SPREAD", *known) is None


def test_strict_pack_wants_room_for_all_of_it() -> None:
    known = [candidate("a", 8, free=3), candidate("b", 4)]

    assert planned(bundles(2, 2), "STRICT_PACK", *known) == ["b", "b"]
    assert planned(bundles(3, 3), "STRICT_PACK", *known) is None
    assert planned(bundles(3, 3), "STRICT_PACK", *known, when_empty=True) == ["a", "a"]


def test_bundles_that_have_a_place_keep_it_and_the_others_respect_that() -> None:
    known = [candidate("a", 4), candidate("b", 4), candidate("c", 4)]
    kept = [NodeId("b", 1), None, NodeId("a", 1)]

    assert planned(bundles(1, 1, 1), "STRICT_SPREAD", *known, kept=kept) == ["b", "c", "a"]


def test_a_bundle_goes_where_its_labels_are() -> None:
    known = [candidate("a", 4, labels={"zone": "x"}), candidate("b", 4, labels={"zone": "y"})]
    wanted = [Bundle(Resources.of(num_cpus=1), parse_selectors({"zone": zone})) for zone in ("y", "x")]

    assert planned(wanted, "PACK", *known) == ["b", "a"]
    assert planned(wanted, "STRICT_PACK", *known) is None


@pytest.mark.parametrize(
    ("wanted", "strategy", "why"),
    [
        (bundles(9), "PACK", "no node has 9 CPU for bundle 0; the closest, a~1, has 4 CPU"),
        (bundles(3, 3), "STRICT_PACK", "no node has 6 CPU for all bundles together"),
        (bundles(1, 1, 1), "STRICT_SPREAD", "3 bundles each want a node of their own, and there are 2 nodes"),
        (bundles(3, 3, 3), "PACK", "no assignment of its bundles to the nodes fits"),
        (bundles(4, 4), "PACK", None),
    ],
)
def test_what_never_fits_is_explained(wanted: list[Bundle], strategy: GroupStrategy, why: str | None) -> None:
    known = [candidate("a", 4, free=0), candidate("b", 4)]

    assert why_infeasible(wanted, strategy, known, Random(0)) == why
    assert why_infeasible(wanted, strategy, [], Random(0)) == "no node of the cluster takes work"


@given(
    st.lists(st.sampled_from([0.5, 1, 2, 3]), min_size=1, max_size=8),
    st.lists(st.sampled_from([0, 1, 2, 4]), min_size=0, max_size=6),
    st.sampled_from(["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"]),
    st.integers(0, 1000),
)
def test_a_plan_overfills_nobody_and_keeps_its_strategy(
    wanted: list[float], frees: list[float], strategy: GroupStrategy, seed: int
) -> None:
    known = [candidate(f"w{number}", 4, free=free) for number, free in enumerate(frees)]

    plan = plan_bundles(bundles(*wanted), strategy, known, Random(seed))

    if plan is None:
        return
    for each in known:
        there = [Resources.of(num_cpus=cpus) for cpus, node in zip(wanted, plan, strict=True) if node == each.node]
        assert sum(there, NOTHING).fits(each.available)
    if strategy == "STRICT_PACK":
        assert len(set(plan)) == 1
    if strategy == "STRICT_SPREAD":
        assert len(set(plan)) == len(plan)

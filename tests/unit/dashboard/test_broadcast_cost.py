"""Tests of what broadcasts cost: the measures of counts, and how deep a tree is."""

from __future__ import annotations

from typing import Any

from partisan_actors.dashboard.broadcast_cost import ROOTS_MAX, cost_of, depths_of, summed
from tests.unit.dashboard.fakes import FakeCluster, member, served


def counts(delivered: int, repeated: int, hops: dict[str, int], **more: int) -> dict[str, Any]:
    return {"delivered": delivered, "payloads": delivered + repeated, "repeated": repeated, "hops": hops, **more}


def test_the_measures_are_those_of_the_paper() -> None:
    cost = cost_of(counts(20, 5, {"1": 10, "3": 10}, lazy=30, graft=6, prune=4))

    assert cost == {"redundancy": 0.25, "control_each": 2.0, "hops_mean": 2.0, "hops_max": 3}


def test_where_nothing_has_arrived_nothing_is_claimed() -> None:
    assert cost_of(counts(0, 0, {})) == {
        "redundancy": None,
        "control_each": None,
        "hops_mean": None,
        "hops_max": None,
    }


def test_counts_of_nodes_add_up_and_a_flood_that_has_no_control_counts_too() -> None:
    total = summed([counts(2, 1, {"10": 1, "2": 1}, lazy=3), counts(1, 4, {"2": 1}, flood=9)])

    assert (total["delivered"], total["repeated"], total["lazy"], total["graft"]) == (3, 5, 3, 0)
    assert list(total["hops"].items()) == [("2", 2), ("10", 1)]


def test_the_depth_of_a_tree_depends_on_whose_it_is_and_who_is_cut_off_is_counted() -> None:
    depths = depths_of(["a", "b", "c", "d"], [["a", "b"], ["b", "c"], ["x", "d"]])

    assert depths == {"a": (2, 1), "b": (1, 1), "c": (2, 1), "d": (0, 3)}


def test_a_ring_has_a_depth_and_of_many_nodes_only_the_first_are_measured() -> None:
    names = [f"n{number:04}" for number in range(ROOTS_MAX + 50)]
    ring = [[one, other] for one, other in zip(names, [*names[1:], names[0]], strict=True)]

    depths = depths_of(names, ring)

    assert len(depths) == ROOTS_MAX
    assert set(depths.values()) == {(len(names) // 2, 0)}


async def test_the_page_has_a_row_for_each_node_that_answers_and_the_sums_of_all() -> None:
    cluster = FakeCluster(member("a"), member("b"), member("c", "down"))
    cluster.say("metrics.broadcasts", lambda name: counts(4, 1 if name == "a" else 3, {"1": 4}, lazy=2))
    cluster.say("inspect.tree", lambda name: {"b" if name == "a" else "a": True})
    async with served(cluster) as (client, _), client.get("/api/v1/broadcasts?sort=-redundancy") as response:
        found = await response.json()

    assert [(row["node"], row["redundancy"], row["eager"], row["depth"]) for row in found["rows"]] == [
        ("b", 0.75, 1, 1),
        ("a", 0.25, 1, 1),
    ]
    assert found["totals"]["redundancy"] == 0.5 and found["links"] == 1 and found["depth_max"] == 1
    assert found["asked"] == 2

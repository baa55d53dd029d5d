"""What people are told of work that waits."""

from __future__ import annotations

from typing import Any

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.scheduler.explain import HOLDERS_TOLD, explain, why_queued
from partisan_actors.scheduler.policy import Candidate, Request
from partisan_actors.scheduler.pool import Pool
from partisan_actors.scheduler.resources import Resources
from partisan_actors.scheduler.strategies import NodeAffinity

FOUR = Resources.of(num_cpus=4)


@pytest.mark.parametrize(
    ("options", "known", "why"),
    [
        ({"num_cpus": 1}, {}, "has room, as far as is known"),
        ({"num_cpus": 1}, {"suspected": True}, "is suspected to be down"),
        ({"num_cpus": 8}, {}, "has 4 CPU in all, and is short of 4 CPU"),
        ({"num_gpus": 1}, {}, "has no GPU in all, and is short of 1 GPU"),
        (
            {"num_cpus": 3},
            {"available": Resources.of(num_cpus=1), "held": Resources.of(num_cpus=2)},
            "has 1 CPU free; actors hold 2 CPU for life",
        ),
        ({"placement": NodeAffinity("other")}, {}, "is not the node asked for, other"),
        ({"labels": {"zone": "b"}}, {"labels": {"zone": "a"}}, "has not the labels: zone is 'a'"),
        (
            {"labels": {"zone": "b"}, "fallbacks": [{"label_selector": {"zone": "a"}}]},
            {"labels": {"zone": "a"}},
            "has room",
        ),
    ],
)
def test_a_node_says_what_it_lacks(options: dict[str, Any], known: dict[str, Any], why: str) -> None:
    candidate = Candidate(NodeId("w1", 1), **{"total": FOUR, "available": FOUR, **known})

    ((node, said),) = explain(Request.parse(**options), [candidate])

    assert node == candidate.node
    assert said.startswith(why)


def test_a_queued_task_is_told_who_has_what_it_needs_the_largest_first() -> None:
    pool = Pool(Resources.of(num_cpus=10, memory=100))
    pool.acquire("only memory", Resources.of(memory=50))
    for number in range(HOLDERS_TOLD + 2):
        pool.acquire(f"task {number}", Resources.of(num_cpus=1 + (number == 3)))

    said = why_queued(Request.parse(num_cpus=3), [pool], str)

    assert said.startswith("it needs 3 CPU; free: 2 CPU; held by task 3 (2 CPU), task 0 (1 CPU), ")
    assert said.endswith(" and 2 more")
    assert "memory" not in said


def test_a_task_whose_bundle_is_empty_of_room_is_told_so() -> None:
    assert why_queued(Request.parse(num_cpus=1), [], str) == "it needs 1 CPU; free: nothing; held by nobody"

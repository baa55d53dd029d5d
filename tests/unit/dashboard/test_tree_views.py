"""The page of supervision: the tree of what all nodes tell, and how much of it there is."""

from __future__ import annotations

from partisan_actors.api.actor_rows import STATES
from tests.unit.api.test_actor_tree import row, shape
from tests.unit.dashboard.fakes import FakeCluster, member, served
from tests.unit.dashboard.test_jaeger import asked


def cluster() -> FakeCluster:
    made = FakeCluster(member("a"), member("b"))
    made.answers["a", "inspect.all_actors"] = [
        row(1, owner="a~1"),
        row(2, "actor:a~1/1", owner="a~1", node="b"),
        row(3, owner=None, state=STATES[-1]),
    ]
    return made


async def test_actors_stand_below_their_makers_and_ended_ones_are_shown_when_asked_for() -> None:
    async with served(cluster()) as (client, _):
        found = await asked(client, "/api/v1/tree")
        with_ended = await asked(client, "/api/v1/tree", ended="true")

    assert shape(found["roots"]) == [("a~1", [(1, [(2, [])])])]
    assert (found["asked"], found["answered"], found["total"], found["cut"]) == (2, 1, 2, False)
    assert shape(with_ended["roots"]) == [("a~1", [(1, [(2, [])])]), ("detached", [(3, [])])]


async def test_a_node_s_own_are_those_that_it_has_or_owns_and_too_many_are_cut() -> None:
    async with served(cluster()) as (client, _):
        on_b = await asked(client, "/api/v1/tree", node="b")
        cut = await asked(client, "/api/v1/tree", limit="1", ended="true")

    assert shape(on_b["roots"]) == [("a~1", [(2, [])])]
    assert (cut["total"], cut["cut"]) == (3, True) and shape(cut["roots"]) == [("a~1", [(1, [])])]

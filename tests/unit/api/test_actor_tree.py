"""The tree of actors, of rows as nodes tell them: who stands below whom, and what is said of each."""

from __future__ import annotations

import json
from typing import Any

from partisan_actors.api.actor_tree import DEPTH_MAX, actor_tree, supervision_of


def row(number: int, made_by: str = "", owner: str | None = "a~1", **changes: Any) -> dict[str, Any]:
    facts = {"class": "C", "name": None, "node": "a", "state": "alive", "reason": "", "restarts": 0, "max_restarts": 0}
    ties = {"guardians": [], "links": [], "monitors": []}
    return {"id": f"actor:a~1/{number}", "made_by": made_by, "owner": owner, **facts, **ties, **changes}


def shape(trees: list[dict[str, Any]]) -> list[Any]:
    """Numbers of actors and labels of roots, each with those below it."""
    return [
        (each["label"] if "label" in each else int(each["id"].rpartition("/")[2]), shape(each["children"]))
        for each in trees
    ]


def test_actors_stand_below_their_makers_and_the_first_below_the_node_that_owns_them() -> None:
    rows = [row(3, "actor:a~1/2"), row(2, "actor:a~1/1"), row(1), row(4, owner="b~1"), row(5, owner=None)]

    trees = actor_tree(rows)

    assert shape(trees) == [("a~1", [(1, [(2, [(3, [])])])]), ("b~1", [(4, [])]), ("detached", [(5, [])])]
    assert [root["kind"] for root in trees] == ["node", "node", "detached"]
    assert trees[0]["states"] == {"alive": 3}


def test_who_has_a_maker_that_is_not_there_says_so() -> None:
    (root,) = actor_tree([row(1, "task index"), row(2, "actor:a~1/9")])

    assert [child["made_by"] for child in root["children"]] == ["task index", "actor:a~1/9"]


def test_rows_that_cannot_be_true_do_no_harm() -> None:
    trees = actor_tree([row(1, "actor:a~1/2"), row(2, "actor:a~1/1"), row(3, "actor:a~1/3")])

    assert shape(trees) == [("a~1", [(1, []), (2, []), (3, [])])]


def test_a_long_chain_of_makers_is_cut_where_it_could_not_be_written_any_more() -> None:
    rows = [row(1), *(row(number, f"actor:a~1/{number - 1}") for number in range(2, 3_000))]

    (root,) = actor_tree(rows)

    assert root["states"] == {"alive": 2_999}
    deepest = root
    for _ in range(DEPTH_MAX - 1):
        deepest = deepest["children"][0]
    assert len(deepest["children"]) == 2_999 - DEPTH_MAX + 1
    assert deepest["children"][1]["made_by"] == deepest["children"][0]["id"]
    json.dumps(root)


def test_supervision_is_told_in_words() -> None:
    assert supervision_of(row(1)) == "ends with its node"
    assert supervision_of(row(1, max_restarts=3, restarts=1, guardians=["b", "c"])) == (
        "made again 1 of 3 times so far, by b, c"
    )
    assert supervision_of(row(1, max_restarts=-1)) == "made again without limit"

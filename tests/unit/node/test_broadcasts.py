"""Broadcasts by name, with their options; and what is said of those that there are not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.node.broadcasts import make_broadcast
from partisan_actors.protocols.broadcast.flood import Flood
from partisan_actors.protocols.broadcast.plumtree import Plumtree
from tests.nodes import overlay, until

ME = NodeId("me", 1)


def test_there_are_a_tree_and_a_flood() -> None:
    assert isinstance(make_broadcast(ME, "plumtree", {"trees": "per_root"}, random.Random(1)), Plumtree)
    assert isinstance(make_broadcast(ME, "flood", {"hops_max": 3}, random.Random(1)), Flood)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("gossip", {}, "plumtree or flood"),
        ("plumtree", {"tree": "shared"}, "broadcast_options = 'tree' is not valid: expected one of trees, roots_max"),
        ("flood", {"trees": "shared"}, "expected one of hops_max"),
        ("plumtree", {"trees": "own"}, "broadcast_options.trees = 'own' is not valid: expected shared or per_root"),
        (
            "plumtree",
            {"store_max": "many"},
            "broadcast_options.store_max = 'many' is not valid: expected a whole",
        ),
        ("plumtree", {"repeat_s": 0}, "broadcast_options.repeat_s = 0 is not valid: expected None or seconds"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make_broadcast(ME, name, options, random.Random(1))


@pytest.mark.parametrize("settings", [{"broadcast": "flood"}, {"broadcast_options": {"trees": "per_root"}}])
async def test_real_nodes_hear_each_other_over_either(settings: dict[str, Any]) -> None:
    async with overlay("a", "b", "c", "d", **settings) as made:
        await until(lambda: all(node.neighbours() for node in made), "everybody has neighbours")
        heard: list[list[Any]] = [[] for _ in made]
        for node, mine in zip(made, heard, strict=True):
            node.subscribe("news", lambda origin, payload, mine=mine: mine.append(payload))

        for number, node in enumerate(made):
            node.broadcast("news", number)

        await until(lambda: [sorted(mine) for mine in heard] == [[n for n in range(4) if n != me] for me in range(4)])

"""The lines of `partisan tree`: owners, and below them actors with what becomes of them."""

from __future__ import annotations

from partisan_actors.api.actor_tree import actor_tree
from partisan_actors.cli.tree import lines_of
from tests.unit.api.test_actor_tree import row


def test_each_actor_is_a_line_below_its_maker_with_what_there_is_to_say_of_it() -> None:
    shop = row(1, name="shop", max_restarts=3, restarts=1, guardians=["b"], links=["x", "y", "z", "w"])
    till = row(2, "actor:a~1/1", state="stopped", reason="it was killed")

    lines = [(depth, "  ".join(text for text, _ in parts)) for depth, parts in lines_of(actor_tree([shop, till]))]

    assert lines == [
        (0, "node a~1  (1 alive, 1 stopped)"),
        (1, "C 'shop'  alive  on a  made again 1 of 3 times so far, by b  links x, y, z and 1 more  actor:a~1/1"),
        (2, "C  stopped  on a  ends with its node  it was killed  actor:a~1/2"),
    ]


def test_what_is_detached_is_said_to_be_nobody_s() -> None:
    ((_, parts), *_) = lines_of(actor_tree([row(1, owner=None)]))

    assert parts[0][0] == "detached: nobody's end ends these"

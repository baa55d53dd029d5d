"""Names and lives of simulated nodes."""

from __future__ import annotations

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.protocols.machine import Peer
from partisan_actors.simulation.lives import FirstNames, first_life, name_of, next_life


@pytest.mark.parametrize("node", [first_life(7), NodeId("elsewhere", 1_700_000_000), 7])
def test_the_next_life_has_the_same_name_and_is_greater_and_nobody_else(node: Peer) -> None:
    later = next_life(next_life(node))

    assert name_of(later) == name_of(node)
    assert later > node  # type: ignore[operator]  # ids and ints are ordered
    assert len({node, next_life(node), later}) == 3


def test_names_are_what_plans_call_them() -> None:
    assert (name_of(first_life(7)), name_of(7), name_of("x")) == ("n7", "7", "x")


def test_other_peers_have_one_life_only() -> None:
    with pytest.raises(TypeError, match="NodeId or an int"):
        next_life("x")


def test_the_first_names_are_those_of_the_first_nodes_and_no_others() -> None:
    names = FirstNames(11)

    assert list(names) == [name_of(first_life(number)) for number in range(11)] and len(names) == 11
    assert all(name in names for name in names)
    assert not any(
        name in names
        for name in ("n11", "n01", "n-1", "N1", "n", "", "x1", "n1~1", "n\u00b2", f"n{'9' * 5000}", 1, None)
    )


def test_names_that_are_there_are_not_given_to_those_that_come() -> None:
    names = FirstNames(3, ("n0", "n2", "mine", "n9"))

    assert list(names) == ["n0", "n2", "mine", "n9", "n1", "n3", "n4"] and len(names) == 7
    assert all(name in names for name in names)
    assert not any(name in names for name in ("n5", "n6", "n8", "n10", "yours"))

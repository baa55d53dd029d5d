"""Trees: one for all roots, or one for each, within a bound."""

from __future__ import annotations

from partisan_actors.protocols.broadcast.trees import PER_ROOT, SHARED, Trees


def trees(kind: str = PER_ROOT, roots_max: int = 2) -> Trees:
    made = Trees(kind, roots_max, root_idle_s=60.0)
    made.up("a")
    made.up("b")
    return made


def test_a_shared_tree_is_the_same_for_every_root() -> None:
    made = trees(SHARED)

    made.of("root", 0.0)["a"] = False

    assert made.of("another", 0.0) == {"a": False, "b": True}
    assert len(made) == 0


def test_what_is_pruned_for_one_root_stays_eager_for_another() -> None:
    made = trees()

    made.of("root", 0.0)["a"] = False

    assert made.of("root", 1.0) == {"a": False, "b": True}
    assert made.of("another", 1.0) == {"a": True, "b": True}


def test_a_new_neighbour_is_eager_everywhere_and_resets_nothing() -> None:
    made = trees()
    made.of("root", 0.0)["a"] = False

    made.up("c")

    assert made.of("root", 1.0) == {"a": False, "b": True, "c": True}


def test_a_lost_neighbour_is_in_no_tree() -> None:
    made = trees()
    made.of("root", 0.0)

    made.down("a")

    assert made.of("root", 1.0) == {"b": True}
    assert made.of("another", 1.0) == {"b": True}


def test_at_the_bound_a_root_shares_the_common_links_while_the_others_are_heard_of() -> None:
    made = trees(roots_max=2)
    made.of("one", 0.0)
    made.of("two", 0.0)

    made.of("three", 59.0)["a"] = False

    assert made.of("four", 59.0) == {"a": False, "b": True}
    assert made.of("one", 59.0) == {"a": True, "b": True}
    assert len(made) == 2


def test_at_the_bound_a_root_takes_the_place_of_the_one_that_was_silent_for_longest() -> None:
    made = trees(roots_max=2)
    made.of("one", 0.0)["a"] = False
    made.of("two", 1.0)["a"] = False
    made.of("one", 2.0)

    made.of("three", 61.0)["b"] = False

    assert made.look("one") == {"a": False, "b": True}
    assert made.look("two") == {"a": True, "b": True}
    assert made.look("three") == {"a": True, "b": False}
    assert len(made) == 2


def test_looking_makes_no_tree() -> None:
    made = trees()

    assert made.look("root") == {"a": True, "b": True}
    assert len(made) == 0

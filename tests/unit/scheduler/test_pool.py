"""What a node's pool hands out comes back, whatever happens; and GPUs are things with numbers."""

from __future__ import annotations

import pytest

from partisan_actors.scheduler.pool import Pool
from partisan_actors.scheduler.resources import NOTHING, Resources


def test_a_pool_refuses_what_it_has_no_room_for_and_keeps_what_it_has() -> None:
    pool = Pool(Resources.of(num_cpus=2))

    assert pool.acquire("a", Resources.of(num_cpus=1.5))
    assert not pool.acquire("b", Resources.of(num_cpus=1))

    assert pool.available == Resources.of(num_cpus=0.5)
    assert list(pool) == ["a"]


def test_asking_twice_and_giving_back_twice_count_once() -> None:
    pool = Pool(Resources.of(num_cpus=2))

    assert pool.acquire("a", Resources.of(num_cpus=1))
    assert pool.acquire("a", Resources.of(num_cpus=1))
    assert pool.available == Resources.of(num_cpus=1)

    assert pool.release("a") == Resources.of(num_cpus=1)
    assert pool.release("a") == NOTHING
    assert pool.available == pool.total


def test_asking_for_something_else_under_the_same_token_is_a_mistake() -> None:
    pool = Pool(Resources.of(num_cpus=4))
    pool.acquire("a", Resources.of(num_cpus=1))

    with pytest.raises(ValueError, match="holds 1 CPU already"):
        pool.acquire("a", Resources.of(num_cpus=2))

    assert pool.held("a") == Resources.of(num_cpus=1)


def test_an_actor_that_needed_a_core_to_be_placed_can_hold_nothing_while_it_runs() -> None:
    pool = Pool(Resources.of(num_cpus=1))
    pool.acquire("actor", Resources.of(num_cpus=1))

    assert pool.replace("actor", NOTHING)

    assert pool.available == pool.total
    assert "actor" in pool
    assert len(pool) == 1


def test_a_replacement_that_does_not_fit_changes_nothing() -> None:
    pool = Pool(Resources.of(num_cpus=2))
    pool.acquire("a", Resources.of(num_cpus=1))
    pool.acquire("b", Resources.of(num_cpus=1))

    assert not pool.replace("a", Resources.of(num_cpus=2))
    assert not pool.replace("stranger", Resources.of(num_cpus=1))

    assert pool.held("a") == Resources.of(num_cpus=1)
    assert "stranger" not in pool
    assert pool.available == NOTHING


def test_what_is_handed_over_is_held_by_the_other_and_comes_back_once() -> None:
    pool = Pool(Resources.of(num_cpus=2))
    pool.acquire("one", Resources.of(num_cpus=1))

    assert pool.hand_over("one", "other")

    assert pool.held("other") == Resources.of(num_cpus=1)
    assert "one" not in pool
    assert pool.available == Resources.of(num_cpus=1)
    assert pool.release("one") == NOTHING
    pool.release("other")
    assert pool.available == pool.total


def test_who_holds_nothing_has_nothing_to_hand_over() -> None:
    pool = Pool(Resources.of(num_cpus=2))

    assert not pool.hand_over("one", "other")
    assert "other" not in pool


def test_what_is_held_for_life_is_told_from_what_comes_back() -> None:
    pool = Pool(Resources.of(num_cpus=4))

    assert pool.acquire("actor", Resources.of(num_cpus=1), for_life=True)
    assert pool.acquire("actor", Resources.of(num_cpus=1), for_life=True)
    assert pool.acquire("task", Resources.of(num_cpus=2))
    assert not pool.acquire("another actor", Resources.of(num_cpus=2), for_life=True)

    assert pool.held_for_life == Resources.of(num_cpus=1)
    pool.release("task")
    assert pool.held_for_life == Resources.of(num_cpus=1)
    pool.release("actor")
    pool.release("actor")
    assert pool.held_for_life == Resources.of()
    assert pool.available == pool.total


def test_whole_gpus_have_numbers_and_nobody_else_has_them() -> None:
    pool = Pool(Resources.of(num_gpus=3))

    assert pool.acquire("one", Resources.of(num_gpus=2))
    assert pool.acquire("other", Resources.of(num_gpus=1))

    assert set(pool.gpus("one")) | set(pool.gpus("other")) == {0, 1, 2}
    assert not set(pool.gpus("one")) & set(pool.gpus("other"))
    pool.release("one")
    assert pool.gpus("one") == {}
    assert pool.acquire("third", Resources.of(num_gpus=2))


def test_fractions_share_one_gpu_before_they_begin_another() -> None:
    pool = Pool(Resources.of(num_gpus=2))

    for name in ("a", "b"):
        assert pool.acquire(name, Resources.of(num_gpus=0.5))

    assert pool.gpus("a") == pool.gpus("b")
    assert pool.acquire("whole", Resources.of(num_gpus=1))


def test_two_halves_of_two_gpus_are_no_whole_one() -> None:
    pool = Pool(Resources.of(num_gpus=2))
    for name in ("a", "b", "c", "d"):
        pool.acquire(name, Resources.of(num_gpus=0.5))
    pool.release("a")
    pool.release("c")

    assert pool.available == Resources.of(num_gpus=1)
    assert not pool.acquire("whole", Resources.of(num_gpus=1))
    pool.release("b")
    assert pool.acquire("whole", Resources.of(num_gpus=1))


def test_a_replacement_that_fails_leaves_the_gpus_where_they_were() -> None:
    pool = Pool(Resources.of(num_gpus=2))
    pool.acquire("one", Resources.of(num_gpus=1))
    pool.acquire("other", Resources.of(num_gpus=1))
    before = pool.gpus("one")

    assert not pool.replace("one", Resources.of(num_gpus=2))

    assert pool.gpus("one") == before

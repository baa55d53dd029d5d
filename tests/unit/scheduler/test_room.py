"""What a node admits: work in its pool, bundles that are prepared and kept, and work in those."""

from __future__ import annotations

from partisan_actors.ids import GroupId, NodeId
from partisan_actors.scheduler.groups_record import GroupRecord
from partisan_actors.scheduler.policy import Request
from partisan_actors.scheduler.resources import NOTHING, Resources
from partisan_actors.scheduler.room import Room
from partisan_actors.scheduler.strategies import InPlacementGroup

ME = NodeId("me", 1)
GROUP = GroupId(ME, 1)
TWO = Resources.of(num_cpus=2)
ONE = Request.parse(num_cpus=1)
INSIDE = Request.parse(num_cpus=1, placement=InPlacementGroup(GROUP))


def room_with_a_bundle() -> Room:
    room = Room(Resources.of(num_cpus=3))
    record = GroupRecord(GROUP, "PACK", (TWO,), (), (ME,), state="created")
    assert room.prepare(GROUP, (1, 0), {0: TWO}, until=10.0)
    assert room.settle(record, (1, 0), [0]) == ([], [])
    return room


def test_work_in_a_bundle_takes_from_it_and_gives_back_to_it() -> None:
    room = room_with_a_bundle()

    assert [room.acquire(name, INSIDE) for name in ("a", "b", "c")] == [True, True, False]

    assert room.pool.available == Resources.of(num_cpus=1)
    assert room.held("a") == ONE.resources
    assert room.release("a") and not room.release("a")
    assert room.acquire("c", INSIDE)


def test_work_hands_its_room_over_unless_that_is_in_a_bundle() -> None:
    room = room_with_a_bundle()
    room.acquire("a", ONE)
    room.acquire("b", INSIDE)

    assert room.hand_over("a", "c")
    assert not room.hand_over("b", "d")

    assert "a" not in room and room.held("c") == ONE.resources
    assert "d" not in room and room.held("b") == ONE.resources


def test_nothing_is_placed_in_what_is_only_prepared() -> None:
    room = Room(TWO)
    assert room.prepare(GROUP, (1, 0), {0: TWO}, until=10.0)

    assert not room.acquire("a", INSIDE)
    assert not room.acquire("b", ONE)
    assert not room.can_wait(INSIDE)


def test_bundles_are_prepared_all_or_none() -> None:
    room = Room(Resources.of(num_cpus=3))

    assert not room.prepare(GROUP, (1, 0), {0: TWO, 1: TWO}, until=10.0)

    assert room.pool.available == room.pool.total


def test_what_is_not_decided_in_time_or_cancelled_is_free_again() -> None:
    room = Room(Resources.of(num_cpus=4))
    room.prepare(GROUP, (1, 0), {0: TWO}, until=10.0)
    room.prepare(GroupId(ME, 2), (1, 0), {0: TWO}, until=99.0)

    assert not room.expire(9.0)
    assert room.expire(10.0)
    room.cancel(GroupId(ME, 2), (2, 0))  # another decision
    assert room.pool.available == TWO
    room.cancel(GroupId(ME, 2), (1, 0))
    assert room.pool.available == room.pool.total


def test_a_bundle_that_goes_elsewhere_takes_the_place_of_its_work_with_it() -> None:
    room = room_with_a_bundle()
    room.acquire("a", INSIDE)
    record = GroupRecord(GROUP, "PACK", (TWO,), (), (NodeId("other", 1),))

    assert room.settle(record, (2, 0), []) == ([], ["a"])

    assert room.pool.available == room.pool.total
    assert not room.release("a")


def test_an_older_decision_does_not_take_what_a_newer_one_prepared() -> None:
    room = Room(TWO)
    room.prepare(GROUP, (5, 0), {0: TWO}, until=10.0)

    room.settle(GroupRecord(GROUP, "PACK", (TWO,), (), (None,)), (3, 0), [])

    assert room.bundles() == {(GROUP, 0): False}


def test_a_bundle_that_should_be_here_and_has_no_room_is_named() -> None:
    room = Room(TWO)
    room.acquire("other", ONE, for_life=True)

    assert room.settle(GroupRecord(GROUP, "PACK", (TWO,), (), (ME,)), (1, 0), [0]) == ([0], [])


def test_tasks_wait_for_what_tasks_hold_in_a_bundle_and_not_for_what_actors_hold() -> None:
    room = room_with_a_bundle()
    big = Request.parse(num_cpus=2, placement=InPlacementGroup(GROUP))

    room.acquire("task", INSIDE)
    assert room.can_wait(big)
    room.acquire("actor", INSIDE, for_life=True)
    assert not room.can_wait(big)
    room.release("actor")
    room.is_closed = True
    assert not room.can_wait(big) and not room.can_wait(ONE)


def test_the_gpus_of_a_bundle_are_those_that_its_work_gets() -> None:
    room = Room(Resources.of(num_gpus=3))
    two = Resources.of(num_gpus=2)
    room.prepare(GROUP, (1, 0), {0: two}, until=10.0)
    room.settle(GroupRecord(GROUP, "PACK", (two,), (), (ME,)), (1, 0), [0])
    one = Request.parse(num_gpus=1, placement=InPlacementGroup(GROUP))

    assert room.acquire("a", one) and room.acquire("b", one) and room.acquire("c", Request.parse(num_gpus=1))

    assert sorted(room.gpus("a") + room.gpus("b") + room.gpus("c")) == [0, 1, 2]
    assert sum((amounts for _, amounts in room.holders()), NOTHING) == room.pool.total


def test_who_asks_for_room_has_what_was_given_back_and_not_told_of_yet() -> None:
    room = Room(Resources.of(num_cpus=1))
    room.acquire("a", ONE)
    ended = ["a"]

    def catch_up() -> None:
        while ended:
            room.release(ended.pop())

    room.catch_up = catch_up

    assert not room.acquire_as_told("b", ONE)
    assert room.pool.available == ONE.resources
    assert room.acquire("b", ONE)
    ended.append("b")
    assert list(room.holders()) == []


def test_a_bundle_has_room_that_was_not_told_of_yet() -> None:
    room = Room(TWO)
    room.acquire("a", ONE)
    room.catch_up = lambda: room.release("a")

    assert room.prepare(GROUP, (1, 0), {0: TWO}, until=10.0)

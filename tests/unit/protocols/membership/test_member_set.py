"""The set of members: what adding, removing and merging mean, and its bound."""

from __future__ import annotations

import pytest

from partisan_actors.ids import NodeId
from partisan_actors.protocols.membership.member_set import Change, MemberSet

A1, A2, B1 = NodeId("a", 1), NodeId("a", 2), NodeId("b", 1)


def members(*peers: NodeId) -> MemberSet:
    made = MemberSet(removed_max=16)
    for peer in peers:
        made.add(peer)
    return made


def copy_of(original: MemberSet) -> MemberSet:
    copy = members()
    copy.merge(original.entries())
    return copy


def test_an_added_member_is_in_until_it_is_removed() -> None:
    cluster = members(A1)

    assert A1 in cluster
    cluster.remove(A1)
    assert A1 not in cluster
    assert len(cluster) == 0


def test_merging_an_empty_set_keeps_everything() -> None:
    cluster = members(A1, B1)

    assert cluster.merge(members().entries()) == []
    assert cluster.members == [A1, B1]


def test_merging_says_what_is_new() -> None:
    cluster = members(A1)

    changes = cluster.merge(members(A1, B1).entries())

    assert changes == [Change(B1, 1, former=None)]
    assert changes[0].present


def test_what_two_replicas_add_at_the_same_time_is_in_both_after_they_merge() -> None:
    one, other = members(A1), members(B1)

    one.merge(other.entries())
    other.merge(one.entries())

    assert one.members == [A1, B1]
    assert sorted(other.entries()) == sorted(one.entries())


def test_what_was_removed_everywhere_stays_out_whatever_old_states_are_merged_in_which_order() -> None:
    one = members(A1, B1)
    other, old = copy_of(one), copy_of(one)

    one.remove(A1)
    other.merge(one.entries())
    for stale in (old, copy_of(old)):
        other.merge(stale.entries())
        one.merge(stale.entries())
        stale.merge(one.entries())

    assert one.members == other.members == [B1]
    assert one.merge(old.entries()) == []


def test_an_add_wins_over_a_removal_that_had_not_seen_it() -> None:
    one = members(A1)
    other = copy_of(one)

    other.remove(A1)
    one.add(A1)
    one.merge(other.entries())
    other.merge(one.entries())

    assert A1 in one
    assert A1 in other


def test_a_removed_member_is_not_brought_back_by_an_older_state() -> None:
    cluster = members(A1, B1)
    old = copy_of(cluster)

    cluster.remove(A1)
    cluster.merge(old.entries())

    assert cluster.members == [B1]


def test_two_removals_of_the_same_add_are_one() -> None:
    one = members(A1)
    other = copy_of(one)

    one.remove(A1)
    other.remove(A1)

    assert one.entries() == other.entries()


def test_removing_whom_nobody_knows_says_nothing() -> None:
    cluster = members(A2)

    assert cluster.remove(B1) is None
    assert cluster.remove(A1) is None, "a former life, which A2 has replaced"
    assert cluster.members == [A2]


def test_a_later_life_replaces_the_former_one_of_its_name() -> None:
    cluster = members(A1, B1)

    changes = cluster.merge(members(A2).entries())

    assert changes == [Change(A2, 1, former=A1)]
    assert cluster.members == [A2, B1]
    assert A1 not in cluster
    assert cluster.length(A1) == 0


def test_removing_a_former_life_does_not_touch_a_later_one() -> None:
    one, other = members(A1), members(A1)
    one.remove(A1)
    other.merge(members(A2).entries())

    other.merge(one.entries())
    one.merge(other.entries())

    assert A2 in one
    assert A2 in other


def test_one_who_comes_back_exceeds_what_others_remember_of_its_leaving() -> None:
    others = members(A1, B1)
    left = others.remove(A1)
    assert left is not None

    again = MemberSet(removed_max=16).add(A1, longer_than=left[1])
    others.merge([again])

    assert A1 in others


def test_removed_members_beyond_the_bound_are_forgotten_oldest_first() -> None:
    cluster = MemberSet(removed_max=2)

    for number in range(5):
        cluster.add(NodeId(f"n{number}", 1))
        cluster.remove(NodeId(f"n{number}", 1))

    assert cluster.entries() == [(NodeId("n3", 1), 2), (NodeId("n4", 1), 2)]


@pytest.mark.parametrize("name", ["same", "n{}"])
def test_ten_thousand_joins_and_leaves_take_no_more_room_than_a_hundred_do(name: str) -> None:
    def entries_after(cycles: int) -> int:
        cluster = MemberSet(removed_max=128)
        for cycle in range(cycles):
            cluster.add(NodeId(name.format(cycle), cycle))
            cluster.remove(NodeId(name.format(cycle), cycle))
        return len(cluster.entries())

    assert entries_after(10_000) <= 2 * entries_after(100)


def test_numbers_are_names_of_one_life() -> None:
    cluster = MemberSet(removed_max=4)

    cluster.add(1)
    cluster.add(2)
    cluster.remove(1)

    assert cluster.members == [2]


def test_an_entry_without_length_is_no_entry() -> None:
    cluster = members()

    assert cluster.merge([(A1, 0), (B1, -3)]) == []
    assert cluster.entries() == []


def test_a_bound_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="removed_max = 0 is not valid: expected an int of at least 1"):
        MemberSet(removed_max=0)

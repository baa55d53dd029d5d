"""LwwMap: which write wins, what a deletion leaves behind, and for how long."""

from __future__ import annotations

from partisan_actors.protocols.broadcast.lww_map import Changed, Entry, LwwMap, Update


def lww(entries_max: int = 100, tombstone_ttl_s: float = 60.0) -> LwwMap:
    return LwwMap(entries_max, tombstone_ttl_s)


def put(key: str, *stamp: int, value: object = "v") -> Update:
    return Update(key, stamp, value, 0.0)


def test_the_greater_stamp_wins_in_either_order() -> None:
    early, late = put("k", 1, 9, value="early"), put("k", 2, 0, value="late")
    one, two = lww(), lww()

    one_changes = [one.apply(early, 0.0), one.apply(late, 0.0)]
    two_changes = [two.apply(late, 0.0), two.apply(early, 0.0)]

    assert one.get("k") == two.get("k") == Entry((2, 0), "late")
    assert one_changes == [
        Changed("k", None, Entry((1, 9), "early")),
        Changed("k", Entry((1, 9), "early"), Entry((2, 0), "late")),
    ]
    assert two_changes[1] is None
    assert one.xor == two.xor


def test_equal_stamps_with_different_values_end_alike_in_either_order() -> None:
    first, second = put("k", 1, value="a"), put("k", 1, value="b")
    one, two = lww(), lww()

    for update in (first, second):
        one.apply(update, 0.0)
    for update in (second, first):
        two.apply(update, 0.0)

    assert one.get("k") == two.get("k")
    assert one.xor == two.xor


def test_the_same_write_again_changes_nothing() -> None:
    table = lww()
    table.apply(put("k", 1), 0.0)

    assert table.apply(put("k", 1), 0.0) is None


def test_a_deletion_hides_the_key_and_beats_older_writes() -> None:
    table = lww()
    table.apply(put("k", 1), 0.0)

    table.apply(put("k", 2, value=None), 0.0)
    late = table.apply(put("k", 1), 0.0)

    assert late is None
    assert list(table.items("")) == []
    assert table.get("k") == Entry((2,), None)


def test_a_tombstone_is_forgotten_after_its_time_and_its_map_equals_an_empty_one() -> None:
    table = lww(tombstone_ttl_s=60.0)
    table.apply(put("k", 2, value=None), 0.0)

    table.expire(59.9)
    before = len(table)
    table.expire(60.0)

    assert (before, len(table)) == (1, 0)
    assert table.xor == lww().xor


def test_a_tombstone_takes_its_age_along_and_is_not_taken_back_when_too_old() -> None:
    young, old, newcomer = lww(), lww(), lww()
    young.apply(put("k", 2, value=None), 0.0)

    old.apply(young.update("k", 59.0), 100.0)  # another clock
    passed_on = old.update("k", 100.5)
    old.expire(101.0)
    late = newcomer.apply(young.update("k", 60.0), 0.0)

    assert passed_on.age_s == 59.5
    assert len(old) == 0
    assert late is None


def test_a_tombstone_that_was_overwritten_does_not_take_the_new_entry_with_it() -> None:
    table = lww(tombstone_ttl_s=60.0)
    table.apply(put("k", 1, value=None), 0.0)
    table.apply(put("k", 2), 1.0)

    table.expire(100.0)

    assert table.get("k") == Entry((2,), "v")


def test_items_with_a_prefix_come_in_key_order() -> None:
    table = lww()
    for key in ("b/2", "a/1", "b/1", "c"):
        table.apply(put(key, 1), 0.0)

    assert [key for key, _ in table.items("b/")] == ["b/1", "b/2"]
    assert [key for key, _ in table.items("")] == ["a/1", "b/1", "b/2", "c"]


def test_digests_come_in_pages_that_together_are_the_whole_map() -> None:
    table = lww()
    for key in "abcde":
        table.apply(put(key, 1), 0.0)

    first, upto = table.first_digests("", 2)
    second, second_upto = table.first_digests("b", 2)
    third, third_upto = table.first_digests("d", 2)

    assert (upto, second_upto, third_upto) == ("b", "d", None)
    assert first + second + third == table.digests("", None)
    assert table.digests("b", "d") == second


def test_the_buckets_that_differ_hold_every_key_that_differs_and_their_digests_are_all_of_them() -> None:
    one, two = lww(), lww()
    for key in "abcdefghij":
        one.apply(put(key, 1), 0.0)
        two.apply(put(key, 1), 0.0)
    two.apply(put("b", 2), 0.0)
    two.apply(put("new", 1), 0.0)
    one.apply(put("gone", 1, value=None), 0.0)

    mask = one.differing(two.bucket_xors)
    mine = {key for key, *_ in one.digests("", None, mask)}
    theirs = {key for key, *_ in two.digests("", None, mask)}

    assert {"b", "gone"} <= mine and {"b", "new"} <= theirs
    assert one.differing(one.bucket_xors) == 0
    assert one.digests("", None, 0) == []


def test_a_full_map_has_room_only_for_the_keys_it_holds() -> None:
    table = lww(entries_max=1)
    table.apply(put("k", 1), 0.0)

    assert table.has_room_for("k")
    assert not table.has_room_for("other")

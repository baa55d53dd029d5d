"""Causal delivery under one label: the triangle first, then what happens to it when something goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from partisan_actors.protocols.delivery import causal
from partisan_actors.protocols.delivery.causal import Causality, CausalOptions, Delivery, Stamp
from tests.causality_of_v5 import CausalityOfV5


def items(deliveries: list[Delivery]) -> list[Any]:
    return [each.item for each in deliveries]


def stamp(clock: int, before: int = 0, **dependencies: Mapping[str, int]) -> Stamp:
    return Stamp(clock, dependencies, before)


def emit(machine: Causality, destination: str) -> Stamp:
    made = machine.emit(destination)
    assert made is not None
    return made


def triangle(kind: type[Causality]) -> list[Any]:
    """A sends to C, then to B; B, having received, sends to C; A's message to C is the slowest."""
    a, b, c = kind("a"), kind("b"), kind("c")
    slow = emit(a, "c")
    b.receive("a", emit(a, "b"), "news", 0.0)
    answer = emit(b, "c")

    return items(c.receive("b", answer, "the answer", 0.0)) + items(c.receive("a", slow, "the question", 1.0))


def test_in_the_triangle_the_slow_message_is_delivered_first() -> None:
    assert triangle(Causality) == ["the question", "the answer"]


def test_the_original_fails_the_triangle() -> None:
    assert triangle(CausalityOfV5) == ["the answer", "the question"]


def test_messages_of_one_sender_are_delivered_in_the_order_sent() -> None:
    a, b = Causality("a"), Causality("b")
    first, second, third = emit(a, "b"), emit(a, "b"), emit(a, "b")

    assert items(b.receive("a", third, 3, 0.0)) == []
    assert items(b.receive("a", second, 2, 0.0)) == []
    assert items(b.receive("a", first, 1, 0.0)) == [1, 2, 3]
    assert len(b) == 0


def test_what_comes_again_is_not_delivered_again() -> None:
    a, b = Causality("a"), Causality("b")
    first, second = emit(a, "b"), emit(a, "b")

    assert items(b.receive("a", second, 2, 0.0) + b.receive("a", second, 2, 0.0)) == []
    assert items(b.receive("a", first, 1, 0.0)) == [1, 2]
    assert items(b.receive("a", first, 1, 0.0) + b.receive("a", second, 2, 0.0)) == []


def test_what_is_independent_does_not_wait() -> None:
    c = Causality("c")
    c.receive("b", stamp(1, c={"a": 1}), "waits", 0.0)

    assert items(c.receive("d", stamp(1, e={"a": 1}), "about another destination", 0.0)) == [
        "about another destination"
    ]


def test_a_message_waits_for_each_of_its_dependencies() -> None:
    d = Causality("d")
    assert d.receive("c", stamp(1, d={"a": 2, "b": 1}), "last", 0.0) == []
    assert items(d.receive("b", stamp(1), "b1", 0.0)) == ["b1"]
    assert items(d.receive("a", stamp(2, before=1), "a2", 0.0)) == []

    assert items(d.receive("a", stamp(1), "a1", 0.0)) == ["a1", "a2", "last"]


def test_what_the_destination_has_delivered_is_named_no_more() -> None:
    a = Causality("a")
    emit(a, "c")
    a.receive("b", stamp(1, c={"b": 7, "d": 2}), "", 0.0)
    carried = emit(a, "c")
    assert (carried.before, carried.dependencies) == (1, {"c": {"b": 7, "d": 2}})

    a.settled("c", carried.clock)

    assert emit(a, "e").dependencies == {}


def test_a_later_message_of_the_sender_itself_prunes_what_it_knows_to_be_settled() -> None:
    b = Causality("b")
    b.receive("a", stamp(2, c={"a": 1}), "", 0.0)
    assert b.dependency_count == 1

    b.receive("a", stamp(5), "", 0.0)

    assert b.dependency_count == 0


def test_what_somebody_else_knows_to_be_later_is_not_pruned_by_an_older_word() -> None:
    b = Causality("b")
    b.receive("d", stamp(1, c={"a": 9}), "", 0.0)

    b.receive("a", stamp(5), "", 0.0)

    assert emit(b, "e").dependencies == {"c": {"a": 9}}


def test_a_node_that_is_down_is_waited_for_no_more_and_named_no_more() -> None:
    c = Causality("c")
    c.receive("b", stamp(1, c={"a": 1}, a={"b": 4}, d={"a": 2}), "waits for a", 0.0)

    assert items(c.node_down("a")) == ["waits for a"]

    assert emit(c, "d").dependencies == {}
    assert items(c.receive("b", stamp(2, c={"a": 3}, a={"b": 4}), "of one who does not know yet", 0.0)) == [
        "of one who does not know yet"
    ]
    assert c.dependency_count == 1  # its own to d


def test_a_node_that_was_not_down_after_all_goes_on_where_it_was() -> None:
    a, c = Causality("a"), Causality("c")
    c.receive("a", emit(a, "c"), 1, 0.0)
    c.node_down("a")
    c.node_up("a")

    second, third = emit(a, "c"), emit(a, "c")

    assert items(c.receive("a", third, 3, 0.0)) == []
    assert items(c.receive("a", second, 2, 0.0)) == [2, 3]


def test_what_its_sender_has_given_up_is_waited_for_no_more() -> None:
    c = Causality("c")
    c.receive("b", stamp(1, c={"a": 3}), "waits", 0.0)

    assert items(c.forsaken("a", 2)) == []
    assert items(c.forsaken("a", 3)) == ["waits"]
    assert c.waived_count == 0


def test_what_is_waited_for_too_long_is_waived_and_comes_late_if_it_comes() -> None:
    c = Causality("c", CausalOptions(wait_s=5.0))
    c.receive("b", stamp(1, c={"a": 1, "d": 1}), "waits", 0.0)
    c.receive("b", stamp(2, before=1), "and so does this", 3.0)

    assert c.expire(4.9) == []
    assert items(c.expire(5.0)) == ["waits", "and so does this"]

    assert c.waived_count == 1
    assert items(c.receive("a", stamp(1), "late", 9.0)) == ["late"]


def test_what_was_passed_over_and_comes_late_is_delivered_once() -> None:
    a, c = Causality("a"), Causality("c", CausalOptions(wait_s=5.0))
    first, _, third = emit(a, "c"), emit(a, "d"), emit(a, "c")
    assert c.receive("a", third, 3, 0.0) == []
    assert items(c.expire(5.0)) == [3]

    assert items(c.receive("a", first, 1, 6.0)) == [1]
    assert items(c.receive("a", first, 1, 6.0) + c.receive("a", third, 3, 6.0)) == []


def test_at_the_bound_the_oldest_waits_no_more() -> None:
    c = Causality("c", CausalOptions(waiting_max=2))
    c.receive("b", stamp(1, c={"a": 1}), 1, 0.0)
    c.receive("d", stamp(1, c={"a": 2}), 2, 0.0)

    assert items(c.receive("e", stamp(1, c={"a": 3}), 3, 0.0)) == [1]

    assert (len(c), c.waived_count) == (2, 1)


def test_with_too_many_dependencies_nothing_is_sent_and_somebody_is_to_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(causal, "DEPENDENCIES_MAX", 3)
    monkeypatch.setattr(causal, "ASK_ABOVE", 2)
    a = Causality("a")
    a.receive("b", stamp(1, c={"b": 1, "d": 1}, e={"d": 2}), "", 0.0)

    assert a.to_be_asked() == "c"
    assert a.emit("c") is None
    assert a.clock == 0


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="wait_s"):
        CausalOptions(wait_s=0)
    with pytest.raises(ValueError, match="waiting_max"):
        CausalOptions(waiting_max=0)


def test_what_one_node_sends_another_in_a_row_carries_the_same_object_until_something_changes() -> None:
    a = Causality("a")
    a.receive("b", stamp(1, c={"b": 1}), "", 0.0)
    first, second = emit(a, "d"), emit(a, "d")
    to_another = emit(a, "c")

    assert second.dependencies is first.dependencies
    assert [each.before for each in (first, second, to_another)] == [0, 1, 0]
    assert to_another.dependencies == {"c": {"b": 1}, "d": {"a": 2}}
    a.settled("d", 2)
    assert emit(a, "c").dependencies == {"c": {"b": 1}}


def test_what_says_the_same_as_before_does_not_bring_back_what_was_settled_meanwhile() -> None:
    b, same = Causality("b"), {"c": {"a": 1}}
    b.receive("a", Stamp(2, same), "", 0.0)
    emit(b, "c")  # names what a has sent to c, so that its delivery there settles both
    b.settled("c", 1)
    assert b.dependency_count == 0

    b.receive("a", Stamp(3, same), "", 0.0)

    assert b.dependency_count == 0


def test_what_a_third_node_has_said_since_is_pruned_by_a_stamp_that_says_the_same_as_before() -> None:
    b, nothing = Causality("b"), stamp(1).dependencies
    b.receive("a", Stamp(3, nothing), "", 0.0)
    b.receive("d", stamp(1, c={"a": 2}), "", 0.0)
    assert b.dependency_count == 1

    b.receive("a", Stamp(4, nothing), "", 0.0)

    assert b.dependency_count == 0


def test_what_goes_through_has_been_delivered_and_what_does_not_has_changed_nothing() -> None:
    b = Causality("b")

    assert not b.goes_through("a", stamp(2, before=1))
    assert b.goes_through("a", stamp(1))
    assert not b.goes_through("a", stamp(1))
    assert b.goes_through("a", stamp(2, before=1))
    assert not b.goes_through("c", stamp(1, b={"a": 3}))
    assert items(b.receive("c", stamp(1, b={"a": 3}), "waits", 0.0)) == []
    assert not b.goes_through("d", stamp(1))
    assert items(b.receive("a", stamp(3, before=2), 3, 0.0)) == [3, "waits"]

"""Gathering: where news goes that may wait, who publishes it, and what happens when it gets lost."""

from __future__ import annotations

import random

from partisan_actors.protocols.broadcast.gathering import (
    COLLECTOR_S,
    CROWD,
    HOPS_MAX,
    MISSED_TIMER,
    NEWCOMER_S,
    PUBLISH_TIMER,
    STRAIGHT_HOPS,
    Gather,
    Gathering,
)
from partisan_actors.protocols.broadcast.lww_map import Update
from partisan_actors.protocols.machine import Send, SetTimer

NEWS = Update("k", (1,), "v", 0.0)
WAIT_S = 0.1


def newcomer(me: str = "m") -> Gathering:
    return Gathering(me, 1.0, random.Random(1))


def gathering(me: str = "m") -> Gathering:
    """One that is no newcomer."""
    machine = newcomer(me)
    machine.spoke()
    return machine


def sent_to(effects: list[object]) -> list[object]:
    return [effect.peer for effect in effects if isinstance(effect, Send)]


def waits(effects: list[object], name: str) -> list[float]:
    return [effect.delay_s for effect in effects if isinstance(effect, SetTimer) and effect.name == name]


def test_without_knowing_more_news_goes_to_the_smallest_neighbour() -> None:
    effects = gathering().add([NEWS], ["z", "b", "c"], WAIT_S, 0.0)

    assert Send("b", Gather((NEWS,), 1)) in effects


def test_a_node_without_a_smaller_neighbour_publishes_what_comes_together() -> None:
    machine, other = gathering("a"), Update("k2", (1,), "v", 0.0)

    first = machine.add([NEWS], ["b"], WAIT_S, 0.0)
    second = machine.receive("b", Gather((other,), 1), ["b"], WAIT_S, 0.05)

    assert waits(first, PUBLISH_TIMER) == [WAIT_S]
    assert second == []
    assert machine.take(["b"], 0.1) == [NEWS, other]
    assert machine.take(["b"], 0.2) == []


def test_a_newcomer_leaves_its_news_to_its_oldest_neighbour() -> None:
    assert sent_to(newcomer("a").add([NEWS], ["z", "b", "c"], WAIT_S, 0.0)) == ["z"]
    assert sent_to(newcomer("a").receive("z", Gather((NEWS,), 1), ["z", "d", "c"], WAIT_S, 0.0)) == ["d"]


def test_a_newcomer_at_which_news_ends_waits_until_it_may_know_more() -> None:
    machine = newcomer("a")
    (wait_s,) = waits(machine.receive("z", Gather((NEWS,), 1), ["z"], WAIT_S, 0.0), PUBLISH_TIMER)
    machine.heard_of("c", 1.0, "z", 0.1)

    onward = machine.hand_over(["z"], wait_s)

    assert wait_s == NEWCOMER_S
    assert onward == [Send("z", Gather((NEWS,), 2))]
    assert machine.take(["z"], wait_s) == []


def test_what_was_to_be_published_here_goes_to_who_turned_out_to_gather_meanwhile() -> None:
    machine = gathering("a")
    machine.add([NEWS], ["b"], WAIT_S, 0.0)
    machine.published("c", "b", [], 0.05)

    assert machine.hand_over(["b"], 0.1) == [Send("b", Gather((NEWS,), 1))]
    assert machine.hand_over(["b"], 0.1) == []


def test_who_publishes_goes_on_to_until_it_hears_of_a_smaller_one() -> None:
    machine = gathering("b")
    machine.add([NEWS], ["c"], WAIT_S, 0.0)
    machine.take(["c"], 0.1)
    machine.published("x", "c", [], 0.2)

    stays = machine.receive("c", Gather((NEWS,), 1), ["a", "c"], WAIT_S, 0.3)
    machine.published("a", "c", [], 0.4)

    assert sent_to(stays) == [], "although a smaller neighbour has come"
    assert machine.collector(0.9) == ("a", 0.5)
    assert sent_to(machine.hand_over(["a", "c"], 0.5)) == ["c"]


def test_who_publishes_to_nobody_does_not_gather() -> None:
    machine = newcomer("b")
    machine.add([NEWS], [], WAIT_S, 0.0)

    assert machine.take([], 0.1) == [NEWS]
    assert machine.collector(0.1) == (None, 0.0)


def test_news_goes_to_the_smallest_node_that_published_by_the_way_its_news_came() -> None:
    machine = gathering("m")
    machine.published("c", "y", [], 0.0)
    machine.published("a", "z", [], 1.0)
    machine.published("b", "y", [], 2.0)

    assert sent_to(machine.add([NEWS], ["f", "y", "z"], WAIT_S, 3.0)) == ["z"]


def test_who_published_long_ago_is_not_believed_to_gather() -> None:
    machine = gathering("m")
    machine.published("a", "z", [], 0.0)

    assert sent_to(machine.add([NEWS], ["f", "z"], WAIT_S, COLLECTOR_S + 1.0)) == ["f"]


def test_where_the_way_is_lost_or_leads_back_news_goes_straight_to_who_gathers() -> None:
    machine = gathering("b")
    machine.published("a", "z", [], 0.0)

    assert sent_to(machine.receive("c", Gather((NEWS,), 1), ["c", "d"], WAIT_S, 1.0)) == ["a"]
    assert sent_to(machine.receive("z", Gather((NEWS,), 1), ["c", "z"], WAIT_S, 1.0)) == ["a"]


def test_news_that_has_gone_far_is_published_where_it_is() -> None:
    effects = gathering("m").receive("z", Gather((NEWS,), HOPS_MAX), ["a", "z"], WAIT_S, 0.0)

    assert waits(effects, PUBLISH_TIMER) == [WAIT_S]


def test_a_node_that_may_reach_neighbours_only_sends_nothing_straight_to_who_gathers() -> None:
    machine = Gathering("m", 1.0, random.Random(1), neighbours_only=True)
    machine.published("a", "b", [], 0.0)

    by_the_way = machine.add([NEWS], ["b", "z"], WAIT_S, 0.0)
    way_is_lost = machine.add([NEWS], ["c", "z"], WAIT_S, 0.1)
    in_circles = machine.receive("z", Gather((NEWS,), STRAIGHT_HOPS), ["b", "z"], WAIT_S, 0.2)
    at_who_gathers = machine.add([NEWS], ["a", "z"], WAIT_S, 0.3)
    without_smaller = machine.add([NEWS], ["y", "z"], WAIT_S, 0.4)

    assert [sent_to(each) for each in (by_the_way, way_is_lost, in_circles, at_who_gathers)] == [
        ["b"],
        ["c"],
        ["b"],
        ["a"],
    ]
    assert sent_to(without_smaller) == []


def test_news_that_goes_in_circles_goes_straight_to_who_gathers() -> None:
    machine = gathering("m")
    machine.published("a", "y", [], 0.0)

    by_the_way = machine.receive("z", Gather((NEWS,), STRAIGHT_HOPS - 1), ["y", "z"], WAIT_S, 0.0)
    straight = machine.receive("z", Gather((NEWS,), STRAIGHT_HOPS), ["y", "z"], WAIT_S, 0.0)

    assert (sent_to(by_the_way), sent_to(straight)) == (["y"], ["a"])


def test_what_a_neighbour_says_of_who_gathers_is_believed_for_as_long_as_the_neighbour_would_have() -> None:
    machine = gathering("m")
    machine.heard_of("c", COLLECTOR_S - 1.0, "z", 0.0)
    machine.heard_of("d", 0.0, "y", 0.0)

    assert machine.collector(0.5) == ("c", COLLECTOR_S - 0.5)
    assert machine.collector(1.5) == (None, 0.0)


def test_who_is_over_gathers_no_more() -> None:
    machine = gathering("m")
    machine.published("a", "z", [], 0.0)

    machine.gone("z")
    assert machine.collector(0.0) == ("a", 0.0)

    machine.gone("a")
    assert machine.collector(0.0) == (None, 0.0)


def test_where_much_is_published_news_waits_longer() -> None:
    machine = gathering("a")
    machine.add([NEWS], ["b"], WAIT_S, 0.0)
    machine.take(["b"], 0.0)
    for number in range(2 * CROWD - 1):
        machine.published("b", "b", [], 0.1 * number)

    effects = machine.add([NEWS], ["b"], WAIT_S, 1.0)

    assert waits(effects, PUBLISH_TIMER) == [WAIT_S * 3]


def test_own_news_that_is_not_published_in_time_goes_to_any_neighbour_and_then_to_somebody_else() -> None:
    machine = gathering("m")
    machine.published("a", "z", [], 0.0)
    (late_s,) = waits(machine.add([NEWS], ["f", "z"], WAIT_S, 0.0), MISSED_TIMER)

    again = machine.missed(["f", "z"], WAIT_S, late_s)
    (later_s,) = waits(again, MISSED_TIMER)
    assert machine.collector(late_s) == ("a", late_s)
    at_last = machine.missed(["f", "z"], WAIT_S, late_s + later_s)

    assert sent_to(again) in (["f"], ["z"])
    assert sent_to(at_last) == ["f"]
    assert machine.collector(late_s) == (None, 0.0)
    assert machine.missed(["f", "z"], WAIT_S, 10 * late_s) == []


def test_own_news_that_is_missed_where_there_is_no_neighbour_is_to_be_published_here() -> None:
    machine = gathering("m")
    (late_s,) = waits(machine.add([NEWS], ["f"], WAIT_S, 0.0), MISSED_TIMER)

    assert len(waits(machine.missed([], WAIT_S, late_s), PUBLISH_TIMER)) == 1


def test_own_news_that_was_published_is_not_missed_and_what_came_later_has_its_own_time() -> None:
    machine, later = gathering("m"), Update("k2", (1,), "v", 0.0)
    (late_s,) = waits(machine.add([NEWS], ["f"], WAIT_S, 0.0), MISSED_TIMER)
    machine.add([later], ["f"], WAIT_S, late_s - 0.1)
    machine.published("f", "f", [NEWS], late_s - 0.05)

    effects = machine.missed(["f"], WAIT_S, late_s)

    assert sent_to(effects) == []
    assert len(waits(effects, MISSED_TIMER)) == 1


def test_older_news_that_comes_by_a_longer_way_takes_no_place_of_newer() -> None:
    machine, newer = gathering("a"), Update("k", (2,), "w", 0.0)
    machine.add([newer], ["b"], WAIT_S, 0.0)
    machine.receive("b", Gather((NEWS,), 3), ["b"], WAIT_S, 0.0)

    assert machine.take(["b"], 0.1) == [newer]


def test_older_news_does_not_count_as_published() -> None:
    machine, newer = gathering("m"), Update("k", (2,), "w", 0.0)
    (late_s,) = waits(machine.add([newer], ["f"], WAIT_S, 0.0), MISSED_TIMER)
    machine.published("f", "f", [NEWS], 0.1)

    assert sent_to(machine.missed(["f"], WAIT_S, late_s)) == ["f"]


def test_what_was_handed_to_a_neighbour_that_is_down_goes_on_by_another_unless_it_was_published() -> None:
    machine, other = gathering("m"), Update("k2", (1,), "v", 0.0)
    machine.receive("z", Gather((NEWS, other), 1), ["b", "c", "z"], WAIT_S, 0.0)
    machine.published("b", "c", [other], 0.1)

    assert machine.unreachable("b", ["c", "z"], WAIT_S, 1.0) == [Send("c", Gather((NEWS,), 1))]
    assert machine.unreachable("b", ["c", "z"], WAIT_S, 1.0) == []


def test_when_who_gathers_is_down_what_went_straight_there_goes_elsewhere() -> None:
    machine = gathering("m")
    machine.published("a", "z", [], 0.0)
    other = Update("k2", (1,), "v", 0.0)
    machine.receive("f", Gather((NEWS, other), 1), ["f", "g"], WAIT_S, 1.0)
    machine.published("a", "f", [other], 1.5)

    ignored = machine.unreachable("x", ["f", "g"], WAIT_S, 2.0)
    again = machine.unreachable("a", ["f", "g"], WAIT_S, 2.0)

    assert ignored == []
    assert again == [Send("f", Gather((NEWS,), 1))]
    assert sent_to(machine.add([other], ["f", "g"], WAIT_S, 2.0)) == ["f"], "and a gathers no more"

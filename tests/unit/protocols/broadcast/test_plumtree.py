"""Plumtree, message by message."""

from __future__ import annotations

import random

import pytest

from partisan_actors.errors import ConfigError
from partisan_actors.ids import NodeId
from partisan_actors.protocols.broadcast.held import LATELY_MAX
from partisan_actors.protocols.broadcast.plumtree import (
    HEARTBEAT_TOPIC,
    Announce,
    Gossip,
    Graft,
    Have,
    IHave,
    Lately,
    Plumtree,
    PlumtreeOptions,
    Prune,
)
from partisan_actors.protocols.machine import CancelTimer, Deliver, Effect, Send, SetTimer
from partisan_actors.simulation.trees import check_spanning_tree
from partisan_actors.wire.codec import decode_message, encode_message
from tests.static_overlay import clique, line, random_graph, ring, running, with_plumtree

ME = "me"


def tree(*neighbours: str, **options: object) -> Plumtree:
    machine = Plumtree(ME, PlumtreeOptions(**options), random.Random(1))  # type: ignore[arg-type]  # options vary
    for peer in neighbours:
        machine.neighbour_up(peer, 0.0)
    return machine


def gossip(counter: int = 1, hops: int = 1, origin: str = "o") -> Gossip:
    return Gossip(origin, counter, "news", hops, "payload")


def timers(effects: list[Effect]) -> list[SetTimer]:
    return [effect for effect in effects if isinstance(effect, SetTimer)]


def test_the_origin_sends_to_every_eager_neighbour_and_delivers_nothing_to_itself() -> None:
    machine = tree("a", "b")

    effects = machine.broadcast("news", "payload", 0.0)

    sent = Gossip(ME, 1, "news", 1, "payload")
    assert effects == [Send("a", sent), Send("b", sent)]


def test_a_first_copy_is_forwarded_except_to_its_sender_and_delivered() -> None:
    machine = tree("a", "b")

    effects = machine.receive("a", gossip(hops=3), 0.0)

    assert effects == [Send("b", gossip(hops=4)), Deliver("news", "o", "a", 3, "payload")]


def test_a_second_copy_prunes_its_sender_and_is_not_delivered() -> None:
    machine = tree("a", "b")
    machine.receive("a", gossip(), 0.0)

    effects = machine.receive("b", gossip(), 0.0)

    assert effects == [Send("b", Prune("o"))]
    assert (machine.eager, machine.lazy) == (["a"], ["b"])


def test_the_origins_own_message_coming_back_is_a_duplicate() -> None:
    machine = tree("a")
    machine.broadcast("news", "payload", 0.0)

    effects = machine.receive("a", Gossip(ME, 1, "news", 3, "payload"), 0.0)

    assert effects == [Send("a", Prune(ME))]


def test_a_pruned_link_gets_announcements_in_one_batch_at_the_tick() -> None:
    machine = tree("a", "b", lazy_tick_s=0.1)
    machine.receive("b", Prune("o"), 0.0)

    first = machine.receive("a", gossip(1, hops=2), 0.0)
    second = machine.receive("a", gossip(2, hops=5), 0.01)
    batch = machine.timer_fired("lazy", 0.1)

    assert [timer.name for timer in timers(first)] == ["lazy"]
    assert 0.05 <= timers(first)[0].delay_s <= 0.1
    assert timers(second) == []
    assert batch == [Send("b", IHave((("o", 1, 3), ("o", 2, 6))))]
    assert machine.timer_fired("lazy", 0.2) == []


def test_a_full_batch_leaves_before_the_tick() -> None:
    machine = tree("a", "b", announcements_max=2)
    machine.receive("b", Prune("o"), 0.0)
    machine.receive("a", gossip(1), 0.0)

    effects = machine.receive("a", gossip(2), 0.0)

    assert Send("b", IHave((("o", 1, 2), ("o", 2, 2)))) in effects
    assert machine.timer_fired("lazy", 0.1) == []


def test_who_leaves_sends_whole_what_it_was_about_to_announce() -> None:
    machine = tree("a", "b")
    machine.receive("b", Prune("o"), 0.0)
    machine.broadcast("news", "last words", 0.0)

    effects = machine.leave(0.01)

    assert effects == [Send("b", Gossip(ME, 1, "news", 1, "last words"))]
    assert machine.timer_fired("lazy", 0.1) == []


def test_who_leaves_does_not_repeat_what_it_has_announced() -> None:
    machine = tree("a", "b")
    machine.receive("b", Prune("o"), 0.0)
    machine.broadcast("news", "payload", 0.0)
    machine.timer_fired("lazy", 0.1)

    assert machine.leave(0.2) == []


def test_who_leaves_cannot_send_what_it_no_longer_keeps() -> None:
    machine = tree("a", "b", store_max=1)
    machine.receive("b", Prune("o"), 0.0)
    machine.broadcast("news", "first", 0.0)
    machine.broadcast("news", "second", 0.0)

    assert machine.leave(0.01) == [Send("b", Gossip(ME, 2, "news", 1, "second"))]


def test_an_announcement_waits_the_configured_time_before_the_first_announcer_is_grafted() -> None:
    machine = tree("a", "b", graft_timeout_s=0.5, graft_retry_s=0.2)
    machine.receive("a", Prune("o"), 0.0)

    announced = machine.receive("a", IHave((("o", 1, 3),)), 0.0)
    machine.receive("b", IHave((("o", 1, 2),)), 0.1)
    (timer,) = timers(announced)
    asked = machine.timer_fired(timer.name, 0.5)
    asked_next = machine.timer_fired(timer.name, 0.7)

    assert announced == [SetTimer(timer.name, 0.5)]
    assert asked == [Send("a", Graft("o", 1)), SetTimer(timer.name, 0.2)]
    assert "a" in machine.eager
    assert asked_next == [Send("b", Graft("o", 1)), SetTimer(timer.name, 0.2)]


def test_where_messages_come_late_by_themselves_a_graft_waits_longer_within_a_bound() -> None:
    machine = tree("a", "b", graft_timeout_s=0.5, graft_timeout_max_s=2.0)
    machine.receive("a", IHave((("o", 1, 3),)), 0.0)
    machine.receive("b", gossip(1), 0.4)

    late = timers(machine.receive("a", IHave((("o", 2, 3),)), 0.4))
    machine.receive("b", gossip(2), 1.4)
    later = timers(machine.receive("a", IHave((("o", 3, 3),)), 1.4))
    machine.receive("b", gossip(3), 9.4)
    latest = timers(machine.receive("a", IHave((("o", 4, 3),)), 9.4))

    assert [timer.delay_s for timer in (*late, *later, *latest)] == [pytest.approx(0.6), pytest.approx(1.5), 2.0]


def test_a_graft_that_was_not_needed_makes_the_next_ones_wait() -> None:
    machine = tree("a", "b", graft_timeout_s=0.5)
    (timer,) = timers(machine.receive("a", IHave((("o", 1, 3),)), 0.0))
    machine.timer_fired(timer.name, 0.5)
    machine.receive("a", gossip(1), 0.6)
    machine.receive("b", gossip(1), 1.0)

    (later,) = timers(machine.receive("a", IHave((("o", 2, 3),)), 1.0))

    assert later.delay_s == pytest.approx(1.5)


def test_when_new_links_are_lazy_only_a_node_without_an_eager_one_asks_for_payloads() -> None:
    machine = tree(new_links="lazy")

    first, second = machine.neighbour_up("a", 0.0), machine.neighbour_up("b", 0.0)
    before = (machine.eager, machine.lazy)
    machine.receive("b", Graft("b", None), 0.0)

    assert first == [Send("a", Graft(ME, None))]
    assert second == []
    assert before == (["a"], ["b"])
    assert machine.eager == ["a", "b"]


def test_a_new_neighbour_is_told_what_came_lately_in_runs_of_one_origin() -> None:
    machine = tree("a", lately_s=10.0)
    for counter, at in ((1, 0.0), (2, 5.0), (3, 5.01), (5, 5.02), (6, 7.0)):
        machine.receive("a", gossip(counter, hops=counter), at)
    machine.broadcast("news", "mine", 8.0)

    effects = machine.neighbour_up("b", 12.0)

    ((peer, lately),) = [(effect.peer, effect.message) for effect in effects if isinstance(effect, Send)]
    assert peer == "b" and isinstance(lately, Lately)
    assert [run[:4] for run in lately.runs] == [(ME, 1, 1, 1), ("o", 2, 3, 4), ("o", 5, 5, 6), ("o", 6, 6, 7)]
    assert [run[4] for run in lately.runs] == pytest.approx([4.0, 6.99, 6.98, 5.0])


def test_a_new_neighbour_is_told_nothing_where_nothing_came_or_what_came_is_repaired_otherwise() -> None:
    quiet, papers = tree("a", lately_s=10.0), tree("a")
    machine = Plumtree(ME, PlumtreeOptions(lately_s=10.0), random.Random(1), lambda topic: topic == "news")
    machine.neighbour_up("a", 0.0)
    for each in (papers, machine):
        each.receive("a", gossip(), 0.0)
    machine.receive("a", Gossip("o", 2, HEARTBEAT_TOPIC, 1, None), 0.0)

    assert quiet.neighbour_up("b", 1.0) == papers.neighbour_up("b", 1.0) == machine.neighbour_up("b", 1.0) == []


def test_what_a_new_neighbour_had_lately_and_this_node_has_not_is_asked_for() -> None:
    machine = tree("a", graft_timeout_s=0.5, lately_s=10.0)
    machine.receive("a", gossip(2), 5.0)
    machine.neighbour_up("b", 6.0)

    effects = machine.receive("b", Lately((("o", 1, 3, 4, 0.5),)), 6.0)
    asked = [machine.timer_fired(timer.name, 6.5)[0] for timer in timers(effects)]

    assert asked == [Send("b", Graft("o", 1)), Send("b", Graft("o", 3))]


def test_a_newcomer_leaves_alone_what_came_before_it_did() -> None:
    machine = Plumtree(ME, PlumtreeOptions(lately_s=10.0), random.Random(1))
    before = machine.receive("a", Lately((("o", 1, 1, 1, 0.0),)), 4.0)
    machine.neighbour_up("a", 5.0)

    effects = machine.receive("a", Lately((("o", 1, 1, 1, 2.0), ("o", 2, 2, 1, 0.5))), 6.0)

    assert before == []
    assert [machine.timer_fired(timer.name, 7.0)[0] for timer in timers(effects)] == [Send("a", Graft("o", 2))]


def test_who_left_and_comes_back_is_a_newcomer() -> None:
    machine = tree("a", lately_s=10.0)
    machine.leave(1.0)
    machine.neighbour_down("a", 1.0)
    machine.neighbour_up("b", 5.0)

    assert machine.receive("b", Lately((("o", 1, 1, 1, 2.0),)), 5.5) == []


def test_whoever_claims_very_many_messages_makes_this_node_wait_for_a_bounded_number() -> None:
    machine = tree("a", lately_s=10.0, missing_max=10_000)

    effects = machine.receive("a", Lately((("o", 1, 10**15, 1, 0.0), ("p", 1, 10**15, 1, 0.0))), 1.0)

    assert len(timers(effects)) == LATELY_MAX


def test_a_neighbour_beyond_those_that_announce_is_asked_to_be_silent_and_is_told_of_in_the_same_breath() -> None:
    machine = tree("a", "b", "c", announcers_max=2)
    machine.receive("a", IHave((("o", 1, 2),)), 0.0)
    machine.receive("b", IHave((("o", 1, 2),)), 0.0)

    effects = machine.receive("c", IHave((("o", 2, 2),)), 0.1)

    (asked,) = [effect for effect in effects if isinstance(effect, Send)]
    assert asked.message == Announce(False)
    assert len(timers(effects)) == 1  # what it announced counts all the same


def test_who_was_asked_to_be_silent_announces_nothing_until_it_is_asked_again_and_then_what_came_lately() -> None:
    machine = tree("a", "b", lately_s=10.0, announcements_max=1)
    machine.receive("b", Prune(ME), 0.0)

    machine.receive("b", Announce(False), 0.0)
    silent = machine.broadcast("news", 1, 1.0)
    again = machine.receive("b", Announce(True), 2.0)
    spoken = machine.broadcast("news", 2, 3.0)

    assert [effect.peer for effect in silent if isinstance(effect, Send)] == ["a"]
    assert again == [Send("b", Lately(((ME, 1, 1, 1, 1.0),)))]
    assert Send("b", IHave(((ME, 2, 1),))) in spoken


def test_a_stranger_silences_nobody() -> None:
    machine = tree("a", announcers_max=2)

    for stranger in ("x", "y", "z"):
        machine.receive(stranger, IHave((("o", 1, 2),)), 0.0)
        machine.receive(stranger, Announce(False), 0.0)
    machine.neighbour_up("x", 1.0)
    machine.receive("x", Prune(ME), 1.0)

    assert [effect for effect in machine.receive("a", IHave((("o", 2, 2),)), 1.0) if isinstance(effect, Send)] == []
    assert any(isinstance(effect, SetTimer) for effect in machine.broadcast("news", 1, 2.0))


def test_who_loses_a_neighbour_that_it_sent_payloads_tells_some_to_which_it_announces_nothing() -> None:
    machine = tree("a", "b", "c", "d", announcers_max=2, lately_s=10.0)
    for silent in ("b", "c", "d"):
        machine.receive(silent, Prune(ME), 0.0)
        machine.receive(silent, Announce(False), 0.0)
    machine.broadcast("news", "sent to a, who is dead", 1.0)

    lazy_lost = machine.neighbour_down("d", 2.0)
    eager_lost = machine.neighbour_down("a", 2.0)

    assert lazy_lost == []
    assert sorted(effect.peer for effect in eager_lost if isinstance(effect, Send)) == ["b", "c"]
    assert all(isinstance(effect, Send) and isinstance(effect.message, Lately) for effect in eager_lost)


def test_announcers_are_not_few_where_announcements_are_repeated() -> None:
    with pytest.raises(ConfigError, match="announcers_max"):
        PlumtreeOptions(announcers_max=8, repeat_s=1.0)


def test_when_no_announcer_answers_the_message_is_given_up_and_counted() -> None:
    machine = tree("a")
    (timer,) = timers(machine.receive("a", IHave((("o", 1, 3),)), 0.0))
    machine.timer_fired(timer.name, 0.5)

    effects = machine.timer_fired(timer.name, 0.7)

    assert effects == []
    assert machine.unrecovered == 1
    assert machine.timer_fired(timer.name, 0.9) == []


def test_a_message_that_comes_by_itself_cancels_its_graft_timer() -> None:
    machine = tree("a", "b")
    (timer,) = timers(machine.receive("b", IHave((("o", 1, 3),)), 0.0))

    effects = machine.receive("a", gossip(), 0.1)

    assert CancelTimer(timer.name) in effects
    assert machine.timer_fired(timer.name, 0.5) == []


def test_what_had_to_be_asked_for_says_so_when_it_is_delivered_and_what_came_by_itself_does_not() -> None:
    delivered = []
    for asks in (True, False):
        machine = tree("a", "b")
        (timer,) = timers(machine.receive("b", IHave((("o", 1, 3),)), 0.0))
        if asks:
            machine.timer_fired(timer.name, 0.5)
        delivered += [each for each in machine.receive("b", gossip(), 0.6) if isinstance(each, Deliver)]

    assert [each.is_grafted for each in delivered] == [True, False]


def test_a_graft_makes_the_link_eager_and_is_answered_with_the_message() -> None:
    machine = tree("a", "b")
    machine.receive("b", Prune("o"), 0.0)
    machine.receive("a", gossip(hops=2), 0.0)

    effects = machine.receive("b", Graft("o", 1), 1.0)

    assert effects == [Send("b", gossip(hops=3))]
    assert "b" in machine.eager


def test_a_graft_for_a_message_no_longer_kept_is_not_answered() -> None:
    machine = tree("a", "b", store_max=2)
    for counter in (1, 2, 3):
        machine.receive("a", gossip(counter), 0.0)

    assert machine.receive("b", Graft("o", 1), 1.0) == []
    assert machine.receive("b", Graft("o", 2), 1.0) != []


def test_a_lost_neighbour_is_told_nothing_more() -> None:
    machine = tree("a", "b")
    machine.receive("b", Prune("o"), 0.0)
    machine.receive("a", gossip(), 0.0)

    machine.neighbour_down("b", 0.1)

    assert machine.timer_fired("lazy", 0.1) == []
    assert machine.broadcast("news", 1, 0.6) == [Send("a", Gossip(ME, 1, "news", 1, 1))]


def test_an_announcer_that_is_no_neighbour_any_more_is_asked_after_those_that_are() -> None:
    machine = tree("a", "b", graft_retry_s=0.2)
    (timer,) = timers(machine.receive("b", IHave((("o", 9, 3),)), 0.0))
    machine.receive("a", IHave((("o", 9, 3),)), 0.1)
    machine.neighbour_down("b", 0.2)

    first = machine.timer_fired(timer.name, 0.5)
    second = machine.timer_fired(timer.name, 0.7)

    assert first == [Send("a", Graft("o", 9)), SetTimer(timer.name, 0.2)]
    assert second == [Send("b", Graft("o", 9)), SetTimer(timer.name, 0.2)]
    assert "b" not in machine.links()


def test_peers_that_are_not_neighbours_do_not_get_into_the_tree() -> None:
    machine = tree("a")

    machine.receive("stranger", gossip(), 0.0)
    duplicate = machine.receive("stranger", gossip(), 0.0)
    machine.receive("stranger", Graft("o", None), 0.0)

    assert duplicate == []
    assert (machine.eager, machine.lazy) == (["a"], [])


def test_a_message_announced_on_a_much_shorter_way_swaps_the_links() -> None:
    machine = tree("far", "near", optimise_threshold=3)
    machine.receive("near", Prune("o"), 0.0)
    machine.receive("near", IHave((("o", 1, 2),)), 0.0)

    effects = machine.receive("far", gossip(hops=5), 0.1)

    assert effects[-2:] == [Send("near", Graft("o", None)), Send("far", Prune("o"))]
    assert (machine.eager, machine.lazy) == (["near"], ["far"])


def test_an_announcement_after_the_message_swaps_the_links_too_and_only_once() -> None:
    machine = tree("far", "near", optimise_threshold=3)
    machine.receive("near", Prune("o"), 0.0)
    machine.receive("far", gossip(hops=5), 0.0)

    effects = machine.receive("near", IHave((("o", 1, 2),)), 0.1)
    again = machine.receive("near", IHave((("o", 1, 2),)), 0.2)

    assert effects == [Send("near", Graft("o", None)), Send("far", Prune("o"))]
    assert again == []


@pytest.mark.parametrize("threshold", [None, 4])
def test_a_way_that_is_not_short_enough_swaps_nothing(threshold: int | None) -> None:
    machine = tree("far", "near", optimise_threshold=threshold)
    machine.receive("near", Prune("o"), 0.0)
    machine.receive("far", gossip(hops=5), 0.0)

    assert machine.receive("near", IHave((("o", 1, 2),)), 0.1) == []
    assert machine.eager == ["far"]


def test_announcements_beyond_the_bound_are_ignored_and_counted() -> None:
    machine = tree("a", missing_max=1)

    effects = machine.receive("a", IHave((("o", 1, 1), ("o", 2, 1))), 0.0)

    assert len(effects) == 1
    assert machine.ignored == 1


def test_announcements_that_are_not_batched_leave_with_the_payload_and_set_no_timer() -> None:
    machine = tree("a", "b", announcements_max=1)
    machine.receive("b", Prune(ME), 0.0)

    effects = machine.broadcast("news", "payload", 0.0)

    assert effects == [Send("a", gossip(origin=ME)), Send("b", IHave(((ME, 1, 1),)))]


def test_with_a_tree_for_each_root_a_duplicate_prunes_that_roots_link_only() -> None:
    machine = tree("a", "b", trees="per_root")
    machine.receive("a", gossip(), 0.0)

    effects = machine.receive("b", gossip(), 0.0)

    assert effects == [Send("b", Prune("o"))]
    assert machine.links("o") == {"a": True, "b": False}
    assert machine.links() == {"a": True, "b": True}


def test_with_a_tree_for_each_root_prunes_and_grafts_say_whose_tree_they_change() -> None:
    machine = tree("a", "b", trees="per_root")
    machine.receive("a", Prune("o"), 0.0)
    machine.receive("b", Prune("p"), 0.0)

    machine.receive("a", Graft("o", None), 0.0)

    assert machine.links("o") == {"a": True, "b": True}
    assert machine.links("p") == {"a": True, "b": False}


def test_an_announcement_is_repeated_until_it_is_confirmed() -> None:
    machine = tree("a", repeat_s=1.0)
    started = machine.start(0.0)
    machine.receive("a", Prune(ME), 0.0)
    machine.broadcast("news", "payload", 0.0)
    machine.timer_fired("lazy", 0.1)
    machine.timer_fired("repeat", 1.0)

    repeated = machine.timer_fired("repeat", 2.0)
    machine.receive("a", Have(((ME, 1),)), 2.1)

    assert started == [SetTimer("repeat", 1.0)]
    assert repeated == [SetTimer("repeat", 1.0), Send("a", IHave(((ME, 1, 1),)))]
    assert machine.timer_fired("repeat", 3.0) == [SetTimer("repeat", 1.0)]


def test_a_payload_confirms_the_announcement_of_it() -> None:
    machine = tree("a", "b", repeat_s=1.0)
    machine.receive("b", Prune("o"), 0.0)
    machine.receive("a", gossip(), 0.0)
    machine.timer_fired("lazy", 0.1)
    machine.timer_fired("repeat", 1.0)

    machine.receive("b", gossip(), 1.1)

    assert machine.timer_fired("repeat", 2.0) == [SetTimer("repeat", 1.0)]


def test_announcements_of_what_is_held_are_confirmed_only_where_they_are_repeated() -> None:
    repeating, once = tree("a", "b", repeat_s=1.0), tree("a", "b")
    for machine in (repeating, once):
        machine.receive("a", gossip(), 0.0)

    assert repeating.receive("b", IHave((("o", 1, 2),)), 0.1) == [Send("b", Have((("o", 1),)))]
    assert once.receive("b", IHave((("o", 1, 2),)), 0.1) == []


def test_kept_payloads_are_bounded_in_bytes_and_the_oldest_goes_first() -> None:
    machine = tree("a", store_bytes_max=100)
    for _ in range(3):
        machine.broadcast("news", b"." * 40, 0.0)

    assert machine.receive("a", Graft(ME, 1), 1.0) == []
    assert machine.receive("a", Graft(ME, 2), 1.0) != []
    assert machine.receive("a", Graft(ME, 3), 1.0) != []


def test_a_hundred_thousand_heartbeats_are_remembered_as_one_interval() -> None:
    origin = tree("a", heartbeat_period_s=10.0)
    receiver = tree("a", "b")
    assert [timer.name for timer in timers(origin.start(0.0))] == ["heartbeat"]
    late: list[Gossip] = []

    for number in range(100_000):
        beat = origin.timer_fired("heartbeat", 10.0 * number)[1]
        assert isinstance(beat, Send) and isinstance(beat.message, Gossip)
        if number in (500, 501, 70_000):
            late.append(beat.message)
        else:
            receiver.receive("a", beat.message, 10.0 * number)
    with_gaps = len(receiver._seen)
    for message in late:
        receiver.receive("b", message, 1e6)

    assert (with_gaps, len(receiver._seen)) == (3, 1)
    assert late[0].topic == HEARTBEAT_TOPIC


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lazy_tick_s", -1.0),
        ("graft_timeout_s", float("nan")),
        ("graft_timeout_max_s", 0.0),
        ("lately_s", -1.0),
        ("announcers_max", 1),
        ("new_links", "sleepy"),
        ("graft_retry_s", 0.0),
        ("optimise_threshold", 0),
        ("store_max", 0),
        ("missing_max", 0),
        ("store_bytes_max", 0),
        ("roots_max", 0),
        ("root_idle_s", 0.0),
        ("repeat_s", 0.0),
        ("heartbeat_period_s", -1.0),
        ("trees", "own"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        PlumtreeOptions(**{field: value})  # type: ignore[arg-type]  # the point of the test


class _NoAddresses:
    def addresses_of(self, node: NodeId) -> list[str]:
        return []

    def learn(self, node: NodeId, addresses: object) -> None: ...


@pytest.mark.parametrize(
    "message",
    [
        Gossip(NodeId("a", 1), 7, "news", 2, b"plain"),
        IHave(((NodeId("a", 1), 7, 2), (NodeId("b", 2), 1, 1))),
        Prune(NodeId("a", 1)),
        Graft(NodeId("a", 1), None),
        Have(((NodeId("a", 1), 7),)),
        Lately(((NodeId("a", 1), 7, 9, 3, 0.5),)),
        Announce(False),
        Graft(NodeId("a", 1), 7),
    ],
)
def test_every_message_travels_the_wire_unchanged(message: object) -> None:
    assert decode_message(encode_message(message, _NoAddresses()), _NoAddresses()) == message


# Whole trees, over overlays that stand still.


@pytest.mark.parametrize("seed", range(3))
def test_sixteen_nodes_deliver_a_thousand_messages_from_random_roots_exactly_once(seed: int) -> None:
    links = random_graph(16, 4, seed)
    simulation = running(links, with_plumtree(links), seed)
    rng = random.Random(seed)

    origins = {}
    for number in range(1000):
        origins[number] = rng.choice(sorted(links))
        simulation.broadcast(origins[number], "news", number)
        simulation.run_for(0.002)
    simulation.run_for(30.0)

    per_message: dict[object, list[object]] = {number: [] for number in origins}
    for delivery in simulation.deliveries:
        per_message[delivery.broadcast.payload].append(delivery.node)
    for number, origin in origins.items():
        assert sorted(per_message[number]) == [node for node in sorted(links) if node != origin], f"seed {seed}"


def test_after_warming_up_the_eager_links_are_a_spanning_tree() -> None:
    links = clique(12)
    simulation = running(links, with_plumtree(links), seed=4)
    for number in range(50):
        simulation.broadcast(number % 12, "news", number)
        simulation.run_for(1.0)

    check_spanning_tree(simulation, 0)


def test_when_an_inner_node_of_the_tree_dies_later_messages_reach_everybody_else() -> None:
    links = ring(10)
    simulation = running(links, with_plumtree(links), seed=5)
    for number in range(3):
        simulation.broadcast(0, "news", number)
        simulation.run_for(1.0)

    simulation.kill(3)
    simulation.broadcast(0, "news", "after")
    simulation.run_for(3.0)

    got = sorted(d.node for d in simulation.deliveries if d.broadcast.payload == "after")
    assert got == [1, 2, 4, 5, 6, 7, 8, 9]


def test_without_loss_no_graft_is_sent_and_no_payload_comes_twice_once_the_tree_stands() -> None:
    links = random_graph(30, 5, seed=6)
    simulation = running(links, with_plumtree(links), seed=6)
    simulation.broadcast(0, "news", "first")
    simulation.run_for(2.0)
    before = simulation.received.copy()

    for number in range(20):
        simulation.broadcast(0, "news", number)
        simulation.run_for(2.0)

    assert simulation.received[Graft] == before[Graft]
    assert simulation.received[Gossip] - before[Gossip] == 20 * 29


def test_hops_count_the_links_crossed() -> None:
    links = line(5)
    simulation = running(links, with_plumtree(links), seed=7)

    simulation.broadcast(0, "news", 1)
    simulation.run_for(1.0)

    assert [(d.node, d.broadcast.hops, d.broadcast.sender) for d in simulation.deliveries] == [
        (1, 1, 0),
        (2, 2, 1),
        (3, 3, 2),
        (4, 4, 3),
    ]

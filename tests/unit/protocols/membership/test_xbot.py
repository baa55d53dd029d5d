"""X-BOT, message by message: what each does to the node that is i, c, d or o in a swap."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from partisan_actors.messages import message_types
from partisan_actors.protocols import machine
from partisan_actors.protocols.machine import Connect, Effect, NeighbourDown, NeighbourUp, Peer, Send, SetTimer
from partisan_actors.protocols.membership.hyparview import HyParView
from partisan_actors.protocols.membership.hyparview_messages import Disconnect, Neighbor, NeighborReply, ShuffleReply
from partisan_actors.protocols.membership.strategy import MembershipStrategy
from partisan_actors.protocols.membership.xbot import XBot, XBotOptions
from partisan_actors.protocols.membership.xbot_messages import (
    DisconnectWait,
    Optimization,
    OptimizationReply,
    Probe,
    ProbeReply,
    Replace,
    ReplaceReply,
    Switch,
    SwitchReply,
)


class Prices:
    """Costs as a test gives them; any other is not known."""

    def __init__(self, **costs: float) -> None:
        self.costs: dict[Peer, float] = {**costs}

    def cost(self, peer: Peer) -> float | None:
        return self.costs.get(peer)


# "far" is the unbiased neighbour; the worst that may go is "old", at 5.
PRICES = Prices(far=9.0, old=5.0, near=1.0, best=0.5, good=2.0, bad=6.0)
OPTIONS = XBotOptions(
    active_max=3, active_min=1, passive_max=4, unbiased=1, candidates=1, gain_share=0.1, gain_min=0.5, oracle=PRICES
)
MEASURING = replace(OPTIONS, oracle=None, gain_min=0.0)


def member(*active: str, passive: tuple[str, ...] = (), options: XBotOptions = OPTIONS) -> XBot:
    """A node `me` whose neighbours, in this order, call their ends of the links 101, 102, ... and it 1, 2, ..."""
    me = XBot("me", options, Random(1))
    me.start(0.0)
    for number, peer in enumerate(active, start=101):
        me.receive(peer, Neighbor(number, high=True), 0.0)
    if passive:
        me.receive("z", ShuffleReply(passive), 0.0)
    return me


def full(*passive: str, options: XBotOptions = OPTIONS) -> XBot:
    return member("far", "old", "near", passive=passive, options=options)


def sent(effects: list[Effect], *kinds: type) -> list[tuple[Peer, object]]:
    """Who was sent what; probes only when asked for."""
    pairs = [(effect.peer, effect.message) for effect in effects if isinstance(effect, Send)]
    return [pair for pair in pairs if (isinstance(pair[1], kinds) if kinds else not isinstance(pair[1], Probe))]


def initiated() -> XBot:
    """A node that has asked `good` for a link, numbered 4, in place of the one to `old`."""
    me = full("good")
    me.timer_fired("optimise", 0.0)
    effects = me.timer_fired("optimise", 0.0)
    assert sent(effects) == [("good", Optimization(4, "old", 102))]
    return me


def test_it_is_a_membership_strategy() -> None:
    assert isinstance(member(), MembershipStrategy)


def test_all_its_messages_are_registered() -> None:
    own = {kind for tag, kind in message_types().items() if tag.startswith("xbot.")}
    assert own and set(XBot.messages) == own | set(HyParView.messages)


# As i.


def test_the_worst_neighbour_that_may_go_is_optimised_away_for_a_better_candidate() -> None:
    me = initiated()

    assert me.views == {"active": ["far", "old", "near"], "passive": ["good"]}


def test_a_candidate_that_is_no_better_is_not_asked() -> None:
    for candidate in ("bad", "unheard-of"):
        me = full(candidate)

        assert sent([*me.timer_fired("optimise", 0.0), *me.timer_fired("optimise", 10.0)]) == []


def test_a_gain_that_is_too_small_is_no_reason_to_swap() -> None:
    def asks(**options: float) -> bool:
        me = full("good", options=replace(OPTIONS, **options))  # type: ignore[arg-type]  # floats only
        return bool(sent([*me.timer_fired("optimise", 0.0), *me.timer_fired("optimise", 10.0)], Optimization))

    assert asks(gain_min=3.0) and not asks(gain_min=3.1)
    assert asks(gain_share=0.6) and not asks(gain_share=0.61)


def test_a_node_with_a_free_place_does_not_optimise() -> None:
    me = member("far", "old", passive=("good",))

    assert sent([*me.timer_fired("optimise", 0.0), *me.timer_fired("optimise", 10.0)]) == []


def test_as_many_of_the_most_expensive_neighbours_as_are_unbiased_stay() -> None:
    def given_up(unbiased: int) -> list[object]:
        me = full("good", options=replace(OPTIONS, unbiased=unbiased))
        effects = [*me.timer_fired("optimise", 0.0), *me.timer_fired("optimise", 10.0)]
        return [message.old for _, message in sent(effects) if isinstance(message, Optimization)]

    assert [given_up(unbiased) for unbiased in range(3)] == [["far"], ["old"], []]


def test_a_neighbour_of_unknown_cost_counts_as_the_most_expensive_and_is_not_given_up() -> None:
    me = member("unheard-of", "far", "old", passive=("good",))
    effects = [*me.timer_fired("optimise", 0.0), *me.timer_fired("optimise", 0.0)]

    assert sent(effects) == [("good", Optimization(4, "far", 102))]


def test_the_old_neighbour_goes_when_it_says_so_and_its_place_is_kept_for_the_candidate() -> None:
    me = initiated()

    waiting = me.receive("old", DisconnectWait(2), 0.1)
    refused = me.receive("other", Neighbor(77, high=False), 0.1)
    done = me.receive("good", OptimizationReply(4, True, 55), 0.2)

    assert waiting == [NeighbourDown("old", failed=False), machine.Disconnect("old")]
    assert refused == [Send("other", NeighborReply(77, False, 0))]
    assert done == [Connect("good"), NeighbourUp("good")]
    assert me.views == {"active": ["far", "near", "good"], "passive": ["old"]}


def test_an_old_neighbour_that_nobody_told_is_told_when_the_candidate_accepts() -> None:
    me = initiated()

    effects = me.receive("good", OptimizationReply(4, True, 55), 0.2)
    late = me.receive("old", DisconnectWait(2), 0.3)

    assert sent(effects) == [("old", Disconnect(102, False))]
    assert late == []
    assert me.neighbours == ["far", "near", "good"]


def test_a_refused_swap_leaves_everything_as_it_was_and_another_may_follow() -> None:
    me = initiated()

    effects = me.receive("good", OptimizationReply(4, False, 0), 0.2)
    again = me.timer_fired("optimise", 10.0)

    assert effects == []
    assert me.views == {"active": ["far", "old", "near"], "passive": ["good"]}
    assert [peer for peer, _ in sent(again, Optimization)] == ["good"]


def test_while_a_swap_is_on_no_other_is_begun() -> None:
    me = initiated()

    assert sent(me.timer_fired("optimise", 10.0)) == []
    assert sent(me.receive("x", Optimization(9, "y", 8), 0.1)) == [("x", OptimizationReply(9, False, 0))]
    assert sent(me.receive("near", Replace(3, 103, "x", "best", 8), 0.1)) == [("near", ReplaceReply(103, False))]


def test_a_candidate_that_does_not_answer_is_given_up_and_a_kept_place_filled() -> None:
    me = initiated()
    me.receive("old", DisconnectWait(2), 0.1)

    effects = me.timer_fired("neighbor_timeout", 3 * OPTIONS.swap_timeout_s)
    late = me.receive("good", OptimizationReply(4, True, 55), 9.0)

    assert [peer for peer, _ in sent(effects, Neighbor)] == ["old"]
    assert late == [Connect("good"), NeighbourUp("good")], "the place is still free"


def test_what_a_candidate_answers_too_late_costs_no_link() -> None:
    me = initiated()
    me.timer_fired("neighbor_timeout", 3 * OPTIONS.swap_timeout_s)

    late = me.receive("good", OptimizationReply(4, True, 55), 9.0)

    assert late == [Send("good", Disconnect(55, False))]
    assert me.views["active"] == ["far", "old", "near"]


def test_a_candidate_that_cannot_be_reached_is_forgotten() -> None:
    me = initiated()

    me.peer_down("good", 0.1)

    assert me.views == {"active": ["far", "old", "near"], "passive": []}


def test_a_candidate_that_has_left_ends_the_swap() -> None:
    me = initiated()
    gone = XBot("good", OPTIONS, Random(2))

    ((_, answer),) = sent(gone.receive("me", Optimization(4, "old", 102), 0.1))
    me.receive("good", answer, 0.2)

    assert answer == Disconnect(4, True)
    assert me.views == {"active": ["far", "old", "near"], "passive": []}


def test_a_place_that_was_taken_meanwhile_is_not_made_again() -> None:
    me = initiated()
    me.receive("old", DisconnectWait(2), 0.1)
    me.receive("new", Neighbor(77, high=True), 0.1)

    effects = me.receive("good", OptimizationReply(4, True, 55), 0.2)

    assert effects == [Send("good", Disconnect(55, False))]
    assert me.neighbours == ["far", "near", "new"]


def test_disconnect_wait_outside_of_a_swap_is_a_disconnect() -> None:
    me = full("good")

    effects = me.receive("old", DisconnectWait(2), 0.1)

    assert effects[:2] == [NeighbourDown("old", failed=False), machine.Disconnect("old")]
    assert isinstance(effects[2], SetTimer) and effects[2].name == "promote"
    assert me.receive("near", DisconnectWait(999), 0.1) == []


# As c.


def test_a_candidate_with_a_free_place_accepts_at_once() -> None:
    me = member("far")

    effects = me.receive("i", Optimization(9, "o", 8), 0.0)

    assert effects == [Connect("i"), Send("i", OptimizationReply(9, True, 2)), NeighbourUp("i")]


def test_a_full_candidate_asks_its_worst_neighbour_that_may_go_to_make_place() -> None:
    me = full()

    effects = me.receive("i", Optimization(9, "o", 8), 0.0)

    assert sent(effects) == [("old", Replace(102, 2, "i", "o", 8))]
    assert me.neighbours == ["far", "old", "near"]


def test_neither_the_initiator_nor_its_old_neighbour_has_to_make_place() -> None:
    effects = full().receive("i", Optimization(9, "old", 8), 0.0)

    assert sent(effects) == [("near", Replace(103, 3, "i", "old", 8))]


def test_a_candidate_none_of_whose_neighbours_may_go_refuses() -> None:
    me = full(options=replace(OPTIONS, oracle=Prices(far=9.0), unbiased=2))
    me.peer_down("far", 0.0)
    me.receive("other", Neighbor(104, high=True), 0.0)

    assert me.receive("i", Optimization(9, "o", 8), 0.0) == [Send("i", OptimizationReply(9, False, 0))]


def test_when_the_place_is_made_the_initiator_takes_it() -> None:
    me = full()
    me.receive("i", Optimization(9, "o", 8), 0.0)

    effects = me.receive("old", ReplaceReply(2, True), 0.0)

    assert effects == [
        NeighbourDown("old", failed=False), machine.Disconnect("old"),
        Connect("i"), Send("i", OptimizationReply(9, True, 4)), NeighbourUp("i"),
    ]  # fmt: skip
    assert me.views == {"active": ["far", "near", "i"], "passive": ["old"]}


def test_when_no_place_is_made_the_initiator_is_refused() -> None:
    me = full()
    me.receive("i", Optimization(9, "o", 8), 0.0)

    assert me.receive("old", ReplaceReply(2, False), 0.1) == [Send("i", OptimizationReply(9, False, 0))]
    assert me.neighbours == ["far", "old", "near"]


def test_when_the_asked_neighbour_fails_or_goes_the_initiator_is_refused() -> None:
    for happens in (
        lambda me: me.peer_down("old", 0.1),
        lambda me: me.receive("old", Disconnect(2, False), 0.1),
        lambda me: me.timer_fired("swap", 2 * OPTIONS.swap_timeout_s),
    ):
        me = full()
        me.receive("i", Optimization(9, "o", 8), 0.0)

        assert sent(happens(me), OptimizationReply) == [("i", OptimizationReply(9, False, 0))]
        assert sent(me.receive("i", Optimization(10, "o", 8), 1.0), OptimizationReply, Replace)


def test_a_place_made_too_late_is_free() -> None:
    me = full()
    me.receive("i", Optimization(9, "o", 8), 0.0)
    me.timer_fired("swap", 2 * OPTIONS.swap_timeout_s)

    effects = me.receive("old", ReplaceReply(2, True), 9.0)

    assert me.neighbours == ["far", "near"]
    assert isinstance(effects[-1], SetTimer) and effects[-1].name == "promote"


def test_an_initiator_that_is_a_neighbour_already_gets_its_link_renewed() -> None:
    me = full()

    assert me.receive("near", Optimization(500, "o", 8), 1.0) == [Send("near", OptimizationReply(500, True, 1000))]


# As d.


def test_a_neighbour_that_gains_by_it_asks_the_old_one() -> None:
    me = full()

    effects = me.receive("old", Replace(2, 102, "i", "good", 8), 0.0)

    assert sent(effects) == [("good", Switch(4, "i", 8))]


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ("old", Replace(2, 102, "i", "bad", 8)),  # costs more
        ("old", Replace(2, 102, "i", "unheard-of", 8)),
        ("old", Replace(2, 102, "i", "near", 8)),  # a neighbour already
        ("old", Replace(2, 102, "i", "me", 8)),
        ("old", Replace(2, 102, "me", "good", 8)),
        ("old", Replace(7, 102, "i", "good", 8)),  # about a link that is not
        ("x", Replace(2, 102, "i", "good", 8)),
    ],
)
def test_a_neighbour_that_does_not_gain_or_is_not_meant_refuses(candidate: str, message: Replace) -> None:
    me = full()

    assert sent(me.receive(candidate, message, 0.0)) == [(candidate, ReplaceReply(102, False))]
    assert me.neighbours == ["far", "old", "near"]
    assert sent(me.receive("old", Replace(2, 102, "i", "good", 8), 0.0), Switch), "and is free for another swap"


def test_when_the_old_neighbour_accepts_links_change_hands() -> None:
    me = full()
    me.receive("old", Replace(2, 102, "i", "good", 8), 0.0)

    effects = me.receive("good", SwitchReply(4, True, 55), 0.1)

    assert effects == [
        NeighbourDown("old", failed=False), Send("old", ReplaceReply(102, True)), machine.Disconnect("old"),
        Connect("good"), NeighbourUp("good"),
    ]  # fmt: skip
    assert me.views == {"active": ["far", "near", "good"], "passive": ["old"]}


def test_when_the_old_neighbour_refuses_so_does_this_one() -> None:
    me = full()
    me.receive("old", Replace(2, 102, "i", "good", 8), 0.0)

    assert me.receive("good", SwitchReply(4, False, 0), 0.1) == [Send("old", ReplaceReply(102, False))]
    assert me.neighbours == ["far", "old", "near"]


def test_when_the_old_neighbour_fails_leaves_or_is_silent_the_swap_is_refused() -> None:
    for happens in (
        lambda me: me.peer_down("good", 0.1),
        lambda me: me.receive("good", Disconnect(4, True), 0.1),
        lambda me: me.timer_fired("neighbor_timeout", OPTIONS.swap_timeout_s),
    ):
        me = full()
        me.receive("old", Replace(2, 102, "i", "good", 8), 0.0)

        assert sent(happens(me)) == [("old", ReplaceReply(102, False))]
        assert sent(me.receive("good", SwitchReply(4, True, 55), 9.0)) == [("good", Disconnect(55, False))]


def test_an_acceptance_after_the_candidate_is_gone_is_kept_if_there_is_a_place() -> None:
    me = full()
    me.receive("old", Replace(2, 102, "i", "good", 8), 0.0)
    me.receive("old", Disconnect(2, False), 0.1)

    effects = me.receive("good", SwitchReply(4, True, 55), 0.2)

    assert sent(effects) == [("old", ReplaceReply(102, True))]
    assert me.neighbours == ["far", "near", "good"]


# As o.


def test_the_old_neighbour_takes_the_one_that_lost_its_link_for_the_initiator() -> None:
    me = full()

    effects = me.receive("d", Switch(77, "near", 3), 0.0)

    assert effects == [
        NeighbourDown("near", failed=False), Send("near", DisconnectWait(103)), machine.Disconnect("near"),
        Connect("d"), Send("d", SwitchReply(77, True, 4)), NeighbourUp("d"),
    ]  # fmt: skip
    assert me.views == {"active": ["far", "old", "d"], "passive": ["near"]}


@pytest.mark.parametrize(
    ("disconnected", "message"),
    [
        ("d", Switch(77, "x", 3)),  # not a neighbour
        ("d", Switch(77, "near", 999)),  # of another link
        ("far", Switch(77, "near", 3)),  # a neighbour already
    ],
)
def test_the_old_neighbour_refuses_what_does_not_fit_its_links(disconnected: str, message: Switch) -> None:
    me = full()

    assert me.receive(disconnected, message, 0.0) == [Send(disconnected, SwitchReply(77, False, 0))]


def test_the_old_neighbour_refuses_while_it_gives_up_that_link_itself() -> None:
    assert sent(initiated().receive("d", Switch(77, "old", 2), 0.0)) == [("d", SwitchReply(77, False, 0))]


def test_the_old_neighbour_refuses_whom_it_is_asking_for_a_link() -> None:
    assert sent(initiated().receive("good", Switch(77, "near", 3), 0.0)) == [("good", SwitchReply(77, False, 0))]


def test_the_old_neighbour_refuses_while_a_place_it_keeps_has_been_taken() -> None:
    me = initiated()
    me.receive("old", DisconnectWait(2), 0.1)
    me.receive("new", Neighbor(77, high=True), 0.1)

    assert sent(me.receive("d", Switch(77, "near", 3), 0.2)) == [("d", SwitchReply(77, False, 0))]


# Places, leaving, costs.


def test_a_neighbour_in_a_reserved_place_takes_no_part_in_swaps() -> None:
    options = replace(OPTIONS, unbiased=0, oracle=Prices(vip=9.0, good=2.0), reservations={"vip": 1}, candidates=1)
    me = XBot("me", options, Random(1))
    me.start(0.0)
    me.receive("vip", Neighbor(101, high=True, tag="vip"), 0.0)
    for number, peer in enumerate(("a", "b"), start=102):
        me.receive(peer, Neighbor(number, high=True), 0.0)
    me.receive("z", ShuffleReply(("good",)), 0.0)

    as_i = [*me.timer_fired("optimise", 0.0), *me.timer_fired("optimise", 10.0)]
    as_c = me.receive("i", Optimization(9, "o", 8), 11.0)
    as_d = me.receive("vip", Replace(1, 101, "i", "good", 8), 11.0)
    as_o = me.receive("d", Switch(77, "vip", 1), 11.0)

    assert sent(as_i) == []
    assert sent(as_c) == [("i", OptimizationReply(9, False, 0))]
    assert sent(as_d) == [("vip", ReplaceReply(101, False))]
    assert sent(as_o) == [("d", SwitchReply(77, False, 0))]


@pytest.mark.parametrize(
    "message", [Optimization(8, "o", 1), Replace(1, 8, "i", "o", 1), Switch(8, "i", 1), SwitchReply(1, True, 8)]
)
def test_a_node_that_left_answers_that_it_is_gone(message: object) -> None:
    me = full()
    me.leave(1.0)

    assert me.receive("x", message, 2.0) == [Send("x", Disconnect(8, True))]
    assert me.receive("x", Probe(1), 2.0) == []


def test_leaving_ends_a_swap() -> None:
    me = initiated()

    me.leave(1.0)

    assert me.receive("good", OptimizationReply(4, True, 55), 1.1) == [Send("good", Disconnect(55, True))]
    assert me.views == {"active": [], "passive": []}


def test_a_probe_is_answered_at_once() -> None:
    assert full().receive("x", Probe(17), 0.0) == [Send("x", ProbeReply(17))]


def answer_probes(me: XBot, effects: list[Effect], trips_s: dict[str, float], now: float) -> list[Effect]:
    """Let every probe come back after its round trip, and the second ones too; what followed."""
    waiting, followed = [(effect, now) for effect in effects], list[Effect]()
    while waiting:
        effect, sent_s = waiting.pop(0)
        match effect:
            case Send(peer, Probe(number)):
                back_s = sent_s + trips_s[str(peer)]
                waiting += [(effect, back_s) for effect in me.receive(str(peer), ProbeReply(number), back_s)]
            case _:
                followed.append(effect)
    return followed


def test_the_default_oracle_measures_neighbours_and_candidates_with_probes() -> None:
    me = full("good", options=MEASURING)
    trips_s = {"far": 0.9, "old": 0.5, "near": 0.1, "good": 0.2}

    first = answer_probes(me, me.timer_fired("optimise", 0.0), trips_s, 0.0)
    second = me.timer_fired("optimise", 10.0)

    assert sent(first) == []
    assert sent(second) == [("good", Optimization(10_000, "old", 102))]


def test_a_neighbour_that_has_never_measured_the_old_one_does_so_before_it_answers() -> None:
    for trip_s, kind in ((0.2, Switch), (0.6, ReplaceReply)):
        me = full(options=MEASURING)
        trips_s = {"far": 0.9, "old": 0.5, "near": 0.1, "o": trip_s}
        answer_probes(me, me.timer_fired("optimise", 0.0), trips_s, 0.0)

        asked = me.receive("old", Replace(2, 102, "i", "o", 8), 5.0)
        decided = answer_probes(me, asked, trips_s, 5.0)

        assert [peer for peer, _ in sent(asked, Probe)] == ["o"] and sent(asked) == []
        assert [type(message) for _, message in sent(decided)] == [kind]


def test_an_old_neighbour_that_does_not_answer_probes_is_refused_in_time() -> None:
    me = full(options=MEASURING)
    me.receive("old", Replace(2, 102, "i", "o", 8), 5.0)

    assert sent(me.timer_fired("swap", 5.0 + OPTIONS.swap_timeout_s)) == [("old", ReplaceReply(102, False))]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"unbiased": -1}, "unbiased = -1 is not valid: expected an int from 0 to 4"),
        ({"unbiased": 5}, "unbiased = 5 is not valid: expected an int from 0 to 4"),
        ({"candidates": 0}, "candidates = 0 is not valid: expected an int from 1 to 30"),
        ({"measured_max": 3}, "measured_max = 3 is not valid: expected an int from 8 on"),
        ({"optimisation_period_s": 0}, "optimisation_period_s = 0 is not valid: expected a number of seconds"),
        ({"gain_share": -0.1}, "gain_share = -0.1 is not valid: expected a number of at least 0"),
        ({"oracle": 3}, "oracle = 3 is not valid: expected an object with a method cost"),
        ({"active_max": 1}, "active_max = 1 is not valid: expected an int of at least 2"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        XBotOptions(**wrong)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("former", ["old", "good"])
def test_a_swap_with_a_former_life_is_off(former: str) -> None:
    me = initiated()

    effects = me.supersede(former, "later", 1.0)

    assert me._swap is None
    assert former not in [peer for view in me.views.values() for peer in view]
    assert not [peer for peer, _ in sent(effects) if peer == former]

"""The network of bare strategies: what it promises a strategy, and that it catches whoever breaks a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import pytest

from partisan_actors.protocols.machine import (
    Connect,
    Deliver,
    Disconnect,
    Effect,
    NeighbourDown,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.testing.strategy_network import RuleBroken, StrategyNetwork

UP = [Connect("b"), NeighbourUp("b")]


class Told:
    """Answers what it is told to, and remembers its inputs."""

    def __init__(self, me: Peer, rng: Random) -> None:
        self.me = me
        self.inputs: list[tuple[str, object]] = []
        self.answers: dict[str, list[Effect]] = {}
        self.neighbours: list[Peer] = []

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        return {"told": self.neighbours}

    def _answer(self, what: str, about: object) -> list[Effect]:
        self.inputs.append((what, about))
        return self.answers.pop(what, [])

    def start(self, now: float) -> list[Effect]:
        return []

    def join(self, contact: Peer, now: float) -> list[Effect]:
        return self._answer("join", contact)

    def leave(self, now: float) -> list[Effect]:
        return self._answer("leave", None)

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return self._answer("receive", message)

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return self._answer("peer_up", peer)

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        return self._answer("peer_down", peer)

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        return self._answer("timer_fired", name)


def network_of(*nodes: str, reorders: bool = False) -> tuple[StrategyNetwork, dict[str, Told]]:
    told: dict[str, Told] = {}

    def build(me: Peer, rng: Random) -> Told:
        return told.setdefault(str(me), Told(me, rng))

    network = StrategyNetwork(build, seed=1, reorders=reorders)
    for node in nodes:
        network.add(node)
    return network, told


def answering(network: StrategyNetwork, strategy: Told, *effects: Effect, neighbours: Sequence[Peer] = ()) -> None:
    strategy.neighbours = list(neighbours)
    strategy.answers["join"] = list(effects)
    network.join(strategy.me, "x")


def test_messages_of_one_pair_arrive_in_order() -> None:
    network, told = network_of("a", "b")

    answering(network, told["a"], *[Send("b", number) for number in range(20)])
    network.deliver_all()

    assert told["b"].inputs == [("receive", number) for number in range(20)]


def test_with_reorders_they_overtake_each_other() -> None:
    network, told = network_of("a", "b", reorders=True)

    answering(network, told["a"], *[Send("b", number) for number in range(20)])
    network.deliver_all()

    arrived = [number for _, number in told["b"].inputs]
    assert arrived != list(range(20))
    assert set(arrived) == set(range(20))


def test_connect_is_answered_by_peer_up_at_both_ends() -> None:
    network, told = network_of("a", "b")

    answering(network, told["a"], Connect("b"))
    network.deliver_all()

    assert told["a"].inputs[1:] == [("peer_up", "b")]
    assert told["b"].inputs == [("peer_up", "a")]


@pytest.mark.parametrize("cut_off", [True, False])
def test_connect_to_one_who_is_gone_or_cut_off_is_answered_by_peer_down(cut_off: bool) -> None:
    network, told = network_of("a", "b")
    if cut_off:
        network.block("a", "b")
        network.deliver_all()
    else:
        network.kill("b")

    answering(network, told["a"], Connect("b"))
    network.deliver_all()

    assert told["a"].inputs[-1] == ("peer_down", "b")


def test_what_a_killed_node_sent_still_arrives_before_its_end_is_noticed() -> None:
    network, told = network_of("a", "b")
    answering(network, told["a"], *UP, Send("b", "last words"), neighbours=["b"])

    network.kill("a")
    network.deliver_all()

    assert told["b"].inputs == [("peer_up", "a"), ("receive", "last words"), ("peer_down", "a")]


def test_a_torn_connection_loses_what_was_on_it_and_tells_whom_the_test_says() -> None:
    network, told = network_of("a", "b")
    answering(network, told["a"], Send("b", "lost"))

    network.tear("a", "b", told=["b"])
    network.deliver_all()

    assert told["b"].inputs == [("peer_down", "a")]
    assert ("peer_down", "b") not in told["a"].inputs


def test_timers_fire_when_they_are_due_and_a_later_setting_replaces_an_earlier_one() -> None:
    network, told = network_of("a")
    answering(network, told["a"], SetTimer("late", 5.0), SetTimer("again", 1.0), SetTimer("again", 2.0))

    network.run(3.0)
    early = list(told["a"].inputs)
    network.run(3.0)

    assert early[1:] == [("timer_fired", "again")]
    assert told["a"].inputs[2:] == [("timer_fired", "late")]
    assert network.now == 6.0


def test_peer_down_of_a_neighbour_must_be_answered_by_neighbour_down_with_failed_set() -> None:
    network, told = network_of("a", "b")
    answering(network, told["a"], *UP, neighbours=["b"])
    told["a"].answers["peer_down"] = [NeighbourDown("b", failed=False), Disconnect("b")]

    with pytest.raises(RuleBroken, match=r"seed 1, at 0\.000 s, node a: peer_down of its neighbour b was answered by"):
        network.fail("a", "b")


@pytest.mark.parametrize(
    ("effects", "neighbours", "text"),
    [
        ([Send("a", "x")], [], "is about itself"),
        ([NeighbourUp("b")], ["b"], "holds no connection to its neighbours"),
        ([*UP, NeighbourUp("b")], ["b"], "b is up twice"),
        ([NeighbourDown("b", failed=True)], [], "b is down and was not up"),
        ([*UP, NeighbourDown("b", failed=False)], [], "still holds its connection to"),
        ([Connect("b"), Connect("b")], [], "connected to b twice"),
        ([Disconnect("b")], [], "disconnected from b and was not connected"),
        (UP, [], r"neighbours are \[\], but \['b'\] are up"),
        (UP, ["b", "b"], r"neighbours are \['b', 'b'\], but \['b'\] are up"),
        ([SetTimer("t", -1.0)], [], "is not a time to come"),
        ([SetTimer("t", float("nan"))], [], "is not a time to come"),
        ([Deliver("t", "a", "a", 0, "x")], [], "has no business with"),
        ([None], [], "has no business with None"),
    ],
)
def test_what_breaks_a_rule_is_said(effects: list[Effect], neighbours: list[Peer], text: str) -> None:
    network, told = network_of("a", "b")

    with pytest.raises(RuleBroken, match=text):
        answering(network, told["a"], *effects, neighbours=neighbours)


def test_a_candidate_may_be_held_that_is_no_neighbour() -> None:
    network, told = network_of("a", "b")

    answering(network, told["a"], Connect("b"))

    assert list(network.held["a"]) == ["b"]


def test_one_sided_links_and_pieces_can_be_seen() -> None:
    network, told = network_of("a", "b", "c")

    answering(network, told["a"], *UP, neighbours=["b"])

    assert network.asymmetric() == [("a", "b")]
    assert network.components() == 2


def test_waiting_for_what_does_not_come_ends_in_time() -> None:
    network, _ = network_of("a")

    assert not network.run_until(lambda: False, within_s=30.0)
    assert network.now == 30.0

"""Simulation: what it promises the stacks in it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest

from partisan_actors.protocols.broadcast.flood import Flood, FloodOptions
from partisan_actors.protocols.detector.opinions import Confirmed
from partisan_actors.protocols.machine import (
    CancelTimer,
    Connect,
    Disconnect,
    Effect,
    NeighbourUp,
    Peer,
    Send,
    SetTimer,
)
from partisan_actors.protocols.stack import ProtocolStack
from partisan_actors.simulation.machines import Simulation, UnsoundStrategy
from partisan_actors.simulation.network import constant_latency


class Puppet:
    """A strategy that notes its inputs, with their times, and does what the test tells it to."""

    def __init__(self) -> None:
        self.story: list[tuple[float, object]] = []
        self.on_join: list[Effect] = []
        self.on_leave: list[Effect] = []
        self.on_start: list[Effect] = []

    def start(self, now: float) -> list[Effect]:
        return self.on_start

    def join(self, contact: Peer, now: float) -> list[Effect]:
        return self.on_join

    def leave(self, now: float) -> list[Effect]:
        return self.on_leave

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return self._note(now, (sender, message))

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return self._note(now, f"up {peer}")

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        return self._note(now, f"down {peer}")

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        return self._note(now, f"timer {name}")

    def _note(self, now: float, what: object) -> list[Effect]:
        self.story.append((now, what))
        return []

    @property
    def neighbours(self) -> Sequence[Peer]:
        return ()

    @property
    def views(self) -> Mapping[str, Sequence[Peer]]:
        return {}

    @property
    def events(self) -> list[object]:
        return [what for _, what in self.story]


def puppets(count: int, failure_delay_s: float = 0.1) -> tuple[Simulation, list[Puppet]]:
    """Nodes 0, 1, 2 ... with a link latency of one second."""
    simulation = Simulation(1, constant_latency(1.0), failure_delay_s)
    made = [Puppet() for _ in range(count)]

    def factory(simulation: Simulation, node: Peer) -> ProtocolStack:
        assert isinstance(node, int)
        return ProtocolStack(node, made[node], Flood(node, FloodOptions(), random.Random(1)))

    for node in range(count):
        simulation.add(node, factory)
    return simulation, made


def do(simulation: Simulation, puppet: Puppet, node: Peer, *effects: Effect) -> None:
    puppet.on_join = list(effects)
    simulation.join(node, None)


def test_messages_arrive_after_the_latency_and_in_order() -> None:
    simulation, (zero, one) = puppets(2)

    do(simulation, zero, 0, Send(1, "a"), Send(1, "b"))
    simulation.run_for(2.0)

    assert one.story == [(1.0, (0, "a")), (1.0, (0, "b"))]
    assert simulation.sent[str] == simulation.received[str] == 2


def test_a_connection_comes_up_at_both_ends_before_messages_behind_it() -> None:
    simulation, (zero, one) = puppets(2)

    do(simulation, zero, 0, Connect(1), Send(1, "a"))
    simulation.run_for(5.0)

    assert one.events == ["up 0", (0, "a")]
    assert zero.story == [(2.0, "up 1")]


def test_connecting_where_a_connection_is_open_is_answered_at_the_caller_only() -> None:
    simulation, (zero, one) = puppets(2)
    do(simulation, zero, 0, Connect(1))
    simulation.run_for(5.0)

    do(simulation, one, 1, Connect(0))
    simulation.run_for(5.0)

    assert zero.events == ["up 1"]
    assert one.events == ["up 0", "up 0"]


def test_a_connection_let_go_before_it_was_open_never_opens() -> None:
    simulation, (zero, one) = puppets(2)

    do(simulation, zero, 0, Connect(1), Disconnect(1))
    simulation.run_for(5.0)

    assert zero.events == one.events == []


def test_a_message_or_a_connection_to_a_dead_node_comes_back_as_one_peer_down() -> None:
    simulation, (zero, _one) = puppets(2)
    simulation.kill(1)

    do(simulation, zero, 0, Send(1, "a"), Send(1, "b"), Connect(1))
    simulation.run_for(5.0)

    assert zero.story == [(1.1, "down 1")]


def test_a_killed_node_is_down_at_every_node_with_a_connection_after_what_it_sent() -> None:
    simulation, (zero, one, two, three) = puppets(4)
    do(simulation, zero, 0, Connect(1))
    do(simulation, two, 2, Connect(0))
    simulation.run_for(5.0)
    do(simulation, zero, 0, Send(1, "last"))

    simulation.kill(0)
    simulation.run_for(5.0)

    assert one.events == ["up 0", (0, "last"), "down 0"]
    assert two.events == ["up 0", "down 0"]
    assert three.events == []
    assert simulation.live == [1, 2, 3]


def test_a_connection_that_both_ends_let_go_is_not_missed_when_the_other_dies() -> None:
    simulation, (zero, _one) = puppets(2)
    do(simulation, zero, 0, Connect(1))
    simulation.run_for(5.0)
    do(simulation, zero, 0, Disconnect(1))

    simulation.kill(1)
    simulation.run_for(5.0)

    assert zero.events == ["up 1"]


def test_a_cut_breaks_connections_at_both_ends_and_stops_messages_until_healed() -> None:
    simulation, (zero, one) = puppets(2)
    do(simulation, zero, 0, Connect(1))
    simulation.run_for(5.0)

    simulation.cut([0], [1])
    simulation.run_for(5.0)
    do(simulation, zero, 0, Send(1, "lost"))
    simulation.run_for(5.0)
    simulation.heal()
    do(simulation, zero, 0, Send(1, "found"))
    simulation.run_for(5.0)

    assert zero.events == ["up 1", "down 1", "down 1"]
    assert one.events == ["up 0", "down 0", (0, "found")]


def test_a_timer_fires_once_at_its_latest_setting() -> None:
    simulation, (zero,) = puppets(1)

    do(simulation, zero, 0, SetTimer("t", 1.0), SetTimer("t", 2.0), SetTimer("gone", 1.0), CancelTimer("gone"))
    simulation.run_for(10.0)

    assert zero.story == [(2.0, "timer t")]


def test_a_killed_nodes_timers_and_messages_to_it_do_nothing() -> None:
    simulation, (zero, one) = puppets(2)
    do(simulation, zero, 0, SetTimer("t", 1.0))
    do(simulation, one, 1, Send(0, "a"))

    simulation.kill(0)
    simulation.run_for(10.0)

    assert zero.events == []


def test_a_node_has_one_life() -> None:
    simulation, _ = puppets(1)
    simulation.kill(0)

    with pytest.raises(ValueError, match="node 0"):
        simulation.add(
            0, lambda simulation, node: ProtocolStack(node, Puppet(), Flood(0, FloodOptions(), random.Random(1)))
        )


def test_a_neighbour_that_comes_up_twice_is_caught() -> None:
    simulation, (zero, _) = puppets(2)

    with pytest.raises(UnsoundStrategy, match="seed 1"):
        do(simulation, zero, 0, NeighbourUp(1), NeighbourUp(1))


def test_every_input_is_told_to_on_event_before_it_happens() -> None:
    events: list[str] = []
    simulation = Simulation(1, constant_latency(1.0), on_event=events.append)
    made = Puppet()
    made.on_start = [SetTimer("t", 1.0)]

    simulation.add(0, lambda simulation, node: ProtocolStack(node, made, Flood(node, FloodOptions(), random.Random(1))))
    simulation.run_for(2.0)

    assert events == ["0 start 0 ()", "1000000000 timer_fired 0 ('membership:t',)"]


# Silence.


def silent_pair() -> tuple[Simulation, Puppet]:
    """Nodes 0 and 1, with a connection that 0 holds."""
    simulation, puppets = Simulation(1, constant_latency(1.0), silent=True), {}

    def make(simulation: Simulation, node: Peer) -> ProtocolStack:
        puppets[node] = Puppet()
        return ProtocolStack(node, puppets[node], Flood(node, FloodOptions(), random.Random(1)))

    for node in (0, 1):
        simulation.add(node, make)
    puppets[0].on_join = [Connect(1), NeighbourUp(1)]
    simulation.join(0, 1)
    simulation.run_for(5.0)
    puppets[0].story.clear()
    return simulation, puppets[0]


@pytest.mark.parametrize("how", ["crash", "cut"])
def test_in_silence_nobody_is_told_that_a_connection_leads_nowhere(how: str) -> None:
    simulation, puppet = silent_pair()

    simulation.kill(1) if how == "crash" else simulation.cut([0], [1])
    puppet.on_join = [Send(1, "hello")]
    simulation.join(0, 1)
    simulation.run_for(60.0)

    assert puppet.story == []


def test_in_silence_who_dials_in_vain_is_told_so() -> None:
    simulation, puppet = silent_pair()
    puppet.on_join = [Connect(2)]

    simulation.join(0, 2)
    simulation.run_for(5.0)

    assert [what for _, what in puppet.story] == ["down 2"]


def test_a_peer_that_the_detector_has_given_up_is_down_and_its_connection_ends() -> None:
    simulation, puppet = silent_pair()
    simulation.kill(1)

    simulation._carry_out(0, [Confirmed(1)])
    simulation.run_for(5.0)

    assert [what for _, what in puppet.story] == ["down 1"]
    assert [(each.node, each.found) for each in simulation.findings] == [(0, Confirmed(1))]

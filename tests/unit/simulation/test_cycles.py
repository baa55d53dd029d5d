"""CycleEngine: first in first out, failures found by sending, timers only when they are told to run."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from partisan_actors.protocols.machine import CancelTimer, Connect, Deliver, Effect, Peer, Send, SetTimer
from partisan_actors.protocols.membership.hyparview import HyParView, HyParViewOptions
from partisan_actors.simulation.cycles import CycleEngine, UnsettledNetwork


@dataclass
class Recorder:
    """Answers the inputs that are listed with the effects beside them, and keeps what it was told."""

    answers: dict[object, list[Effect]]
    told: list[object] = field(default_factory=list)
    neighbours: tuple[Peer, ...] = ()

    def _note(self, what: object) -> list[Effect]:
        self.told.append(what)
        return self.answers.get(what, [])

    def start(self, now: float) -> list[Effect]:
        return self._note("start")

    def join(self, contact: Peer, now: float) -> list[Effect]:
        return self._note(("join", contact))

    def receive(self, sender: Peer, message: object, now: float) -> list[Effect]:
        return self._note((sender, message))

    def peer_up(self, peer: Peer, now: float) -> list[Effect]:
        return self._note(("up", peer))

    def peer_down(self, peer: Peer, now: float) -> list[Effect]:
        return self._note(("down", peer))

    def timer_fired(self, name: str, now: float) -> list[Effect]:
        return self._note(("timer", name, now))


def network(*answers: dict[object, list[Effect]], prompt: tuple[str, ...] = ()) -> tuple[CycleEngine, list[Recorder]]:
    engine = CycleEngine(1, prompt)
    recorders = [Recorder(answer) for answer in answers]
    for number, recorder in enumerate(recorders):
        engine.add(number, lambda node, rng, recorder=recorder: recorder)
        recorder.told.clear()
    return engine, recorders


def test_messages_arrive_in_the_order_in_which_they_were_sent_by_whomever() -> None:
    engine, recorders = network({(1, "a"): [Send(2, "c")]}, {}, {})

    engine.tell(1, [Send(0, "a"), Send(2, "b")])
    engine.settle()

    assert recorders[2].told == [(1, "b"), (0, "c")]
    assert engine.received.total() == 3


def test_only_who_sends_to_a_dead_node_or_dials_it_hears_that_it_is_down() -> None:
    engine, recorders = network({}, {}, {})
    engine.kill([2])

    engine.tell(0, [Send(2, "hello"), Connect(2)])
    engine.settle()

    assert recorders[0].told == [("down", 2), ("down", 2)]
    assert recorders[1].told == []
    assert engine.live == [0, 1]


def test_a_connection_is_announced_at_both_ends() -> None:
    engine, recorders = network({}, {})

    engine.tell(0, [Connect(1)])
    engine.settle()

    assert [recorder.told for recorder in recorders] == [[("up", 1)], [("up", 0)]]


def test_timers_wait_for_the_caller_but_those_without_delay_fire_at_once_and_prompt_ones_at_rest() -> None:
    engine, (node, other) = network({(1, "go"): [SetTimer("now", 0.0)]}, {}, prompt=("graft",))

    engine.tell(0, [SetTimer("shuffle", 1.0), SetTimer("graft 2", 0.5), SetTimer("graft 1", 0.2)])
    engine.tell(1, [Send(0, "go")])
    engine.settle()

    assert node.told == [(1, "go"), ("timer", "now", 0.0), ("timer", "graft 1", 0.0), ("timer", "graft 2", 0.0)]
    assert other.told == []


def test_a_prompt_timer_that_is_cancelled_in_time_does_not_fire() -> None:
    engine, (node, _) = network({(1, "it came"): [CancelTimer("graft")]}, {}, prompt=("graft",))

    engine.tell(0, [SetTimer("graft", 0.5)])
    engine.tell(1, [Send(0, "it came")])
    engine.settle()

    assert node.told == [(1, "it came")]


def test_a_cycle_gives_every_live_node_its_turn_and_time_passes_with_it() -> None:
    engine, recorders = network({}, {}, {})
    engine.kill([1])

    engine.cycle("shuffle")
    engine.cycle("shuffle")

    assert recorders[0].told == recorders[2].told == [("timer", "shuffle", 0.0), ("timer", "shuffle", 10.0)]
    assert recorders[1].told == []


def test_deliveries_are_kept_with_their_node() -> None:
    news = Deliver("news", 1, 1, 1, "payload")
    engine, _ = network({(1, "gossip"): [news]}, {})

    engine.tell(1, [Send(0, "gossip")])
    engine.settle()

    assert engine.deliveries == [(0, news)]


def test_machines_that_never_come_to_rest_are_named_as_such() -> None:
    engine, _ = network({(1, "ball"): [Send(1, "ball")]}, {(0, "ball"): [Send(0, "ball")]})
    engine.tell(0, [Send(1, "ball")])

    with pytest.raises(UnsettledNetwork, match="seed 1"):
        engine.settle()


def overlay(node: Peer, rng: random.Random) -> HyParView:
    return HyParView(node, HyParViewOptions(promotion_backoff_s=None), rng)


def grown(seed: int, nodes: int) -> CycleEngine:
    engine = CycleEngine(seed)
    for node in range(nodes):
        engine.add(node, overlay, contact=0 if node else None)
    return engine


def active_views(engine: CycleEngine) -> dict[Peer, list[Peer]]:
    views = {}
    for node, machine in engine.machines.items():
        assert isinstance(machine, HyParView)
        views[node] = list(machine.neighbours)
    return views


def test_a_restored_engine_goes_on_exactly_as_the_one_it_was_made_of() -> None:
    engine = grown(7, 60)
    other = CycleEngine.restored(engine.snapshot())

    for one in (engine, other):
        one.kill(range(10, 30))
        for _ in range(3):
            one.cycle("shuffle")

    assert active_views(engine) == active_views(other)
    assert engine.received == other.received


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_links_of_an_overlay_at_rest_have_two_ends_after_every_join_and_every_cycle(seed: int) -> None:
    engine = grown(seed, 80)
    for _ in range(5):
        views = active_views(engine)
        assert all(node in views[peer] for node in views for peer in views[node]), f"seed {seed}"
        engine.cycle("shuffle")

    assert engine.now == 50.0

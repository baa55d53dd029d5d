"""FaultySimulation under plans: each kind of fault, seen by the nodes it happens to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from partisan_actors.faults.operations import (
    Crash,
    Cut,
    Delay,
    Duplicate,
    Hold,
    Join,
    Leave,
    Loss,
    Operation,
    Reorder,
    Reset,
    Restart,
    Slow,
    Stall,
)
from partisan_actors.faults.plan import FaultPlan
from partisan_actors.protocols.machine import Connect, Disconnect, Peer, SetTimer
from partisan_actors.simulation.faulty import FaultySimulation
from partisan_actors.simulation.lives import LIFE
from partisan_actors.simulation.plans import PlanRun
from tests.unit.simulation.puppets import Stage


def staged(count: int, *operations: Operation, spared: Sequence[str] = ()) -> tuple[Stage, PlanRun]:
    """A stage to which a plan happens that begins now."""
    stage = Stage(count)
    run = PlanRun(stage.simulation, FaultPlan(operations, tuple(spared)))
    stage.simulation.run_for(0.0)
    return stage, run


def connected(count: int, *operations: Operation) -> Stage:
    """A stage where 0 holds connections to all others, for which the plan begins at 10 s."""
    stage = Stage(count)
    stage.do(0, *(Connect(peer) for peer in range(1, count)))
    stage.simulation.run_for(10.0)
    for puppet in stage.puppets.values():
        puppet.story.clear()
    PlanRun(stage.simulation, FaultPlan(operations))
    stage.simulation.run_for(0.0)
    return stage


def test_what_is_lost_is_lost_in_silence_and_only_while_it_lasts() -> None:
    stage, _ = staged(2, Loss(0, 5, 1.0))

    stage.send(0, 1, "lost")
    stage.simulation.run_for(5.0)
    stage.send(0, 1, "arrives")
    stage.simulation.run_for(5.0)

    assert stage.told(1) == [(0, "arrives")] and stage.told(0) == []
    assert stage.simulation.lost == 1 and stage.simulation.sent[str] == 2


def test_delays_keep_the_order_between_two_and_not_among_three() -> None:
    stage, _ = staged(3, Delay(0, 1, 4.0, senders=("0",)))

    stage.send(0, 1, "a")
    stage.simulation.run_for(2.0)
    stage.send(0, 1, "b")
    stage.send(2, 1, "c")
    stage.simulation.run_for(10.0)

    assert stage.story(1) == [(3.0, (2, "c")), (5.0, (0, "a")), (5.0, (0, "b"))]


def test_reordering_keeps_the_order_between_two() -> None:
    stage, _ = staged(3, Reorder(0, 50, 0.5, 5.0))

    for number in range(40):
        stage.send(0, 1, number)
        stage.send(2, 1, number)
        stage.simulation.run_for(0.5)
    stage.simulation.run_for(10.0)

    ways = {each: [number for sender, number in stage.messages(1) if sender == each] for each in (0, 2)}
    assert ways == {0: list(range(40)), 2: list(range(40))}
    assert [number for _, number in stage.messages(1)] != sorted([*range(40), *range(40)])


def test_a_duplicate_follows_its_message() -> None:
    stage, _ = staged(2, Duplicate(0, 5, 1.0, pause_s=0.0))

    stage.send(0, 1, "a", "b")
    stage.simulation.run_for(5.0)

    assert stage.told(1) == [(0, "a"), (0, "a"), (0, "b"), (0, "b")]


def test_on_one_connection_there_is_a_pause_between_duplicates() -> None:
    stage, _ = staged(3, Duplicate(0, 9, 1.0, pause_s=2.0))

    for _ in range(3):
        stage.send(0, 1, "a", "b")
        stage.send(2, 1, "c")
        stage.simulation.run_for(1.0)
    stage.simulation.run_for(5.0)

    told = [message for _, message in stage.messages(1)]
    assert told == ["a", "a", "b", "c", "c", "a", "b", "c", "a", "a", "b", "c", "c"]


def test_held_messages_arrive_in_order_when_released_and_later_ones_after_them() -> None:
    stage, _ = staged(3, Hold(0, 5, ("0",)), Hold(0, 9, ("2",)))

    stage.send(0, 1, "a", "b")
    stage.send(1, 0, "back")
    stage.send(2, 1, "held for longer")
    stage.send(2, 0, "held twice")
    stage.simulation.run_for(5.0)
    stage.send(0, 1, "c")
    stage.simulation.run_for(10.0)

    assert stage.story(1) == [(6.0, (0, "a")), (6.0, (0, "b")), (6.0, (0, "c")), (10.0, (2, "held for longer"))]
    assert stage.story(0) == [(6.0, (1, "back")), (10.0, (2, "held twice"))]


def test_a_one_way_hold_lets_answers_through() -> None:
    stage, _ = staged(2, Hold(0, 5, ("0",), ("1",), one_way=True))

    stage.send(0, 1, "held")
    stage.send(1, 0, "passes")
    stage.simulation.run_for(20.0)

    assert stage.story(1) == [(6.0, (0, "held"))] and stage.story(0) == [(1.0, (1, "passes"))]


def test_a_cut_breaks_connections_stops_messages_both_ways_and_tells_senders() -> None:
    stage = connected(3, Cut(0, 5, ("1",)))

    stage.simulation.run_for(1.0)
    stage.send(0, 1, "lost")
    stage.send(0, 2, "passes")
    stage.send(1, 2, "lost too")
    stage.simulation.run_for(3.9)
    stage.do(0, Connect(1))
    stage.simulation.run_for(4.0)

    assert stage.told(0) == ["down 1", "down 1", "up 1"]  # the connection, the message; and a dial after the end
    assert stage.told(1) == ["down 0", "down 2", "up 0"]
    assert stage.told(2) == [(0, "passes")]


def test_through_a_one_way_cut_messages_pass_in_one_direction_and_no_connection_is_made() -> None:
    stage = connected(2, Cut(0, 50, ("0",), ("1",), one_way=True))

    stage.simulation.run_for(1.0)
    stage.send(0, 1, "lost")
    stage.send(1, 0, "passes")
    stage.simulation.run_for(3.0)
    stage.do(1, Connect(0))
    stage.simulation.run_for(5.0)

    assert stage.told(0) == ["down 1", (1, "passes"), "down 1"]
    assert stage.told(1) == ["down 0", "down 0"]


def test_a_stalled_node_is_told_everything_late_and_in_order() -> None:
    stage = connected(3, Stall(0, 5, ("0",)))

    stage.do(1, Disconnect(0))
    stage.send(1, 0, "a")
    stage.send(2, 0, "b")
    stage.simulation.run_for(0.5)
    stage.simulation.kill(2)
    stage.simulation.run_for(20.0)

    assert stage.story(0) == [(15.0, (1, "a")), (15.0, (2, "b")), (15.0, "down 2")]


def test_a_stalled_nodes_timers_fire_when_it_wakes() -> None:
    stage, _ = staged(1, Stall(1, 5, "all"))
    stage.do(0, SetTimer("soon", 0.5), SetTimer("late", 2.0))

    stage.simulation.run_for(20.0)

    assert stage.story(0) == [(0.5, "timer soon"), (5.0, "timer late")]


def test_a_slow_node_takes_its_time_for_each_input_and_catches_up_afterwards() -> None:
    stage, _ = staged(2, Slow(0, 4, ("1",), 1.0))

    stage.send(0, 1, *"abcde")
    stage.simulation.run_for(20.0)
    stage.send(0, 1, "f")
    stage.simulation.run_for(20.0)

    assert stage.story(1) == [
        (2.0, (0, "a")), (3.0, (0, "b")), (4.0, (0, "c")), (4.0, (0, "d")), (4.0, (0, "e")), (21.0, (0, "f")),
    ]  # fmt: skip  # the times of one burst


def test_a_node_that_crashes_while_it_stands_still_is_told_nothing_more() -> None:
    stage, _ = staged(2, Stall(0, 5, ("1",)), Crash(3, ("1",)))

    stage.send(0, 1, "a")
    stage.simulation.run_for(20.0)

    assert stage.story(1) == [] and stage.lives() == ["0"]


def test_a_reset_loses_what_is_on_its_way_both_ways_and_tells_both_ends() -> None:
    stage = connected(3, Reset(0.5, ("1",)))

    stage.send(0, 1, "lost")
    stage.send(1, 0, "lost too")
    stage.send(0, 2, "another connection")
    stage.simulation.run_for(0.5)
    stage.send(0, 1, "on a new one")
    stage.simulation.run_for(5.0)

    assert stage.told(0) == ["down 1"]
    assert stage.told(1) == ["down 0", (0, "on a new one")]
    assert stage.told(2) == [(0, "another connection")]
    assert stage.simulation.lost == 2


def test_of_a_half_open_connection_one_end_learns_when_it_sends() -> None:
    stage = connected(2, Reset(0, ("0",), ("1",), half_open=True))

    stage.simulation.run_for(5.0)
    told = list(stage.told(0)), list(stage.told(1))
    stage.send(0, 1, "into the void")
    stage.simulation.run_for(0.1)
    later = list(stage.told(0))
    stage.send(0, 1, "again")
    stage.simulation.run_for(5.0)

    assert told == ([], ["down 0"])
    assert later == ["down 1"]
    assert stage.told(1) == ["down 0", (0, "again")]


def test_a_new_connection_ends_a_half_open_one() -> None:
    stage = connected(2, Reset(0, ("0",), ("1",), half_open=True))

    stage.do(1, Connect(0))
    stage.simulation.run_for(5.0)
    stage.send(0, 1, "arrives")
    stage.simulation.run_for(5.0)

    assert stage.told(0) == ["up 1"]
    assert stage.told(1) == ["down 0", "up 0", (0, "arrives")]


def test_what_is_learned_of_a_half_open_connection_says_nothing_of_a_new_one() -> None:
    stage = connected(2, Reset(0, ("0",), ("1",), half_open=True))

    stage.do(1, Connect(0))
    stage.simulation.run_for(0.95)  # it is there after a second
    stage.send(0, 1, "into the void")
    stage.simulation.run_for(5.0)
    stage.send(0, 1, "arrives")
    stage.simulation.run_for(5.0)

    assert stage.told(0) == ["up 1"]
    assert stage.told(1) == ["down 0", "up 0", (0, "arrives")]


def test_crashed_nodes_come_back_as_new_lives_that_join(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, _ = staged(4, Crash(1, ("2", "3")), Restart(5, ("3",)), Restart(9))
    joined: list[tuple[Peer, Peer]] = []
    monkeypatch.setattr(stage.simulation, "join", lambda node, contact: joined.append((node, contact)))

    stage.simulation.run_for(20.0)

    assert stage.simulation.live == [0, 1, 3 + LIFE, 2 + LIFE]
    assert joined == [(3 + LIFE, 0), (2 + LIFE, 0)]


def test_a_third_life_follows_the_second() -> None:
    stage, _ = staged(2, Crash(1, ("1",)), Restart(2), Crash(3, ("1",)), Restart(4))

    stage.simulation.run_for(5.0)

    assert stage.simulation.live == [0, 1 + 2 * LIFE]


def test_who_is_up_is_not_restarted() -> None:
    stage, _ = staged(2, Restart(1))

    stage.simulation.run_for(5.0)

    assert stage.simulation.live == [0, 1]


def test_nodes_join_and_leave() -> None:
    stage = Stage(0)
    PlanRun(stage.simulation, FaultPlan((Join(0, 3), Leave(2, ("1",)), Join(5))))

    stage.simulation.run_for(2.5)
    before = stage.lives()
    stage.simulation.run_for(10.0)

    assert before == ["0", "1", "2"] and stage.told(1) == ["leave"]
    assert stage.lives() == ["0", "2", "3"]


def test_chance_selects_by_the_seed_spares_who_is_to_be_spared_and_writes_it_down() -> None:
    operations = (Crash(1, "2 random"), Cut(2, 3, "30%", one_way=True), Restart(4, "1 random"), Crash(5, "all"))
    stage, run = staged(8, *operations, spared=("0",))

    stage.simulation.run_for(10.0)

    crashed, side, restarted = (run.choices[index] for index in range(3))
    assert stage.lives() == ["0"]
    assert len(crashed["nodes"]) == 2 and restarted["nodes"][0] in crashed["nodes"]
    assert len(side["side"]) == 2 and not set(side["side"]) & set(crashed["nodes"])
    again, run_again = staged(8, *operations, spared=("0",))
    again.simulation.run_for(10.0)
    assert run_again.choices == run.choices


def test_cuts_are_about_names_so_a_new_life_stays_on_its_side() -> None:
    stage, _ = staged(3, Cut(0, 50, ("2",)), Crash(1, ("2",)), Restart(2))

    stage.simulation.run_for(3.0)
    stage.send(0, 2 + LIFE, "lost")
    stage.simulation.run_for(5.0)

    assert stage.told(2 + LIFE) == [] and stage.told(0) == [f"down {2 + LIFE}"]


def test_observers_see_every_message_before_it_is_handled_and_every_step() -> None:
    seen: list[object] = []

    class Watcher:
        def received(self, simulation: FaultySimulation, sender: Peer, receiver: Peer, message: object) -> None:
            seen.append((sender, receiver, message))

        def stepped(self, simulation: FaultySimulation, node: Peer) -> None:
            seen.append(node)

    stage = Stage(2, observers=[Watcher()])
    seen.clear()
    stage.do(0, SetTimer("x", 2.0))
    stage.send(0, 1, "a")
    stage.simulation.run_for(3.0)

    assert seen == [0, 0, (0, 1, "a"), 0]


@pytest.mark.parametrize("operation", [Stall(0, 5, ("1",)), Slow(0, 5, ("1",), 2.0)])
def test_nothing_that_waits_is_forgotten_when_a_span_ends(operation: Operation) -> None:
    stage, _ = staged(2, operation)

    for number in range(100):
        stage.send(0, 1, number)
        stage.simulation.run_for(0.1)
    stage.simulation.run_for(20.0)

    assert stage.told(1) == [(0, number) for number in range(100)]

"""The overlay benchmark: how it judges what nodes say, what it refuses to start, and what it shows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from partisan_actors.cli.bench.overlay.figure import PANELS, curves
from partisan_actors.cli.bench.overlay.graph import Shape
from partisan_actors.cli.bench.overlay.phases import Broadcasts, Loss, OverlayResult, Rest
from partisan_actors.cli.bench.overlay.plan import OverlayPlan, default_processes
from partisan_actors.cli.bench.overlay.report import remarks, table
from partisan_actors.errors import ConfigError


def test_a_ring_is_sound() -> None:
    shape = Shape.of({node: [(node + 1) % 5, (node - 1) % 5] for node in range(5)})

    assert shape == Shape(5, 5, links=5, one_sided=0, alone=0, degree_least=2, degree_most=2)
    assert shape.is_sound


def test_two_rings_are_not_connected() -> None:
    shape = Shape.of({0: [1], 1: [0], 2: [3, 4], 3: [2, 4], 4: [2, 3]})

    assert (shape.largest_part, shape.one_sided, shape.is_connected) == (3, 0, False)


def test_a_link_that_one_end_speaks_of_counts_as_one_sided_and_connects_nothing() -> None:
    shape = Shape.of({0: [1], 1: [0, 2], 2: []})

    assert (shape.links, shape.one_sided, shape.largest_part, shape.alone) == (2, 1, 2, 1)
    assert not shape.is_sound


def test_a_link_to_a_node_that_says_nothing_is_one_sided() -> None:
    assert Shape.of({0: [1, 7], 1: [0]}).one_sided == 1


def test_no_nodes_have_no_shape_worth_a_crash() -> None:
    assert Shape.of({}).largest_part == 0


def test_the_processes_share_the_nodes_and_leave_none_out() -> None:
    plan = OverlayPlan(nodes=10, processes=4)

    shares = [list(plan.nodes_of(process)) for process in range(4)]

    assert sorted(number for share in shares for number in share) == list(range(10))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("killed", [None, 1, 3])
def test_of_every_node_it_is_known_which_process_plays_it(killed: int | None) -> None:
    plan = OverlayPlan(nodes=10, processes=4, killed=killed)

    assert [plan.process_of(number) for process in range(4) for number in plan.nodes_of(process)] == [
        process for process in range(4) for _ in plan.nodes_of(process)
    ]
    assert sorted(number for process in range(4) for number in plan.nodes_of(process)) == list(range(10))
    assert killed is None or len(plan.nodes_of(3)) == killed


@pytest.mark.parametrize("settings", [{"killed": 0}, {"killed": 8}, {"killed": 1, "kills": False}])
def test_neither_nobody_nor_a_contact_nor_the_last_node_of_another_process_is_killed(settings: Any) -> None:
    with pytest.raises(ConfigError, match="killed"):
        OverlayPlan(**{"nodes": 10, "processes": 3, "contacts": 3, **settings})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("overlay", "hyperview"),
        ("nodes", 1),
        ("processes", 0),
        ("processes", 33),
        ("contacts", 0),
        ("interval_s", -1.0),
        ("limit_s", 0.0),
        ("broadcasts", -1),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        dataclasses.replace(OverlayPlan(), **{field: value})


def test_one_process_cannot_be_killed_and_looked_at_too() -> None:
    with pytest.raises(ConfigError, match="--no-kill"):
        OverlayPlan(processes=1)
    assert OverlayPlan(processes=1, kills=False).processes == 1


def test_too_many_sockets_for_this_machine_is_said_before_anything_starts() -> None:
    plan = OverlayPlan(overlay="full_mesh", nodes=600, processes=4)

    with pytest.raises(ConfigError, match=r"--processes \d+.*may open 20000 files") as caught:
        plan.check_files(20_000)

    enough = int(str(caught.value).partition("--processes ")[2].partition(")")[0])
    dataclasses.replace(plan, processes=enough).check_files(20_000)
    OverlayPlan(overlay="hyparview", nodes=1000, processes=4).check_files(20_000)


def test_more_processes_than_there_may_be_are_not_proposed() -> None:
    with pytest.raises(ConfigError, match="expected fewer, or a higher limit"):
        OverlayPlan(overlay="full_mesh", nodes=4000, processes=4).check_files(20_000)


def test_no_process_is_without_a_node() -> None:
    assert default_processes(2) == 2
    assert default_processes(1) == 1


SHAPE = Shape(8, 8, 14, 0, 0, 3, 5)
CASTS = Broadcasts(2, 14, 14, 21, (0.01, 0.03, 0.02), (0.001, 0.002, 0.003, 0.03))
LOSS = Loss(2, 1.5, 2.5, SHAPE, CASTS)


def finished() -> OverlayResult:
    """A run that showed everything."""
    rest = Rest(10.0, 512.4, 2.0, 0.25, {})
    return OverlayResult(OverlayPlan(nodes=8), 0.5, 0.75, SHAPE, rest=rest, broadcasts=CASTS, loss=LOSS)


def test_a_run_that_showed_everything_is_sound_and_its_figures_are_in_the_table() -> None:
    result = finished()

    assert result.is_good
    assert remarks(result) == []
    line = table([result]).splitlines()[1].split()
    expected = "hyparview 8 4 0.50 0.75 14 0 3-5 0 0 512 25 1 20 0.5 2 1.50 2.50 sound"
    assert line == expected.split()


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        ({"known_s": None}, "every node knows every node"),
        ({"shape": Shape(8, 7, 14, 0, 1, 0, 5)}, "one connected overlay"),
        ({"shape": Shape(8, 8, 14, 1, 0, 3, 5)}, "no one-sided link"),
        ({"failures": ["n3: cannot reach it"]}, "every node started"),
        ({"broadcasts": Broadcasts(2, 14, 13, 13, (), ())}, "every broadcast delivered"),
        ({"loss": dataclasses.replace(LOSS, noticed_s=None)}, "every death noticed"),
        ({"loss": dataclasses.replace(LOSS, healed_s=None)}, "overlay healed"),
    ],
)
def test_what_a_run_did_not_show_is_said(change: dict[str, object], remark: str) -> None:
    result = dataclasses.replace(finished(), **change)

    assert not result.is_good
    assert remarks(result)[0] == f"not so: {remark}"
    assert "FAILED" in table([result])


def test_a_curve_holds_the_runs_that_kept_all_their_promises_by_size() -> None:
    good, larger = finished().to_json(), finished().to_json()
    failed = dataclasses.replace(finished(), known_s=None).to_json()
    larger["plan"]["nodes"] = 16
    failed["plan"]["nodes"] = 32

    lines = {title: curves([larger, failed, good], figure) for title, figure in PANELS.items()}

    assert lines["s until everybody knows everybody"] == {"hyparview": [(8, 0.75), (16, 0.75)]}
    assert lines["ms until the last node has a broadcast"] == {"hyparview": [(8, 20.0), (16, 20.0)]}
    assert all(len(each["hyparview"]) == 2 for each in lines.values())

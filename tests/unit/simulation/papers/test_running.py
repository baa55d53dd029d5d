"""Running: the same figures whoever does the work, baselines for the first seeds only, and a line for each step."""

from __future__ import annotations

import pytest

from partisan_actors.simulation.papers.running import run

NAMES = ["hyparview-recovery", "hyparview-graph"]


def test_processes_give_the_same_figures_as_one_alone() -> None:
    told: list[str] = []

    alone = run(NAMES, 100, [1, 2], processes=1)
    shared = run(NAMES, 100, [1, 2], processes=2, told=told.append)

    assert [result.paper for result in shared] == NAMES
    for one, other in zip(alone, shared, strict=True):
        assert [row.values for row in one.rows] == [row.values for row in other.rows]
        assert one.seeds == other.seeds == (1, 2)
    assert sorted(line.split(" took")[0] for line in told) == sorted(f"{n}: seed {s}" for n in NAMES for s in (1, 2))


def test_baselines_run_for_the_first_two_seeds() -> None:
    (result,) = run(["hyparview-graph"], 100, [5, 6, 7], processes=1)

    assert len(result.row("hyparview path").values) == 3
    assert len(result.row("cyclon path").values) == 2
    assert result.cpu_s > 0


def test_an_unknown_experiment_is_refused_before_anything_runs() -> None:
    with pytest.raises(KeyError):
        run(["hyparview-graph", "no-such-paper"], 100, [1])

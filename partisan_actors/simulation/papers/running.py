"""Runs experiments over several seeds, a process for each of the machine's cores, and judges what comes back.

A seed's experiments run one after the other in one process, because most begin with the same stable overlay, which is
made once. What comes back depends on the seeds alone, not on which process did what, or when.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass

from partisan_actors.simulation.papers.catalogue import EXPERIMENTS
from partisan_actors.simulation.papers.experiment import BASELINE_SEEDS
from partisan_actors.simulation.papers.judging import Observation, Result, judge
from partisan_actors.simulation.processes import Pool

__all__ = ["Told", "run"]

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one experiment gave for one seed."""

    name: str
    seed: int
    observation: Observation
    cpu_s: float


def run(
    names: Sequence[str], nodes: int, seeds: Sequence[int], processes: int | None = None, told: Told | None = None
) -> list[Result]:
    """Run the experiments `names` and judge each. `told` gets a line whenever one is done for a seed.

    With one process everything runs in the caller's. Raises KeyError for a name that is not in `EXPERIMENTS`.
    """
    for name in names:
        EXPERIMENTS[name]
    tell = told if told is not None else _silent
    jobs = [(seed, number < BASELINE_SEEDS) for number, seed in enumerate(seeds)]
    workers = min(processes or os.cpu_count() or 1, len(jobs))
    measured: list[_Measured] = []
    if workers == 1:
        for seed, with_baseline in jobs:
            for name in names:
                measured.append(_measure(name, nodes, seed, with_baseline))
                tell(_line(measured[-1]))
    else:
        measured = _in_processes(names, nodes, jobs, workers, tell)
    return [_judge(name, nodes, seeds, measured) for name in names]


def _in_processes(
    names: Sequence[str], nodes: int, jobs: Sequence[tuple[int, bool]], workers: int, tell: Told
) -> list[_Measured]:
    measured: list[_Measured] = []
    pool = Pool(workers)
    try:
        pending: list[Future[list[_Measured]]] = [
            pool.submit(_measure_all, tuple(names), nodes, seed, with_baseline) for seed, with_baseline in jobs
        ]
        for future in as_completed(pending):
            for one in future.result():
                measured.append(one)
                tell(_line(one))
    except BaseException:
        # An interruption must not wait for minutes of work that nobody wants any more.
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return measured


def _measure_all(names: Sequence[str], nodes: int, seed: int, with_baseline: bool) -> list[_Measured]:
    return [_measure(name, nodes, seed, with_baseline) for name in names]


def _measure(name: str, nodes: int, seed: int, with_baseline: bool) -> _Measured:
    experiment = EXPERIMENTS[name]
    start_s = time.process_time()
    seen = dict(experiment.measure(seed, nodes))
    if with_baseline and experiment.baseline is not None:
        seen |= experiment.baseline(seed, nodes)
    return _Measured(name, seed, seen, time.process_time() - start_s)


def _judge(name: str, nodes: int, seeds: Sequence[int], measured: Sequence[_Measured]) -> Result:
    experiment = EXPERIMENTS[name]
    mine = sorted((one for one in measured if one.name == name), key=lambda one: seeds.index(one.seed))
    return judge(
        name,
        experiment.title,
        nodes,
        seeds,
        experiment.quantities(nodes),
        [one.observation for one in mine],
        (experiment.setting, *experiment.notes),
        sum(one.cpu_s for one in mine),
    )


def _line(one: _Measured) -> str:
    return f"{one.name}: seed {one.seed} took {one.cpu_s:.1f} s"


def _silent(line: str) -> None:
    """Nobody wants to know."""

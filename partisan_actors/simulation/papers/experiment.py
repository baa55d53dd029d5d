"""`Experiment`: what every reproduced experiment gives to the command that runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from partisan_actors.simulation.papers.judging import Observation, Quantity

__all__ = ["BASELINE_SEEDS", "Experiment"]

# So many seeds run the baselines too: theirs are means over thousands of nodes, with little to tell seeds apart.
BASELINE_SEEDS: Final = 2


@dataclass(frozen=True, slots=True)
class Experiment:
    """One published experiment.

    `measure(seed, nodes)` runs it once; it depends on nothing else. `baseline` does the same for what the authors
    compared with. Both may take minutes. `quantities(nodes)` describes what the two measure, in the order of the table.
    """

    name: str
    title: str
    setting: str  # how it is run: which engine, and what was decided where the paper is silent
    measure: Callable[[int, int], Observation]
    quantities: Callable[[int], Sequence[Quantity]]
    baseline: Callable[[int, int], Observation] | None = None
    x_label: str = ""
    y_label: str = ""
    notes: tuple[str, ...] = ()
    least_nodes: int = 100

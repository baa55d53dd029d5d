"""The experiments there are, by name."""

from __future__ import annotations

from typing import Final

from partisan_actors.simulation.papers import (
    hyparview_failures,
    hyparview_graph,
    hyparview_healing,
    plumtree_cost,
    plumtree_failures,
    scamp_views,
    swim_detection,
    xbot_cost,
)
from partisan_actors.simulation.papers.experiment import Experiment

__all__ = ["EXPERIMENTS"]

EXPERIMENTS: Final[dict[str, Experiment]] = {
    experiment.name: experiment
    for experiment in (
        hyparview_failures.RELIABILITY,
        hyparview_failures.RECOVERY,
        hyparview_healing.EXPERIMENT,
        hyparview_graph.EXPERIMENT,
        plumtree_cost.EXPERIMENT,
        plumtree_failures.EXPERIMENT,
        xbot_cost.EXPERIMENT,
        scamp_views.EXPERIMENT,
        swim_detection.EXPERIMENT,
    )
}

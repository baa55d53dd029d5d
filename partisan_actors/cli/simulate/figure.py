"""Draws a reproduced experiment with matplotlib, which is asked for only here and may be missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from partisan_actors.cli.failure import ExitCode, Failure
from partisan_actors.simulation.papers.catalogue import EXPERIMENTS
from partisan_actors.simulation.papers.judging import Result
from partisan_actors.simulation.papers.lines import lines_of

__all__ = ["FORMATS", "check_drawable", "draw"]

FORMATS: Final = (".svg", ".png", ".pdf")


def check_drawable(file: Path) -> None:
    """Raises Failure when this cannot be drawn, before minutes are spent on what to draw."""
    if file.suffix not in FORMATS:
        raise Failure(f"cannot draw into {file}: expected a name that ends in {', '.join(FORMATS)}", ExitCode.USAGE)
    if not file.parent.is_dir():
        raise Failure(f"cannot draw into {file}: there is no folder {file.parent}", ExitCode.USAGE)
    if importlib.util.find_spec("matplotlib") is None:
        raise Failure(
            "drawing needs matplotlib, which is not installed: pip install 'partisan-actors[docs]'", ExitCode.OTHER
        )


def draw(result: Result, file: Path) -> None:
    """Draw the result's lines: ours solid with the seeds' range, as published dashed, as theory has it dotted."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    experiment = EXPERIMENTS[result.paper]
    # The same picture for the same figures: no date, no random ids.
    with mpl.rc_context({"svg.hashsalt": "partisan_actors", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.add_subplot()
        for number, line in enumerate(lines_of(result)):
            colour = f"C{number % 10}"
            xs, means = [point.x for point in line.ours], [point.mean for point in line.ours]
            below = [point.mean - point.low for point in line.ours]
            above = [point.high - point.mean for point in line.ours]
            axes.errorbar(xs, means, yerr=(below, above), color=colour, marker="o", markersize=3, label=line.name)
            if line.published:
                axes.plot(*zip(*line.published, strict=True), color=colour, linestyle="--", marker="x", markersize=4)
            if len(line.oracle) > 1:
                axes.plot(*zip(*line.oracle, strict=True), color=colour, linestyle=":")
            elif line.oracle:
                axes.plot(*zip(*line.oracle, strict=True), color=colour, linestyle="", marker="*")
        axes.plot([], [], color="grey", linestyle="--", marker="x", markersize=4, label="as published")
        axes.plot([], [], color="grey", linestyle=":", marker="*", label="theory")
        axes.set_xlabel(experiment.x_label)
        axes.set_ylabel(experiment.y_label)
        axes.set_title(f"{result.title}\n{result.nodes:,} nodes, {len(result.seeds)} seeds", fontsize=9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)

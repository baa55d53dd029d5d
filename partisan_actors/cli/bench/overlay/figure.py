"""Draws the curves of overlay benchmarks.

`python -m partisan_actors.cli.bench.overlay.figure RUNS.json ... --output FILE`: each file of runs holds what
`partisan bench overlay --curve ... --json` printed. Needs matplotlib, which `[docs]` installs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["PANELS", "curves", "draw", "main"]

Run = Mapping[str, Any]
Figure = Callable[[Run], float | None]


def _median_last_ms(run: Run) -> float | None:
    last = sorted((run["broadcasts"] or {}).get("last_s", ()))
    return 1000 * last[len(last) // 2] if last else None


PANELS: Final[Mapping[str, Figure]] = {
    "s until everybody knows everybody": lambda run: run["known_s"],
    "connections of a node": lambda run: 2 * run["connections"] / run["plan"]["nodes"],
    "MiB for each node": lambda run: run["memory_bytes"] / run["plan"]["nodes"] / (1 << 20),
    "bytes a second for each node, at rest": lambda run: run["rest"] and run["rest"]["bytes_per_node_s"],
    "ms until the last node has a broadcast": _median_last_ms,
    "s until a killed process is known": lambda run: run["loss"] and run["loss"]["noticed_s"],
}


def curves(runs: Sequence[Run], figure: Figure) -> dict[str, list[tuple[int, float]]]:
    """For each overlay the points (nodes, figure) of its runs that kept all their promises, by number of nodes."""
    found: dict[str, list[tuple[int, float]]] = {}
    for run in runs:
        value = figure(run) if all(run["checks"].values()) else None
        if value is not None:
            found.setdefault(run["plan"]["overlay"], []).append((run["plan"]["nodes"], value))
    return {overlay: sorted(points) for overlay, points in sorted(found.items())}


def draw(runs: Sequence[Run], output: Path) -> None:
    """One panel for each figure, one line for each overlay, both axes logarithmic."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    mpl.rcParams["svg.hashsalt"] = "partisan"  # the same figures give the same file
    canvas = Canvas(figsize=(12, 7), layout="constrained")
    axes = canvas.subplots(2, 3)
    for place, (title, figure) in zip(axes.flat, PANELS.items(), strict=True):
        for overlay, points in curves(runs, figure).items():
            place.plot(*zip(*points, strict=True), marker="o", label=overlay)
        place.set(title=title, xlabel="nodes", xscale="log", yscale="log")
        place.grid(visible=True, which="both", alpha=0.3)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=max(1, len(labels)))
    canvas.savefig(output, metadata={"Date": None})


def main() -> None:
    """Draw the runs of all files into one figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--output", required=True, type=Path)
    given = parser.parse_args()
    draw([run for file in given.files for run in json.loads(file.read_text())["runs"]], given.output)


if __name__ == "__main__":
    main()

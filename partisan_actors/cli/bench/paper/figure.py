"""Draws an experiment: one panel for each size and wire, one line for each way of connecting. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from partisan_actors.cli.bench.paper.report import size_text
from partisan_actors.cli.bench.paper.results import Point

__all__ = ["draw"]


def draw(points: Sequence[Point], output: Path) -> None:
    """Median latency over actors (over lanes for "queues"), or operations a second for services, with the spread."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "partisan"  # the same figures give the same file
    experiment = points[0].experiment
    panels = sorted({(point.setting.size, point.setting.wire.round_trip_ms) for point in points})
    canvas = Figure(figsize=(5.5 * len(panels), 4.5), layout="constrained")
    for place, (size, round_trip_ms) in zip(canvas.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        here = [p for p in points if (p.setting.size, p.setting.wire.round_trip_ms) == (size, round_trip_ms)]
        _draw_panel(place, experiment, here)
        place.set_title(f"{experiment}: {size_text(size)}, round trip {round_trip_ms:g} ms")
    canvas.savefig(output, metadata={"Date": None} if output.suffix == ".svg" else None)


def _draw_panel(place: Any, experiment: str, points: Sequence[Point]) -> None:
    by_rate = experiment in ("echo", "kvs")
    by_lanes = experiment == "queues"
    lines: dict[str, list[tuple[float, float, float, float]]] = {}
    for point in points:
        x = point.setting.configuration.lanes if by_lanes else point.setting.actors
        if by_rate:
            y, low, high = point.per_second, point.fewest_per_second, point.most_per_second
        else:
            y, low, high = (1e3 * each for each in (point.median_s, point.lowest_s, point.highest_s))
        name = f"{point.setting.actors} actors" if by_lanes else point.setting.configuration.name
        lines.setdefault(name, []).append((x, y, y - low, high - y))
    for name, found in lines.items():
        xs, ys, below, above = zip(*sorted(found), strict=True)
        place.errorbar(xs, ys, yerr=(below, above), marker="o", capsize=3, label=name)
    place.set(xscale="log", yscale="log", xlabel="lanes" if by_lanes else "actors")
    place.set_ylabel("operations a second" if by_rate else "median ms to the acknowledgement")
    place.grid(visible=True, which="both", alpha=0.3)
    place.legend()

"""What a figure of a result shows: for each of its lines our points, the published ones, and those of theory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from partisan_actors.simulation.papers.judging import Result

__all__ = ["Line", "Point", "lines_of"]


@dataclass(frozen=True, slots=True)
class Point:
    """The mean over the seeds, and how far they go."""

    x: float
    mean: float
    low: float
    high: float


@dataclass(slots=True)
class Line:
    """One curve, three times: ours, as published, as theory has it. The latter two may be empty."""

    name: str
    ours: list[Point] = field(default_factory=list)
    published: list[tuple[float, float]] = field(default_factory=list)
    oracle: list[tuple[float, float]] = field(default_factory=list)


def lines_of(result: Result) -> list[Line]:
    """The lines of a result, in the order of its rows; a quantity that was not measured gives no point of ours."""
    lines: dict[str, Line] = {}
    for row in result.rows:
        quantity = row.quantity
        if not quantity.line:
            continue
        line = lines.setdefault(quantity.line, Line(quantity.line))
        if row.values:
            line.ours.append(Point(quantity.x, row.mean, min(row.values), max(row.values)))
        if row.published is not None:
            line.published.append((quantity.x, row.published.value))
        if quantity.oracle is not None and math.isfinite(quantity.oracle):
            line.oracle.append((quantity.x, quantity.oracle))
    return list(lines.values())

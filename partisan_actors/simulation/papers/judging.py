"""What was measured beside what was published and what theory says, and whether it lies in its band.

An experiment measures an `Observation` for each seed and describes what it measured as `Quantity` values; `judge` makes
the `Result` of them that the command prints, draws and writes as JSON.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from partisan_actors.simulation.papers.bands import Band, band_for
from partisan_actors.simulation.papers.published import PUBLISHED, Published

__all__ = ["Observation", "Quantity", "Result", "Row", "Verdict", "judge"]

# What one run of one seed measured, by the key of the quantity. A key that a seed lacks was not measured in it.
Observation: TypeAlias = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is measured under `key`. `line` and `x` place it in the figure: the x-th point of that line."""

    key: str
    label: str
    digits: int = 2
    oracle: float | None = None
    line: str = ""
    x: float = 0.0
    in_table: bool = True


class Verdict(StrEnum):
    """Whether a band holds. Where there is no band there is no verdict."""

    PASS = "pass"
    FAIL = "fail"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A quantity over all seeds."""

    quantity: Quantity
    values: tuple[float, ...]
    published: Published | None
    band: Band | None

    @property
    def mean(self) -> float:
        """Over the seeds in which it was measured; nan when there is none."""
        return statistics.fmean(self.values) if self.values else math.nan

    @property
    def verdict(self) -> Verdict:
        """Whether the mean, or every value, lies in the band, as the band says."""
        if self.band is None:
            return Verdict.NONE
        judged = (self.mean,) if self.band.of == "mean" else self.values
        held = bool(self.values) and all(self.band.low <= value <= self.band.high for value in judged)
        return Verdict.PASS if held else Verdict.FAIL

    def to_json(self) -> dict[str, Any]:
        """All there is to know of it, as plain values."""
        quantity, band, published = self.quantity, self.band, self.published
        return {
            "key": quantity.key,
            "label": quantity.label,
            "mean": _number(self.mean),
            "values": [_number(value) for value in self.values],
            "published": None
            if published is None
            else {"value": published.value, "source": published.source, "doubt": published.doubt},
            "oracle": _number(quantity.oracle),
            "band": None
            if band is None
            else {"low": _number(band.low), "high": _number(band.high), "of": band.of, "reason": band.reason},
            "verdict": str(self.verdict),
        }


@dataclass(frozen=True, slots=True)
class Result:
    """An experiment over some seeds."""

    paper: str
    title: str
    nodes: int
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    cpu_s: float

    @property
    def failed(self) -> list[Row]:
        """The rows whose band does not hold."""
        return [row for row in self.rows if row.verdict is Verdict.FAIL]

    def row(self, key: str) -> Row:
        """The row of a quantity. Raises KeyError when it was not measured."""
        for row in self.rows:
            if row.quantity.key == key:
                return row
        raise KeyError(key)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "paper": self.paper,
            "title": self.title,
            "nodes": self.nodes,
            "seeds": list(self.seeds),
            "cpu_s": round(self.cpu_s, 1),
            "passed": not self.failed,
            "notes": list(self.notes),
            "rows": [row.to_json() for row in self.rows],
        }


def judge(
    paper: str,
    title: str,
    nodes: int,
    seeds: Sequence[int],
    quantities: Sequence[Quantity],
    observations: Sequence[Observation],
    notes: Sequence[str] = (),
    cpu_s: float = 0.0,
) -> Result:
    """Put the observations together. A quantity that no seed measured has a row without values, and fails its band."""
    rows = []
    for quantity in quantities:
        values = tuple(seen[quantity.key] for seen in observations if quantity.key in seen)
        band = band_for(quantity.key, nodes, quantity.oracle)
        rows.append(Row(quantity, values, PUBLISHED.get(quantity.key), band))
    return Result(paper, title, nodes, tuple(seeds), tuple(rows), tuple(notes), cpu_s)


def _number(value: float | None) -> float | None:
    """JSON knows no nan and no infinity."""
    return None if value is None or not math.isfinite(value) else value

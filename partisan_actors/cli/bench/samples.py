"""Figures and what they amount to: summaries of samples, one row's measurement, and their JSON form. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Comparison", "Measurement", "Summary", "geometric_mean", "percentile"]


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` (0 to 1) of all samples do not exceed. There must be a sample."""
    if not samples:
        raise ValueError("a percentile needs at least one sample")
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean for ratios: doubling in one mode and halving in another cancel. There must be a ratio, all positive."""
    return statistics.geometric_mean(ratios)


@dataclass(frozen=True, slots=True)
class Summary:
    """What one side did over all its turns.

    `median` is the median of the turns' medians, so that one disturbed turn moves it little; `p99` is over all samples
    together; `spread` is how far the middle 80 % of the turns' medians lie apart, as a share of `median`.
    """

    median: float
    p99: float
    spread: float
    count: int

    @classmethod
    def of(cls, turns: Sequence[Sequence[float]]) -> Summary:
        """Summarise the samples of each turn. Empty turns are left out; at least one must not be."""
        medians = [statistics.median(turn) for turn in turns if turn]
        if not medians:
            raise ValueError("a summary needs at least one sample")
        median = statistics.median(medians)
        samples = [sample for turn in turns for sample in turn]
        apart = percentile(medians, 0.9) - percentile(medians, 0.1)
        spread = apart / median if median else 0.0
        return cls(median, percentile(samples, 0.99), spread, len(samples))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The floor and ours in one mode, both in seconds per operation."""

    mode: str
    floor: Summary
    ours: Summary


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came of measuring one row.

    Comparative rows fill `comparisons`, absolute rows `figure`. A row that could not be measured fills `failure` and
    neither of the two. `note` adds what a number cannot say.
    """

    row: str
    comparisons: tuple[Comparison, ...] = ()
    figure: Summary | None = None
    note: str = ""
    failure: str = ""

    def to_json(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """The inverse of `to_json`."""
        comparisons = tuple(
            Comparison(entry["mode"], Summary(**entry["floor"]), Summary(**entry["ours"]))
            for entry in data["comparisons"]
        )
        figure = Summary(**data["figure"]) if data["figure"] is not None else None
        return cls(data["row"], comparisons, figure, data["note"], data["failure"])
